"""Knows a fleet in real time: who serves, who starts, who got a request; refuses to know clocks, ports, connections.

Replicas come and go as in virtual time (`members`), requests go to them by the same rules (`balance`). Of every start
it measures what a scaler asks for: from being asked for to ready, phase by phase, and from there to the fiftieth
request within its objective.

The phases of a start are shares of its drawn length, made up and no claim about any platform.

Source: spec/scaling.md 6.9 (phases of a start), 7.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from loadtest.fleet.balance import balancer
from loadtest.fleet.live import Live, Talk
from loadtest.fleet.members import RECENT, Member, Members, Stage
from loadtest.fleet.requests import End, Ended, Request
from loadtest.fleet.spec import FleetSpec
from loadtest.random_streams import stream
from loadtest.scaling_profile import Limits

STABLE_N = 50
"""Requests within their objective after which a replica counts as stable."""
PHASES: Mapping[str, float] = {"schedule_s": 0.05, "image_s": 0.45, "weights_s": 0.35, "init_s": 0.15}
"""Shares of a start, in order."""


@dataclass(slots=True, kw_only=True)
class Start:
    """One cold start.

    Attributes:
        replica: Name of the replica.
        asked_s: When it was asked for.
        ready_s: When it was ready.
        good: Requests within their objective that it has answered, up to `STABLE_N`.
        stable_s: When it had answered `STABLE_N` of them; None before.
    """

    replica: str
    asked_s: float
    ready_s: float
    good: int = 0
    stable_s: float | None = None

    @property
    def phases_s(self) -> dict[str, float]:
        """How long each phase took, in order."""
        took_s = self.ready_s - self.asked_s
        return {name: share * took_s for name, share in PHASES.items()}


@dataclass(slots=True, kw_only=True, eq=False)
class _Seat:
    """A replica at work."""

    member: Member
    live: Live
    start: Start | None = None
    slower: float = 1.0


class Crew:
    """Replicas that share the requests of one endpoint; times never go back from call to call.

    Attributes:
        wanted: Replicas that are asked for.
        starts: The last cold starts, oldest first.

    Args:
        spec: The fleet; chance failures, its limit for draining and its signals count for nothing here.
        seed: Of all chance.
    """

    def __init__(self, spec: FleetSpec, seed: int) -> None:
        """Begin with those that are ready at the start."""
        self.wanted = spec.replicas
        self.starts: deque[Start] = deque(maxlen=RECENT)
        self._spec = spec
        self._members = Members(spec, seed)
        self._balancer = balancer(spec.balance, stream(seed, "fleet/balance"))
        self._seats = {one.name: _Seat(member=one, live=Live(replica=one.replica)) for one in self._members.here}

    @property
    def ready(self) -> list[str]:
        """Names of the replicas that take requests, in the order in which they were asked for."""
        return [one.name for one in self._members.of(Stage.READY)]

    @property
    def serving(self) -> list[str]:
        """Names of those, and of those that finish what they hold."""
        return [one.name for one in self._members.of(Stage.READY, Stage.DRAINING)]

    def count(self, stage: Stage) -> int:
        """Return how many are in a stage."""
        return len(self._members.of(stage))

    def slower(self, name: str) -> float:
        """Return by what the steps of a replica are longer than they were made."""
        return self._seats[name].slower

    def live(self, name: str) -> Live:
        """Return a replica that serves.

        Raises:
            KeyError: There is none of this name.
        """
        return self._seats[name].live

    def ask(self, tokens_in: int, tokens_out: int, now_s: float) -> Talk:
        """Take a request for whichever replica the rule gives it to; one must be ready."""
        ready = [self._seats[name].live for name in self.ready]
        request: Request = (now_s, tokens_in, tokens_out, None)
        self._balancer.assign([request], [one.replica for one in ready])
        chosen = next(one for one in ready if one.replica.queue and one.replica.queue[-1] is request)
        return chosen.taken(request)

    def scale(self, replicas: int, now_s: float) -> None:
        """Ask for so many replicas.

        Raises:
            ValueError: There may not be so many.
        """
        spec = self._spec
        if not max(1, spec.replicas_min) <= replicas <= spec.replicas_max:
            raise ValueError(f"found {replicas} replicas, allowed {max(1, spec.replicas_min)} to {spec.replicas_max}")
        self.wanted = replicas
        have = len(self._members.of(Stage.READY, Stage.WARMING))
        for _ in range(replicas - have):
            self._members.ask(now_s)
        if have > replicas:
            self._members.shrink(have - replicas, now_s)

    def slow(self, name: str, factor: float, now_s: float) -> None:
        """Let the steps of a replica be so many times as long as they were made, from an instant that it moved to.

        Raises:
            ValueError: There is no such replica, or the factor is none.
        """
        if name not in self._seats or not 0 < factor < inf:
            raise ValueError(f"found replica {name!r} {factor} times slower, allowed {self.serving}, above 0")
        seat = self._seats[name]
        seat.slower = factor
        seat.live.replica.become(self._spec.engine.slowed(factor), now_s)

    def move(self, now_s: float) -> list[Talk]:
        """Move to an instant, and return those that have more tokens, or an end, than before."""
        for member in self._members.of(Stage.WARMING):
            if member.ready_s <= now_s:
                self._begin(member)
        news: list[Talk] = []
        for seat in list(self._seats.values()):
            news += seat.live.move(now_s)
            if seat.start is not None and seat.start.stable_s is None:
                _settle(seat.start, seat.live.ended, self._spec.limits)
            if seat.member.stage is Stage.DRAINING and not seat.member.replica.open:
                self._members.end(seat.member, now_s)
                del self._seats[seat.member.name]
        return news

    def next_s(self, now_s: float) -> float:
        """Return when there may be news, if nobody asks; infinite at rest."""
        ready_s = [one.ready_s for one in self._members.of(Stage.WARMING)]
        return min([*ready_s, *(seat.live.next_s(now_s) for seat in self._seats.values())], default=inf)

    def _begin(self, member: Member) -> None:
        """Let one that has started serve."""
        self._members.serve(member)
        start = Start(replica=member.name, asked_s=member.asked_s, ready_s=member.ready_s)
        self.starts.append(start)
        self._seats[member.name] = _Seat(member=member, live=Live(replica=member.replica), start=start)


def _settle(start: Start, ended: Iterable[Ended], limits: Limits) -> None:
    """Count what a replica answered within the objective since it was ready."""
    for one in ended:
        start.good += _is_good(one, limits)
        if start.good == STABLE_N:
            start.stable_s = one[2]
            return


def _is_good(ended: Ended, limits: Limits) -> bool:
    """Return whether a request was answered within its objective; an answer of one token has no time per token."""
    (at_s, _, tokens_out, _), first_s, end_s, how = ended
    if how is not End.OK or first_s is None:
        return False
    tpot_s = (end_s - first_s) / (tokens_out - 1) if tokens_out > 1 else 0.0
    return first_s - at_s <= (limits.ttft_s or inf) and tpot_s <= (limits.tpot_s or inf)
