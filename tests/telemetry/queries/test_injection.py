"""Whatever a value says, a statement keeps its text, and the value comes back as data."""

import re
from collections.abc import Callable
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry import queries
from telemetry.ids import uuid7
from telemetry.outcome import Outcome
from telemetry.queries import Asked, Dim, Metric, Pick, Question, Source, around, bad_events, engine_life, speeds, told
from telemetry.queries.alert_states import last_alert_states
from telemetry.queries.answers import answers_now, answers_usual, corrupted
from telemetry.queries.bad_events import Scope
from telemetry.queries.baseline_states import baseline_book
from telemetry.queries.busy import busy_counts
from telemetry.queries.calls import CountedCalls, call_counts
from telemetry.queries.counted import FALSE, TRUE, Clause, Counted, Left, counts
from telemetry.queries.drift import Anchor, slow_by_hour, waits_by_hour
from telemetry.queries.excess import contributors_of
from telemetry.queries.failures import failures
from telemetry.queries.flow_times import flow_times
from telemetry.queries.flows import CountedFlows, FlowStage, flow_counts
from telemetry.queries.gpu_peaks import gpu_peaks
from telemetry.queries.jobs import CountedJobs, items_counted, slices_counted
from telemetry.queries.lengths import length_mix
from telemetry.queries.loads import load_phases, load_requests, load_run_reports, load_runs
from telemetry.queries.misfits import batch_runs, flow_contexts, queue_shares
from telemetry.queries.peaks import peaks
from telemetry.queries.pipeline import collectors, unobserved
from telemetry.queries.prefix_cache import hits_around_marks
from telemetry.queries.profiles import profiles
from telemetry.queries.replayed import replayed
from telemetry.queries.replicas import replicas
from telemetry.queries.slowness import slowness
from telemetry.queries.spending import spending, tokens_in_time
from telemetry.queries.spent import CountedGroup, series, spent
from telemetry.queries.tails import spreads, waits_by_load
from telemetry.queries.usual import queue_steps, request_steps

RAW = Pick(source=Source.RAW, exact=True, since_ms=SINCE_MS, until_ms=UNTIL_MS)
LUMPED = Pick(source=Source.RAW, exact=False, since_ms=SINCE_MS, until_ms=UNTIL_MS)
MINUTES = Pick(source=Source.R_1M, exact=False, since_ms=SINCE_MS, until_ms=UNTIL_MS)
ROLLED = (Dim.ENDPOINT, Dim.MODEL, Dim.REGION, Dim.WORKLOAD_CLASS, Dim.VARIANT)
HOSTILE = (
    *("' OR 1=1 --", '" OR "1"="1', "\\", "\\'", "`", "a\tb\nc\r", "\0", "\x1a%00", "{x:String}", "{since:Int64}"),
    *(
        "'; DROP TABLE requests; --",
        "/* */",
        "]) OR (1=1",
        "NULL",
        "\\N",
        "\u202e",
        "ä€😀",
        "",
        "[1,2]",
        "file('/etc/passwd')",
    ),
)


def filtered(dims: tuple[Dim, ...], value: str) -> Asked:
    return Asked(since_ms=SINCE_MS, until_ms=SINCE_MS + 60_000, where=dict.fromkeys(dims, (value, "x")), traffic=value)


def on(pick: Pick, dims: tuple[Dim, ...]) -> dict[str, Callable[[str], Question]]:
    def asked(value: str) -> Asked:
        return filtered(dims, value)

    name = f"{pick.source}, {'exact' if pick.exact else 'bucketed'}"
    return {
        f"percentiles, {name}": lambda value: queries.percentiles(asked(value), pick, Metric.TTFT),
        f"fraction, {name}": lambda value: queries.fraction_below(asked(value), pick, Metric.TTFT, 1000),
        f"heat map, {name}": lambda value: queries.heat_map(asked(value), pick, Metric.TTFT),
        f"outcomes, {name}": lambda value: queries.outcome_shares(asked(value), pick),
        f"throughput, {name}": lambda value: queries.throughput(asked(value), pick),
        f"slowest, {name}": lambda value: queries.slowest(asked(value), pick, Metric.TTFT),
    }


def objective(value: str) -> Counted:
    asked = Clause(sql=f"if(toString(model) = $0, {TRUE}, {FALSE})", values=(value,))
    return Counted(
        name=value,
        traffic=value,
        group_by=(Dim.MODEL,),
        only=asked,
        eligible=asked,
        good=asked,
        also_bad=(Outcome.OK,),
        left=Left.BAD,
    )


def scope(value: str) -> Scope:
    named = dict.fromkeys(Dim, value)
    return Scope(objective=objective(value), since_ms=0, until_ms=1, group=named, where=dict.fromkeys(Dim, (value,)))


def staged(value: str) -> CountedFlows:
    stage = FlowStage(
        match=Clause(sql=f"if(has($0, toString(model)), {TRUE}, {FALSE})", values=((value,),)), budget_s=1
    )
    return CountedFlows(steps=objective(value), budget_s=60, stages=(stage, stage))


def jobs(ask: Callable[[CountedJobs, int, int], Question | None], value: str) -> Question:
    question = ask(CountedJobs(rows=objective(value), deadline_s=60, items=5), 0, 600_000)
    assert question is not None
    return question


def busy(value: str) -> Question:
    question = busy_counts(objective(value), 0, 60_000)
    assert question is not None
    return question


def beside(ask: Callable[[list[str], int, int], Question]) -> Callable[[str], Question]:
    return lambda value: ask([value], 0, 1)


AROUND = (
    *(around.gpus, around.engines, around.marked),
    *(around.engine_changes, around.replica_changes, around.newcomers),
)
QUESTIONS: dict[str, Callable[[str], Question]] = {
    **on(RAW, tuple(Dim)),
    **on(LUMPED, tuple(Dim)),
    **on(MINUTES, ROLLED),
    "report": lambda value: queries.report(0, 1, traffic=value),
    "top": lambda value: queries.top(0, 1, traffic=value),
    "rows": lambda value: queries.row_count(0, 1, traffic=value),
    "rolled report": lambda value: queries.report_rolled(filtered(ROLLED, value), MINUTES),
    "replayed": lambda value: replayed(filtered(tuple(Dim), value)),
    "contributors": lambda value: contributors_of(scope(value)),
    "impact": lambda value: bad_events.impact(scope(value)),
    "endings": lambda value: bad_events.endings(scope(value)),
    "phases": lambda value: bad_events.phases(scope(value)),
    "exemplars": lambda value: bad_events.exemplars(scope(value)),
    **{ask.__name__: beside(ask) for ask in AROUND},
    "baselines": lambda value: queries.baselines(0, (value,)),
    "baseline_book": lambda value: baseline_book((value,)),
    "load runs": lambda value: load_runs(0, 1, target=value, key_json=value),
    "load run reports": lambda value: load_run_reports([value]),
    "load phases": lambda value: load_phases([value]),
    "load requests": lambda value: load_requests(value, 0, 1),
    "objectives": lambda value: counts([objective(value)], 0, 30_000),
    "flows": lambda value: flow_counts(CountedFlows(steps=objective(value), budget_s=60), 0, 30_000),
    "flow times": lambda value: flow_times(staged(value), 0, 30_000),
    "busy minutes": busy,
    "calls": lambda value: call_counts(CountedCalls(rows=objective(value), wait_s=60), 0, 30_000),
    "items": lambda value: jobs(items_counted, value),
    "slices": lambda value: jobs(slices_counted, value),
    "burn": lambda value: queries.burn_inputs(0, (300,), (value,)),
    "counted until": lambda value: queries.counted_until([value], 0),
    "buckets": lambda value: queries.counted_buckets([value], 0, 30),
    "sums": lambda value: queries.sums_by([value], 0, 3_600, 3_600),
    "spent": lambda value: spent(CountedGroup(slo=value, definition_hash=1, group={value: value}), 0, 30),
    "series": lambda value: series(CountedGroup(slo=value, definition_hash=1, group={"a": value}), 0, 30, 30),
    "alert changes": lambda value: told.alert_changes(0, 1, slo=value, severity=value),
    "stored count": lambda value: queries.stored_count(value, [(1, 2)], 0, 1),
}
OTHERS = {
    "waits by hour": waits_by_hour(0, 1),
    "steps of requests": request_steps(0),
    "steps of queues": queue_steps(0),
    "spending": spending(0, 3_600_000),
    "tokens in time": tokens_in_time(0, 1, Anchor(base_us=1)),
    "spreads": spreads(Metric.TPOT, 0, 1),
    "waits by load": waits_by_load(0, 1, 0),
    "cache hits around markers": hits_around_marks(0, 1),
    "adjustments": told.adjustments(0, 1),
    "acts": told.acts(0, 1),
    "lengths": length_mix(0, 1),
    "slow by hour": slow_by_hour(0, 1, Anchor(base_us=1), (3.0, 10.0)),
    "peaks": peaks(0, 60),
    "slowness": slowness(((0, 60),)),
    "failures": failures(((0, 60),), ((Outcome.OOM,),)),
    "request": queries.request(uuid7(SINCE_MS, 5)),
    "coverage": queries.coverage(0),
    "last probes": queries.last_probes(0, 1),
    "in flight": queries.in_flight(0),
    "oldest request": queries.oldest_request(0),
    "last alert states": last_alert_states(0),
    "late buckets": queries.late_buckets(0, 0, 30_000),
    "contexts of flows": flow_contexts(0, 1),
    "shares of queues": queue_shares(0, 1),
    "batch runs": batch_runs(0, 1, 10, 600),
    "telemetry health": queries.telemetry_health(0, 1),
    "duplicates": queries.duplicates(),
    "identities": queries.identities(0, 1),
    "still engines": engine_life.still(0),
    "last answers": engine_life.last_answers(0, 1),
    "counters of engines": engine_life.increases(0, 1, 2),
    "queues of engines": engine_life.queues(0, 1),
    "peaks of GPUs": gpu_peaks(0, 1),
    "profiles": profiles(0),
    "paces": speeds.paces(0, 1),
    "load points": speeds.load_points(0, 1),
    "rates": speeds.rates(0, 60_000),
    "replicas": replicas(0, 1, 1.1),
    "collectors": collectors(0, 1),
    "unobserved": unobserved(0, 60_000),
    "answers now": answers_now(0, 60_000),
    "usual answers": answers_usual(0, 60_000),
    "corrupted": corrupted(0, 1),
    "good answers": engine_life.good_answers(0, 1),
    "roll-up differences": queries.rollup_differences(0, 3_600_000),
}


@pytest.mark.parametrize("name", list(QUESTIONS))
@settings(max_examples=20)
@given(value=st.one_of(st.sampled_from(HOSTILE), st.text()))
def test_a_value_never_changes_a_statement(name: str, value: str) -> None:
    harmless, hostile = QUESTIONS[name]("x"), QUESTIONS[name](value)

    assert harmless.sql == hostile.sql
    assert harmless.parameters.keys() == hostile.parameters.keys()


@pytest.mark.parametrize("name", [*QUESTIONS, *OTHERS])
def test_a_statement_names_exactly_its_parameters_and_the_engine_takes_it(stored: Stored, name: str) -> None:
    question = QUESTIONS[name](" ".join(HOSTILE)) if name in QUESTIONS else OTHERS[name]

    assert set(re.findall(r"\{(\w+):", question.sql)) == set(question.parameters)
    assert isinstance(stored.rows(question), list)


def test_a_hostile_value_finds_what_has_it_and_nothing_else(stored: Stored) -> None:
    at_ms = SINCE_MS - 7_200_000
    sent = [
        msgspec.structs.replace(
            stored.records[0], ended_at=at_ms + at, endpoint=value, model=value, replica=value, record_id=UUID(int=at)
        )
        for at, value in enumerate(HOSTILE)
    ]
    stored.insert("n/hostile", sent)
    raw, minutes = (
        Pick(source=source, exact=source is Source.RAW, since_ms=at_ms, until_ms=at_ms + 60_000)
        for source in (Source.RAW, Source.R_1M)
    )
    for values in (HOSTILE, *((value,) for value in HOSTILE[:3])):
        asked = Asked(
            since_ms=at_ms,
            until_ms=at_ms + 60_000,
            by=(Dim.ENDPOINT, Dim.MODEL),
            where={Dim.ENDPOINT: values, Dim.MODEL: (*values, "x")},
        )
        for pick in (raw, minutes):
            rows = stored.rows(queries.percentiles(asked, pick, Metric.TTFT))

            assert {(value, value, 1) for value in values} == {
                (row["endpoint"], row["model"], row["n"]) for row in rows
            }
    listed = Clause(sql=f"if(has($0, toString(endpoint)), {TRUE}, {FALSE})", values=(tuple(HOSTILE),))
    hostile = Counted(name="hostile", only=listed, group_by=(Dim.MODEL,))
    counted = stored.rows(counts([hostile], at_ms, at_ms + 60_000))
    assert set(HOSTILE) == {str(msgspec.json.decode(str(row["group_key"]))["model"]) for row in counted}
