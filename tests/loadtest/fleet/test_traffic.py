"""Says how plans, traces and laws become requests."""

from collections.abc import Iterable

import pytest

from loadtest.fleet.requests import Request, Wish
from loadtest.fleet.traffic import PART, lengths, of_clients, of_plan, of_rows, renewal
from loadtest.plan_spec import (
    Fixed,
    Lognormal,
    Patience,
    PlanSpec,
    Process,
    RateCurve,
    Separate,
    SharedPrefix,
    TraceFormat,
    TraceSpec,
    WorkloadClass,
)
from loadtest.planner import build
from loadtest.prompts import BLOCK_TOKENS
from loadtest.servegen import Window
from loadtest.trace_formats import Trace, TraceRow

PLAIN = WorkloadClass(name="plain")
CHAT = Separate(
    tokens_in=Lognormal(median=1020, sigma=0.602, low=1, high=32_000),
    tokens_out=Lognormal(median=129, sigma=0.661, low=1, high=8_000),
)
"""Median and p99 of the Azure conversation trace: 1020/4142 in, 129/601 out (spec/scaling.md 7)."""


def all_of(parts: Iterable[list[Request]]) -> list[Request]:
    found = list(parts)
    joined = [one for part in found for one in part]
    assert sorted(joined, key=lambda one: one[0]) == joined
    return joined


def test_lengths_follow_their_law() -> None:
    drawn = lengths(CHAT, 1)(20_000)

    tokens_in, tokens_out = sorted(one[0] for one in drawn), sorted(one[1] for one in drawn)
    assert (1020, 4142) == (pytest.approx(tokens_in[10_000], rel=0.03), pytest.approx(tokens_in[19_800], rel=0.05))
    assert (129, 601) == (pytest.approx(tokens_out[10_000], rel=0.03), pytest.approx(tokens_out[19_800], rel=0.05))
    assert drawn == lengths(CHAT, 1)(20_000)
    assert drawn != lengths(CHAT, 2)(20_000)


def test_a_steady_rate() -> None:
    found = all_of(renewal(10.0, 1000.0, lengths(CHAT, 1), 1))

    assert 10_000 == pytest.approx(len(found), rel=0.03)  # Poisson: 3 standard deviations
    assert found[-1][0] < 1000.0
    assert len(found) > PART


def test_gaps_of_another_law() -> None:
    found = all_of(renewal(4.0, 10.0, lengths(CHAT, 1), 1, (Process.CONSTANT, None)))

    assert [at * 0.25 for at in range(1, 40)] == [one[0] for one in found]


def window(start_s: float, rate: float) -> Window:
    return Window(start_s=start_s, rate=rate, process=Process.CONSTANT, shape=None)


def test_clients_are_thinned_and_joined() -> None:
    windows = {"a": [window(0.0, 10.0), window(600.0, 20.0)], "b": [window(0.0, 0.0), window(600.0, 10.0)]}

    parts = list(of_clients(windows, lengths(CHAT, 1), 1, scale=0.1, span_s=(300.0, 1200.0)))

    assert 2 == len(parts)
    assert 300 + 1800 == pytest.approx(len(all_of(parts)), abs=3)
    assert 0.0 <= parts[0][0][0] <= parts[-1][-1][0] < 900.0


def test_a_window_that_is_missing_lies_between_its_neighbours() -> None:
    windows = {"a": [window(0.0, 1.0), window(1800.0, 4.0)]}

    parts = list(of_clients(windows, lengths(CHAT, 1), 1, scale=1.0, span_s=(0.0, 2400.0)))

    assert [600, 1200, 1800, 2400] == pytest.approx([len(part) for part in parts], abs=2)


def test_a_trace() -> None:
    rows = [
        TraceRow(t_ns=0, len_in=700, len_out=20, blocks=(7, 8)),
        TraceRow(t_ns=500_000_000, len_in=None, len_out=None, left_after_us=2_000_000),
        TraceRow(t_ns=10**9, len_in=3, len_out=None),
    ]
    draw = lengths(Separate(tokens_in=Fixed(tokens=11), tokens_out=Fixed(tokens=12)), 1)

    assert [
        (0.0, 700, 20, Wish(prefix=(7, 8), prefix_tokens=BLOCK_TOKENS)),
        (0.5, 11, 12, Wish(patience_s=2.0)),
        (1.0, 3, 12, None),
    ] == all_of(of_rows(rows, draw))


def test_a_plan() -> None:
    calm = WorkloadClass(name="calm", prefix=SharedPrefix(groups=1, tokens=64))
    hasty = WorkloadClass(
        name="hasty",
        prefix=SharedPrefix(groups=1, tokens=32),
        patience=Patience(median_s=3.0, sigma=0.0),
    )
    plan = build(PlanSpec(seed=1, rate=RateCurve(points=((0, 50),)), duration_s=10, classes=(calm, hasty, PLAIN)))
    planned = list(plan.mine(0, 1))

    found = all_of(of_plan(plan))

    assert [(one.t_sched_ns / 1e9, one.len_in, one.len_out) for one in planned] == [one[:3] for one in found]
    wishes = {one.workload_class: request[3] for one, request in zip(planned, found, strict=True)}
    assert None is wishes["plain"]
    assert wishes["calm"] is not None
    assert wishes["hasty"] is not None
    assert wishes["calm"].prefix != wishes["hasty"].prefix
    assert (64, 32, 3.0) == (
        wishes["calm"].prefix_tokens,
        wishes["hasty"].prefix_tokens,
        pytest.approx(wishes["hasty"].patience_s),
    )


def test_a_plan_of_a_trace_keeps_its_blocks() -> None:
    rows = (TraceRow(t_ns=0, len_in=1024, len_out=2, blocks=(5, 6)),)
    spec = PlanSpec(seed=1, trace=TraceSpec(format=TraceFormat.MOONCAKE, sha256="0" * 64))

    assert [(0.0, 1024, 2, Wish(prefix=(5, 6), prefix_tokens=BLOCK_TOKENS))] == all_of(
        of_plan(build(spec, Trace(rows=rows)))
    )
