"""Knows which replica gets a request; refuses to know why there are so many.

    round robin    in turn, whatever they do
    least          the one with the fewest open requests, the next in turn of several
    two choices    the better one of two that are drawn, Envoy's LEAST_REQUEST
    prefix         where the longest known beginning went last, unless it has a quarter more open than the mean;
                   else the one with the fewest

A replica that a rule looks at is moved to the request's time first, so that what has ended by then is not counted.

Source: spec/scaling.md 7; Envoy, "Supported load balancers"; Mirrokni et al., consistent hashing with bounded loads,
2018 (1.25); llm-d-inference-scheduler, prefix-cache scorer (which replica got a beginning, not which one holds it).
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from loadtest.fleet.replica import Replica
from loadtest.fleet.requests import Request
from loadtest.random_streams import Uniform

HOMES_MAX = 100_000
"""Beginnings that are remembered."""
LOAD_RATIO = 1.25
"""Open requests over the mean from which on a beginning is not followed."""


class Balance(StrEnum):
    """A rule."""

    ROUND_ROBIN = "round_robin"
    LEAST = "least"
    TWO_CHOICES = "two_choices"
    PREFIX = "prefix"


class Balancer(Protocol):
    """A rule and what it remembers."""

    def assign(self, requests: Sequence[Request], replicas: Sequence[Replica]) -> None:
        """Give requests, ascending, to replicas, of which there is one at least."""
        ...


def balancer(kind: Balance, uniform: Uniform) -> Balancer:
    """Return a rule that remembers nothing yet.

    Args:
        kind: Which.
        uniform: Chance, of the rules that need any.
    """
    rules: dict[Balance, Callable[[], Balancer]] = {
        Balance.ROUND_ROBIN: _RoundRobin,
        Balance.LEAST: _Least,
        Balance.TWO_CHOICES: lambda: _TwoChoices(uniform),
        Balance.PREFIX: _Prefix,
    }
    return rules[kind]()


class _RoundRobin:
    def __init__(self) -> None:
        self._turn = 0

    def assign(self, requests: Sequence[Request], replicas: Sequence[Replica]) -> None:
        n = len(replicas)
        for at, replica in enumerate(replicas):
            replica.extend(requests[(at - self._turn) % n :: n])
        self._turn = (self._turn + len(requests)) % n


class _Least:
    def __init__(self) -> None:
        self._turn = 0

    def assign(self, requests: Sequence[Request], replicas: Sequence[Replica]) -> None:
        for request in requests:
            self.pick(request[0], replicas).push(request)

    def pick(self, at_s: float, replicas: Sequence[Replica]) -> Replica:
        """Return the one with the fewest open requests."""
        self._turn += 1
        first = self._turn % len(replicas)
        best = replicas[first]
        for replica in (*replicas[first:], *replicas[:first]):
            if replica.next_s <= at_s:
                replica.advance(at_s)
            if replica.open < best.open:
                best = replica
        return best


class _TwoChoices:
    def __init__(self, uniform: Uniform) -> None:
        self._uniform = uniform

    def assign(self, requests: Sequence[Request], replicas: Sequence[Replica]) -> None:
        n, uniform = len(replicas), self._uniform
        for request in requests:
            at = int(uniform() * n)
            one, other = replicas[at], replicas[(at + 1 + int(uniform() * (n - 1))) % n]
            for replica in (one, other):
                if replica.next_s <= request[0]:
                    replica.advance(request[0])
            (other if other.open < one.open else one).push(request)


class _Prefix:
    def __init__(self) -> None:
        self._least = _Least()
        self._homes: OrderedDict[int, Replica] = OrderedDict()

    def assign(self, requests: Sequence[Request], replicas: Sequence[Replica]) -> None:
        for request in requests:
            least = self._least.pick(request[0], replicas)
            chunks = request[3].prefix if request[3] is not None else ()
            home = next((self._homes[chunk] for chunk in reversed(chunks) if chunk in self._homes), least)
            limit = LOAD_RATIO * (1 + sum(replica.open for replica in replicas)) / len(replicas)
            if home not in replicas or home.open + 1 > max(limit, 1):
                home = least
            home.push(request)
            self._remember(chunks, home)

    def _remember(self, chunks: tuple[int, ...], home: Replica) -> None:
        for chunk in chunks:
            self._homes[chunk] = home
            self._homes.move_to_end(chunk)
        while len(self._homes) > HOMES_MAX:
            self._homes.popitem(last=False)
