"""Knows made-up services, in buckets of 30 s: how many requests end, and how; refuses to know who watches them.

Every request has a time to its first output, log-normal around a median that wanders, and fails, is left, or ends well.
Four times a day there is a hiccup of half a minute to a minute and a half, which is no incident: a replica of eight
restarts and its share of the requests fails, or all of them wait twice as long.
Draws are exact binomials and Poissons up to a mean of 20 and 30, and normal beyond.

    bad     the server failed, or the first output took longer than `LIMIT_S`, or the client left after that time
    slow    longer than 1.1 times that for certain, as the buckets of a roll-up show it, failures included
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import NamedTuple

from slo.rules.p99_limit import TOLERANCE
from telemetry.histogram import index, upper_us

BUCKET_S = 30
HOUR_S, DAY_S = 3_600, 86_400
LIMIT_S = 1.1
"""1.0 s and 0.2 ms for each of 500 input tokens: template `endpoint_good_request`."""
TIMEOUT_S = 120
"""Clients of a stalled engine give up after this time."""
REPLICAS = 8

_MEDIAN_S, _SIGMA = 0.35, 0.45
_WANDER_SD, _WANDER_KEPT = 0.06, 0.98
_ERRORS, _ABORTS = 0.001, 0.01
_SLOW_S = upper_us(index(int(LIMIT_S * TOLERANCE * 1e6))) / 1e6
_OVERDUE_FROM_S = LIMIT_S * 1.0443  # the bucket of ages that the limit cuts says nothing


class Shape(StrEnum):
    """How requests come."""

    STEADY = "steady, 10 a second"
    DIURNAL = "2 to 18 a second"
    BURSTY = "bursts, 3 a second in the middle"
    LOW = "20,000 a month"


class Fault(StrEnum):
    """What is wrong."""

    OUTAGE = "outage"
    ERRORS = "2 % errors"
    TTFT_15 = "TTFT x1.5"
    TTFT_3 = "TTFT x3"
    STALL = "stall"
    ABORTS = "abort surge"
    REPLICA = "one bad replica of eight"
    DRIFT = "slow drift"
    QUIET = "quiet endpoint"


class Ended(NamedTuple):
    """Requests of one bucket; `overdue` wait at its end for longer than they may."""

    eligible: int
    bad: int
    errors: int
    slow: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What a service is like in a bucket."""

    slower: float = 1.0
    errors: float = _ERRORS
    aborts: float = _ABORTS
    late_aborts: float = 0.0
    is_stalled: bool = False


HEALTHY = Now()
HICCUPS = (Now(errors=_ERRORS + 1 / REPLICAS), Now(slower=2.0))
HICCUPS_PER_DAY = 4
DURATION_S = {
    Fault.OUTAGE: HOUR_S // 2,
    Fault.ERRORS: 2 * HOUR_S,
    Fault.TTFT_15: 2 * HOUR_S,
    Fault.TTFT_3: HOUR_S,
    Fault.STALL: HOUR_S // 2,
    Fault.ABORTS: 2 * HOUR_S,
    Fault.REPLICA: 4 * HOUR_S,
    Fault.DRIFT: 5 * HOUR_S,
    Fault.QUIET: 3 * HOUR_S,
}
"""How long each lasts."""
FAULTS: dict[Fault, Callable[[float], Now]] = {
    Fault.OUTAGE: lambda _: Now(errors=1.0),
    Fault.ERRORS: lambda _: Now(errors=0.02),
    Fault.TTFT_15: lambda _: Now(slower=1.5),
    Fault.TTFT_3: lambda _: Now(slower=3.0),
    Fault.STALL: lambda _: Now(is_stalled=True),
    Fault.ABORTS: lambda _: Now(aborts=0.2, late_aborts=0.5),
    Fault.REPLICA: lambda _: Now(errors=_ERRORS + 1 / REPLICAS),
    Fault.DRIFT: lambda part: Now(slower=1 + 2 * min(1.0, part * 1.25)),
    Fault.QUIET: lambda _: Now(errors=1.0),
}
"""Each fault, given which part of its duration has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A service over a time.

    Attributes:
        shape: How requests come.
        seed: Of all draws.
        length_s: How long.
        fault: What is wrong; None if nothing is.
        fault_s: When that begins, seconds from the start.
    """

    shape: Shape
    seed: int
    length_s: int
    fault: Fault | None = None
    fault_s: int = 0


def ended(scenario: Scenario) -> list[Ended]:
    """Return what ends in each bucket."""
    random = Random(scenario.seed)  # noqa: S311 -- seeded
    arrivals = _Arrivals(scenario.shape, random)
    wander, hiccup, hiccup_left = 0.0, HEALTHY, 0
    waiting: list[int] = []  # arrivals of a stall, by bucket
    found: list[Ended] = []
    for at_s in range(0, scenario.length_s, BUCKET_S):
        n = poisson(random, arrivals.rate(at_s) * BUCKET_S)
        wander = _WANDER_KEPT * wander + random.gauss(0, _WANDER_SD * math.sqrt(1 - _WANDER_KEPT**2))
        hiccup_left -= 1
        if hiccup_left < 0 and random.random() < HICCUPS_PER_DAY * BUCKET_S / DAY_S:
            hiccup, hiccup_left = random.choice(HICCUPS), random.randrange(1, 4)
        now = _now(scenario, at_s)
        if hiccup_left > 0:
            now = replace(now, errors=max(now.errors, hiccup.errors), slower=now.slower * hiccup.slower)
        if now.is_stalled:
            waiting.append(n)
            found.append(_stalled(waiting))
            continue
        given_up, waiting = waiting[-TIMEOUT_S // BUCKET_S :], []
        found.append(_finished(random, n, now, math.exp(wander), sum(given_up)))
    return found


def poisson(random: Random, mean: float) -> int:
    """Draw a number of events."""
    if mean > 30:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    product, least, n = random.random(), math.exp(-mean), 0
    while product > least:
        product *= random.random()
        n += 1
    return n


def binomial(random: Random, n: int, p: float) -> int:
    """Draw how many of n have a property."""
    if p > 0.5:
        return n - binomial(random, n, 1 - p)
    if n == 0 or p <= 0:
        return 0
    if n * p > 20:
        return min(n, max(0, round(random.gauss(n * p, math.sqrt(n * p * (1 - p))))))
    left, part, k = random.random(), (1 - p) ** n, 0
    while left > part and k < n:
        left -= part
        k += 1
        part *= (n - k + 1) / k * p / (1 - p)
    return k


class _Arrivals:
    """The rate of requests."""

    def __init__(self, shape: Shape, random: Random) -> None:
        self._shape, self._random = shape, random
        self._phase, self._burst = random.random() * DAY_S, 1.0

    def rate(self, at_s: int) -> float:
        """Return requests a second."""
        match self._shape:
            case Shape.STEADY:
                return 10.0
            case Shape.DIURNAL:
                return 10 + 8 * math.sin(2 * math.pi * (at_s + self._phase) / DAY_S)
            case Shape.LOW:
                return 20_000 / (30 * DAY_S)
            case Shape.BURSTY:
                if at_s % 300 == 0:
                    self._burst = self._random.lognormvariate(0, 1)
                return 3 * self._burst


def _now(scenario: Scenario, at_s: int) -> Now:
    fault, since_s = scenario.fault, at_s - scenario.fault_s
    if fault is None or not 0 <= since_s < DURATION_S[fault]:
        return HEALTHY
    return FAULTS[fault](since_s / DURATION_S[fault])


def _finished(random: Random, n: int, now: Now, wander: float, given_up: int) -> Ended:
    failed = binomial(random, n, now.errors)
    left = binomial(random, n - failed, now.aborts)
    left_late = binomial(random, left, now.late_aborts)
    served = n - failed - left
    median_s = _MEDIAN_S * now.slower * wander
    over = _share_above(LIMIT_S, median_s)
    late = binomial(random, served, over)
    slow = binomial(random, late, min(1.0, _share_above(_SLOW_S, median_s) / over))
    failed += given_up
    bad = failed + left_late + late
    return Ended(served + failed + left_late, bad, failed, failed + left_late + slow, 0)


def _stalled(waiting: list[int]) -> Ended:
    """Return a bucket in which clients give up and nothing else ends."""
    ago = TIMEOUT_S // BUCKET_S
    failed = waiting[-ago - 1] if len(waiting) > ago else 0
    overdue = sum(waiting[-ago:]) - waiting[-1] * _OVERDUE_FROM_S / BUCKET_S
    return Ended(failed, failed, failed, failed, int(overdue))


def _share_above(limit_s: float, median_s: float) -> float:
    return 0.5 * math.erfc(math.log(limit_s / median_s) / _SIGMA / math.sqrt(2))
