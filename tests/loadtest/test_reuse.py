"""How much of a plan a prefix cache could hold."""

import pytest

from loadtest.plan_spec import Fixed, PlanSpec, RateCurve, Separate, SharedPrefix, TraceFormat, TraceSpec, WorkloadClass
from loadtest.planner import build
from loadtest.reuse import APART_RATIO, block_reuse_ratio, planned_hit_ratio
from loadtest.trace_formats import Trace, TraceRow

ROWS = tuple(
    TraceRow(t_ns=k, len_in=1024, len_out=1, blocks=blocks) for k, blocks in enumerate([(1, 2), (1, 3), (3, 1), (1, 2)])
)


def test_blocks_that_came_before() -> None:
    assert 5 / 8 == block_reuse_ratio(ROWS)
    assert block_reuse_ratio([]) is None


def test_only_a_beginning_can_be_held() -> None:
    # (1, 2) is new; of (1, 3) one block is known, of (3, 1) none, since it begins with another; (1, 2) is known.
    spec = PlanSpec(seed=1, trace=TraceSpec(format=TraceFormat.MOONCAKE, sha256="0" * 64))

    assert pytest.approx(3 / 8) == planned_hit_ratio(build(spec, Trace(rows=ROWS)))


def test_shared_prefixes() -> None:
    lengths = Separate(tokens_in=Fixed(tokens=100), tokens_out=Fixed(tokens=1))
    kind = WorkloadClass(lengths=lengths, prefix=SharedPrefix(groups=1, tokens=40))
    plan = build(PlanSpec(seed=1, rate=RateCurve(points=((0, 1),)), count=10, classes=(kind,)))

    assert pytest.approx(9 * 40 / 1000) == planned_hit_ratio(plan)
    assert 0.05 == APART_RATIO
