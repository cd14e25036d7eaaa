"""A plan from its spec: the same everywhere, and only that changes which was changed (spec/loadtest.md 21.1)."""

import msgspec
import pytest

from loadtest.plan_spec import (
    Fixed,
    Histogram,
    PlanSpec,
    Process,
    RateCurve,
    Separate,
    TraceFormat,
    TraceSpec,
    WorkloadClass,
    decoded,
    encoded,
)
from loadtest.planner import build, receipt
from loadtest.trace_formats import Trace, TraceRow

SPEC = PlanSpec(seed=7, rate=RateCurve(points=((0, 40),)), duration_s=6)


def with_lengths(tokens: int) -> PlanSpec:
    lengths = Separate(tokens_in=Histogram(tokens=(tokens, 9), weights=(1, 1)), tokens_out=Fixed(tokens=tokens))
    return msgspec.structs.replace(SPEC, classes=(WorkloadClass(lengths=lengths),))


def test_a_spec_that_travelled_builds_the_same_plan() -> None:
    assert build(SPEC).sha256 == build(decoded(encoded(SPEC))).sha256


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(msgspec.structs.replace(SPEC, seed=8), id="seed"),
        pytest.param(msgspec.structs.replace(SPEC, rate=RateCurve(points=((0, 41),))), id="rate"),
        pytest.param(with_lengths(100), id="lengths"),
    ],
)
def test_the_hash_changes_with_seed_rate_and_lengths(other: PlanSpec) -> None:
    assert build(SPEC).sha256 != build(other).sha256


def test_arrivals_do_not_change_with_lengths() -> None:
    assert list(build(SPEC).t_sched_ns) == list(build(with_lengths(100)).t_sched_ns)


@pytest.mark.parametrize("workers", [1, 2, 4, 10])
def test_the_union_of_workers_is_as_irregular_as_asked(workers: int) -> None:
    plan = build(msgspec.structs.replace(SPEC, duration_s=300))
    union = sorted(one.t_sched_ns for worker in range(workers) for one in plan.mine(worker, workers))

    assert list(plan.t_sched_ns) == union
    assert 0.6 <= (receipt(plan).planned.index or 0) <= 1.4


def test_a_receipt() -> None:
    plan = build(msgspec.structs.replace(SPEC, process=Process.GAMMA, shape=4.0))
    found = receipt(plan)

    assert (7, plan.sha256, "gamma", 4.0, len(plan)) == (
        found.seed,
        found.sha256,
        found.process,
        found.shape,
        found.planned.n,
    )
    assert found.planned.cv == pytest.approx(0.5, abs=0.1)


def test_a_trace_is_replayed_as_it_is() -> None:
    spec = PlanSpec(seed=1, trace=TraceSpec(format=TraceFormat.STORE, sha256="0" * 64))
    plan = build(spec, Trace(rows=(TraceRow(t_ns=0, len_in=5, len_out=6), TraceRow(t_ns=9, len_in=7, len_out=8))))

    assert [(0, 5, 6), (9, 7, 8)] == [(one.t_sched_ns, one.len_in, one.len_out) for one in plan.mine(0, 1)]
    assert receipt(plan).process is None
