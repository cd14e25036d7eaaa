"""Knows how much one simulated replica carries inside its objective; refuses to know who wants to scale by it.

What a sweep does with a real one: rates go up by a quarter until the share of good requests falls below the target, or
down to a quarter until it is above; then the bracket is halved to 2 %. Arrivals are Poisson, requests those that are
given, again and again in their order.

Error: each rate sees `ASKED` requests, so that at a target of 99 % the share has a standard error of 0.2 %. What a
replica holds at that rate is the rate times the mean time of an answer, from a histogram: within 5 %.

Source: spec/loadtest.md 12 (goodput: largest rate with the target in SLO), 19; Little's law.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

from loadtest.fleet.outcome import Result
from loadtest.fleet.requests import Request
from loadtest.fleet.simulation import simulate
from loadtest.fleet.spec import FleetSpec
from loadtest.fleet.tally import Duration
from loadtest.gaps import gaps
from loadtest.plan_spec import Process
from loadtest.random_streams import stream
from telemetry.histogram import upper_us

ASKED = 3_000
"""Requests of each rate."""
NEAR_RATIO = 1.02
"""Between the rates that bracket the goodput."""
RATE_MIN, RATE_MAX = 1e-3, 1e4
"""Rates that are tried, requests a second."""

_UP, _DOWN = 1.25, 0.25
_UNSEEN_S = 3_600.0  # nobody looks while it is tested
_US = 1e6
_BUCKET_RATIO = 2 ** (-1 / 32)  # from the upper end of a histogram's bucket to its middle


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodput:
    """What one replica carries.

    Attributes:
        rps: Largest rate with the target in SLO, requests a second.
        in_flight: Requests that it holds then.
        attainment: Share that was good then.
    """

    rps: float
    in_flight: float
    attainment: float


def goodput(spec: FleetSpec, requests: Sequence[Request], start_rps: float, seed: int = 0) -> Goodput | None:
    """Find what one replica carries.

    Args:
        spec: The fleet of which it is one.
        requests: Whose lengths and beginnings are asked for; their times are not used.
        start_rps: Where to begin, above 0.
        seed: Of the arrivals.

    Returns:
        None if no rate from `RATE_MIN` to `RATE_MAX` keeps the objective.
    """
    unseen = replace(spec.signals, scrape_s=_UNSEEN_S)
    alone = replace(spec, replicas=1, replicas_min=1, life_s=None, slowness=(), signals=unseen)
    found: dict[bool, tuple[float, Result]] = {}
    rate = start_rps
    while RATE_MIN <= rate <= RATE_MAX:
        result = simulate(alone, [list(_arrivals(requests, rate, seed))], seed)
        good = (result.attainment or 0.0) >= spec.limits.target
        found[good] = (rate, result)
        if len(found) == 1:
            rate *= _UP if good else _DOWN
            continue
        if found[False][0] <= found[True][0] * NEAR_RATIO:
            break
        rate = (found[True][0] * found[False][0]) ** 0.5
    if True not in found:
        return None
    rps, result = found[True]
    return Goodput(rps=rps, in_flight=rps * _mean_s(result), attainment=result.attainment or 0.0)


def _arrivals(requests: Sequence[Request], rate: float, seed: int) -> Iterator[Request]:
    drawn, at_s = gaps(Process.POISSON, None, stream(seed, "fleet/load_test")), 0.0
    for (_, tokens_in, tokens_out, wish), gap in zip(islice(cycle(requests), ASKED), drawn, strict=False):
        at_s += gap / rate
        yield at_s, tokens_in, tokens_out, wish


def _mean_s(result: Result) -> float:
    counts = result.durations[Duration.E2E]
    n = sum(counts.values())
    return sum(upper_us(at) * _BUCKET_RATIO * count for at, count in counts.items()) / n / _US if n else 0.0
