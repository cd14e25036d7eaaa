"""Knows what is told of a simulated fleet once its traffic is over; refuses to know how it came about.

Source: spec/scaling.md 7 (scores).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.fleet.requests import End
from loadtest.fleet.tally import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One minute of arrivals.

    Attributes:
        at_s: Its start.
        good: Requests that arrived in it and met the objective.
        bad: Those that did not.
    """

    at_s: int
    good: int
    bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A fleet from an instant until the next such entry.

    Attributes:
        at_s: The instant.
        spec: Replicas that are asked for.
        ready: Those that take requests.
        warming: Those that do not yet.
        draining: Those that do no more.
    """

    at_s: float
    spec: int
    ready: int
    warming: int
    draining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of the traffic.

    Attributes:
        arrived: Requests.
        ends: Requests by how they ended; those that had not ended are missing.
        good: Requests that met the objective.
        bad: Requests that did not.
        durations: Histograms of microseconds, of what ended well.
        wait_max_s: Longest time to a first token.
        tokens_good: Tokens of the answers of good requests.
        minutes: Those with a request that was judged, ascending.
        sizes: What the fleet was like, oldest first.
        replica_s: Time of replicas, from being asked for until gone or the end.
        serving_s: The same from ready on.
        cold_starts: Replicas that were asked for after the start.
        lost_in_drain: Requests lost because a replica had drained for too long.
        preemptions: Requests that an engine put back.
        end_s: When the last event was.
    """

    arrived: int
    ends: Mapping[End, int]
    good: int
    bad: int
    durations: Mapping[Duration, Mapping[int, int]]
    wait_max_s: float
    tokens_good: int
    minutes: tuple[Minute, ...]
    sizes: tuple[Size, ...]
    replica_s: float
    serving_s: float
    cold_starts: int
    lost_in_drain: int
    preemptions: int
    end_s: float

    @property
    def attainment(self) -> float | None:
        """Share of the judged requests that met the objective; None without one."""
        judged = self.good + self.bad
        return self.good / judged if judged else None
