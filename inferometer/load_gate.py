"""Knows how kept runs are gated, and when they may not be: unfit, too short, unlike each other; refuses to run any.

What keeps runs from a verdict outranks every number: the numbers are shown, and nothing is said to have passed or
failed. A candidate whose target went away has failed.

Source: spec/loadtest.md 1 (unfit outranks failed), 5 (`load gate` needs fit), 12 (keys, age), 13 (gate, same plan).
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from inferometer import listing
from inferometer.errors import ConfigurationError
from inferometer.load_kept import Kept
from inferometer.load_key import is_partial
from inferometer.load_objectives import are_asked
from inferometer.load_told import tell_pipeline
from loadtest.absolute import absolute
from loadtest.baseline import differences
from loadtest.cases import Case
from loadtest.compare import BLOCK_S
from loadtest.conductor import EXIT_FAILED
from loadtest.gate import QUANTILE_OF, Gated, Metric, Run, gate
from loadtest.gate_plan import RUNS
from loadtest.gate_report import HEADS, cases, markdown, row
from loadtest.verdict import EXIT_CODES, Verdict, overall

NAME = "load gate"
"""Of its test suite."""
BLOCKS_LEAST = 10
"""Blocks of ten seconds that each arm must have: of fewer a bootstrap makes intervals that are far too narrow."""
_Limit = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_ONLY_WITH = {
    Metric.TPOT_P50: "tpot_s",
    Metric.TPOT_P95: "tpot_s",
    Metric.MAX_GAP_P99: "max_gap_s",
}
"""What a workload of single tokens, or without streams, cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a gate says.

    Attributes:
        baseline: Run ids of the baseline.
        candidate: Run ids of the candidate.
        objections: What keeps the runs from a verdict, or fails them whatever the numbers say.
        gated: The metrics.
        verdict: Over all.
        limits: Verdicts of the candidate's latencies against limits of their own.
        is_judged: Whether the metrics have verdicts of their own; those of one target against itself have none.
    """

    baseline: tuple[str, ...]
    candidate: tuple[str, ...]
    objections: tuple[Case, ...]
    gated: Gated
    verdict: Verdict
    limits: tuple[Case, ...] = ()
    is_judged: bool = True

    @property
    def cases(self) -> list[Case]:
        """Every verdict."""
        return [*self.objections, *self.limits, *(cases(self.gated) if self.is_judged else ())]


def answer(
    baseline: Sequence[Kept],
    candidate: Sequence[Kept],
    seed: int,
    *,
    accepts_partial: bool = False,
    known: Sequence[Case] = (),
    limits: Mapping[Metric, float] = MappingProxyType({}),
) -> Answer:
    """Gate a candidate.

    Args:
        baseline: Its runs, at least one.
        candidate: Its runs, at least one.
        seed: Of the resamples.
        accepts_partial: Whether engines with unknown flags may be compared.
        known: What else stands in the way of a verdict: the baseline itself, false alarms of its key.
        limits: Seconds that latencies of the candidate must keep, whatever the baseline's were.

    Raises:
        ConfigurationError: Rows of a run cannot be read.
    """
    objections = (*known, *objected(baseline, candidate, accepts_partial=accepts_partial))
    before, after = ([run.gated() for run in runs] for runs in (baseline, candidate))
    has_objectives = any(are_asked(run.spec.plan) for run in candidate)
    gated = gate(before, after, seed, metrics=judgeable([*before, *after], has_objectives=has_objectives))
    kept = absolute(after, limits)
    standing = {one.verdict for one in objections}
    verdict = overall([gated.verdict, *(one.verdict for one in kept)])
    if Verdict.INCONCLUSIVE in standing:
        verdict, gated = Verdict.INCONCLUSIVE, untold(gated)
        kept = [replace(one, verdict=Verdict.INCONCLUSIVE) for one in kept]
    elif Verdict.FAILED in standing:
        verdict = Verdict.FAILED
    return Answer(
        baseline=tuple(run.run_id for run in baseline),
        candidate=tuple(run.run_id for run in candidate),
        objections=objections,
        gated=gated,
        verdict=verdict,
        limits=tuple(kept),
    )


def limits(words: Sequence[str]) -> dict[Metric, float]:
    """Read limits of latencies, as `ttft_p99=0.5`.

    Raises:
        ConfigurationError: A word is none.
    """
    found: dict[Metric, float] = {}
    for word in words:
        name, _, seconds = word.partition("=")
        try:
            found[Metric(name)] = msgspec.convert(seconds, _Limit, strict=False)
        except (ValueError, msgspec.ValidationError):
            raise _no_limit(word) from None
        if Metric(name) not in QUANTILE_OF:
            raise _no_limit(word)
    return found


def _no_limit(word: str) -> ConfigurationError:
    allowed = ", ".join(QUANTILE_OF)
    return ConfigurationError(f"--limit: found {word!r}; allowed: METRIC=SECONDS with one of {allowed}")


def judgeable(runs: Sequence[Run], *, has_objectives: bool) -> list[Metric]:
    """Return what these runs can be judged by.

    Without objectives attainment says no more than the bad ratio, and tokens of which some are unknown say nothing.
    """
    requests = [one for run in runs for one in run.requests]
    has = {name: any(getattr(one, name) is not None for one in requests) for name in set(_ONLY_WITH.values())}
    without = {metric for metric, name in _ONLY_WITH.items() if not has[name]}
    without |= {Metric.TOKENS_PER_S for run in runs if run.tokens is None}
    return [metric for metric in Metric if metric not in without and (has_objectives or metric != Metric.ATTAINMENT)]


def objected(baseline: Sequence[Kept], candidate: Sequence[Kept], *, accepts_partial: bool) -> list[Case]:
    """Return what stands in the way of a verdict."""
    found = [case for run in baseline if (case := _unfit(run, is_candidate=False))]
    found += [case for run in candidate if (case := _unfit(run, is_candidate=True))]
    runs = [*baseline, *candidate]
    differing = {one.name for run in runs for one in differences(baseline[0].key, run.key)}
    if differing:
        found.append(_open("key", f"across configurations, which differ in {', '.join(sorted(differing))}"))
    if not accepts_partial and any(is_partial(run.key) for run in runs):
        found.append(_open("key", "flags of an engine are not known (--engine of load run; or --accept-partial-key)"))
    plans = {run.plan_sha256 for run in baseline}
    if others := [run.run_id for run in candidate if run.plan_sha256 not in plans]:
        found.append(_open("plan", f"of another plan than the baseline: {', '.join(others)}"))
    windows = {(run.plan_sha256, run.window_ns) for run in runs}
    if len(windows) > len({plan for plan, _ in windows}):
        told = ", ".join(sorted({f"{first_ns / 1e9:g}-{until_ns / 1e9:g} s" for _, (first_ns, until_ns) in windows}))
        found.append(_open("window", f"measured at different times of one plan (--warm-up, --cool-down): {told}"))
    measured_s = min(_seconds(baseline), _seconds(candidate))
    if measured_s < BLOCKS_LEAST * BLOCK_S:
        found.append(_open("length", f"{measured_s:.0f} s measured of an arm, needed: {BLOCKS_LEAST * BLOCK_S:.0f} s"))
    if len(baseline) == len(candidate) == 1:
        found.append(_open("runs", f"one run against one: how runs differ anyway is unknown, needed: {RUNS} of an arm"))
    if shared := {run.run_id for run in baseline} & {run.run_id for run in candidate}:
        found.append(_open("runs", f"compared with itself: {', '.join(sorted(shared))}"))
    return found


def untold(gated: Gated, reason: str = "no verdict of these runs") -> Gated:
    """Return a gate that shows its numbers and judges none."""
    metrics = tuple(replace(one, verdict=Verdict.INCONCLUSIVE, n_needed=None, reason=reason) for one in gated.metrics)
    return Gated(metrics=metrics, verdict=Verdict.INCONCLUSIVE)


def show(found: Answer, output: str, name: str = NAME) -> int:
    """Print an answer and return the exit code: 0 pass, 3 fail, 4 inconclusive."""
    if not tell_pipeline(found.cases, name, _markdown(found), output):
        if output == "json":
            sys.stdout.write(json.dumps(document(found)) + "\n")
        elif output == "markdown":
            sys.stdout.write(_markdown(found))
        else:
            rows: list[listing.Row] = [dict(zip(HEADS, row(one), strict=True)) for one in found.gated.metrics]
            listing.show(rows, HEADS, f"{name}: {found.verdict}", output)
    sys.stderr.write("".join(f"{one.name}: {one.message}\n" for one in found.objections))
    sys.stderr.write("".join(f"{one.name}: {one.verdict}, {one.message}\n" for one in found.limits))
    sys.stderr.write(_unjudged(found))
    return EXIT_CODES[found.verdict]


def document(found: Answer) -> dict[str, Any]:
    """Return an answer as JSON; an infinite change is a word."""
    return {
        "verdict": found.verdict,
        "exit_code": EXIT_CODES[found.verdict],
        "baseline": list(found.baseline),
        "candidate": list(found.candidate),
        "objections": [{"name": one.name, "verdict": one.verdict, "message": one.message} for one in found.objections],
        "limits": [{"name": one.name, "verdict": one.verdict, "message": one.message} for one in found.limits],
        "metrics": [
            {
                "metric": one.metric,
                "verdict": one.verdict,
                "worse_ratio": _plain(one.change.estimate),
                "low_ratio": _plain(one.change.low),
                "high_ratio": _plain(one.change.high),
                "p": one.change.p,
                "n": one.change.n,
                "widened": one.change.widened,
                "margin_ratio": one.margin,
                "n_needed": one.n_needed,
                "reason": one.reason,
            }
            for one in found.gated.metrics
        ],
    }


def _unfit(run: Kept, *, is_candidate: bool) -> Case | None:
    if run.is_fit:
        return None
    if is_candidate and run.ended == EXIT_FAILED:
        return Case(name=run.run_id, verdict=Verdict.FAILED, message=run.report["verdict"]["message"])
    state = "nothing was sent" if run.report["fit"] is None else run.report["fit"]["state"]
    return _open(run.run_id, f"{state}: {run.report['verdict']['message'] or 'not proven fit'}")


def _seconds(runs: Sequence[Kept]) -> float:
    """Return how long runs measured, all together."""
    return sum(until_ns - first_ns for first_ns, until_ns in (run.window_ns for run in runs)) / 1e9


def _open(name: str, message: str) -> Case:
    return Case(name=name, verdict=Verdict.INCONCLUSIVE, message=message)


def _markdown(found: Answer) -> str:
    told = "".join(f"- {one.name}: {one.message}\n" for one in found.objections)
    told += "".join(f"- {one.name}: {one.verdict}, {one.message}\n" for one in found.limits)
    told += f"- {unjudged}" if (unjudged := _unjudged(found)) else ""
    table = markdown(replace(found.gated, verdict=found.verdict))
    return f"{table}\n{told}" if told else table


def _unjudged(found: Answer) -> str:
    """Return a line on what is not judged though a release gate has it by default; empty if it is."""
    has = Metric.TOKENS_PER_S in {one.metric for one in found.gated.metrics}
    return "" if has else f"{Metric.TOKENS_PER_S}: not judged, when the tokens of an answer came is unknown\n"


def _plain(value: float | None) -> float | str | None:
    if value is None or math.isfinite(value):
        return value
    return "fails" if value > 0 else "failed before"
