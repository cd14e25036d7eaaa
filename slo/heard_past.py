"""Knows from the heartbeats of the past who was not heard, and what waited too long; refuses to judge it.

Error: an instant before the first heartbeat that is still kept is taken as seen: heartbeats are kept for a fortnight,
counts for longer. A heartbeat that came too late for the engine to see it is seen here.

Source: spec/slo.md 3 (overdue), 7 (stale after 2 min, expected for a day), 15 (recorded lateness).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slo.instants import STEP_S
from slo.objective import Traffic
from slo.past import Gap
from slo.sight import Heard, all_overdue
from slo.telemetry_state import STALE_S, Heartbeats
from slo.watched import Watched

EXPECTED_S = 86_400
"""A collector that was heard within this time is expected to be heard."""
NOW_S = 10
"""Age up to which a heartbeat says what is in flight now."""
NOTHING = Heard()
"""Nothing is in flight."""

Sender = tuple[str, ...]
"""Endpoint, collector, model and class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The last heartbeat of one sender before an instant.

    Attributes:
        at_s: The instant, unix time.
        sender: Its endpoint, and who it was.
        heard_s: When it was sent, unix time.
        ages: Of the requests in flight.
    """

    at_s: int
    sender: Sender
    heard_s: float
    ages: Heard = NOTHING


def gaps(beats: Sequence[Beat], endpoint: str, since_s: int, until_s: int) -> list[Gap]:
    """Return the spans of instants [since, until] at which not every expected collector was heard.

    Args:
        beats: Oldest first, from a day before the first instant on.
        endpoint: Whose collectors; empty for all.
        since_s: The first instant.
        until_s: The last one.
    """
    own = [beat for beat in beats if endpoint in {"", beat.sender[0]}]
    if not own:
        return []
    heard: dict[Sender, float] = {}
    found: list[Gap] = []
    place = 0
    for at_s in range(max(since_s, own[0].at_s), until_s + 1, STEP_S):
        while place < len(own) and own[place].at_s <= at_s:
            heard[own[place].sender] = own[place].heard_s
            place += 1
        seen, coverage = _seen(heard.values(), at_s)
        if seen is not Heartbeats.FRESH:
            _add(found, Gap(start_s=at_s, end_s=at_s, seen=seen, coverage_ratio=coverage))
    return found


def overdue(beats: Iterable[Beat], endpoint: str, one: Watched) -> dict[int, int]:
    """Return how many requests in flight were bad already, at each instant at which any was.

    Args:
        beats: In any order.
        endpoint: Whose requests; empty for all.
        one: The objective.
    """
    found: dict[int, int] = {}
    if one.objective.indicator.traffic is not Traffic.USER:
        return found
    for beat in beats:
        if beat.heard_s > beat.at_s - NOW_S and endpoint in {"", beat.sender[0]}:
            n = all_overdue(one, beat.ages)
            if n:
                found[beat.at_s] = found.get(beat.at_s, 0) + n
    return found


def _seen(heard: Iterable[float], at_s: int) -> tuple[Heartbeats, float]:
    ages_s = [at_s - heard_s for heard_s in heard]
    expected = sum(age_s < EXPECTED_S for age_s in ages_s)
    fresh = sum(age_s < STALE_S for age_s in ages_s)
    if not fresh:
        return Heartbeats.ALL_STALE, 0.0
    return (Heartbeats.FRESH if fresh == expected else Heartbeats.SOME_STALE), fresh / expected


def _add(found: list[Gap], gap: Gap) -> None:
    """Add an instant to the span before it if nothing differs."""
    last = found[-1] if found else None
    if last and (last.end_s + STEP_S, last.seen, last.coverage_ratio) == (gap.start_s, gap.seen, gap.coverage_ratio):
        found[-1] = Gap(start_s=last.start_s, end_s=gap.end_s, seen=last.seen, coverage_ratio=last.coverage_ratio)
    else:
        found.append(gap)
