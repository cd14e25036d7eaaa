from telemetry.schema.requests import REQUESTS


def test_the_columns_that_the_store_fills_are_not_inserted() -> None:
    left = {column.name for column in REQUESTS.columns} - {column.name for column in REQUESTS.insert_columns}

    assert left == {"ingested_at", "started_at"}


def test_the_table_is_kept_as_the_first_version_made_it() -> None:
    assert REQUESTS.partition_by == "toDate(ended_at)"
    assert REQUESTS.ttl == "toDateTime(ended_at) + INTERVAL 14 DAY"
    assert REQUESTS.order_by == "(endpoint, model, region, workload_class, toStartOfMinute(ended_at), ended_at)"
