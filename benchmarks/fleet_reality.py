"""Knows how well the simulated engine foretells a real one: `python -m benchmarks.fleet_reality`.

The real one is vLLM on one core with a tiny random model (benchmarks.vllm_rig), its client on the other. Users ask one
request after the other (closed loops), because an open loop past the knee has no steady state to foretell. Three
numbers of users calibrate: of them come the medians that the parameters of `loadtest.fleet.engine` are fitted to. Five
others are foretold. Every round asks the real one at all eight, so that a machine that gets slower or faster meanwhile
does so for all alike; the fit sees only its three. The simulated engine is the server `loadtest.fleet.server` on the
very core, asked by the same client for the same texts, while the real one is stopped.

The fit is a search in steps that get smaller: alpha, beta, delta, rho and the time in front such that closed loops in
virtual time have the medians and the throughput that were measured. What it minimises is the sum of the squared
logarithms of the ratios.
While it is asked an engine comes before all other programs on its core, as far as the user may say so: on a machine
that does anything else the figures are noise.

A level is past the knee from where throughput is less than a tenth above that of half the users.

What the model leaves out, and one core shows: the API process and the engine take turns on the core as the kernel
likes, where the model has both in every step; tokens that wait in the API process are sent together.

Source: spec/scaling.md 7; vLLM 0.32, vllm/v1/engine/async_llm.py (one API process: requests in, tokens out).
"""

import argparse
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from statistics import median
from types import FrameType

from benchmarks.harness import Answer, Figure, as_json, table
from benchmarks.vllm_rig import MODEL, Rig, halves, is_realtime, running
from inferometer import load_files, load_run
from loadtest.asking import Asker
from loadtest.fleet.engine import Engine
from loadtest.fleet.replica import Replica
from loadtest.fleet.requests import End, Request
from loadtest.plan import Plan
from loadtest.plan_spec import PlanSpec, Separate, Uniform, WorkloadClass
from loadtest.planner import build
from loadtest.run_spec import Api, RunSpec
from telemetry.clock import wall_ms
from telemetry.outcome import Outcome
from telemetry.testing.engine_bodies import MODEL as SIMULATED

CALIBRATE, FORETELL = (2, 16, 48), (1, 4, 8, 32, 64)
"""Users."""
ROUNDS, SECONDS = 2, 20.0
WITHIN, WITHIN_PAST_KNEE = 0.15, 0.20
KNEE = 1.1
"""Throughput over that of half the users, below which a level is past the knee."""
ASKS_MAX = 5_000
"""Requests of a run, at most."""
WORDS, TOKENS_OUT = Uniform(low=20, high=100), Uniform(low=32, high=96)
TURN_S = 0.001
"""From the end of an answer to the next request of the same user, in virtual time."""
FIRST = Engine(
    alpha_s=0.001,
    beta_s=0.0001,
    gamma_s=0.0,
    prefill_s=2e-5,
    request_s=0.002,
    front_s=0.002,
    kv_blocks=65_536,
    seqs_max=256,
)
"""Where the fit begins, and what it does not change."""
FITTED = ("alpha_s", "beta_s", "prefill_s", "request_s", "front_s")
SEARCH = (3.0, 1.7, 1.3, 1.12, 1.05, 1.02, 1.01)
"""Factors that a parameter is multiplied with or divided by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a client saw at one level."""

    ttft_p50_s: float
    ttft_p95_s: float
    tpot_p50_s: float
    tokens_per_s: float

    def logs(self) -> list[float]:
        """Return the logarithm of each."""
        return [math.log(getattr(self, one.name)) for one in fields(self)]


def medians(seen: Sequence[Seen]) -> Seen:
    """Return the median of each figure."""
    return Seen(**{one.name: median(getattr(each, one.name) for each in seen) for one in fields(Seen)})


def quantile(values: Sequence[float], q: float) -> float:
    """Return a quantile by nearest rank."""
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]


def spec(users: int, seconds: float) -> PlanSpec:
    """Return the plan of a level: the same for both engines."""
    mix = WorkloadClass(lengths=Separate(tokens_in=WORDS, tokens_out=TOKENS_OUT))
    return PlanSpec(seed=11 + users, slots=users, duration_s=seconds, count=ASKS_MAX, classes=(mix,))


def run_spec(url: str, model: str, plan: PlanSpec, folder: Path) -> RunSpec:
    """Return the run of a plan."""
    run_id = f"reality-{wall_ms():x}"
    return RunSpec(
        run_id=run_id,
        targets=(url,),
        plan=plan,
        directory=str(folder / run_id),
        model=model,
        api=Api.COMPLETIONS,
        start_delay_s=0.5,
    )


def driven(rig: Rig, model: str, users: int, seconds: float, folder: Path) -> Seen:
    """Load an engine with our own client, and return what it saw.

    Raises:
        RuntimeError: A request did not end well.
        ValueError: None ended within the time that counts.
    """
    found = summed(answered(rig, model, users, seconds, folder), users, seconds)
    sys.stderr.write(f"{model}, {users} users: {found}\n")
    return found


def answered(
    rig: Rig, model: str, users: int, seconds: float, folder: Path
) -> list[tuple[float, float, float, float, int]]:
    """Load an engine with our own client, and return its answers: (begun, ended, TTFT, TPOT, tokens).

    Raises:
        RuntimeError: A request did not end well.
    """
    plan = spec(users, seconds)
    with rig.first():
        carried = load_run.carry_out(run_spec(rig.url, model, plan, folder), build(plan), 1, load_run.on_terminal)
    rows = [(row.t_sched_us / 1e6, row.record) for row in load_files.rows(carried.directory)]
    bad = {one.outcome for _, one in rows if one.outcome is not Outcome.OK}
    if bad:
        raise RuntimeError(f"{users} users: {', '.join(bad)}: {carried.directory}")
    return [
        (at_s, at_s + one.elapsed_us / 1e6, (one.ttft_us or 0) / 1e6, (one.tpot_us or 0) / 1e6, one.tokens_out or 0)
        for at_s, one in rows
    ]


def summed(answers: Sequence[tuple[float, float, float, float, int]], users: int, seconds: float) -> Seen:
    """Return the figures of answers: (begun, ended, TTFT, TPOT, tokens).

    All users begin at once, and until the last of them has its first answer that rush is all there is to see: what
    counts is begun after it.

    Args:
        answers: All of a run.
        users: How many begin.
        seconds: Until when requests are begun.

    Raises:
        ValueError: There are too few.
    """
    since_s = max((one[1] for one in sorted(answers)[:users]), default=seconds)
    measured = [one for one in answers if one[0] >= since_s]
    ended = sum(one[4] for one in answers if since_s <= one[1] < seconds)
    if not measured or not ended:
        raise ValueError(f"{users} users: nothing was answered within the time that counts; more --seconds are needed")
    return Seen(
        ttft_p50_s=quantile([one[2] for one in measured], 0.5),
        ttft_p95_s=quantile([one[2] for one in measured], 0.95),
        tpot_p50_s=quantile([one[3] for one in measured], 0.5),
        tokens_per_s=ended / (seconds - since_s),
    )


def virtual(engine: Engine, users: int, asks: Sequence[tuple[int, int]], seconds: float) -> Seen:
    """Let users ask one request after the other in virtual time.

    Args:
        engine: Who answers.
        users: How many.
        asks: Prompt and answer tokens of the requests, in the order in which they are begun.
        seconds: Until when requests are begun.
    """
    replica, following = Replica(engine), iter(asks)
    answers: list[tuple[float, float, float, float, int]] = []
    for user in range(users):
        replica.push((user * 0.01, *next(following), None))
    while (now_s := replica.next_s) < math.inf:
        replica.advance(now_s)
        ended, replica.ended[:] = list(replica.ended), []
        for request, first_s, end_s, how in ended:
            assert how is End.OK  # noqa: S101 -- the cache holds all of it
            answers.append(_answer(request, first_s or end_s, end_s))
            if end_s + TURN_S < seconds:
                replica.push((end_s + TURN_S, *next(following), None))
    return summed(answers, users, seconds)


def _answer(request: Request, first_s: float, end_s: float) -> tuple[float, float, float, float, int]:
    return request[0], end_s, first_s - request[0], (end_s - first_s) / (request[2] - 1), request[2]


def lengths(plan: Plan, folder: Path) -> list[tuple[int, int]]:
    """Return prompt and answer tokens of a plan's requests, prompts as the simulated engine counts them."""
    asker = Asker(run_spec("http://127.0.0.1:1", SIMULATED, plan.spec, folder), plan)
    first = islice(plan.mine(0, 1), ASKS_MAX)
    return [(max(1, len(asker.prompt(one).encode()) // 4), one.len_out) for one in first]


def fitted(seen: Mapping[int, Seen], asks: Mapping[int, Sequence[tuple[int, int]]], seconds: float) -> Engine:
    """Return the engine whose closed loops have the medians that were measured."""

    def miss(engine: Engine) -> float:
        try:
            logs = [(virtual(engine, n, asks[n], seconds).logs(), one.logs()) for n, one in seen.items()]
        except ValueError:
            return math.inf
        return sum((mine - its) ** 2 for pair in logs for mine, its in zip(*pair, strict=True))

    best: Engine = FIRST
    least = miss(best)
    for factor in SEARCH:
        moved = True
        while moved:
            moved = False
            for name in FITTED:
                for by in (factor, 1 / factor):
                    other: Engine = replace(best, **{name: getattr(best, name) * by})
                    if (found := miss(other)) < least * 0.9999:
                        best, least, moved = other, found, True
    return best


@contextmanager
def simulated(engine: Engine) -> Generator[Rig]:
    """Run the simulated engine on the cores of the real one until the block ends."""
    words = [f"--{one.name.replace('_', '-')}={getattr(engine, one.name)}" for one in fields(Engine)]
    argv = (sys.executable, "-m", "loadtest.fleet.server", "--port", "0", *words)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        os.sched_setaffinity(process.pid, halves()[0])
        os.sched_setscheduler(process.pid, os.SCHED_OTHER, os.sched_param(0))
        assert process.stdout is not None  # noqa: S101 -- it was asked for
        try:
            yield Rig(url=f"http://{process.stdout.readline().strip()}", pid=process.pid)
        finally:
            process.kill()


def compared(real: Rig, folder: Path, rounds: int, seconds: float) -> Answer:
    """Calibrate, foretell, and compare.

    Args:
        real: The real engine.
        folder: For the files of the runs.
        rounds: Runs of each level and engine; the medians count.
        seconds: Length of a run, the rush at its begin included.
    """
    answered(real, MODEL, max(FORETELL), seconds, folder)  # it is cold; what it compiles may take all of the time
    every = sorted((*CALIBRATE, *FORETELL))
    turns = [[driven(real, MODEL, n, seconds, folder) for n in every] for _ in range(rounds)]
    seen = {n: medians(of) for n, of in zip(every, zip(*turns, strict=True), strict=True)}
    asks = {n: lengths(build(spec(n, seconds)), folder) for n in CALIBRATE}
    engine = fitted({n: seen[n] for n in CALIBRATE}, asks, seconds)
    told: dict[int, tuple[Seen, Seen]] = {}
    with simulated(engine) as model, real.stopped():
        for n in FORETELL:
            told[n] = seen[n], medians([driven(model, SIMULATED, n, seconds, folder) for _ in range(rounds)])
    return answer(engine, told, past_knee(seen), {"rounds": rounds, "seconds": seconds, "realtime": is_realtime()})


def past_knee(seen: Mapping[int, Seen]) -> frozenset[int]:
    """Return the levels whose throughput is less than a tenth above that of half the users, or the next fewer."""
    rate = {n: one.tokens_per_s for n, one in seen.items()}
    halved = {n: max((other for other in rate if 2 * other <= n), default=None) for n in rate}
    return frozenset(n for n, half in halved.items() if half is not None and rate[n] < KNEE * rate[half])


def answer(
    engine: Engine, told: Mapping[int, tuple[Seen, Seen]], knee: frozenset[int], setting: Mapping[str, object]
) -> Answer:
    """Return the table: each figure of each level, foretold over real, and whether it is within its bound."""
    figures = [Figure(name=f"fitted {name}", value=getattr(engine, name) * 1e6, unit="us") for name in FITTED]
    ratios: dict[str, float | None] = {}
    missed = 0
    for n, (real, foretold) in told.items():
        bound = WITHIN_PAST_KNEE if n in knee else WITHIN
        for one in fields(Seen):
            its, ours = getattr(real, one.name), getattr(foretold, one.name)
            ratio = ours / its
            held = abs(ratio - 1) <= bound
            missed += not held
            ratios[f"{n} users {one.name}, foretold / real"] = ratio
            figures += [
                Figure(name=f"{n} users {one.name} real", value=its, unit="tokens/s" if "tokens" in one.name else "s"),
                Figure(
                    name=f"{n} users {one.name} foretold",
                    value=ours,
                    unit="tokens/s" if "tokens" in one.name else "s",
                    note=f"{ratio - 1:+.1%}, {'within' if held else 'MISSED'} {bound:.0%}",
                ),
            ]
    figures.append(Figure(name="figures missed", value=missed, unit=f"of {len(ratios)}"))
    where = {**setting, "calibrated_at": CALIBRATE, "past_the_knee": sorted(knee)}
    return Answer(benchmark="fleet_reality", figures=figures, ratios=ratios, setting=where)


def _ended(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_reality")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each level; the medians count")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="length of a run, the rush at its begin included"
    )
    parser.add_argument("--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _ended)  # or the engines would be left behind
    with tempfile.TemporaryDirectory() as directory, running(Path(directory)) as real:
        found = compared(real, Path(directory), options.rounds, options.seconds)
    print(as_json(found) if options.output == "json" else table(found), flush=True)


if __name__ == "__main__":
    main()
