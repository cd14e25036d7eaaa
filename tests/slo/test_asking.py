"""Which question counts an objective, over a real store: flows reach the same counts as requests do."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from engine_rig import Rig, objective
from slo_texts import loaded

from slo.asking import around, asks, counted_flows, how, own_questions, unit
from slo.counts import Counts
from slo.expression import parse
from slo.objective import Indicator, Objective, counted, definition_hash
from slo.reader import Reader
from slo.stages import Stage, times
from slo.watched import watched
from slo.wholes import Call, Flow, Job
from telemetry.clock import wall_ms
from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.counted import counts
from telemetry.queries.flow_times import flow_times
from telemetry.queries.flows import flow_counts
from telemetry.record import RequestBatch, RequestRecord
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request

NOW_S = wall_ms() // 1000 // 30 * 30 - 7_200


def step(name: str, n: int, end_s: float, model: str, *, flow: int, ok: bool = True) -> RequestRecord:
    failed = {} if ok else {"outcome": Outcome.SERVER_ERROR, "eligible": Eligibility.BAD}
    return msgspec.structs.replace(
        sample_request(n, round((NOW_S + end_s) * 1000)), record_id=UUID(int=n), endpoint=name, model=model,
        elapsed_us=5_000_000, flow_id=flow, **failed,
    )  # fmt: skip


def flows_of(name: str, budget_s: float = 60.0) -> Objective:
    return replace(objective(name), whole=Flow(last=parse("model == 'last'"), budget_s=budget_s))


def insert(writer: Store, name: str, rows: Sequence[RequestRecord]) -> None:
    writer.insert_requests(RequestBatch(collector=name, seqs=tuple(range(len(rows))), records=tuple(rows)), name)


def test_flows_are_counted_beside_requests_and_once(reader: Store, writer: Store) -> None:
    name = "asking-flows"
    rows = [
        step(name, 1, 10, "first", flow=1),
        step(name, 2, 50, "last", flow=1),
        step(name, 3, 11, "first", flow=2),
        step(name, 4, 20, "last", flow=2, ok=False),
    ]
    insert(writer, name, rows)
    both = [watched(objective(name)), watched(replace(flows_of(name), name=f"{name}/flow"))]
    asks = Reader(reader, writer, both, "r")
    names = [one.objective.name for one in both]
    times = [asks.count(names, NOW_S, NOW_S + 120, wall_ms()) for _ in range(2)]
    group = f'{{"endpoint":"{name}"}}'
    found = asks.windows(NOW_S + 120, (120,))

    assert times == [4, 0], "two buckets of requests, two of flows"
    assert found[name, group] == {120: Counts(eligible=4, bad=1)}
    assert found[f"{name}/flow", group] == {120: Counts(eligible=2, bad=1)}


def test_items_and_slices_of_a_job_are_counted_at_the_end_of_a_slice(reader: Store, writer: Store) -> None:
    name = "asking-jobs"
    start_s = NOW_S // 600 * 600 - NOW_S + 600
    rows = [step(name, n, start_s + at, "m", flow=9) for n, at in enumerate((10, 20, 700, 710, 2_000))]
    insert(writer, name, rows)
    items = replace(objective(name), name=f"{name}/items", whole=Job(deadline_s=1_800, items=6))
    slices = replace(objective(name), name=f"{name}/slices", whole=Job(deadline_s=1_800, items=6, by_slice=True))
    both = [watched(items), watched(slices)]
    asks = Reader(reader, writer, both, "r")
    names = [one.objective.name for one in both]
    first_s = NOW_S + start_s
    written = [asks.count(names, first_s + t, first_s + t + 30, wall_ms()) for t in (0, 540, 570, 600)]
    asks.count(names, first_s + 600, first_s + 2_400, wall_ms())
    group = f'{{"endpoint":"{name}"}}'
    found = asks.windows(first_s + 2_400, (2_400,))

    assert written == [0, 0, 1, 0], "items in the last bucket of the slice; the first slice of a job is no whole one"
    assert found[names[0], group] == {2_400: Counts(eligible=6, bad=2)}
    assert found[names[1], group] == {2_400: Counts(eligible=3, bad=2)}, "the last one is cut short by the deadline"


def test_how_long_a_flow_and_its_stages_took_is_asked_with_the_stages_of_the_file(reader: Store, writer: Store) -> None:
    name = "asking-times"
    insert(writer, name, [step(name, 1, 10, "first", flow=1), step(name, 2, 50, "last", flow=1)])
    stages = (
        Stage(name="fast", match="model == 'first' and elapsed_s < 9", budget_s=4),
        Stage(name="slow", match="model == 'last'", budget_s=9),
    )
    whole = Flow(last=parse("model == 'last'"), budget_s=60, stages=stages)
    question = flow_times(counted_flows(replace(flows_of(name), whole=whole)), NOW_S * 1000, (NOW_S + 90) * 1000)
    found = times(reader.query(question), stages, 60)

    assert [(one.name, one.p99_s, one.over_s) for one in found] == [
        ("", 45.0, 0.0),
        ("fast", 5.0, 1.0),
        ("slow", 5.0, 0.0),
    ]


def test_busy_minutes_are_counted_when_they_are_over(reader: Store, writer: Store) -> None:
    name = "asking-peak"
    minute_s = NOW_S // 60 * 60 - NOW_S
    hour_s = NOW_S // 3_600 * 3_600 - NOW_S
    rows = [
        *(step(name, n, hour_s - 60, "m", flow=1) for n in range(3)),
        *(step(name, 10 + n, minute_s + 130, "m", flow=1, ok=n > 0) for n in range(4)),
        *(step(name, 20 + n, minute_s + 190, "m", flow=1, ok=False) for n in range(2)),
    ]
    insert(writer, name, rows)
    asks = Reader(reader, writer, [watched(replace(objective(name), peak_only=True))], "r")
    first_s = NOW_S + minute_s + 120
    written = [asks.count([name], first_s + t, first_s + t + 30, wall_ms()) for t in (0, 30, 60, 90)]

    assert written == [0, 1, 0, 0], "four requests are as many as three; two are not"
    assert asks.windows(first_s + 120, (120,)) == {(name, f'{{"endpoint":"{name}"}}'): {120: Counts(eligible=4, bad=1)}}


def test_of_the_attempts_of_a_call_the_last_one_counts(reader: Store, writer: Store) -> None:
    name = "asking-calls"
    rows = [
        step(name, 1, 10, "m", flow=1, ok=False),
        msgspec.structs.replace(step(name, 2, 20, "m", flow=1), attempt=2),
        msgspec.structs.replace(step(name, 3, 15, "m", flow=1, ok=False), trace_id=b"another trace id"),
    ]
    traced = [one if any(one.trace_id) else msgspec.structs.replace(one, trace_id=b"one trace id ...") for one in rows]
    insert(writer, name, traced)
    asks = Reader(reader, writer, [watched(replace(objective(name), whole=Call(retry_s=60)))], "r")
    written = [asks.count([name], NOW_S + t, NOW_S + t + 30, wall_ms()) for t in (0, 30, 60, 90)]

    assert written == [1, 0, 1, 0], "what failed waits for its retry"
    assert asks.windows(NOW_S + 120, (120,)) == {(name, f'{{"endpoint":"{name}"}}'): {120: Counts(eligible=2, bad=1)}}


COMPOSITE = """apiVersion: openslo/v1
kind: SLO
metadata: {name: asking-parts}
spec:
  service: s
  timeWindow: [{duration: 1d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
  - {displayName: first token, target: 0.99, compositeWeight: 3, indicator: %s}
  - {displayName: whole, target: 0.99, compositeWeight: 1, indicator: %s}
"""
PART = (
    "{metadata: {name: %s}, spec: {ratioMetric: {good: {metricSource: {type: inferometer, spec: {expr: '%s'}}},"
    " total: {metricSource: {type: inferometer, spec: {filter: \"endpoint == 'asking-parts'\"}}}}}}"
)


def test_the_parts_of_a_composite_are_counted_with_limits_that_grow_with_the_prompt(
    reader: Store, writer: Store
) -> None:
    parts = (PART % ("a", "ok and ttft_s <= 1.0 + 0.0002*tokens_in"), PART % ("b", "ok and e2e_s <= 5"))
    objectives = loaded(COMPOSITE % parts).objectives
    asked = [(500, 1.1), (500, 1.2), (8_000, 2.6), (8_000, 2.7), (None, 0.9)]
    rows = [
        msgspec.structs.replace(
            step("asking-parts", n, 10, "m", flow=1),
            tokens_in=tokens,
            ttft_us=round(ttft_s * 1e6),
            e2e_us=5_000_000 + n,
        )
        for n, (tokens, ttft_s) in enumerate(asked)
    ]
    insert(writer, "asking-parts", rows)
    asks = Reader(reader, writer, [watched(one) for one in objectives], "r")
    asks.count([one.name for one in objectives], NOW_S, NOW_S + 30, wall_ms())
    found = asks.windows(NOW_S + 30, (30,))

    assert [(one.name, one.weight) for one in objectives] == [
        ("asking-parts/first-token", 3),
        ("asking-parts/whole", 1),
    ]
    # 500 tokens may take 1.1 s and 8,000 may take 2.6 s (spec/slo.md 3); of an unknown length nobody knows the limit.
    assert found["asking-parts/first-token", "{}"] == {30: Counts(eligible=5, bad=3)}
    assert found["asking-parts/whole", "{}"] == {30: Counts(eligible=5, bad=4)}


@pytest.mark.system
@pytest.mark.timeout(120)
def test_flows_that_never_reach_their_last_step_page(reader: Store, writer: Store, tmp_path: Path) -> None:
    name = "asking-engine"
    rig = Rig(reader, writer, tmp_path / "ledger.sqlite", name, NOW_S)
    rig.watched = [watched(flows_of(name))]
    rig.restart()
    told: list[int] = []
    for half in range(16):
        last = "last" if half < 4 else "first"
        rows = [
            step(name, 2 * flow + n, half * 30 + 10 * n, what, flow=flow)
            for flow in range(half * 10 + 1, half * 10 + 11)
            for n, what in ((0, "first"), (1, last))
        ]
        insert(writer, f"{name}/{half}", rows)
        rig.now_s += 30
        rig.beat()
        rig.go(0)
        told += [half for said in rig.said if said == (name, "page", "firing")]
        if told:
            break

    # From the fifth half minute on no flow is done, which each shows a minute after it began, and then one more bucket.
    assert 6 <= told[0] <= 10


def test_a_late_step_moves_its_flow_and_leaves_nothing_behind(reader: Store, writer: Store) -> None:
    name = "asking-late"
    insert(writer, name, [step(name, 1, 10, "first", flow=1), step(name, 2, 20, "last", flow=2)])
    asks = Reader(reader, writer, [watched(flows_of(name))], "r")
    group = (name, f'{{"endpoint":"{name}"}}')
    asks.count([name], NOW_S, NOW_S + 120, wall_ms())
    before = asks.windows(NOW_S + 120, (120,))[group][120]
    insert(writer, f"{name}/late", [step(name, 3, 40, "last", flow=1)])
    written = asks.count([name], NOW_S + 30, NOW_S + 60, wall_ms(), revision=NOW_S + 120)
    again = asks.count([name], NOW_S + 30, NOW_S + 60, wall_ms(), revision=NOW_S + 150)

    assert before == Counts(eligible=2, bad=1), "the last step of one was not seen, so it was late"
    assert (written, again) == (2, 0), "its bucket has it, and the one that had it has nothing"
    assert asks.windows(NOW_S + 120, (60, 120))[group] == {60: Counts(), 120: Counts(eligible=2)}


@pytest.mark.parametrize(
    ("counts_what", "expected"),
    [
        ({"whole": Flow(last=parse("ok"), budget_s=50)}, (600_030, 600_180)),
        ({"whole": Call(retry_s=60)}, (600_030, 600_180)),
        ({"whole": Job(deadline_s=3_600)}, (600_000, 600_600)),
        ({"peak_only": True}, (600_000, 600_060)),
    ],
)
def test_what_may_have_moved_is_looked_at_up_to_where_was_counted(
    counts_what: dict[str, Any], expected: tuple[int, int]
) -> None:
    one = replace(objective("asking-around"), **counts_what)

    assert around(one, 600_030, 600_060, 999_990) == expected
    assert around(one, 600_030, 600_060, 600_060)[1] == 600_060


def test_only_what_counts_no_requests_has_a_question_of_its_own() -> None:
    plain, flow = objective("asking-plain"), flows_of("asking-flow")

    job = replace(plain, name="asking-job", whole=Job(deadline_s=60))

    peak = replace(plain, name="asking-peak", peak_only=True)

    call = replace(plain, name="asking-call", whole=Call(retry_s=60))

    assert [unit(one) for one in (plain, flow, peak)] == ["requests", "flows", "requests at peak"]
    assert [how(one) for one in (replace(plain, indicator=Indicator()), plain, peak)] == [
        "outcome is good", "ok", "ok; in minutes as busy as the busiest tenth of 7 d",
    ]  # fmt: skip
    assert how(flow).startswith("flows, done by (model == 'last') within 60 s")
    assert asks(plain)(0, 30_000) == counts(counted([plain]), 0, 30_000)
    assert asks(flow)(0, 30_000) == flow_counts(counted_flows(flow), 0, 30_000)
    assert asks(job)(0, 30_000) is None, "no slice ends there"
    assert set(own_questions([plain, flow, job, peak, call])) == {
        f"asking-{kind}" for kind in ("flow", "job", "peak", "call")
    }
    assert counted_flows(flow).budget_s == 60.0
    assert len({definition_hash(one) for one in (plain, flow, flows_of("asking-flow", 61))}) == 3
    with pytest.raises(TypeError, match="asking-plain"):
        counted_flows(plain)
