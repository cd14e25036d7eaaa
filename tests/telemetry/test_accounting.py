from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from telemetry.accounting import DLQ, DROP_ORDER, STORED, WAYS_OUT, DropReason, Lane, LaneCounters, LaneLedger, SeqSet

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda p: (p[0], p[0] + p[1])), max_size=12)


def members(ranges: list[tuple[int, int]]) -> set[int]:
    return {seq for first, last in ranges for seq in range(first, last + 1)}


@given(RANGES, RANGES)
def test_a_seq_set_is_the_set_of_its_members(ranges: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    model, other = members(ranges), members(others)
    seqs = SeqSet(ranges)

    assert list(seqs) == sorted(model)
    assert len(seqs) == len(model)
    assert bool(seqs) == bool(model)
    assert [seq in seqs for seq in range(80)] == [seq in model for seq in range(80)]
    assert set(seqs.minus(SeqSet(others))) == model - other
    assert (seqs.first(), seqs.last()) == ((min(model), max(model)) if model else (None, None))


@given(RANGES, st.integers(0, 70), st.integers(0, 70))
def test_parts_of_a_seq_set(ranges: list[tuple[int, int]], a: int, b: int) -> None:
    model, seqs = members(ranges), SeqSet(ranges)
    first, last = min(a, b), max(a, b)

    assert set(seqs.within(first, last)) == {seq for seq in model if first <= seq <= last}
    assert seqs.covers(first, last) == (set(range(first, last + 1)) <= model)
    assert seqs.discard_below(a) == len([seq for seq in model if seq < a])
    assert set(seqs) == {seq for seq in model if seq >= a}


@given(RANGES)
def test_ranges_of_a_seq_set_are_apart_and_ascending(ranges: list[tuple[int, int]]) -> None:
    pairs = list(SeqSet(ranges).ranges())

    assert all(first <= last for first, last in pairs)
    assert all(b[0] > a[1] + 1 for a, b in pairwise(pairs))


@given(RANGES, RANGES)
def test_seq_sets_of_the_same_members_are_equal(ranges: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    union = SeqSet(ranges)
    union.update(SeqSet(others))

    assert union == SeqSet.of(members(ranges) | members(others))
    assert union != members(ranges)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.integers(1, 5)),
        st.tuples(st.just("settle"), st.integers(0, 60), st.integers(0, 9), st.sampled_from(WAYS_OUT)),
        st.tuples(st.just("fold")),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_identity_holds_after_any_steps_and_folding_changes_no_number(steps: list[tuple[object, ...]]) -> None:
    folding, plain = LaneLedger(), LaneLedger()
    top = 0
    for step in steps:
        match step:
            case ("accept", int(n)):
                for ledger in (folding, plain):
                    ledger.accept(top + 1, top + n)
                top += n
            case ("settle", int(first), int(n), str(way_out)):
                known = SeqSet([(first, first + n)]).within(1, top)
                assert folding.settle(known, way_out) == plain.settle(known, way_out)
            case _:
                folding.advance()

    assert folding.counters() == plain.counters()
    assert folding.counters().holds()
    assert folding.counters().accepted == top


def test_a_row_leaves_once_whatever_is_said_later() -> None:
    ledger = LaneLedger()
    ledger.accept(1, 10)
    ledger.settle(SeqSet([(1, 6)]), STORED)

    ledger.settle(SeqSet([(4, 8)]), DLQ)
    ledger.settle(SeqSet([(1, 10)]), DropReason.QUOTA)

    expected = LaneCounters(accepted=10, stored=6, spooled=0, dropped={"quota": 2}, dlq=2)
    assert expected == ledger.counters()


def test_replaying_the_log_over_an_old_cursor_changes_nothing() -> None:
    ledger = LaneLedger(fold=11, base={"accepted": 10, "stored": 10})

    for _ in range(2):
        ledger.accept(1, 20)
        ledger.settle(SeqSet([(1, 15)]), STORED)

    assert LaneCounters(accepted=20, stored=15, spooled=5) == ledger.counters()


def test_an_acknowledgement_without_its_rows_still_balances() -> None:
    ledger = LaneLedger()

    ledger.settle(SeqSet([(5, 9)]), STORED)

    assert LaneCounters(accepted=5, stored=5) == ledger.counters()
    assert ledger.ways_out() == {"stored": [(5, 9)]}


def test_counters_that_do_not_balance_say_so() -> None:
    assert not LaneCounters(accepted=3, stored=1, spooled=1).holds()


def test_every_lane_has_its_place_in_the_drop_order_and_requests_outlive_details() -> None:
    assert sorted(DROP_ORDER) == sorted(Lane)
    assert DROP_ORDER.index(Lane.DETAILS) < DROP_ORDER.index(Lane.REQUESTS) < DROP_ORDER.index(Lane.CONTROL)


def test_the_fold_never_goes_back() -> None:
    ledger = LaneLedger(fold=100, base={"accepted": 5, "stored": 5})

    assert ledger.advance() == 100
    assert ledger.counters() == LaneCounters(accepted=5, stored=5)
