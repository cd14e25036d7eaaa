"""Knows what the store keeps of a run, its own row and one for each phase, and of a search, one for each rate.

Refuses to know how they get there.

A run has four phases at most: warm-up, measured, cool-down, and the drain behind the plan. What a phase had to send is
what the plan says, also where a worker was lost. Without an objective, good is what was answered.

    started_at        wall time of the first instant of the plan: the median over all requests, whose ends are known to
                      the millisecond
    read_lag_p99_us   over the latest read of each answer, so above the 99th percentile of all reads
    report_json       empty if it is longer than a row may hold; it is in the directory of the run

Source: spec/store.md 3 (load_runs, load_steps); spec/loadtest.md 6 (phases), 18 (report).
"""

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import msgspec

from inferometer.load_objectives import limits
from loadtest.attainment import meets
from loadtest.baseline import PARTIAL
from loadtest.gate_rows import lasts
from loadtest.plan import Plan
from loadtest.plan_spec import Objectives
from loadtest.rows import Row
from loadtest.run_spec import Phase, RunSpec
from loadtest.search import Step, StepVerdict, step_verdict
from loadtest.sweep import Tried
from loadtest.target import target as target_of
from telemetry.load_records import DOCUMENT_BYTES_MAX, LoadRun, LoadStep
from telemetry.outcome import Outcome
from telemetry.percentile import P99, percentile

DRAIN = "drain"
"""Kind of the phase behind the plan."""
_MS_NS, _MS_US = 1e6, 1e3
_HASH_CHARACTERS = 16


def records(
    report: Mapping[str, Any], run: RunSpec, plan: Plan, rows: Iterable[Row], now_ms: int
) -> list[LoadRun | LoadStep]:
    """Return the rows of a run: its own first, then its phases.

    Args:
        report: What it came to, as plain values.
        run: The run.
        plan: Its plan.
        rows: Every row of its requests, in the order of the plan; they are looked at again and again.
        now_ms: Wall clock; stands for the times of a run that sent nothing.
    """
    begun_us = array("q", (_planned_unix_us(row) - row.t_sched_us for row in rows))
    started_ms = round(median(begun_us) / _MS_US) if begun_us else now_ms
    ended_ms = max((row.record.ended_at for row in rows), default=now_ms)
    return [_run(report, run, started_ms, ended_ms), *_steps(report, run, plan, rows, (started_ms, ended_ms))]


def searched(name: str, steps: Sequence[Tried], target: float) -> list[LoadStep]:
    """Return the rates of a search, in the order in which they were tried; one at which nothing was sent is left out.

    Args:
        name: Of the search.
        steps: What was tried.
        target: Share of requests that must meet every objective.
    """
    return [
        LoadStep(
            run_id=name,
            step=at,
            kind=Phase.MEASURED,
            mode="open",
            started_at=one.span_unix_ms[0],
            ended_at=one.span_unix_ms[1],
            rate_per_s=one.step.rate_rps,
            offered=one.step.offered,
            completed=one.step.completed,
            good=one.step.good,
            state=_state(one.step, target),
            stats_json=_json(one.point),
        )
        for at, one in enumerate(steps)
        if one.span_unix_ms is not None
    ]


def _state(step: Step, target: float) -> str:
    """Return what is known of a rate; one that was given up is not proven to be bad."""
    verdict = step_verdict(step, target)
    if verdict is StepVerdict.REJECT and step_verdict(replace(step, lengths=1), target) is StepVerdict.LONGER:
        return "not_proven"
    return {StepVerdict.ACCEPT: "accepted", StepVerdict.REJECT: "rejected"}.get(verdict, "not_proven")


def planned_us(ended_at_ms: int, elapsed_us: int, started_ms: int) -> int:
    """Return when a request was due, microseconds after the start of its run, to the millisecond."""
    return max(0, (ended_at_ms - started_ms) * 1000 - elapsed_us)


def _planned_unix_us(row: Row) -> int:
    return row.record.ended_at * 1000 - row.record.elapsed_us


def _run(report: Mapping[str, Any], run: RunSpec, started_ms: int, ended_ms: int) -> LoadRun:
    key, receipt = report["key"], report["receipt"]
    fit: Mapping[str, Any] = report["fit"] or {"state": "", "checks": []}
    flags = key["flags_hash"]
    return LoadRun(
        run_id=run.run_id,
        baseline_id=report.get("baseline_id", ""),
        name=run.name,
        git_sha=run.git_sha,
        key_json=_json(key),
        plan_json=_json(run.plan),
        plan_sha256=report["plan"]["sha256"],
        rows_sha256=receipt["rows_sha256"],
        receipt_json=_json(receipt),
        started_at=started_ms,
        ended_at=ended_ms,
        seed=run.plan.seed,
        defs_version=report["defs_version"],
        target=run.endpoint or target_of(run.targets[0]).name,
        model=run.model,
        engine=key["engine"] or "",
        engine_version=key["engine_version"] or "",
        gpu_model=key["gpu_model"] or "",
        flags_hash=0 if flags.startswith(PARTIAL) else int(flags[:_HASH_CHARACTERS], 16),
        gpu_count=key["gpus"] or 0,
        tp=key["tensor_parallel"] or 0,
        mix_id=key["mix_id"],
        fit=fit["state"],
        fit_checks=_json(fit["checks"]),
        environment=tuple(
            f"{one['state']}: {one['name']}" for one in report.get("environment", ()) if one["state"] != "ok"
        ),
        verdict=_verdict(report),
        report_json=_json({name: value for name, value in report.items() if name != "receipt"}),
    )


def _verdict(report: Mapping[str, Any]) -> str:
    """Return the verdict on the objectives; a run that did not end as planned, or is not fit, has failed or tells none.

    An exit code of 3 outranks: the target went away.
    """
    ended = report["verdict"]["ended"]
    told = {0: report["attainment"]["verdict"] or "", 3: "fail"}
    return told.get(ended, "inconclusive")


@dataclass(frozen=True, slots=True)
class _Span:
    """A phase, in nanoseconds after the start of the plan."""

    kind: str
    first_ns: int
    until_ns: int


def _steps(
    report: Mapping[str, Any], run: RunSpec, plan: Plan, rows: Iterable[Row], run_ms: tuple[int, int]
) -> list[LoadStep]:
    first_ns, until_ns = report["population"]["window_ns"]
    end_ns = until_ns + round(run.cooldown_s * 1e9)
    last_ns = max(end_ns, round((run_ms[1] - run_ms[0]) * _MS_NS))
    spans = (
        _Span(Phase.WARM_UP, 0, first_ns),
        _Span(Phase.MEASURED, first_ns, until_ns),
        _Span(Phase.COOL_DOWN, until_ns, end_ns),
        _Span(DRAIN, end_ns, last_ns),
    )
    there = [span for span in spans if span.until_ns > span.first_ns]
    sums = _summed(rows, limits(run.plan))
    return [_step(at, span, run, plan, sums.get(span.kind, _Sums()), run_ms[0]) for at, span in enumerate(there)]


class _Sums:
    """What the requests of a phase came to."""

    def __init__(self) -> None:
        self.attempts = self.tokens_out = self.good = 0
        self.endings: Counter[Outcome] = Counter()
        self.sched_us, self.read_us = array("q"), array("q")

    def take(self, row: Row) -> None:
        """Take an attempt."""
        self.attempts += 1
        self.tokens_out += row.record.tokens_out or 0
        if row.record.sched_lag_us is not None:
            self.sched_us.append(row.record.sched_lag_us)
        if row.read_lag_max_us is not None:
            self.read_us.append(row.read_lag_max_us)


def _summed(rows: Iterable[Row], known: Mapping[str, Objectives]) -> dict[str, _Sums]:
    sums: defaultdict[str, _Sums] = defaultdict(_Sums)
    for row in rows:
        sums[row.run_phase].take(row)
    for row in lasts(rows):
        mine = sums[row.run_phase]
        mine.endings[row.record.outcome] += 1
        mine.good += meets(row.record, known.get(row.record.workload_class, Objectives())) is True
    return dict(sums)


def _step(at: int, span: _Span, run: RunSpec, plan: Plan, sums: _Sums, started_ms: int) -> LoadStep:
    endings = sums.endings
    due, is_open = _due(span, plan, endings.total()), run.plan.slots is None
    return LoadStep(
        run_id=run.run_id,
        step=at,
        kind=span.kind,
        mode="open" if is_open else "closed",
        started_at=started_ms + round(span.first_ns / _MS_NS),
        ended_at=started_ms + round(span.until_ns / _MS_NS),
        rate_per_s=due * 1e9 / (span.until_ns - span.first_ns) if is_open else None,
        concurrency=run.plan.slots,
        offered=due,
        completed=endings[Outcome.OK],
        good=sums.good,
        shed=endings[Outcome.CLIENT_LIMIT],
        sched_lag_p99_us=percentile(sorted(sums.sched_us), P99).value,
        read_lag_p99_us=percentile(sorted(sums.read_us), P99).value,
        stats_json=_json(
            {
                "attempts": sums.attempts,
                "outcomes": {outcome.value: n for outcome, n in endings.most_common()},
                "tokens_out": sums.tokens_out,
            }
        ),
    )


def _due(span: _Span, plan: Plan, seen: int) -> int:
    """Return how many arrivals a phase has; in a closed loop those that came, since none is planned."""
    if span.kind == DRAIN:
        return 0
    if plan.spec.slots is not None:
        return seen
    times = plan.t_sched_ns
    return bisect_left(times, span.until_ns) - bisect_left(times, span.first_ns)


def _json(value: object) -> str:
    """Return a document; an empty text stands for one that is too long."""
    data = msgspec.json.encode(value)
    return data.decode() if len(data) <= DOCUMENT_BYTES_MAX else ""
