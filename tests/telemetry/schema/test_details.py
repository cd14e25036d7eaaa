from telemetry.schema import details
from telemetry.schema.parts import Engine


def test_details_are_found_by_the_endpoint_and_time_of_their_request() -> None:
    assert details.REQUEST_DETAILS.order_by == "(endpoint, ended_at)"
    assert details.REQUEST_DETAILS.kept_days == 7
    assert {"record_id", "error_hash", "event_offsets_us"} < {c.name for c in details.REQUEST_DETAILS.columns}


def test_an_error_text_is_kept_once() -> None:
    merged = [column.type for column in details.ERROR_TEXTS.columns if column.name != "error_hash"]

    assert details.ERROR_TEXTS.engine is Engine.AGGREGATING
    assert details.ERROR_TEXTS.order_by == "error_hash"
    assert [kind for kind in merged if not kind.startswith("SimpleAggregateFunction(")] == []


def test_text_of_users_is_in_one_table_that_lasts_a_day() -> None:
    assert details.CONTENT_SAMPLES.kept_days == 1
    assert details.CONTENT_SAMPLES not in details.DETAIL_TABLES
