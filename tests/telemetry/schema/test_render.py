import pytest

from telemetry.schema import render
from telemetry.schema.parts import Column, Table, View

CLUSTER = render.Variant(cluster="main")
T = Table(
    name="t",
    writer="nobody",
    meaning="a row",
    columns=(
        Column(name="a", type="UInt8", meaning="a number", codec="T64"),
        Column(name="b", type="UInt8", meaning="another", default="ALIAS a"),
        Column(name="at", type="DateTime('UTC')", meaning="a time"),
    ),
    order_by="a",
    time="at",
    kept_days=1,
    indexes=("i a TYPE minmax GRANULARITY 1",),
    shard_by=("a", "b"),
)
SMALL = Table(name="small", writer="nobody", meaning="a row", columns=T.columns[:1], order_by="a")
VIEW = View(name="v", source="t", target="t2", select="SELECT\n    a\nFROM inferometer.t{local} AS s")
READ = View(name="v", source="t", select="SELECT a\nFROM inferometer.t")


def test_the_statement_of_a_table_names_every_clause() -> None:
    assert render.ddl(T) == (
        "CREATE TABLE IF NOT EXISTS inferometer.t\n(\n    a UInt8 CODEC(T64),\n    b UInt8 ALIAS a,\n"
        "    at DateTime('UTC'),\n    INDEX i a TYPE minmax GRANULARITY 1\n)\nENGINE = MergeTree\n"
        "PARTITION BY toDate(at)\nORDER BY a\nTTL at + INTERVAL 1 DAY\n"
        "SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, "
        "ttl_only_drop_parts = 1"
    )
    assert "PARTITION" not in render.ddl(SMALL)
    assert "ttl" not in render.ddl(SMALL).lower()


def test_on_a_cluster_a_table_has_a_local_part_and_one_that_spreads_queries() -> None:
    local, spread = render.table_statements(T, CLUSTER)

    assert local.startswith("CREATE TABLE IF NOT EXISTS inferometer.t_local ON CLUSTER 'main'\n(\n    a UInt8")
    assert "\nENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')\n" in local
    assert spread == (
        "CREATE TABLE IF NOT EXISTS inferometer.t ON CLUSTER 'main'\nAS inferometer.t_local\n"
        "ENGINE = Distributed('main', 'inferometer', 't_local', cityHash64(a, b))"
    )
    assert render.table_statements(T) == (render.ddl(T),)
    assert (render.is_spread(T, CLUSTER), render.is_spread(T, render.ONE_SERVER)) == (True, False)


def test_on_a_cluster_a_small_table_is_whole_on_every_node() -> None:
    (statement,) = render.table_statements(SMALL, CLUSTER)

    assert statement.startswith("CREATE TABLE IF NOT EXISTS inferometer.small ON CLUSTER 'main'\n")
    assert "\nENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}', '{shard}-{replica}')\n" in statement


def test_a_replicated_table_remembers_tokens_for_longer_than_an_outage() -> None:
    assert render.settings(T, CLUSTER) == {
        "replicated_deduplication_window": "10000",
        "replicated_deduplication_window_for_async_inserts": "10000",
        "replicated_deduplication_window_seconds": "604800",
        "replicated_deduplication_window_seconds_for_async_inserts": "604800",
        "fsync_after_insert": "1",
        "fsync_part_directory": "1",
        "ttl_only_drop_parts": "1",
    }
    assert render.settings(SMALL)["non_replicated_deduplication_window"] == str(render.DEDUPLICATION_WINDOW) == "10000"


def test_a_view_works_where_the_rows_are() -> None:
    assert render.view_ddl(VIEW) == (
        "CREATE MATERIALIZED VIEW IF NOT EXISTS inferometer.v TO inferometer.t2\n"
        "AS SELECT\n    a\nFROM inferometer.t AS s"
    )
    assert render.view_ddl(VIEW, CLUSTER) == (
        "CREATE MATERIALIZED VIEW IF NOT EXISTS inferometer.v ON CLUSTER 'main' TO inferometer.t2_local\n"
        "AS SELECT\n    a\nFROM inferometer.t_local AS s"
    )
    assert render.view_select(VIEW, CLUSTER) == "SELECT a FROM inferometer.t_local AS s"


def test_a_view_that_is_only_read_sees_all_shards() -> None:
    assert render.view_ddl(READ, CLUSTER) == (
        "CREATE VIEW IF NOT EXISTS inferometer.v ON CLUSTER 'main'\nAS SELECT a\nFROM inferometer.t"
    )


@pytest.mark.parametrize("name", ["a'b", "a b", "-a", "a;b", "a\n", "{x}"])
def test_what_is_no_name_is_no_cluster(name: str) -> None:
    with pytest.raises(ValueError, match="cluster name"):
        render.Variant(cluster=name)


def test_the_database_is_made_on_every_node() -> None:
    assert render.create_database() == render.CREATE_DATABASE == "CREATE DATABASE IF NOT EXISTS inferometer"
    assert render.create_database(CLUSTER) == "CREATE DATABASE IF NOT EXISTS inferometer ON CLUSTER 'main'"
