"""Knows what one replica carries of a mix of requests; refuses to know where the figures come from.

A replica that reads V_P prompt tokens a second, and whose step with b requests takes `T(b) = alpha + b (beta + gamma
ctx)`, works on one request of I' uncached prompt tokens and O output tokens for

    e = I' / V_P + O T(b*) / b*             engine seconds
    b* = floor(min((S_itl - alpha) / (beta + gamma ctx), 0.8 C_kv / (I + O/2), max_num_seqs))
    mu* = rho_max / e                       requests a second

and `goodput = c mu*`, where c is what production taught about the load test. A measured curve is better than the
formula as long as requests look like those of the test: within a quarter in prompt and output tokens.

Error: c is held between 0.7 and 1.15, so a load test that is wrong by more than that stays wrong, and shows as a
correction at its bound.

Source: spec/scaling.md 5; spec/loadtest.md 19 (where the figures are made).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from slo.cost import RHO_MAX

KV_USED_RATIO = 0.8
"""Share of the cache that may be planned with."""
MIX_TOLERANCE = 0.25
"""How far prompt and output tokens may be from those of the load test."""
CORRECTION_BOUNDS = (0.7, 1.15)
SEQUENCES_MAX = 65_536
"""Requests in a step where more of them do not make it longer, and no other limit is known."""
LEARN_ABOVE_RHO = 0.6
"""Below this load a replica is as fast as its requests are few, which says nothing of what it can do."""
LEARN_WEIGHT = 0.05
"""Weight of one 15 s instant: half of what is known comes from the last 3.5 minutes of load."""


class Bottleneck(StrEnum):
    """What a replica spends most of its time on, or what keeps its batch small."""

    PREFILL = "prefill"
    DECODE = "decode"
    KV = "kv"
    SEQUENCES = "sequences"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How fast one replica is.

    Attributes:
        prefill_tokens_per_s: Prompt tokens read in a second, nothing else to do.
        step_alpha_s: Length of an empty step.
        step_beta_s: What each request adds to it.
        step_gamma_s: What each token adds to it that a request holds.
        kv_tokens: Tokens its cache holds; None if unknown, which limits nothing.
        sequences_max: Requests in one step; None if unknown.
        rho_max: Share of its time that it may work.
    """

    prefill_tokens_per_s: float
    step_alpha_s: float
    step_beta_s: float
    step_gamma_s: float = 0.0
    kv_tokens: float | None = None
    sequences_max: int | None = None
    rho_max: float = RHO_MAX

    def step_s(self, requests: float, ctx_tokens: float) -> float:
        """Return the length of a step, which is the time per output token."""
        return self.step_alpha_s + requests * self.slope_s(ctx_tokens)

    def slope_s(self, ctx_tokens: float) -> float:
        """Return what one more request adds to a step."""
        return self.step_beta_s + self.step_gamma_s * ctx_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What requests look like, on average.

    Attributes:
        tokens_in: Prompt tokens.
        tokens_out: Output tokens.
        prefix_hit_ratio: Share of the prompt that is read from a cache.
    """

    tokens_in: float
    tokens_out: float
    prefix_hit_ratio: float = 0.0

    @property
    def tokens_read(self) -> float:
        """Prompt tokens that are not read from a cache."""
        return self.tokens_in * (1 - self.prefix_hit_ratio)

    @property
    def ctx_tokens(self) -> float:
        """Tokens that a request holds halfway."""
        return self.tokens_in + self.tokens_out / 2

    def like(self, other: "Mix") -> bool:
        """Return whether two mixes are near enough to share a measurement."""
        pairs = (self.tokens_read, other.tokens_read), (self.tokens_out, other.tokens_out)
        return all(abs(mine - its) <= MIX_TOLERANCE * its for mine, its in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How many requests fit into a step.

    Attributes:
        by_itl: As many as keep the time per output token.
        by_kv: As many as the cache holds; None if unknown.
        by_sequences: As many as the engine takes; None if unknown.
    """

    by_itl: int
    by_kv: int | None
    by_sequences: int | None

    @property
    def size(self) -> int:
        """b*, 0 if the time per output token cannot be kept even by one."""
        return min(limit for limit in (self.by_itl, self.by_kv, self.by_sequences) if limit is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What one replica carries now.

    Attributes:
        rate_per_s: mu*, before correction.
        work_s: Engine seconds of one request, such that `rate_per_s * work_s` is the share it may work.
        correction: c.
        measured: Whether the rate is that of a load test with such requests, and not the formula's.
        bottleneck: What limits it; None if only the curve is known.
        rho_max: Share of its time that it may work.
    """

    rate_per_s: float
    work_s: float
    correction: float
    measured: bool
    bottleneck: Bottleneck | None
    rho_max: float = RHO_MAX

    @property
    def goodput_per_s(self) -> float:
        """Requests a second that one replica carries inside their objectives."""
        return self.correction * self.rate_per_s

    def rho(self, rate_per_s: float, replicas: float) -> float | None:
        """Return the share of their time that replicas work, above 1 if they cannot; None without any."""
        return rate_per_s * self.work_s / (replicas * self.correction) if replicas > 0 else None


def batch(engine: Engine, mix: Mix, itl_s: float) -> Batch:
    """Return how many requests fit into a step that keeps a time per output token."""
    slack_s, slope_s = itl_s - engine.step_alpha_s, engine.slope_s(mix.ctx_tokens)
    return Batch(
        by_itl=0 if slack_s <= 0 else _floor(slack_s / slope_s) if slope_s > 0 else SEQUENCES_MAX,
        by_kv=None if engine.kv_tokens is None else _floor(KV_USED_RATIO * engine.kv_tokens / mix.ctx_tokens),
        by_sequences=engine.sequences_max,
    )


def prefill_s(engine: Engine, mix: Mix) -> float:
    """Return the engine seconds that the prompt of one request takes."""
    return mix.tokens_read / engine.prefill_tokens_per_s


def decode_s(engine: Engine, mix: Mix, requests: int) -> float:
    """Return the engine seconds that the output of one request takes, among so many in a step."""
    return mix.tokens_out * engine.step_s(requests, mix.ctx_tokens) / requests


def idle_s(engine: Engine, mix: Mix) -> tuple[float, float]:
    """Return the time to the first token, and per later one, of a request that is alone."""
    return prefill_s(engine, mix), engine.step_s(1, mix.ctx_tokens)


def work_s(engine: Engine, mix: Mix, requests: int) -> float:
    """Return e, the engine seconds of one request."""
    return prefill_s(engine, mix) + decode_s(engine, mix, requests)


def rate_per_s(engine: Engine, mix: Mix, requests: int) -> float:
    """Return mu*, the highest good rate of one replica."""
    return engine.rho_max / work_s(engine, mix, requests)


def bottleneck(engine: Engine, mix: Mix, of: Batch) -> Bottleneck:
    """Return what to make faster, or larger, for one replica to carry more."""
    if prefill_s(engine, mix) >= decode_s(engine, mix, of.size):
        return Bottleneck.PREFILL
    if of.by_itl == of.size:
        return Bottleneck.DECODE
    return Bottleneck.KV if of.by_kv == of.size else Bottleneck.SEQUENCES


def by_formula(engine: Engine, mix: Mix, itl_s: float, correction: float = 1.0) -> Capacity | None:
    """Return the capacity that the step model gives; None if no batch keeps the time per output token."""
    fits = batch(engine, mix, itl_s)
    if fits.size < 1:
        return None
    return Capacity(
        rate_per_s=rate_per_s(engine, mix, fits.size),
        work_s=work_s(engine, mix, fits.size),
        correction=correction,
        measured=False,
        bottleneck=bottleneck(engine, mix, fits),
        rho_max=engine.rho_max,
    )


def by_curve(measured_per_s: float, formula: Capacity | None, correction: float = 1.0) -> Capacity:
    """Return the capacity that a load test measured.

    Args:
        measured_per_s: Its highest good rate; above 0.
        formula: What the step model says, for the bottleneck; None if it was not found.
        correction: c.
    """
    rho_max = RHO_MAX if formula is None else formula.rho_max
    return Capacity(
        rate_per_s=measured_per_s,
        work_s=rho_max / measured_per_s,
        correction=correction,
        measured=True,
        bottleneck=None if formula is None else formula.bottleneck,
        rho_max=rho_max,
    )


def learnt(correction: float, observed_ratio: float | None, rho: float | None) -> float:
    """Return the correction after one more instant.

    Args:
        correction: c before.
        observed_ratio: Speed of warm replicas over the speed predicted; None if it was not seen.
        rho: Their load; None if unknown.
    """
    if observed_ratio is None or rho is None or rho <= LEARN_ABOVE_RHO:
        return correction
    low, high = CORRECTION_BOUNDS
    return min(max(correction + LEARN_WEIGHT * (observed_ratio - correction), low), high)


def _floor(limit: float) -> int:
    """Return the whole number below; a quotient that only rounding keeps from the next one is that one."""
    return math.floor(limit + 1e-9)
