"""Worlds in which counters do not say all: few requests, lost scrapes, replicas that die, rows that come late.

In each the service is good until `FAULT_S`; what is wrong then is in the docstring. Counters are those of the replica,
or of the collector in `late_rows`. Ours has the rows of an observer in front, which outlive the replica, heartbeats and
probes. Prometheus could be told of the latter two by further rules; the burn rules do not speak of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from slo_worlds import HISTORY_S, HOUR_S, START_S, STEP_S, Rows, World, objective, usual

from slo.past import Gap
from slo.telemetry_state import Heartbeats
from slo.watched import watched

MINUTE_S = 60
FAULT_S = START_S + 10 * MINUTE_S
UNTIL_S = START_S + 3 * HOUR_S
N = 300
"""Requests of each replica in a bucket."""
NEVER = range(0)
NOBODY: Mapping[str, range] = {}


def quiet_night() -> World:
    """Five requests in the last hours, two of them bad; by day there are 20 a second."""
    rows = list(usual(START_S - HISTORY_S, START_S - 2 * HOUR_S, _rng()))
    for minute, bad in ((0, 0), (12, 0), (24, 0), (37, 1), (38, 1)):
        rows.append(Rows(start_s=FAULT_S + minute * MINUTE_S, eligible=1, bad=bad))
    return _world("quiet night: 2 of 5 are bad", rows)


def lost_scrapes() -> World:
    """All fails for 40 minutes; from the tenth on nobody is heard for ten minutes."""
    gap = _gap(10, 20, Heartbeats.ALL_STALE, 0.0)
    rows = _hidden([*_good("a", 0), *_bad("a", 0, 40), *_good("a", 40)], "a", gap)
    return _world("99 %: no scrape for 10 min of an outage", rows, 0.99, gaps=[gap], unscraped={"a": _instants(gap)})


def lost_replica() -> World:
    """One replica of two fails for 75 minutes; from the 20th on its collector is not heard for an hour."""
    gap = _gap(20, 80, Heartbeats.SOME_STALE, 0.5)
    ill = _hidden([*_good("b", 0), *_bad("b", 0, 75), *_good("b", 75)], "b", gap)
    rows = [*_good("a", None), *ill]
    return _world("the replica that fails is not scraped", rows, gaps=[gap], unscraped={"b": _instants(gap)})


def no_traffic() -> World:
    """All fails for ten minutes, then no request comes for an hour: nobody is there, as probes find."""
    rows = [*_good("a", 0), *_bad("a", 0, 10), *_good("a", 70)]
    down = range(FAULT_S, FAULT_S + 70 * MINUTE_S, STEP_S)
    return _world("an outage that clients give up on", rows, down=down)


def dying_replica() -> World:
    """A replica dies every three minutes for an hour, and with it 100 requests that no scrape has seen."""
    died = range(FAULT_S, FAULT_S + HOUR_S, 3 * MINUTE_S)
    lost = [Rows(start_s=at_s, eligible=100, bad=100, uncounted=True) for at_s in died]
    return _world("counters that die with the failures", [*_good("a", None), *lost], crashes={"a": died})


def short_lived_replicas() -> World:
    """A new replica every minute for an hour, each fails all of its 100 requests, is scraped once, and is gone."""
    starts = range(FAULT_S, FAULT_S + HOUR_S, MINUTE_S)
    lost = [Rows(start_s=at_s, eligible=100, bad=100, replica=f"pod-{n}") for n, at_s in enumerate(starts)]
    return _world("replicas that are scraped once", [*_good("a", None), *lost])


def late_rows() -> World:
    """One site of two fails for ten minutes and is cut off; 35 minutes after its end all is told at once."""
    gap = _gap(0, 45, Heartbeats.SOME_STALE, 0.5)
    ill = _hidden([*_good("b", 0), *_bad("b", 0, 10), *_good("b", 10)], "b", gap)
    return _world("an outage that is told when it is over", [*_good("a", None), *ill], gaps=[gap])


def _world(
    name: str,
    rows: Sequence[Rows],
    target: float = 0.999,
    *,
    gaps: Sequence[Gap] = (),
    down: range = NEVER,
    unscraped: Mapping[str, range] = NOBODY,
    crashes: Mapping[str, range] = NOBODY,
) -> World:
    return World(
        name=name,
        one=watched(objective(name, target)),
        rows=rows,
        until_s=UNTIL_S,
        scrape_s=11,
        unscraped=unscraped,
        crashes=crashes,
        gaps=gaps,
        down=down,
    )


def _rng() -> Random:
    return Random(7)  # noqa: S311 -- seeded


def _good(replica: str, after: int | None) -> Iterator[Rows]:
    """Yield a good replica: before the fault (0), from a minute after it on, or all the time (None)."""
    since_s = FAULT_S + after * MINUTE_S if after else START_S - HISTORY_S
    until_s = FAULT_S if after == 0 else UNTIL_S
    return usual(since_s, until_s, _rng(), N, replica)


def _bad(replica: str, since_min: int, until_min: int) -> Iterator[Rows]:
    for start_s in range(FAULT_S + since_min * MINUTE_S, FAULT_S + until_min * MINUTE_S, STEP_S):
        yield Rows(start_s=start_s, eligible=N, bad=N, replica=replica)


def _gap(since_min: int, until_min: int, seen: Heartbeats, coverage_ratio: float) -> Gap:
    start_s, end_s = FAULT_S + since_min * MINUTE_S + STEP_S, FAULT_S + until_min * MINUTE_S
    return Gap(start_s=start_s, end_s=end_s, seen=seen, coverage_ratio=coverage_ratio)


def _instants(gap: Gap) -> range:
    return range(gap.start_s, gap.end_s + 1, STEP_S)


def _hidden(rows: Sequence[Rows], replica: str, gap: Gap) -> list[Rows]:
    """Return rows of which those of a replica come after a gap."""
    after_s = gap.end_s + STEP_S
    return [
        replace(row, late_s=after_s - row.known_s) if row.replica == replica and row.known_s in _instants(gap) else row
        for row in rows
    ]
