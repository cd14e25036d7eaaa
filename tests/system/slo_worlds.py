"""Services over hours, as two watchers are told of them: rows in buckets for ours, scraped counters for Prometheus.

A world begins with more than three days in which one request of ten thousand fails, so that every window is full.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from slo.objective import Objective, Rolling
from slo.past import Gap, Known, Past
from slo.watched import Watched, watched

DAY_S, HOUR_S, STEP_S = 86_400, 3_600, 30
BLOCK_S = 7_200
"""Prometheus keeps samples in blocks of two hours, aligned to unix time."""
START_S = 1_790_000_000 // BLOCK_S * BLOCK_S
HISTORY_S = 3 * DAY_S + 2 * HOUR_S
TAIL_S = 6 * HOUR_S + 1_200
"""Longer than the longest short window and the ten minutes that a ticket is kept: what fired has ended."""
USUAL_RATIO = 0.0001


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Requests of one replica that ended in one bucket.

    Attributes:
        start_s: Of the bucket.
        eligible: All of them.
        bad: The bad of them.
        replica: Who served them.
        late_s: How long after the end of the bucket they were told of.
        uncounted: Whether the replica died before its counters were scraped.
    """

    start_s: int
    eligible: int
    bad: int
    replica: str = "a"
    late_s: int = 0
    uncounted: bool = False

    @property
    def known_s(self) -> int:
        return self.start_s + STEP_S + self.late_s


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One service with one objective.

    Attributes:
        name: Of the objective, too.
        one: The objective.
        rows: What happened, in any order.
        until_s: The end, unix time.
        scrape_s: How long after an instant the counters are scraped.
        unscraped: When scrapes of a replica fail.
        crashes: When the counters of a replica begin anew.
        gaps: When not all collectors were heard.
        down: When probes find nobody.
    """

    name: str
    one: Watched
    rows: Sequence[Rows]
    until_s: int
    scrape_s: int = 0
    unscraped: Mapping[str, range] = field(default_factory=dict[str, range])
    crashes: Mapping[str, range] = field(default_factory=dict[str, range])
    gaps: Sequence[Gap] = ()
    down: range = range(0)

    @property
    def past(self) -> Past:
        """What ours is told: each bucket's sum, from the instant on at which it was known."""
        sums: dict[int, tuple[int, int]] = {}
        counted: list[Known] = []
        for row in sorted(self.rows, key=lambda row: row.known_s):
            eligible, bad = sums.get(row.start_s, (0, 0))
            sums[row.start_s] = eligible, bad = eligible + row.eligible, bad + row.bad
            counted.append(Known(start_s=row.start_s, eligible=eligible, bad=bad, known_s=row.known_s))
        return Past(watched=self.one, counted=counted, gaps=self.gaps)

    def scrapes(self) -> Iterator[tuple[str, int, int, int]]:
        """What Prometheus is told: replica, unix time, and its counters of all and of bad requests."""
        for replica in sorted({row.replica for row in self.rows}):
            own = sorted((row for row in self.rows if row.replica == replica), key=lambda row: row.known_s)
            crashes, unscraped = self.crashes.get(replica, range(0)), self.unscraped.get(replica, range(0))
            eligible = bad = place = 0
            last_s = self.until_s if replica in {"a", "b"} else own[-1].known_s
            for at_s in range(own[0].known_s, last_s + 1, STEP_S):
                if at_s in crashes:
                    eligible = bad = 0
                while place < len(own) and own[place].known_s <= at_s:
                    eligible += 0 if own[place].uncounted else own[place].eligible
                    bad += 0 if own[place].uncounted else own[place].bad
                    place += 1
                if at_s not in unscraped:
                    yield replica, at_s + self.scrape_s, eligible, bad


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a service's life.

    Attributes:
        minutes: Its length.
        bad_ratio: Share of bad requests at its start.
        to_ratio: At its end; None if it stays.
        traffic: Times the usual requests.
    """

    minutes: int
    bad_ratio: float = USUAL_RATIO
    to_ratio: float | None = None
    traffic: float = 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """A life in phases, and what is promised.

    Attributes:
        lingers: Whether a burn stays between nine tenths of a rule's and the whole of it after the alert has fired: by
            the plain rule it is over then, ours is held.
        restart_min: Minutes from one restart of the replica, and so of its counters, to the next; 0 for none.
    """

    name: str
    phases: Sequence[Phase]
    target: float = 0.999
    days: int = 30
    per_bucket: int = 600
    lingers: bool = False
    restart_min: int = 0


def objective(name: str, target: float = 0.999, days: int = 30) -> Objective:
    return Objective(name=name, service="chat", target=target, window=Rolling(length_s=days * DAY_S))


def world(case: Case, seed: int) -> World:
    """Return a case as it happens; every draw is seeded, and each is scraped at its own moment."""
    rng = Random(seed)  # noqa: S311 -- seeded
    phases = (Phase(10), *case.phases)
    length_s = sum(60 * phase.minutes for phase in phases)
    until_s = START_S + length_s + TAIL_S
    rows = list(usual(START_S - HISTORY_S, START_S, rng, case.per_bucket))
    for phase in phases:
        since_s = rows[-1].start_s + STEP_S
        for start_s in range(since_s, since_s + 60 * phase.minutes, STEP_S):
            part = (start_s - since_s) / (60 * phase.minutes)
            end_ratio = phase.bad_ratio if phase.to_ratio is None else phase.to_ratio
            n = round(case.per_bucket * phase.traffic)
            bad = draw(rng, n, phase.bad_ratio + (end_ratio - phase.bad_ratio) * part)
            rows.append(Rows(start_s=start_s, eligible=n, bad=bad))
    rows += usual(START_S + length_s, until_s, rng, case.per_bucket)
    one = watched(objective(case.name, case.target, case.days))
    restarts = {"a": range(START_S, until_s, 60 * case.restart_min)} if case.restart_min else {}
    scrape_s = rng.randrange(STEP_S)
    return World(name=case.name, one=one, rows=rows, until_s=until_s, scrape_s=scrape_s, crashes=restarts)


def usual(since_s: int, until_s: int, rng: Random, per_bucket: int = 600, replica: str = "a") -> Iterator[Rows]:
    """Yield a service that is as it should be."""
    for start_s in range(since_s, until_s, STEP_S):
        bad = draw(rng, per_bucket, USUAL_RATIO)
        yield Rows(start_s=start_s, eligible=per_bucket, bad=bad, replica=replica)


def draw(rng: Random, n: int, ratio: float) -> int:
    """Return how many of n are bad: a binomial draw, by Poisson's law where few are, by the normal one elsewhere."""
    if ratio >= 1 or ratio <= 0:
        return n if ratio >= 1 else 0
    mean = n * ratio
    if mean > 20:
        return min(n, max(0, round(rng.gauss(mean, math.sqrt(mean * (1 - ratio))))))
    found, product, least = 0, rng.random(), math.exp(-mean)
    while product > least:
        found, product = found + 1, product * rng.random()
    return min(n, found)


def flapping(minutes_on: int, minutes_off: int, times: int, bad_ratio: float = 1.0) -> list[Phase]:
    return [Phase(minutes_on, bad_ratio), Phase(minutes_off)] * times


CASES = (
    Case("all fails for 1 min", [Phase(1, 1.0)]),
    Case("all fails for 5 min", [Phase(5, 1.0)]),
    Case("all fails for 30 min", [Phase(30, 1.0)]),
    Case("all fails for 2 h", [Phase(120, 1.0)]),
    Case("half fails for 10 min", [Phase(10, 0.5)]),
    Case("half fails for 45 min", [Phase(45, 0.5)]),
    Case("a tenth fails for 30 min", [Phase(30, 0.1)]),
    Case("2 % errors for 2 h", [Phase(120, 0.02)]),
    Case("2 % errors for 20 min", [Phase(20, 0.02)]),
    Case("1 % errors for 5 h", [Phase(300, 0.01)], lingers=True),
    Case("0.5 % errors for 16 h", [Phase(960, 0.005)], lingers=True),
    Case("a burst of 30 s, below any page", [Phase(1, 0.5)]),
    Case("a small burst every 20 min", [Phase(1, 0.1), Phase(19)] * 6),
    Case("as bad as just allowed for 4 h", [Phase(240, 0.0008)]),
    Case("recovery in two steps", [Phase(10, 1.0), Phase(30, 0.05)]),
    Case("recovery that slips back", [Phase(10, 1.0), Phase(12), Phase(10, 0.6)]),
    Case("on and off every 20 min", flapping(20, 20, 3)),
    Case("on and off every minute", flapping(1, 1, 15)),
    Case("a ramp to half in 30 min", [Phase(30, 0.0, 0.5)]),
    Case("a ramp up and down in 1 h", [Phase(30, 0.0, 0.2), Phase(30, 0.2, 0.0)]),
    Case("twice the traffic, half fails", [Phase(20, 0.5, traffic=2.0)]),
    Case("a tenth of the traffic, all fails", [Phase(40, 1.0, traffic=0.1)]),
    Case("a small service, all fails", [Phase(15, 1.0)], per_bucket=40),
    Case("99 %: all fails for 15 min", [Phase(15, 1.0)], 0.99),
    Case("99 %: a fifth fails for 2 h", [Phase(120, 0.2)], 0.99),
    Case("99 %: a tenth fails for 5 h", [Phase(300, 0.1)], 0.99, lingers=True),
    Case("99 %: half fails for 10 min", [Phase(10, 0.5)], 0.99),
    Case("99 %, 28 d: all fails for 1 h", [Phase(60, 1.0)], 0.99, 28),
    Case("99.5 %: all fails for 10 min", [Phase(10, 1.0)], 0.995),
    Case("99.5 %, 28 d: a tenth fails for 90 min", [Phase(90, 0.1)], 0.995, 28),
    Case("99.5 %, 28 d: a ramp to all in 1 h", [Phase(60, 0.0, 1.0)], 0.995, 28),
    Case("99.9 %, 28 d: 3 % errors for 1 h", [Phase(60, 0.03)], 0.999, 28),
    Case("restarts every 7 min, half fails for 20 min", [Phase(20, 0.5)], restart_min=7),
    Case("all fails for 3 min", [Phase(3, 1.0)]),
    Case("a third fails for 25 min", [Phase(25, 1 / 3)]),
    Case("three outages of 4 min in 3 h", flapping(4, 56, 3)),
    Case("99 %: all fails for 1 h", [Phase(60, 1.0)], 0.99),
    Case("99.5 %: half fails for 30 min", [Phase(30, 0.5)], 0.995),
    Case("99.5 %, 28 d: half of what is allowed for 3 h", [Phase(180, 0.0025)], 0.995, 28),
)
"""Lives in which counters say all: requests all the time, every scrape comes, no restart loses anything."""
