"""How accounts of a schema differ; that the real engine gives such an account is shown with the migrations."""

from telemetry.schema import facts, render
from telemetry.schema.facts import Place
from telemetry.schema.parts import Column, Table, View

T = Table(
    name="t",
    writer="nobody",
    meaning="a row",
    columns=(
        Column(name="a", type="UInt8", meaning="a number"),
        Column(name="b", type="UInt8", meaning="another", default="ALIAS a+1"),
    ),
    order_by="(a, toDate(b))",
    shard_by=("a",),
)
V = View(name="v", source="t", target="t", select="SELECT a\nFROM inferometer.t{local}")
ROWS = (
    {
        "name": "t",
        "engine": "MergeTree",
        "sorting_key": "a, toDate(b)",
        "partition_key": "",
        "engine_full": "MergeTree ORDER BY (a, toDate(b)) SETTINGS non_replicated_deduplication_window = 10000, "
        "fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192",
        "as_select": "",
    },
    {
        "name": "v",
        "engine": "MaterializedView",
        "sorting_key": "",
        "partition_key": "",
        "engine_full": "",
        "as_select": "SELECT a FROM inferometer.t",
    },
)
COLUMNS = (
    {"table": "t", "name": "a", "type": "UInt8", "default_kind": "", "default_expression": ""},
    {"table": "t", "name": "b", "type": "UInt8", "default_kind": "ALIAS", "default_expression": "a + 1"},
)


def formatted(query: str) -> str:
    return query.replace("a+1", "a + 1")


def wanted(variant: render.Variant = render.ONE_SERVER) -> facts.Facts:
    return facts.expected((T,), (V,), variant, formatted)


def test_a_sound_store_has_no_difference() -> None:
    assert facts.difference(wanted(), facts.found(ROWS, COLUMNS)) is None


def test_a_missing_table_is_named_before_its_columns() -> None:
    assert facts.difference(wanted(), facts.found(ROWS[1:], COLUMNS[:0])) == "table t is missing"
    assert facts.difference(wanted(), facts.found(ROWS[:1], COLUMNS)) == "table v is missing"


def test_the_first_difference_is_named_with_what_was_expected_and_found() -> None:
    changes = {
        ("engine", "Log"): "table t: engine: expected MergeTree, found Log",
        ("sorting_key", "a"): "table t: sorting key: expected a, toDate(b), found a",
        ("partition_key", "a"): "table t: partition key: expected , found a",
        (
            "engine_full",
            "MergeTree",
        ): "table t: setting non_replicated_deduplication_window: expected 10000, found none",
    }

    for (key, value), message in changes.items():
        assert message == facts.difference(wanted(), facts.found([{**ROWS[0], key: value}, ROWS[1]], COLUMNS))


def test_on_a_cluster_both_tables_are_looked_at() -> None:
    seen = wanted(render.Variant(cluster="main"))

    assert seen[Place("t", "", "engine")] == "Distributed"
    assert seen[Place("t_local", "", "engine")] == "ReplicatedMergeTree"
    assert seen[Place("t_local", "b", "default")] == "ALIAS a + 1"
    assert Place("t", "b", "default") not in seen
    assert seen[Place("v", "", "query")] == "SELECT a FROM inferometer.t_local"


def test_a_view_that_is_only_read_has_another_engine() -> None:
    read = View(name="v", source="t", select="SELECT a")

    assert facts.expected((), (read,), render.ONE_SERVER, formatted)[Place("v", "", "engine")] == "View"


def test_the_digest_is_of_the_wanted_places_whatever_their_order() -> None:
    whole, backwards = facts.found(ROWS, COLUMNS), facts.found(ROWS[::-1], COLUMNS[::-1])
    more = {**whole, Place("other", "", "engine"): "Log", Place("t", "c", "type"): "UInt8"}
    changed = {**whole, Place("t", "a", "type"): "UInt16"}
    digests = [facts.digest(wanted(), seen) for seen in (wanted(), whole, backwards, more, changed, {})]

    assert {64} == set(map(len, digests))
    assert len(set(digests[:4])) == 1
    assert len(set(digests)) == 3
