"""Knows what a simulated request costs: `python -m benchmarks.fleet [--quick]`.

Two questions. Is the cost of a request the same for ten thousand as for ten million of them, and how long do two weeks
of a real trace take? A fleet of 16 replicas serves both, on one core. Costs are processor time, and include the making
of the traffic. Steady traffic has a policy that is shown all signals every 15 s and changes nothing; the trace is
served once without one, and for a day with it.

An engine is llama2-70b on four H100 (spec/scaling.md 5: T(32) 36.9 ms, T(64) 52.4 ms, 9,000 prompt tokens a second),
lengths have median and p99 of the Azure conversation trace. The trace is ServeGen's m-small, 14 days of 43 clients, its
rates multiplied so that its busiest ten minutes are what 16 such replicas are sized for. It is not part of the
project: SERVEGEN_CSV names the file, a table of client, start_s, rate_rps, cv, pattern, shape, scale; without it that
figure is missing.

The floor is what is left without an engine: the same traffic is made, and each request goes once through a heap.
"""

import gzip
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median
from time import process_time

from benchmarks.harness import Answer, Figure, main
from loadtest import servegen
from loadtest.fleet.engine import Engine
from loadtest.fleet.outcome import Result
from loadtest.fleet.requests import Request
from loadtest.fleet.simulation import simulate
from loadtest.fleet.spec import FleetSpec
from loadtest.fleet.traffic import Draw, lengths, of_clients, renewal
from loadtest.plan_spec import Lognormal, Separate
from loadtest.scaling_profile import RHO_MAX, Limits, request_s
from telemetry.scaling import Observation, Policy

REPLICAS = 16
SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000, 10_000_000), (10_000, 100_000, 1_000_000)
"""Requests whose cost is compared."""
REPEATS = 5
"""Runs of each size of up to a hundred thousand; the median counts."""
DAYS, QUICK_DAYS = 14, 1
TRACE_S_MAX = 180.0
"""What two weeks may take."""
SERVEGEN_CSV = Path(__file__).parents[2] / "shared" / "data" / "servegen_m_small.csv.gz"
DAY_S = 86_400

H100_TP4 = Engine(
    alpha_s=0.0214, beta_s=0.000484, gamma_s=0.0, prefill_s=1 / 9000, hidden_s=0.0214, kv_blocks=7500, seqs_max=256
)
CHAT = Separate(
    tokens_in=Lognormal(median=1020, sigma=0.602, low=1, high=32_000),
    tokens_out=Lognormal(median=129, sigma=0.661, low=1, high=8_000),
)
FLEET = FleetSpec(engine=H100_TP4, replicas=REPLICAS, limits=Limits(ttft_s=2.0, tpot_s=0.1, target=0.99))


class _Same:
    """A policy that changes nothing."""

    tick_s = 15.0

    def decide(self, seen: Observation) -> int:
        """Return what is."""
        return seen.spec


def capacity_rps() -> float:
    """Return what the fleet is sized for."""
    drawn = lengths(CHAT, 0)(100_000)
    tokens_in, tokens_out = (sum(column) / len(drawn) for column in zip(*drawn, strict=True))
    busy_s = request_s(tokens_in, tokens_out, H100_TP4.prefill_tokens_per_s, H100_TP4.step_s(32), 32)
    return REPLICAS * RHO_MAX / busy_s


def steady(n: int, rate: float, draw: Draw) -> Iterable[Sequence[Request]]:
    """Return so many requests at a steady rate."""
    left = n
    for part in renewal(rate, float("inf"), draw, 1):
        yield part[:left]
        left -= len(part)
        if left <= 0:
            return


def timed(work: Callable[[], int]) -> tuple[float, int]:
    """Return processor seconds, and what the work counted."""
    before_s = process_time()
    n = work()
    return process_time() - before_s, n


def cost_us(n: int, rate: float) -> float:
    """Return what a request costs, of so many."""
    repeats = REPEATS if n <= SIZES[1] else 1
    draw = lengths(CHAT, 1)  # its table takes 20 ms, whatever n is
    spent = [timed(lambda: simulate(FLEET, steady(n, rate, draw), 1, _Same()).arrived)[0] for _ in range(repeats)]
    return median(spent) / n * 1e6


def floor_us(n: int, rate: float) -> float:
    """Return what a request costs without an engine."""
    draw = lengths(CHAT, 1)

    def made() -> int:
        heap: list[tuple[int, int, int, float, Request]] = []
        for part in steady(n, rate, draw):
            for at, request in enumerate(part):
                heappush(heap, (at + request[2], at, request[1], request[0], request))
                if len(heap) > REPLICAS:
                    heappop(heap)
        return n

    return timed(made)[0] / n * 1e6


def traced(days: int, rate: float, policy: Policy | None = None) -> tuple[float, float, Result]:
    """Return processor seconds for the trace, what its rates were multiplied by, and what became of it."""
    found = list[tuple[float, Result]]()

    def work() -> int:
        with gzip.open(os.environ.get("SERVEGEN_CSV", SERVEGEN_CSV), "rt") as lines:
            windows = servegen.clients(lines)
        total = defaultdict[float, float](float)
        for spans in windows.values():
            for span in spans:
                total[span.start_s] += span.rate
        scale = rate / max(total.values())
        traffic = of_clients(windows, lengths(CHAT, 1), 1, scale=scale, span_s=(0.0, float(days * DAY_S)))
        found.append((scale, simulate(FLEET, traffic, 1, policy)))
        return found[0][1].arrived

    spent_s, _ = timed(work)
    return spent_s, *found[0]


def measure(is_quick: bool) -> Answer:  # noqa: FBT001 -- the harness calls it so
    """Measure both."""
    rate = capacity_rps()
    sizes, days = (QUICK_SIZES, QUICK_DAYS) if is_quick else (SIZES, DAYS)
    costs = {n: cost_us(n, rate) for n in sizes}
    floor = floor_us(sizes[2], rate)
    figures = [Figure(name=f"cost of a request, {n:,} of them", value=us, unit="us") for n, us in costs.items()]
    figures.append(Figure(name="floor", value=floor, unit="us", note="the same traffic, once through a heap"))
    growth = max(costs.values()) / min(costs.values())
    trace_s: float | None = None
    if Path(os.environ.get("SERVEGEN_CSV", SERVEGEN_CSV)).exists():
        trace_s, scale, result = traced(days, rate)
        signals_s, _, _ = traced(QUICK_DAYS, rate, _Same())
        figures += [
            Figure(name=f"{days} days of ServeGen", value=trace_s, unit="s", note=f"rates multiplied by {scale:.5f}"),
            Figure(name="its requests", value=result.arrived, unit=""),
            Figure(name="of them within 2 s and 100 ms", value=result.attainment, unit=""),
            Figure(name="cost of one of them", value=trace_s / result.arrived * 1e6, unit="us"),
            Figure(name=f"{QUICK_DAYS} day of it with signals", value=signals_s, unit="s"),
        ]
    figures.append(Figure(name="memory, most", value=getrusage(RUSAGE_SELF).ru_maxrss / 1024, unit="MiB"))
    share = None if trace_s is None or is_quick else trace_s / TRACE_S_MAX
    return Answer(
        benchmark="fleet",
        figures=figures,
        ratios={"cost_growth": growth, "over_floor": costs[sizes[-1]] / floor, "trace_over_180_s": share},
        setting={"replicas": REPLICAS, "rate_rps": round(rate, 2), "tick_s": _Same.tick_s, "is_quick": is_quick},
    )


if __name__ == "__main__":
    main("fleet", measure)
