"""Knows how long a replica takes from being asked for to being of use, measured; refuses to know why.

A start is what passed between a larger number asked for and a larger number ready: the first asked for is the first
that is ready. The lead is the P90 of the last 20. A replica that is not ready after three times that has failed, and
does not count.

Error: nearest rank of 20, so P90 is the third largest. None below one start; then the lead is the seed's 15 minutes
less the two that a schedule adds.

Which replica came is that which is ready for the shortest time; it is remembered for an hour, for whoever keeps starts
one by one (`slo.hints_starts`). The phases of one are in `slo.scaling.cold_start`.

Source: spec/scaling.md 6.9.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from telemetry.percentile import P50, P90, rank
from telemetry.scaling import ReplicaView

STARTS_MAX = 20
"""Starts that are remembered."""
PENDING_MAX = 200
"""Replicas that were asked for and are not ready, at most; older ones are forgotten."""
CAME_MAX = 200
"""Replicas that came and are remembered, at most."""
CAME_S = 3_600.0
"""How long they are."""
SHOWN_LATE_S = 30.0
"""A replica may answer before the instant that shows that it was asked for, by so much."""
UNMEASURED_S = 780.0
"""Lead where none was measured."""
FAILED_AFTER = 3.0
"""Times the P90 after which a replica that is not ready has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """How long starts take.

    Attributes:
        p50_s: Median.
        p90_s: The ninth tenth.
        n: Starts it comes from.
    """

    p50_s: float
    p90_s: float
    n: int

    @property
    def failed_after_s(self) -> float:
        """When a replica that is not ready has failed."""
        return FAILED_AFTER * self.p90_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A replica that was asked for and became ready.

    Attributes:
        replica: Its name; empty if none was heard.
        asked_at_s: The instant that shows that it was asked for, unix time.
        ready_at_s: When it began to answer.
    """

    replica: str
    asked_at_s: float
    ready_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """What is remembered of starts.

    Attributes:
        took_s: How long the last ones took, oldest first.
        asked_at_s: When those were asked for that are not ready, oldest first.
        spec: Replicas asked for when last seen; None before that.
        ready: Replicas ready when last seen.
        came: Those that came within the hour, oldest first.
    """

    took_s: tuple[float, ...] = ()
    asked_at_s: tuple[float, ...] = ()
    spec: int | None = None
    ready: int = 0
    came: tuple[Came, ...] = ()

    def overdue(self, at_s: float, measured: Lead | None = None) -> tuple[float, ...]:
        """Return when those were asked for that have failed by an instant.

        Args:
            at_s: The instant.
            measured: How long starts take, where that is known better than from here.
        """
        of = measured or lead(self.took_s)
        return () if of is None else tuple(one for one in self.asked_at_s if at_s - one > of.failed_after_s)


def lead(took_s: Sequence[float]) -> Lead | None:
    """Return how long the last starts took; None without one."""
    last = sorted(took_s[-STARTS_MAX:])
    if not last:
        return None
    return Lead(p50_s=last[rank(P50, len(last)) - 1], p90_s=last[rank(P90, len(last)) - 1], n=len(last))


def seen(starts: Starts, at_s: float, spec: int, ready: int, heard: Sequence[ReplicaView] = ()) -> Starts:
    """Return what is remembered after one more observation.

    A replica that was ready and is no longer counts as one that starts anew only if the number asked for stays.

    Args:
        starts: What is remembered.
        at_s: The instant.
        spec: Replicas asked for.
        ready: Replicas that are ready.
        heard: Those of them that are heard.
    """
    if starts.spec is None:
        return Starts(took_s=starts.took_s, asked_at_s=(), spec=spec, ready=ready)
    asked = [*starts.asked_at_s, *[at_s] * (spec - starts.spec)]
    asked = asked[: len(asked) - max(0, starts.spec - spec)]
    n = min(max(0, ready - starts.ready), len(asked))
    took = [*starts.took_s, *(at_s - asked_s for asked_s in asked[:n])]
    known = tuple(one for one in starts.came if one.ready_at_s > at_s - CAME_S)
    return Starts(
        took_s=tuple(took[-STARTS_MAX:]),
        asked_at_s=tuple(asked[n:][-PENDING_MAX:]),
        spec=spec,
        ready=ready,
        came=(*known, *_came(known, at_s, asked[:n], heard))[-CAME_MAX:] if n else known,
    )


def _came(known: Sequence[Came], at_s: float, asked: Sequence[float], heard: Sequence[ReplicaView]) -> list[Came]:
    """Return which replicas came for those that were asked for: the ones that are ready for the shortest time."""
    before = {one.replica for one in known}
    fresh = sorted((one.ready_for_s, one.name) for one in heard if one.name not in before)[: len(asked)]
    found: list[Came] = []
    for asked_s, one in zip(asked, [*reversed(fresh), *[None] * len(asked)], strict=False):
        if one is None or at_s - one[0] < asked_s - SHOWN_LATE_S:  # it was there before: another one came, unheard
            found.append(Came(replica="", asked_at_s=asked_s, ready_at_s=at_s))
        else:
            found.append(Came(replica=one[1], asked_at_s=asked_s, ready_at_s=max(asked_s, at_s - one[0])))
    return found
