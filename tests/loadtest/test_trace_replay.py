"""What a trace becomes: its own times unless asked otherwise, and copies, coins and steps by the seed."""

import msgspec
import pytest

from loadtest.dispersion import dispersion
from loadtest.errors import TraceError
from loadtest.plan import Arrival, Plan
from loadtest.plan_spec import (
    PLAN_S_MAX,
    Fixed,
    Patience,
    PlanSpec,
    RateCurve,
    Separate,
    TraceFormat,
    TraceSpec,
    WorkloadClass,
)
from loadtest.trace_formats import Trace, TraceRow
from loadtest.trace_replay import JITTER_S_MAX, replayed

TRACE = TraceSpec(format=TraceFormat.STORE, sha256="0" * 64)
SPEC = PlanSpec(seed=3, trace=TRACE)
SECOND = 1_000_000_000


def row(at_s: float, *, blocks: tuple[int, ...] = (), conversation: int | None = None) -> TraceRow:
    return TraceRow(t_ns=round(at_s * SECOND), len_in=100, len_out=10, blocks=blocks, conversation=conversation)


def every_second(n: int) -> Trace:
    return Trace(rows=tuple(row(k) for k in range(n)))


def of(trace: Trace, spec: PlanSpec = SPEC, **change: object) -> list[Arrival]:
    assert spec.trace is not None
    spec = msgspec.structs.replace(spec, trace=msgspec.structs.replace(spec.trace, **change))
    return list(Plan(spec, replayed(spec, trace).columns).mine(0, 1))


def times(found: list[Arrival]) -> list[int]:
    return [one.t_sched_ns for one in found]


def test_arrivals_equal_the_trace() -> None:
    found = of(every_second(5))

    assert [0, SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND] == times(found)
    assert {(100, 10, ())} == {(one.len_in, one.len_out, one.blocks) for one in found}
    assert 5 == len({one.nonce for one in found})


def test_a_part_of_a_trace() -> None:
    some = msgspec.structs.replace(SPEC, duration_s=3)
    few = msgspec.structs.replace(SPEC, count=2)

    assert [0, SECOND, 2 * SECOND] == times(of(every_second(9), some, start_s=4))
    assert [500_000_000, 1_500_000_000] == times(of(every_second(9), few, start_s=0.5))


def test_time_is_compressed_on_request_alone() -> None:
    assert [0, SECOND // 2, SECOND] == times(of(every_second(3), compress=2))


def test_rows_that_are_too_long_are_dropped_and_counted() -> None:
    long = TraceRow(t_ns=SECOND, len_in=100, len_out=11)
    spec = msgspec.structs.replace(SPEC, trace=msgspec.structs.replace(TRACE, tokens_max=110))
    found = replayed(spec, Trace(rows=(row(0), long), dropped={"no tokens": 3}))

    assert {"no tokens": 3, "too long": 1} == found.dropped
    assert [0] == found.columns.t_sched_ns.tolist()


def test_copies_are_shifted_and_share_no_block() -> None:
    trace = Trace(rows=(row(0, blocks=(0, 1)), row(1000, blocks=(0, 2))))
    found = of(trace, scale=3)
    by_copy = {k: [one for one in found if one.blocks[0] % 3 == k] for k in range(3)}
    shifts = [ones[0].t_sched_ns / SECOND for ones in by_copy.values()]

    assert [2, 2, 2] == [len(ones) for ones in by_copy.values()]
    assert shifts[0] == 0
    assert all(0 < shift < JITTER_S_MAX for shift in shifts[1:])
    assert shifts[1] != shifts[2]
    assert all(ones[0].blocks[0] == ones[1].blocks[0] for ones in by_copy.values())
    assert 9 == len({block for one in found for block in one.blocks})
    assert 6 == len({one.nonce for one in found})


@pytest.mark.parametrize(("scale", "expected"), [(0.25, 1000), (1.5, 6000), (2.0, 8000)])
def test_a_share_is_kept_by_a_coin(scale: float, expected: int) -> None:
    found = of(every_second(4000), scale=scale)

    assert abs(len(found) - expected) <= 160
    assert times(found) == sorted(times(found))


def test_conversations_are_kept_whole() -> None:
    rows = tuple(row(k, conversation=k % 100, blocks=(k % 100,)) for k in range(1000))
    kept = [one.blocks[0] for one in of(Trace(rows=rows), scale=0.5)]

    assert 25 < len(set(kept)) < 75
    assert 10 * len(set(kept)) == len(kept)


def test_a_coarse_clock_is_spread_over_its_step() -> None:
    rows = tuple(row(3.0 * (k // 30)) for k in range(3000))
    found = times(of(Trace(rows=rows)))

    assert all(0 <= found[k] - 3 * SECOND * (k // 30) < 3 * SECOND for k in range(3000))
    assert 0.6 < (dispersion(found).index or 0) < 1.4  # 29 in its raw form: 30 arrivals in every third second
    assert found == times(of(Trace(rows=rows)))


def test_classes_patience_and_lengths_come_from_the_trace_where_it_says_them() -> None:
    drawn = Separate(tokens_in=Fixed(tokens=7), tokens_out=Fixed(tokens=8))
    classes = (
        WorkloadClass(name="a", patience=Patience(median_s=5), lengths=drawn),
        WorkloadClass(name="b", lengths=drawn),
    )
    rows = (
        TraceRow(t_ns=0, len_in=None, len_out=3, workload_class="b", left_after_us=0),
        TraceRow(t_ns=1, len_in=4, len_out=None, workload_class="a"),
    )
    first, second = of(Trace(rows=rows), msgspec.structs.replace(SPEC, classes=classes))

    assert ("b", 7, 3, 0.0) == (first.workload_class, first.len_in, first.len_out, first.patience_s)
    assert ("a", 4, 8, 5.0) == (second.workload_class, second.len_in, second.len_out, second.patience_s)


def test_nothing_left_is_refused() -> None:
    with pytest.raises(TraceError, match="found 0"):
        of(every_second(3), start_s=10)
    with pytest.raises(TraceError, match="no trace"):
        replayed(PlanSpec(seed=1, rate=RateCurve(points=((0, 1),)), count=1), every_second(1))


def test_a_trace_is_no_longer_than_a_plan() -> None:
    assert 2 == len(of(Trace(rows=(row(0), row(PLAN_S_MAX)))))
    with pytest.raises(TraceError, match="in at most"):
        of(Trace(rows=(row(0), row(PLAN_S_MAX + 1))))
