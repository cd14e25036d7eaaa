"""Knows what tokens cost on one's own GPUs, and why that changed; refuses to know prices and where figures come from.

Cost per million tokens is the bill of all replicas over the tokens they made, `1e6 G p / (3600 T)` for G GPUs at p USD
an hour and T tokens a second. Without a price, or without tokens, it is unknown, never 0.

Its change between two spans of equal length is a sum of logarithms, so that the parts multiply to the whole:

    price     ln(P1 / P0)
    scaling   ln(N1 / Nn1) - ln(N0 / Nn0)      replicas there are over replicas needed
    floor     ln(Nn1 / W1) - ln(Nn0 / W0)      replicas come whole, and some are always there: little traffic is dear
    mix       -ln(m1 / m0)                     tokens that a second of an engine makes of these requests
    speed     -ln(k1 / k0)                     speed observed over speed expected

with W the work in engine seconds. `floor` is traffic's doing; what is left is one's own.

Error: that of the capacity given. Work of requests is taken as input tokens not read from a cache, and output tokens,
each at a rate of its own. Where no speed is observed it counts as equal, and an engine that became slower shows as
scaling, once replicas are added for it.

Source: spec/scaling.md 9.2 (usd_per_Mtok), 9.4 (terms, Nn), 5 (engine seconds of a request), 6 (h, rho_max).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

HEADROOM = 1.24
"""Replicas kept over those that work alone needs."""
RHO_MAX = 0.85
"""Share of its time that a replica may work."""

_HOUR_S = 3_600
_MTOK = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What one replica can do.

    Attributes:
        prefill_tokens_per_s: Input tokens read, with nothing else to do.
        decode_tokens_per_s: Output tokens of all requests together, at its best load.
        headroom: Replicas kept over those needed.
        rho_max: Share of its time that a replica may work.
        replicas_min: Replicas that are always there.
    """

    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    headroom: float = HEADROOM
    rho_max: float = RHO_MAX
    replicas_min: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be divided by.

        Raises:
            ValueError: A number is not above 0.
        """
        speeds = self.prefill_tokens_per_s, self.decode_tokens_per_s
        if not min(*speeds, self.headroom, self.rho_max) > 0 or self.replicas_min < 0:
            raise ValueError(f"{self} can do nothing")

    def work_s(self, tokens_read: float, tokens_out: float) -> float:
        """Return the engine seconds that requests take.

        Args:
            tokens_read: Input tokens that were not read from a cache.
            tokens_out: Output tokens.
        """
        return tokens_read / self.prefill_tokens_per_s + tokens_out / self.decode_tokens_per_s

    def needed(self, work_s: float, span_s: float) -> int:
        """Return how many replicas a span with so much work needs, headroom included."""
        return max(self.replicas_min, math.ceil(self.headroom * work_s / (self.rho_max * span_s)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span of time of one endpoint.

    Attributes:
        usd_per_replica_hour: Price of a replica.
        replicas: Mean of those that were there.
        needed: Those that the work needed.
        work_s: Work, engine seconds; above 0.
        tokens: Output tokens; above 0.
        span_s: Its length, seconds.
        speed_ratio: Speed observed over speed expected; 1 if it was not.
    """

    usd_per_replica_hour: float
    replicas: float
    needed: int
    work_s: float
    tokens: float
    span_s: float
    speed_ratio: float = 1.0

    @property
    def usd_per_mtok(self) -> float:
        """Cost of a million output tokens, USD."""
        return usd_per_mtok(self.usd_per_replica_hour, self.replicas * self.span_s, self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Why a cost changed: logarithms, which add up to that of the whole change."""

    price: float
    scaling: float
    floor: float
    mix: float
    speed: float

    @property
    def ratio(self) -> float:
        """Cost now over cost before."""
        return math.exp(self.price + self.scaling + self.floor + self.mix + self.speed)

    @property
    def own_ratio(self) -> float:
        """The same without what traffic did."""
        return math.exp(self.price + self.scaling + self.mix + self.speed)

    @property
    def parts(self) -> Mapping[str, float]:
        """What each part alone multiplies the cost by, largest first."""
        of = {name: math.exp(getattr(self, name)) for name in ("price", "scaling", "floor", "mix", "speed")}
        return dict(sorted(of.items(), key=lambda part: -part[1]))


def usd_per_mtok(usd_per_hour: float, paid_s: float, tokens: float) -> float:
    """Return what a million tokens cost.

    Args:
        usd_per_hour: Price of an hour of what is paid for.
        paid_s: Seconds of it, all pieces together.
        tokens: Tokens made in that time; above 0.
    """
    return usd_per_hour * paid_s / _HOUR_S / tokens * _MTOK


def change(before: Span, now: Span) -> Change:
    """Return why the cost of a token changed between two spans of equal length."""
    mix = [one.tokens / (one.work_s * one.speed_ratio) for one in (before, now)]
    return Change(
        price=_ln(now.usd_per_replica_hour, before.usd_per_replica_hour),
        scaling=_ln(now.replicas / now.needed, before.replicas / before.needed),
        floor=_ln(now.needed / now.work_s, before.needed / before.work_s),
        mix=-_ln(mix[1], mix[0]),
        speed=-_ln(now.speed_ratio, before.speed_ratio),
    )


def _ln(now: float, before: float) -> float:
    return math.log(now / before)
