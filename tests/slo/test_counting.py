"""What of objectives is counted, over a real store: the newest first, a chunk at a time, and on from where it was."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from engine_rig import DAY_S, Rig, objective

from slo.counting import Counting
from slo.ledger import Ledger
from slo.objective import Rolling
from slo.reader import CHUNK_S, Reader
from slo.watched import Watched, watched
from telemetry.clock import wall_ms
from telemetry.store import Store

HOUR_S = 3_600
NOW_MS = wall_ms()
NOW_S = NOW_MS // 1000 // HOUR_S * HOUR_S - 2 * HOUR_S
PAGES_S = 6 * HOUR_S
HOURS = (1, 8, 26)
"""When the requests ended that are counted."""


def objectives(endpoint: str, name: str, target: float = 0.99) -> Watched:
    return watched(replace(objective(endpoint, target=target), name=name, window=Rolling(length_s=30 * DAY_S)))


@pytest.fixture
def one(reader: Store, writer: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Watched:
    """An objective that nobody has counted; requests of its endpoint have ended over a day."""
    rig = Rig(reader, writer, tmp_path / "other.sqlite", request.node.name.replace("_", "-")[:50], NOW_S)
    for hours in HOURS:
        rig.requests(1, 0, at_s=NOW_S - hours * HOUR_S)
    return objectives(rig.name, f"{rig.name}-new")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "slo.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def asks(reader: Store, writer: Store, one: Watched) -> Reader:
    return Reader(reader, writer, [one], "r")


def counted(asks: Reader, window_s: int) -> int:
    return sum(counts[window_s].eligible for counts in asks.windows(NOW_S, (window_s,)).values())


def test_the_hours_of_pages_come_first_and_then_the_past_backward(one: Watched, asks: Reader, ledger: Ledger) -> None:
    counting, name, oldest_s = Counting([one], asks, ledger), one.objective.name, asks.oldest_s(NOW_S)
    counting.reach(NOW_S, NOW_MS)
    assert (set(counting.behind(NOW_S)), counted(asks, PAGES_S)) == ({name}, 0)
    for _ in range(PAGES_S // CHUNK_S):
        assert counting.more(NOW_S, NOW_MS)

    assert (set(counting.behind(NOW_S)), counted(asks, PAGES_S)) == (set[str](), 1)
    assert counting.reach(NOW_S, NOW_MS), "buckets have changed that were looked at before"
    assert not counting.reach(NOW_S, NOW_MS)
    assert counting.since_s() == {name: NOW_S - PAGES_S}
    assert counting.progress(NOW_S) == (6, (NOW_S - oldest_s) // HOUR_S)
    while counting.since_s().get(name, 0) > NOW_S - DAY_S:
        assert counting.more(NOW_S, NOW_MS)
    assert (counted(asks, DAY_S), counted(asks, 3 * DAY_S)) == (2, 2)
    while counting.more(NOW_S, NOW_MS):
        pass
    assert counted(asks, 3 * DAY_S) == len(HOURS)
    assert (counting.since_s(), counting.progress(NOW_S)) == ({}, None)


@pytest.mark.parametrize("has_rows", [True, False], ids=["that has rows", "that has none"])
def test_who_begins_anew_goes_on_where_it_stopped(
    one: Watched, asks: Reader, ledger: Ledger, *, has_rows: bool, reader: Store, writer: Store
) -> None:
    if not has_rows:
        one = objectives("nobody", one.objective.name)
        asks = Reader(reader, writer, [one], "r")
    before = Counting([one], asks, ledger)
    before.reach(NOW_S, NOW_MS)
    for _ in range(PAGES_S // CHUNK_S + 3):
        before.more(NOW_S, NOW_MS)
    after = Counting([one], asks, ledger)
    after.reach(NOW_S, NOW_MS)

    assert after.since_s() == before.since_s() == {one.objective.name: NOW_S - PAGES_S - 3 * CHUNK_S}
    assert after.behind(NOW_S) == set()


def test_another_definition_is_counted_anew(
    one: Watched, asks: Reader, ledger: Ledger, reader: Store, writer: Store
) -> None:
    before = Counting([one], asks, ledger)
    before.reach(NOW_S, NOW_MS)
    while before.behind(NOW_S):
        before.more(NOW_S, NOW_MS)
    other = objectives("nobody", one.objective.name, 0.98)
    after = Counting([other], Reader(reader, writer, [other], "r"), ledger)
    after.reach(NOW_S, NOW_MS)

    assert after.behind(NOW_S) == {one.objective.name}


def test_what_has_no_rows_is_known_to_be_counted_all_the_same(
    reader: Store, writer: Store, ledger: Ledger, one: Watched
) -> None:
    one = objectives("nobody", one.objective.name)
    asks = Reader(reader, writer, [one], "r")
    before = Counting([one], asks, ledger)
    before.reach(NOW_S, NOW_MS)
    while before.behind(NOW_S):
        before.more(NOW_S, NOW_MS)
    for at_s in range(NOW_S, NOW_S + CHUNK_S + 1, CHUNK_S // 4):
        before.reach(at_s, NOW_MS)
    later_s = NOW_S + CHUNK_S + CHUNK_S // 2
    after = Counting([one], asks, ledger)
    after.reach(later_s, NOW_MS)

    assert after.behind(later_s) == set()
