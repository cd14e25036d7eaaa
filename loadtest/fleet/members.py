"""Knows how replicas come and go; refuses to know how many there should be, and what they are asked.

    asked for --(cold start)--> warming -> ready --(scale-in)--> draining -> gone
                                  |          '--(failure)--> gone, and another one is asked for
                                  '--(scale-in)--> gone

Scale-in takes what warms before what serves, and of these the one that began last. A replica costs from being asked for
until it is gone.

Source: spec/scaling.md 6.9, 7; Kubernetes, ReplicaSet, "pod-deletion" (unready before ready, newer before older).
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, log1p

from loadtest.fleet.replica import Load, Replica
from loadtest.fleet.spec import ColdStart, FleetSpec
from loadtest.lengths import lognormal
from loadtest.random_streams import Uniform, stream

STARTS_MAX = 10
"""Most cold starts that fail one after the other."""
RECENT = 20
"""Cold starts of which an observation tells the middle and the tail."""


class Stage(StrEnum):
    """Where a replica is in its life."""

    WARMING = "warming"
    READY = "ready"
    DRAINING = "draining"
    GONE = "gone"


@dataclass(slots=True, kw_only=True)
class Member:
    """A replica in a fleet.

    Attributes:
        name: Of its own, for good.
        replica: What it runs.
        asked_s: When it was asked for.
        ready_s: When it is ready.
        fails_s: When it fails; infinite if it does not.
        stage: Where it is.
        gone_s: When it was gone; None before.
        drain_s: When it began to drain; None before.
        shown: What its scrapes said, oldest first: (when, load, share of the time that was busy).
        last_s: When it was read last.
        load: What it said then; None before.
    """

    name: str
    replica: Replica
    asked_s: float
    ready_s: float
    fails_s: float = inf
    stage: Stage = Stage.WARMING
    gone_s: float | None = None
    drain_s: float | None = None
    shown: deque[tuple[float, Load, float]] = field(default_factory=deque[tuple[float, Load, float]])
    last_s: float = 0.0
    load: Load | None = None


class Members:
    """The replicas of a fleet."""

    def __init__(self, spec: FleetSpec, seed: int) -> None:
        """Begin with those that are ready at the start."""
        self.here: list[Member] = []
        """Those that are not gone, in the order in which they were asked for."""
        self._ghosts: list[Member] = []
        self.replica_s = self.serving_s = 0.0
        """What those that are gone took from being asked for, and from ready on."""
        self.preemptions = 0
        """Of those that are gone."""
        self.asked = 0
        """How many were ever asked for."""
        self.cold_starts_s: deque[float] = deque(maxlen=RECENT)
        self._spec = spec
        self._cold = stream(seed, "fleet/cold")
        self._life = stream(seed, "fleet/life")
        for _ in range(spec.replicas):
            self.serve(self._asked(0.0, 0.0))

    def of(self, *stages: Stage) -> list[Member]:
        """Return those in some stages, in the order in which they were asked for."""
        return [one for one in self.here if one.stage in stages]

    def ghosts(self, now_s: float) -> list[Member]:
        """Return those that are gone and still show their last values."""
        linger_s = self._spec.signals.linger_s
        return [one for one in self._ghosts if now_s < (one.gone_s or 0.0) + linger_s]

    def ask(self, now_s: float) -> Member:
        """Ask for one more."""
        return self._asked(now_s, now_s + cold_start_s(self._spec.cold, self._cold))

    def serve(self, member: Member) -> None:
        """Let one that is ready serve."""
        member.stage = Stage.READY
        if member.ready_s > member.asked_s:
            self.cold_starts_s.append(member.ready_s - member.asked_s)
        if self._spec.life_s is not None:
            member.fails_s = member.ready_s - log1p(-self._life()) * self._spec.life_s

    def shrink(self, n: int, now_s: float) -> list[Member]:
        """Take away the last n that were asked for, and return those of them that drain."""
        candidates = self.of(Stage.READY) + self.of(Stage.WARMING)
        taken = candidates[max(0, len(candidates) - n) :]
        for member in taken:
            if member.stage is Stage.WARMING:
                self.end(member, now_s)
            else:
                member.stage, member.drain_s = Stage.DRAINING, now_s
        return [member for member in taken if member.stage is Stage.DRAINING]

    def end(self, member: Member, now_s: float) -> None:
        """Let a replica be gone."""
        member.stage, member.gone_s = Stage.GONE, now_s
        self.here.remove(member)
        self.replica_s += now_s - member.asked_s
        self.serving_s += max(0.0, now_s - member.ready_s)
        self.preemptions += member.replica.preemptions
        self._ghosts.append(member)
        self._ghosts = self.ghosts(now_s)

    def _asked(self, now_s: float, ready_s: float) -> Member:
        spec, at = self._spec, self.asked
        engine = spec.engine.slowed(spec.slowness[at]) if at < len(spec.slowness) else spec.engine
        replica = Replica(engine, ready_s, is_caching=spec.is_caching)
        member = Member(name=f"r-{at}", replica=replica, asked_s=now_s, ready_s=ready_s, last_s=ready_s)
        self.here.append(member)
        self.asked += 1
        return member


def cold_start_s(cold: ColdStart, uniform: Uniform) -> float:
    """Draw how long a replica takes to become ready, the starts that fail included."""
    total_s = 0.0
    for _ in range(STARTS_MAX):
        total_s += cold.median_s * lognormal(cold.sigma, uniform())
        if uniform() >= cold.fail_ratio:
            break
    return total_s
