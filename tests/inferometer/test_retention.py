"""How long rows are kept, on the real engine."""

from collections.abc import Iterator

import pytest
from chdb_child import Chdb
from rebuild_rows import fill, make

from inferometer import rebuild, retention
from telemetry import schema
from telemetry.clock import monotonic_ns, sleep

CLUSTER = schema.Variant(cluster="main")
PARTS = """\
SELECT sum(rows), min(delete_ttl_info_max - max_time), max(delete_ttl_info_max - max_time)
FROM system.parts
WHERE database = 'inferometer' AND table = 'requests' AND active"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chdb]:
    running = Chdb(tmp_path_factory.mktemp("retention") / "store")
    make(running)
    fill(running, every_s=600)  # over three days, so that the oldest is beyond two at any time of day
    yield running
    running.close()


def test_only_what_differs_is_changed_and_once(store: Chdb) -> None:
    assert [] == retention.apply(store.execute, {})
    assert ["500", str(14 * 86400), str(14 * 86400)] == store.execute(PARTS).split()

    told = retention.apply(store.execute, {"requests": 30, "r_1h": 0})

    assert told == [
        "table requests: rows are kept for 30 days, before for 14 days",
        "table r_1h: rows are kept for ever, before for 800 days",
    ]
    assert [] == retention.apply(store.execute, {"requests": 30, "r_1h": 0})
    until_ns = monotonic_ns() + 20_000_000_000
    while store.execute("SELECT count() FROM system.mutations WHERE NOT is_done").strip() != "0":
        assert monotonic_ns() < until_ns
        sleep(0.02)
    assert ["500", str(30 * 86400), str(30 * 86400)] == store.execute(PARTS).split()
    assert ["table r_1h: rows are kept for 800 days, before for ever"] == retention.apply(
        store.execute, {"requests": 30}
    )


def test_what_is_kept_by_another_rule_is_told(store: Chdb) -> None:
    store.execute("ALTER TABLE inferometer.r_1m MODIFY TTL t + INTERVAL 1 YEAR")

    [change] = retention.changes(store.execute, {"requests": 30})
    assert "table r_1m: rows are kept for 90 days, before by a rule that is not ours" == str(change)
    assert 1 == len(retention.apply(store.execute, {"requests": 30}))


def test_a_rebuild_knows_how_long_rows_are_kept(store: Chdb) -> None:
    oldest = "SELECT toUnixTimestamp(toStartOfDay(min(ended_at))) FROM inferometer.requests"
    for days, offset in ((400, 0), (0, 0)):
        retention.apply(store.execute, {"requests": days})

        assert int(store.execute(oldest)) + offset == rebuild.kept_since_s(store.execute)
    # Two days are fewer than a configuration may say; here nothing expires before the question.
    store.execute("SYSTEM STOP TTL MERGES")
    retention.apply(store.execute, {"requests": 2})
    expected = int(store.execute("SELECT toUnixTimestamp(toStartOfHour(now() - INTERVAL 47 HOUR))"))
    assert expected == rebuild.kept_since_s(store.execute)


def test_on_a_cluster_the_tables_that_hold_the_rows_are_changed() -> None:
    engines = "requests_local\tReplicatedMergeTree TTL toDateTime(ended_at) + toIntervalDay(14) SETTINGS a = 1\n"

    def execute(sql: str, parameters: object = None) -> str:  # noqa: ARG001 -- the names of Execute
        return engines + "audit\tReplicatedMergeTree ORDER BY at SETTINGS a = 1\nrequests\tDistributed\n"

    requests, audit = retention.changes(execute, {"requests": 30}, CLUSTER)

    assert (
        "ALTER TABLE inferometer.requests_local ON CLUSTER 'main' MODIFY TTL toDateTime(ended_at) + INTERVAL 30 DAY"
    ) == requests.statements[1]
    assert (0, 1826) == (audit.found, audit.wanted)
    assert audit.statements[1].startswith("ALTER TABLE inferometer.audit ON CLUSTER 'main' MODIFY TTL ")
