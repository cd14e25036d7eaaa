"""Knows how a fleet meets its traffic, from one event to the next; refuses to know where the traffic comes from.

Requests are given to replicas in batches, from one event of the fleet to the next: a scrape, a tick of the policy, a
replica that becomes ready, fails or has drained for too long. Nothing is done for each token, and nothing of the fleet
for each request but what the balancer needs.

Source: spec/scaling.md 7.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import IntEnum
from heapq import heappop, heappush
from math import inf
from operator import itemgetter

from loadtest.fleet.balance import balancer
from loadtest.fleet.members import Member, Members, Stage
from loadtest.fleet.outcome import Minute, Result, Size
from loadtest.fleet.requests import End, Ended, Request
from loadtest.fleet.sight import Sight
from loadtest.fleet.spec import FleetSpec
from loadtest.fleet.tally import MINUTE_S, Duration, Tally
from loadtest.random_streams import stream
from telemetry.scaling import Policy

TAIL_S_MAX = 6 * 3600.0
"""How long after the last request a fleet may go on."""


class _What(IntEnum):
    """What happens; of several at once the first in this order."""

    READY = 0
    FAIL = 1
    STOP = 2
    SCRAPE = 3
    TICK = 4


_arrival_s = itemgetter(0)


def simulate(
    spec: FleetSpec, traffic: Iterable[Sequence[Request]], seed: int = 0, policy: Policy | None = None
) -> Result:
    """Let a fleet serve.

    Args:
        spec: The fleet.
        traffic: Requests, ascending within a part and from part to part.
        seed: Of all chance.
        policy: Who says how many replicas there are; None keeps those of the start.

    Raises:
        ValueError: A part begins before the one before it ended.
    """
    run = _Run(spec, seed, policy)
    for part in traffic:
        run.serve(part)
    return run.finished()


class _Run:
    def __init__(self, spec: FleetSpec, seed: int, policy: Policy | None) -> None:
        self._spec, self._policy = spec, policy
        self._members = Members(spec, seed)
        self._sight = Sight(spec, seed)
        self._tally = Tally(spec.limits)
        self._balancer = balancer(spec.balance, stream(seed, "fleet/balance"))
        self._events: list[tuple[float, _What, int, Member | None]] = []
        self._number = 0
        self._wanted = spec.replicas
        self._held: list[Request] = []
        self._ended: list[Ended] = []
        self._arrived = self._lost_in_drain = 0
        self._now_s = self._last_s = 0.0
        self._sizes: list[Size] = []
        for member in self._members.here:
            self._at(member.fails_s, _What.FAIL, member)
        self._at(spec.signals.scrape_s, _What.SCRAPE)
        if policy is not None:
            self._at(policy.tick_s, _What.TICK)
        self._note()

    def serve(self, part: Sequence[Request]) -> None:
        """Give requests to replicas, and do what happens before the last of them."""
        if not part:
            return
        if part[0][0] < self._last_s:
            raise ValueError(f"found a request at {part[0][0]} s behind one at {self._last_s} s, allowed ascending")
        self._arrived += len(part)
        self._last_s = part[-1][0]
        at = 0
        while True:
            to = bisect_left(part, self._events[0][0], at, key=_arrival_s)
            if to > at:
                self._give(part[at:to])
                if self._policy is not None:
                    self._sight.arrived(part[at:to])
            at = to
            if at == len(part):
                return
            self._happen()

    def finished(self) -> Result:
        """Let what is open end, and return what became of all."""
        while self._now_s < self._last_s + TAIL_S_MAX and (
            self._now_s <= self._last_s or self._held or any(one.replica.open for one in self._members.here)
        ):
            self._happen()
        members, tally, here = self._members, self._tally, self._members.here
        tally.add(self._ended)
        minutes = sorted(tally.good.keys() | tally.bad.keys())
        return Result(
            arrived=self._arrived,
            ends=dict(tally.ends),
            good=tally.good_total,
            bad=tally.bad_total,
            durations={kind: tally.histogram(kind) for kind in Duration},
            wait_max_s=tally.wait_max_s,
            tokens_good=tally.tokens_good,
            minutes=tuple(Minute(at_s=at * MINUTE_S, good=tally.good[at], bad=tally.bad[at]) for at in minutes),
            sizes=tuple(self._sizes),
            replica_s=members.replica_s + sum(self._now_s - one.asked_s for one in here),
            serving_s=members.serving_s + sum(max(0.0, self._now_s - one.ready_s) for one in here),
            cold_starts=members.asked - self._spec.replicas,
            lost_in_drain=self._lost_in_drain,
            preemptions=members.preemptions + sum(one.replica.preemptions for one in here),
            end_s=self._now_s,
        )

    def _happen(self) -> None:
        """Do what happens next."""
        self._now_s, what, _, member = heappop(self._events)
        match what:
            case _What.SCRAPE:
                self._scrape()
                self._at(self._now_s + self._spec.signals.scrape_s, what)
            case _What.TICK if self._policy is not None:
                self._tick(self._policy)
            case _:
                self._change(what, member)
        if what is not _What.SCRAPE:
            self._note()

    def _give(self, part: Sequence[Request]) -> None:
        """Give requests to those that are ready, or hold them while none is."""
        ready = [one.replica for one in self._members.here if one.stage is Stage.READY]
        if ready:
            self._balancer.assign(part, ready)
            return
        room = self._spec.held_max - len(self._held)
        self._held += part[:room]
        self._ended += [(request, None, request[0], End.REJECTED) for request in part[room:]]

    def _scrape(self) -> None:
        """Move all replicas to this instant, and count what ended."""
        for member in list(self._members.here):
            if member.stage is not Stage.WARMING:
                member.replica.advance(self._now_s)
                self._collect(member)
        times = self._tally.add(self._ended)
        self._ended.clear()
        if self._policy is not None:
            self._sight.scrape(self._now_s, self._members, times)

    def _collect(self, member: Member) -> None:
        """Take what ended; a replica that drained is gone with its last request."""
        ended = member.replica.ended
        if member.stage is Stage.DRAINING and not member.replica.open:
            self._members.end(member, max([one[2] for one in ended] + [member.drain_s or 0.0]))
        self._ended += ended
        ended.clear()

    def _tick(self, policy: Policy) -> None:
        """Ask the policy, and do what it says."""
        spec = self._spec
        seen = self._sight.observation(self._now_s, self._wanted, len(self._held), self._members, self._tally)
        self._wanted = min(max(policy.decide(seen), spec.replicas_min), spec.replicas_max)
        self._reconcile()
        self._at(self._now_s + policy.tick_s, _What.TICK)

    def _reconcile(self) -> None:
        """Ask for what is missing, and take away what is too much."""
        have = len(self._members.of(Stage.READY, Stage.WARMING))
        for _ in range(self._wanted - have):
            member = self._members.ask(self._now_s)
            self._at(member.ready_s, _What.READY, member)
        if have > self._wanted:
            for member in self._members.shrink(have - self._wanted, self._now_s):
                self._at(self._now_s + self._spec.drain_max_s, _What.STOP, member)

    def _change(self, what: _What, member: Member | None) -> None:
        """Let a replica become ready, fail, or stop in the middle of its drain; one that is gone does nothing more."""
        if member is None or member.stage is Stage.GONE:
            return
        if what is _What.READY:
            self._members.serve(member)
            self._at(member.fails_s, _What.FAIL, member)
            held, self._held = self._held, []
            self._give(held)
            return
        replica = member.replica
        replica.advance(self._now_s)
        if what is _What.STOP:
            self._lost_in_drain += replica.open
        replica.fail(self._now_s)
        self._members.end(member, self._now_s)
        self._collect(member)
        self._reconcile()

    def _at(self, when_s: float, what: _What, member: Member | None = None) -> None:
        if when_s < inf:
            self._number += 1
            heappush(self._events, (when_s, what, self._number, member))

    def _note(self) -> None:
        """Write down what the fleet is like, if it changed."""
        of = self._members.of
        size = Size(
            at_s=self._now_s,
            spec=self._wanted,
            ready=len(of(Stage.READY)),
            warming=len(of(Stage.WARMING)),
            draining=len(of(Stage.DRAINING)),
        )
        if not self._sizes or replace(self._sizes[-1], at_s=size.at_s) != size:
            self._sizes.append(size)
