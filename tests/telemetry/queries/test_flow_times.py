"""How long flows and their stages took, over stored requests: percentiles are measured, not added."""

from dataclasses import replace
from typing import Any

import pytest
from flow_steps import Step, stored_steps
from query_store import SINCE_MS, Stored

from telemetry.outcome import Outcome
from telemetry.queries.asked import Dim
from telemetry.queries.counted import FALSE, TRUE, UNKNOWN, Clause, Counted
from telemetry.queries.flow_times import flow_times
from telemetry.queries.flows import CountedFlows, FlowStage

AT_MS = SINCE_MS - 90 * 3_600_000
BUDGETS_S = {"image": 4.0, "video": 40.0, "voice": 5.0}


def model(name: str) -> Clause:
    return Clause(sql=f"if(toString(model) = $0, {TRUE}, {FALSE})", values=(name,))


def objective(endpoint: str, budget_s: float = 50.0) -> CountedFlows:
    last = f"if(class = 1, if(toString(model) = 'voice', {TRUE}, {FALSE}), if(class = 2, {FALSE}, {UNKNOWN}))"
    only = Clause(sql=f"if(toString(endpoint) = $0, {TRUE}, {FALSE})", values=(endpoint,))
    stages = tuple(FlowStage(match=model(name), budget_s=budget_s) for name, budget_s in BUDGETS_S.items())
    return CountedFlows(
        steps=Counted(name=endpoint, only=only, good=Clause(sql=last)), budget_s=budget_s, stages=stages
    )


def pipeline(flow: int, image_s: float, video_s: float, voice_s: float) -> list[Step]:
    """Return a flow whose voice is made while the video is."""
    return [
        Step(flow=flow, start_s=0, end_s=image_s, what="image"),
        Step(flow=flow, start_s=image_s, end_s=image_s + video_s, what="video"),
        Step(flow=flow, start_s=image_s + video_s - voice_s, end_s=image_s + video_s, what="voice"),
    ]


def asked(stored: Stored, one: CountedFlows) -> dict[int, dict[str, Any]]:
    return {int(str(row["stage"])): row for row in stored.rows(flow_times(one, AT_MS, AT_MS + 300_000))}


def test_stages_that_are_slow_in_different_flows_do_not_add_up(stored: Stored) -> None:
    # Spec A18: stage P99s of 4, 40 and 5 s, and 41 s of the flow; each stage is slow in flows of its own.
    flows = [
        *(pipeline(n, 1, 30, 2) for n in range(94)),
        *(pipeline(100 + n, 4, 20, 2) for n in range(2)),
        *(pipeline(200 + n, 1, 40, 2) for n in range(2)),
        *(pipeline(300 + n, 1, 20, 5) for n in range(2)),
    ]
    stored.insert("a18", stored_steps([step for flow in flows for step in flow], AT_MS, "a18"))
    found = asked(stored, objective("a18"))

    assert [found[stage]["p99_s"] for stage in range(4)] == [41.0, 4.0, 40.0, 5.0]
    assert sum(found[stage]["p99_s"] for stage in (1, 2, 3)) == 49.0
    assert [found[stage]["p50_s"] for stage in range(4)] == [31.0, 1.0, 30.0, 2.0]
    assert [found[stage]["n"] for stage in range(4)] == [100] * 4
    assert found[2]["mean_s"] == pytest.approx((94 * 30 + 4 * 20 + 2 * 40) / 100)
    assert [found[stage]["over_s"] for stage in range(4)] == [0.0] * 4


def test_what_is_over_its_budget_or_never_done_is_told(stored: Stored) -> None:
    failed = Outcome.SERVER_ERROR
    given = [
        *pipeline(1, 2, 10, 2),
        Step(flow=2, start_s=0, end_s=2, what="image", outcome=failed),
        Step(flow=2, start_s=3, end_s=7, what="image"),  # tried again: 7 s, 3 too long
        Step(flow=2, start_s=7, end_s=55, what="video", outcome=failed),  # 48 s, 8 too long, and not done
        Step(flow=3, start_s=0, end_s=60, what="image"),  # 56 s too long
        Step(flow=3, start_s=61, end_s=70, what="voice"),  # done, though too late: 4 s too long
        Step(flow=4, start_s=0, end_s=3, what="image", outcome=Outcome.CLIENT_CANCELLED),
    ]
    stored.insert("over", stored_steps(given, AT_MS, "over"))
    found = asked(stored, objective("over"))

    assert [(found[stage]["n"], found[stage]["done"]) for stage in range(4)] == [(3, 2), (3, 3), (2, 1), (2, 2)]
    assert [found[stage]["over_s"] for stage in range(1, 4)] == [59.0, 8.0, 4.0]
    assert [found[stage]["p99_s"] for stage in range(4)] == [None, 60.0, None, 9.0]
    assert [found[stage]["p50_s"] for stage in range(4)] == [70.0, 7.0, 10.0, 2.0]
    assert found[0]["mean_s"] == pytest.approx((12 + 70) / 2)


def test_a_stage_lasts_from_its_first_step_to_its_last_and_no_longer_than_its_flow(stored: Stored) -> None:
    given = [
        Step(flow=1, start_s=0, end_s=2, what="image"),
        Step(flow=1, start_s=2, end_s=10, what="video"),
        Step(flow=1, start_s=12, end_s=20, what="video"),
        Step(flow=1, start_s=20, end_s=24, what="voice"),
        Step(flow=1, start_s=25, end_s=60, what="image"),
    ]
    stored.insert("lasting", stored_steps(given, AT_MS, "lasting"))
    found = asked(stored, objective("lasting"))

    assert [found[stage]["p50_s"] for stage in range(4)] == [24.0, 2.0, 18.0, 4.0]


def test_flows_of_one_group_are_told_alone(stored: Stored) -> None:
    stored.insert("groups", stored_steps([*pipeline(1, 1, 10, 2), *pipeline(2, 3, 30, 2)], AT_MS, "groups"))
    one = objective("groups")
    by_region = replace(one, steps=replace(one.steps, group_by=(Dim.REGION,)))
    since_ms, until_ms = AT_MS, AT_MS + 300_000
    here, there = (stored.rows(flow_times(by_region, since_ms, until_ms, {Dim.REGION: name})) for name in ("eu", "us"))

    assert [row["n"] for row in here] == [2, 2, 2, 2]
    assert there == []


def test_without_flows_there_is_nothing(stored: Stored) -> None:
    assert asked(stored, objective("nobody")) == {}
