from telemetry import schema
from telemetry.record import RequestRecord


def test_the_fields_of_a_record_are_the_insert_columns_less_what_the_spool_adds() -> None:
    inserted = [column.name for column in schema.REQUESTS.insert_columns if column.name not in {"collector", "seq"}]

    assert inserted == list(RequestRecord.__struct_fields__)


def test_the_columns_that_the_store_fills_are_not_inserted() -> None:
    left = {column.name for column in schema.REQUESTS.columns} - {c.name for c in schema.REQUESTS.insert_columns}

    assert left == {"ingested_at", "started_at"}


def test_every_table_carries_the_settings_that_deduplication_and_durability_rest_on() -> None:
    for table in schema.TABLES:
        assert table.settings["non_replicated_deduplication_window"] == str(schema.DEDUPLICATION_WINDOW) == "10000"
        assert table.settings["fsync_after_insert"] == table.settings["fsync_part_directory"] == "1"
        assert ("ttl_only_drop_parts" in table.settings) == bool(table.ttl)


def test_every_column_says_what_it_means_and_names_are_unique() -> None:
    for table in schema.TABLES:
        names = [column.name for column in table.columns]

        assert len(set(names)) == len(names)
        assert [column.name for column in table.columns if not column.meaning] == []


def test_a_duration_has_its_unit_as_the_last_word_of_its_name() -> None:
    columns = [column for column in schema.REQUESTS.columns if column.unit == "us" and column.name != "started_at"]

    assert [column.name for column in columns if not column.name.endswith("_us")] == []


def test_the_ddl_of_a_table_names_every_clause() -> None:
    table = schema.Table(
        name="t",
        writer="nobody",
        columns=(
            schema.Column(name="a", type="UInt8", meaning="a number", codec="T64"),
            schema.Column(name="b", type="UInt8", meaning="another", default="ALIAS a"),
        ),
        order_by="a",
        partition_by="a % 2",
        ttl="now()",
        indexes=("i a TYPE minmax GRANULARITY 1",),
    )

    assert schema.ddl(table, "d") == (
        "CREATE TABLE IF NOT EXISTS d.t\n(\n    a UInt8 CODEC(T64),\n    b UInt8 ALIAS a,\n"
        "    INDEX i a TYPE minmax GRANULARITY 1\n)\nENGINE = MergeTree\nPARTITION BY a % 2\nORDER BY a\nTTL now()\n"
        "SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, "
        "ttl_only_drop_parts = 1"
    )
    assert "PARTITION" not in schema.ddl(schema.SCHEMA_MIGRATIONS)
    assert "TTL" not in schema.ddl(schema.SCHEMA_MIGRATIONS)
