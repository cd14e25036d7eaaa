"""Knows the planner of NVIDIA Dynamo for replicas that do both phases; refuses to know its regressions and forecasts.

`throughput`, its default, looks every 5 s at the cache of each replica with the prompts that wait for it: one more if
any is above 100 %, one less if all are below 60 %. This mode has throughput scaling switched off.

`sla` looks every 5 s at the time to first token and per output token that each replica would give: one more if all
exceed the objective, one less if with n / (n - 1) times as much to do none would exceed 80 % of it (of the part that
the queue takes, for the first token). Every 180 s the rate gives a lower bound, `ceil(expected / rate of a replica)`.

Both wait while replicas start or leave, and while not every replica reports. Here the next rate is the last one, which
is upstream's predictor `constant` (its default is `arima`), and a replica's times come from the step model.

Source: ai-dynamo/dynamo components/src/dynamo/planner/core/load_scaling.py (_agg_easy_decision, _advance_load_agg,
_agg_prefill_scaling, _agg_decode_scaling, _scale_decision), core/throughput_scaling.py (_throughput_agg),
config/defaults.py, config/planner_config.py (_validate_config: easy mode has no throughput scaling).
"""

import math
from collections.abc import Callable, Sequence

from slo.scaling.capacity import Engine
from telemetry.scaling import Observation, ReplicaView

LOAD_S, THROUGHPUT_S = 5.0, 180.0
UP_RATIO, DOWN_RATIO = 1.0, 0.6
SENSITIVITY = 0.8


class DynamoThroughput:
    """The planner as it is by default."""

    def __init__(self, replicas_min: int, replicas_max: int, kv_tokens: float) -> None:
        """Begin; `kv_tokens` is what the cache of a replica holds."""
        self._low, self._high, self._kv_tokens = max(replicas_min, 1), replicas_max, kv_tokens

    @property
    def tick_s(self) -> float:
        """The load loop."""
        return LOAD_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for."""
        used = reported(seen, self._used_ratio)
        if used is None:
            return seen.spec
        desired = seen.spec
        if any(ratio > UP_RATIO for ratio in used):
            desired += 1
        elif seen.spec > 1 and all(ratio < DOWN_RATIO for ratio in used):
            desired -= 1
        return min(max(desired, self._low), self._high)

    def _used_ratio(self, one: ReplicaView) -> float | None:
        tokens = kv_and_queue_tokens(one, self._kv_tokens)
        return None if tokens is None else tokens / self._kv_tokens


class DynamoSla:
    """The planner for objectives: a slow loop that gives a lower bound, and a fast one."""

    def __init__(self, replicas_min: int, replicas_max: int, engine: Engine, objectives_s: tuple[float, float]) -> None:
        """Begin with nothing remembered.

        Args:
            replicas_min: Lower bound.
            replicas_max: Upper bound.
            engine: Speed of a replica; its cache must be known.
            objectives_s: For the first token, and for each later one.

        Raises:
            ValueError: The size of the cache is not known.
        """
        if engine.kv_tokens is None:
            raise ValueError("the planner needs to know how many tokens a cache holds")
        self._kv_tokens = engine.kv_tokens
        self._low, self._high, self._engine = max(replicas_min, 1), replicas_max, engine
        self._ttft_s, self._itl_s = objectives_s
        self._bound: int = self._low
        self._bound_at_s: float | None = None

    @property
    def tick_s(self) -> float:
        """The load loop; the throughput loop runs within it."""
        return LOAD_S

    def bound(self, seen: Observation, replica_rps: float) -> int:
        """Return the lower bound of the throughput loop, as it stands.

        Args:
            seen: The observation.
            replica_rps: What one replica carries.
        """
        due = self._bound_at_s is None or seen.now_unix_s >= self._bound_at_s + THROUGHPUT_S
        if due and seen.arrivals_rps is not None:
            self._bound_at_s = seen.now_unix_s
            self._bound = max(by_throughput(seen.arrivals_rps, replica_rps), self._low)
        return self._bound

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for."""
        tokens_in, tokens_out = seen.tokens_in_uncached_mean, seen.tokens_out_mean
        if tokens_in is None or tokens_out is None or seen.spec == 0:
            return seen.spec
        ctx = (seen.tokens_in_mean or 0.0) + tokens_out / 2
        bound = self._bound
        rate = self._replica_rps(tokens_in, tokens_out, ctx)
        if rate > 0:
            bound = self.bound(seen, rate)
        found = self._loaded(seen, tokens_in, ctx)
        return seen.spec if found is None else min(max(found, bound), self._high)

    def _loaded(self, seen: Observation, tokens_in: float, ctx: float) -> int | None:
        """Return what the load loop asks for; None while it only observes."""
        queued = reported(seen, lambda one: one.waiting_prompt_tokens)
        held = reported(seen, lambda one: one.kv_used_ratio)
        both = reported(seen, lambda one: kv_and_queue_tokens(one, self._kv_tokens))
        if queued is None or held is None or both is None:
            return None
        own_s = tokens_in / self._engine.prefill_tokens_per_s
        ttfts = [own_s + tokens / self._engine.prefill_tokens_per_s for tokens in queued]
        itls = [self._itl(ratio * self._kv_tokens, ctx) for ratio in held]
        if all(value > self._ttft_s for value in ttfts) or all(value > self._itl_s for value in itls):
            return seen.spec + 1
        return seen.spec - 1 if self._may_lose_one(seen.spec, ttfts, both, (own_s, ctx)) else seen.spec

    def _may_lose_one(
        self, replicas: int, ttfts: Sequence[float], tokens: Sequence[float], request: tuple[float, float]
    ) -> bool:
        if replicas < 2:  # noqa: PLR2004 - the last one stays
            return False
        own_s, ctx = request
        more = replicas / (replicas - 1)
        budget_s = (self._ttft_s - own_s) * SENSITIVITY
        first = all((value - own_s) * more < budget_s for value in ttfts)
        fits = all(count * more < self._kv_tokens for count in tokens)
        return first and fits and all(self._itl(count * more, ctx) < self._itl_s * SENSITIVITY for count in tokens)

    def _itl(self, tokens: float, ctx: float) -> float:
        return self._engine.step_s(tokens / ctx, ctx)

    def _replica_rps(self, tokens_in: float, tokens_out: float, ctx: float) -> float:
        """Return the rate that one replica carries inside the objectives, with all of its time."""
        slack_s = self._itl_s - self._engine.step_alpha_s
        requests = min(
            slack_s / self._engine.slope_s(ctx), self._kv_tokens / ctx, self._engine.sequences_max or math.inf
        )
        if requests < 1:
            return 0.0
        decode_s = tokens_out * self._engine.step_s(requests, ctx) / requests
        return 1 / (tokens_in / self._engine.prefill_tokens_per_s + decode_s)


def by_throughput(expected_rps: float, replica_rps: float) -> int:
    """Return the replicas that a rate needs."""
    return math.ceil(expected_rps / replica_rps)


def kv_and_queue_tokens(one: ReplicaView, kv_tokens: float) -> float | None:
    """Return the tokens that a replica holds or has waiting; None if it did not report both."""
    if one.kv_used_ratio is None or one.waiting_prompt_tokens is None:
        return None
    return one.kv_used_ratio * kv_tokens + one.waiting_prompt_tokens


def reported(seen: Observation, of: Callable[[ReplicaView], float | None]) -> list[float] | None:
    """Return a figure of every replica; None while some start or leave, or did not report it."""
    known = [value for one in seen.replicas if (value := of(one)) is not None]
    settled = seen.warming == 0 and seen.draining == 0
    return known if settled and known and len(known) == seen.spec else None
