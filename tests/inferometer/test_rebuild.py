"""Roll-ups that are made again, on the real engine; `tests/system/test_store_rebuild.py` kills it meanwhile."""

from collections.abc import Iterator, Mapping

import pytest
from chdb_child import Chdb
from rebuild_rows import NAMES, fill, first_version, make, rollups

from inferometer import migrate, rebuild
from telemetry import queries

FILLED = "SELECT count() FROM inferometer.requests"
INSERT = """\
INSERT INTO inferometer.requests (ended_at, elapsed_us, endpoint, collector, seq, record_id, outcome)
SETTINGS insert_deduplication_token = 'a', insert_deduplicate = 1,
    deduplicate_blocks_in_dependent_materialized_views = 1, async_insert = 0
VALUES (now64(3) - 10, 1000, 'e', 'n/e', 9, generateUUIDv7(), 'ok')"""


class PulledPlugError(Exception):
    """A stand-in for the end of the process."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chdb]:
    running = Chdb(tmp_path_factory.mktemp("rebuild") / "store")
    yield running
    running.close()


@pytest.fixture
def store(engine: Chdb) -> Chdb:
    engine.execute("DROP DATABASE IF EXISTS inferometer SYNC")
    return engine


@pytest.fixture
def whole(store: Chdb) -> Chdb:
    make(store)
    fill(store)
    return store


def silent(_line: str) -> None:
    """Hear nothing."""


def shadows(store: Chdb) -> int:
    return int(store.execute("SELECT count() FROM system.databases WHERE name = 'inferometer_rebuild'"))


@pytest.mark.system
def test_a_store_of_the_first_version_gets_the_roll_ups_of_its_rows_though_it_is_stopped_half_way(whole: Chdb) -> None:
    expected = rollups(whole)
    whole.execute("DROP DATABASE inferometer SYNC")
    first_version(whole)
    fill(whole)
    swaps: list[str] = []
    said: list[str] = []
    waited: list[float] = []

    def stopped(sql: str, parameters: Mapping[str, str] | None = None) -> str:
        if "REPLACE PARTITION" in sql:
            swaps.append(sql)
            if len(swaps) == 3:
                raise PulledPlugError
        return whole.execute(sql, parameters)

    with pytest.raises(PulledPlugError):
        migrate.apply(stopped, by="test")
    assert rollups(whole) != expected
    assert [2, 3, 4, 5] == migrate.apply(whole.execute, by="test", tell=said.append, wait=waited.append)
    assert expected == rollups(whole)
    assert all(len(expected[name]) > 100 for name in NAMES)
    assert said[-1] == "roll-ups: 500 of 500 requests read"
    assert 0 == shadows(whole)
    assert [0.0] == waited
    migrate.verify(whole.execute)
    rebuild.note(whole.execute, by="test")
    assert [] == migrate.apply(whole.execute, by="test")


def differences(store: Chdb, span: rebuild.Span) -> list[list[str]]:
    asked = queries.rollup_differences(span.since_s * 1000, span.until_s * 1000)
    values = {name: str(value) for name, value in asked.parameters.items()}
    return [line.split() for line in store.execute(asked.sql, values).splitlines()]


@pytest.mark.system
def test_only_the_span_is_made_again(whole: Chdb) -> None:
    expected = rollups(whole)
    now_s = int(whole.execute("SELECT toUnixTimestamp(toStartOfHour(now()))"))
    span = rebuild.Span(since_s=now_s - 20 * 3600, until_s=now_s - 3 * 3600)
    for at_s in (span.since_s + 60, span.since_s - 60):  # a fault, and what only the roll-ups still know
        whole.execute("INSERT INTO inferometer.r_1s (endpoint, t, n) VALUES ('odd', {at:UInt32}, 5)", {"at": str(at_s)})
    odd = "SELECT sum(n), max(t) < toDateTime({since:UInt32}) FROM inferometer.{t} WHERE endpoint = 'odd'"

    [wrong] = differences(whole, span)
    assert (str(span.since_s), 5, 5) == (wrong[0], int(wrong[2]) - int(wrong[1]), int(wrong[3]) - int(wrong[1]))
    assert rebuild.rebuild(whole.execute, span, silent) > 50
    assert [] == differences(whole, span)
    for name in NAMES:
        assert ["5", "1"] == whole.execute(odd.replace("{t}", name), span.parameters).split()
    found = {name: [row for row in rows if not row.startswith("odd")] for name, rows in rollups(whole).items()}
    assert expected == found


@pytest.mark.system
def test_what_is_there_twice_is_taken_out_of_rows_and_roll_ups(whole: Chdb) -> None:
    expected, n = rollups(whole), whole.execute(FILLED)
    whole.execute("INSERT INTO inferometer.requests SELECT * FROM inferometer.requests WHERE seq % 9 = 0")
    span = rebuild.Span(since_s=rebuild.kept_since_s(whole.execute))

    assert rebuild.once(whole.execute, span, silent) == 500 // 9
    rebuild.rebuild(whole.execute, span, silent)
    assert n == whole.execute(FILLED)
    assert expected == rollups(whole)
    assert 0 == rebuild.once(whole.execute, span, silent)


def test_hours_go_through_together_up_to_a_number_of_rows() -> None:
    most = rebuild.PIECE_ROWS_MAX
    hours = [(0, 1), (3600, most - 1), (7200, 1), (36000, most + 1), (39600, 1), (43200, 1)]

    assert [(0, 7200, most), (7200, 10800, 1), (36000, 39600, most + 1), (39600, 46800, 2)] == [
        (one.span.since_s, one.span.until_s, one.rows) for one in rebuild.pieces(hours)
    ]


def test_what_has_no_rows_is_left_alone(store: Chdb) -> None:
    make(store)
    store.execute("INSERT INTO inferometer.r_1h (endpoint, t, n) VALUES ('e', now(), 1)")

    assert rebuild.END_S == rebuild.kept_since_s(store.execute)
    assert 0 == rebuild.rebuild(store.execute, rebuild.ALL_TIME, silent)
    assert 0 == rebuild.unsettled_s(store.execute)
    assert ["1"] == store.execute("SELECT sum(n) FROM inferometer.r_1h").split()


@pytest.mark.system
def test_a_batch_from_before_is_known_to_have_no_token_in_the_roll_ups(store: Chdb) -> None:
    def inserts() -> int:
        asked = queries.inserts_since("n/e", 1, 9, 0, 1 << 42)
        values = {name: str(value) for name, value in asked.parameters.items()}
        return int(store.execute(asked.sql, values))

    first_version(store)
    store.execute(INSERT)
    waited: list[float] = []
    migrate.apply(store.execute, by="test", wait=waited.append)

    assert 20 < waited[0] <= 30
    assert queries.INSERTS_MAX == inserts()
    store.execute(INSERT)  # what would happen if it were sent: the reason for the question
    assert ["1", "2"] == store.execute(
        "SELECT (SELECT count() FROM inferometer.requests), sum(n) FROM inferometer.r_1h"
    ).split()
    store.execute("TRUNCATE TABLE inferometer.requests")
    store.execute(INSERT.replace("'a'", "'b'"))
    assert 1 == inserts()
    rebuild.note(store.execute, by="test")
    assert queries.INSERTS_MAX == inserts()
