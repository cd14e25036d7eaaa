"""What of objectives is counted, over a real store: the newest first, a chunk at a time, and on from where it was."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import msgspec
import pytest
from engine_rig import DAY_S, Refusing, Rig, objective

from slo.counting import OWN_S_MAX, REFUSALS_MAX, REFUSED_S, REFUSED_S_MAX, Counting, Extent, runs
from slo.expression import parse
from slo.ledger import Ledger, Note
from slo.objective import Rolling
from slo.reader import CHUNK_S, Reader
from slo.watched import Watched, watched
from slo.wholes import Flow
from telemetry.clock import wall_ms
from telemetry.errors import StoreError, StoreUnreachableError
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

pytestmark = pytest.mark.system  # half a minute of a real store

HOUR_S = 3_600
NOW_MS = wall_ms()
NOW_S = NOW_MS // 1000 // HOUR_S * HOUR_S - 2 * HOUR_S
PAGES_S = 6 * HOUR_S
HOURS = (1, 8, 26)
"""When the requests ended that are counted."""


def objectives(endpoint: str, name: str, target: float = 0.99) -> Watched:
    return watched(replace(objective(endpoint, target=target), name=name, window=Rolling(length_s=30 * DAY_S)))


@pytest.fixture
def rig(reader: Store, writer: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Rig:
    """Requests of its endpoint have ended over a day."""
    rig = Rig(reader, writer, tmp_path / "other.sqlite", request.node.name.replace("_", "-")[:50], NOW_S)
    for hours in HOURS:
        rig.requests(1, 0, at_s=NOW_S - hours * HOUR_S)
    return rig


@pytest.fixture
def one(rig: Rig) -> Watched:
    """An objective that nobody has counted."""
    return objectives(rig.name, f"{rig.name}-new")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "slo.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def asks(reader: Store, writer: Store, one: Watched) -> Reader:
    return Reader(reader, writer, [one], "r")


@pytest.fixture
def refusing(process: StoreProcess) -> Iterator[Refusing]:
    store = Refusing(process)
    yield store
    store.close()


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


def are_counted(ledger: Ledger, some: Sequence[Watched]) -> None:
    """Let objectives have been counted for a day."""
    for one in some:
        extent = Extent(definition_hash=one.definition_hash, since_s=NOW_S - DAY_S, until_s=NOW_S)
        ledger.note("counted", [Note(name=one.objective.name, body=msgspec.json.encode(extent))])


def five_counted(one: Watched, store: Store, writer: Store, ledger: Ledger) -> tuple[list[str], Counting]:
    """Return five objectives of an endpoint, of which a day is counted."""
    endpoint = one.objective.name.removesuffix("-new")
    five = [objectives(endpoint, f"{endpoint}-{n}") for n in range(5)]
    are_counted(ledger, five)
    counting = Counting(five, Reader(store, writer, five, "r"), ledger)
    return [each.objective.name for each in five], counting


def test_an_objective_that_is_refused_costs_no_other(
    one: Watched, refusing: Refusing, writer: Store, ledger: Ledger
) -> None:
    """Of five that are asked for together one is refused; it is found, left alone, and goes on when it is not."""
    names, counting = five_counted(one, refusing, writer, ledger)
    refusing.names = frozenset(names[3:4])
    at_s = NOW_S + 30
    counting.reach(at_s, NOW_MS)
    assert counting.behind(at_s) == {names[3]}
    assert counting.refused() == {names[3]: "memory limit exceeded"}

    refusing.counts.clear()
    for after_s in (60, 90, 120, 210, 240, 450, 480, 930, 960, 1_890, 1_920, 2_850, 2_880):
        counting.reach(NOW_S + after_s, NOW_MS)
        assert counting.behind(NOW_S + after_s) == {names[3]}
    alone = [named for named in refusing.counts if names[3] in named]
    assert alone == [{names[3]}] * 7, "after 30, 60, 120, 240, 480 s and then each 960 s"
    assert REFUSED_S_MAX == 960


def test_who_was_refused_goes_on_when_he_is_not(
    one: Watched, refusing: Refusing, writer: Store, ledger: Ledger
) -> None:
    names, counting = five_counted(one, refusing, writer, ledger)
    refusing.names = frozenset(names[3:4])
    at_s = NOW_S + 30
    counting.reach(at_s, NOW_MS)
    while counting.more(at_s, NOW_MS):
        pass
    assert set(counting.since_s()) == {names[3]}, "the past of the others is counted"
    refusing.names = frozenset()
    at_s += REFUSED_S_MAX
    counting.reach(at_s, NOW_MS)
    while counting.more(at_s, NOW_MS):
        pass

    assert (counting.behind(at_s), counting.refused(), counting.since_s()) == (frozenset(), {}, {})


def test_a_store_that_does_not_answer_is_no_fault_of_objectives(
    one: Watched, refusing: Refusing, writer: Store, ledger: Ledger
) -> None:
    are_counted(ledger, [one])
    counting = Counting([one], Reader(refusing, writer, [one], "r"), ledger)
    refusing.names, refusing.error = frozenset([one.objective.name]), StoreUnreachableError("no answer")

    with pytest.raises(StoreUnreachableError):
        counting.reach(NOW_S + 30, NOW_MS)
    assert counting.refused() == {}
    refusing.names = frozenset()
    counting.reach(NOW_S + 30, NOW_MS)
    assert counting.behind(NOW_S + 30) == frozenset()


@pytest.mark.parametrize("n", [REFUSALS_MAX, REFUSALS_MAX + 1])
def test_many_refusals_are_the_stores(one: Watched, refusing: Refusing, writer: Store, ledger: Ledger, n: int) -> None:
    flows = [
        watched(replace(one.objective, name=f"{one.objective.name}-{k}", whole=Flow(last=parse("ok"), budget_s=60)))
        for k in range(n)
    ]
    names = [each.objective.name for each in flows]
    refusing.names = frozenset(names)
    counting = Counting(flows, Reader(refusing, writer, flows, "r"), ledger)
    counting.reach(NOW_S, NOW_MS)

    if n > REFUSALS_MAX:
        with pytest.raises(StoreError, match="memory"):
            counting.more(NOW_S, NOW_MS)
    else:
        assert counting.more(NOW_S, NOW_MS)
        assert not counting.more(NOW_S, NOW_MS)
    assert set(counting.refused()) == set(names[:REFUSALS_MAX])
    assert REFUSED_S == 30


def test_without_objectives_nothing_is_asked(ledger: Ledger) -> None:
    nobody = Store("http://127.0.0.1:1")
    counting = Counting([], Reader(nobody, nobody, [], "r"), ledger)

    assert not any(counting.reach(at_s, NOW_MS) or counting.more(at_s, NOW_MS) for at_s in (NOW_S, NOW_S + 90))


def flow_of(one: Watched, name: str = "flow") -> Watched:
    flow = Flow(last=parse("ok"), budget_s=60)
    return watched(replace(one.objective, name=f"{one.objective.name}-{name}", whole=flow))


def test_who_has_a_question_of_his_own_is_asked_once_for_all_that_is_late(
    one: Watched, refusing: Refusing, writer: Store, ledger: Ledger, rig: Rig
) -> None:
    both = [one, flow_of(one)]
    are_counted(ledger, both)
    plain, flow = (each.objective.name for each in both)
    counting = Counting(both, Reader(refusing, writer, both, "r"), ledger)
    now_ms = wall_ms()
    counting.reach(NOW_S, now_ms)
    counting.reach(NOW_S + 30, now_ms)
    for before_s in (1_800, 900, 870):
        rig.requests(1, 0, at_s=NOW_S - before_s + 1)
    refusing.counts.clear()

    assert counting.reach(NOW_S + 60, now_ms)
    asked = [named for named in refusing.counts if "" not in named]
    assert (asked.count({flow}), asked.count({plain})) == (1 + 1, 1 + 2), "of them one counted the last half minute"


def test_what_is_late_and_refused_blinds_nobody_and_is_counted_later(
    one: Watched, refusing: Refusing, writer: Store, ledger: Ledger, rig: Rig
) -> None:
    are_counted(ledger, [one])
    asks = Reader(refusing, writer, [one], "r")
    counting, now_ms, name = Counting([one], asks, ledger), wall_ms(), one.objective.name
    counting.reach(NOW_S, now_ms)
    counting.reach(NOW_S + 30, now_ms)
    rig.requests(1, 0, at_s=NOW_S - 900)
    refusing.names = frozenset([name])
    counting.reach(NOW_S + 60, wall_ms() + 1_000)  # of what came before nobody asks any more
    assert counting.behind(NOW_S + 60) == {name}
    refusing.names = frozenset()
    counting.reach(NOW_S + 120, wall_ms() + 1_000)

    assert (counted(asks, PAGES_S), counting.behind(NOW_S + 120)) == (1, frozenset())


@pytest.mark.parametrize(("each_s", "n"), [(OWN_S_MAX / 2, 2), (OWN_S_MAX / 2 - 0.1, 3)])
def test_questions_of_their_own_share_the_time_of_an_instant(
    one: Watched, refusing: Refusing, writer: Store, ledger: Ledger, each_s: float, n: int
) -> None:
    """Each look at the clock takes so long; who was not counted at one instant is the first at the next."""
    clock = count(0.0, each_s)
    flows = [flow_of(one, f"flow-{k}") for k in range(4)]
    both = [one, *flows]
    are_counted(ledger, both)
    counting = Counting(both, Reader(refusing, writer, both, "r", lambda: next(clock)), ledger)
    behind: list[frozenset[str]] = []
    for at_s in (NOW_S + 30, NOW_S + 60):
        counting.reach(at_s, NOW_MS)
        behind.append(counting.behind(at_s))

    assert [len(of) for of in behind] == [4 - n, 4 - n]
    assert not behind[0] & behind[1], "they take turns"
    assert one.objective.name not in behind[0] | behind[1]


@pytest.mark.parametrize(
    ("buckets", "gap_s", "length_s", "expected"),
    [
        pytest.param((), 0, 90, [], id="nothing"),
        pytest.param((60, 0, 30), 0, 90, [(0, 90)], id="one beside the other"),
        pytest.param((0, 60), 0, 90, [(0, 30), (60, 90)], id="with a gap"),
        pytest.param((0, 60), 30, 90, [(0, 90)], id="with a gap that does not matter"),
        pytest.param((0, 30, 60, 90), 0, 90, [(0, 90), (90, 120)], id="longer than one span"),
    ],
)
def test_buckets_that_are_near_are_one_span(
    buckets: tuple[int, ...], gap_s: int, length_s: int, expected: list[tuple[int, int]]
) -> None:
    assert runs(buckets, gap_s, length_s) == expected
