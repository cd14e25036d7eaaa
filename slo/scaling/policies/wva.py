"""Knows both saturation analyzers of llm-d's Workload Variant Autoscaler, for one variant; refuses to know prices.

`v1` looks at the cache and the queue of each replica that is not saturated (cache below 80 %, queue below 5). One more
than are ready if on average less than 10 % of the cache or 3 places are spare; one less if both would still be spare
with what they hold on one replica less, which takes two such replicas at least. A number that was asked for and is not
reached yet is kept.

`v2` counts tokens. A replica holds `min(0.8 of its cache, k2)`: k2 is what it held when its queue was 5 or more, else
the mean of the last such figures, else `N (I + O/2)` with `N = min(B O / (I + O), S)`. Demand is what replicas hold and
what waits for them.

    required    demand / 0.85 - capacity of all, those that start included     up by ceil(required / capacity of one)
    spare       capacity of the ready - demand / 0.70                          down by floor(spare / capacity of one)

Source: llm-d/llm-d-workload-variant-autoscaler internal/capacity/analyzer.go (v1: shouldScaleUp, isScaleDownSafe,
CalculateCapacityTargets), internal/engines/analyzers/saturation_v2/analyzer.go (Analyze, computeK2,
estimateCapacityFromParams), internal/engines/pipeline/cost_aware_optimizer.go (up and down), defaults 0.80, 5, 0.10, 3,
0.85, 0.70 and GLOBAL_OPT_INTERVAL 60s.
"""

import math
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from slo.scaling.capacity import Engine
from telemetry.scaling import Observation, ReplicaView

TICK_S = 60.0
KV_LIMIT, QUEUE_LIMIT = 0.80, 5.0
KV_SPARE, QUEUE_SPARE = 0.10, 3.0
UP_RATIO, DOWN_RATIO = 0.85, 0.70
REMEMBERED_MAX = 10
"""Figures of a saturated replica whose mean is taken."""
BATCHED_TOKENS = 8192.0
"""B, vLLM's `--max-num-batched-tokens`, where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a replica holds.

    Attributes:
        kv_used_ratio: Share of its cache.
        waiting: Requests in its queue.
    """

    kv_used_ratio: float
    waiting: int

    @property
    def saturated(self) -> bool:
        """Whether it takes no more."""
        return self.kv_used_ratio >= KV_LIMIT or self.waiting >= QUEUE_LIMIT


class WvaV1:
    """The analyzer by percentages."""

    def __init__(self, replicas_min: int, replicas_max: int) -> None:
        """Begin with nothing remembered."""
        self._low, self._high = max(replicas_min, 1), replicas_max

    @property
    def tick_s(self) -> float:
        """How often it looks."""
        return TICK_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for; as many as there are without data."""
        held = _held(seen.replicas)
        if not held or seen.ready != seen.spec:
            return seen.spec
        step = 1 if wants_more(held) else -1 if spares_one(held) and seen.ready > 1 else 0
        return min(max(seen.ready + step, self._low), self._high)


class WvaV2:
    """The analyzer by tokens."""

    def __init__(
        self, replicas_min: int, replicas_max: int, engine: Engine, batched_tokens: float = BATCHED_TOKENS
    ) -> None:
        """Begin with nothing remembered.

        Args:
            replicas_min: Lower bound.
            replicas_max: Upper bound.
            engine: Its cache must be known; its batch is S.
            batched_tokens: B.

        Raises:
            ValueError: The size of the cache is not known.
        """
        if engine.kv_tokens is None:
            raise ValueError("the analyzer needs to know how many tokens a cache holds")
        self._low, self._high = max(replicas_min, 1), replicas_max
        self._kv_tokens, self._batched_tokens = engine.kv_tokens, batched_tokens
        self._sequences = engine.sequences_max or math.inf
        self._saturated: deque[float] = deque(maxlen=REMEMBERED_MAX)

    @property
    def tick_s(self) -> float:
        """How often it looks."""
        return TICK_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for; as many as there are without data."""
        held = _held(seen.replicas)
        if not held or seen.tokens_in_mean is None:
            return seen.spec
        each = statistics.median_low(sorted(self._capacity(one, seen) for one in held))
        waiting = (seen.held or 0) * seen.tokens_in_mean
        demand = waiting + sum(self._tokens(one) + one.waiting * seen.tokens_in_mean for one in held)
        return min(max(seen.spec + change(demand, each, seen.ready, seen.warming), self._low), self._high)

    def _tokens(self, one: Held) -> float:
        return one.kv_used_ratio * self._kv_tokens

    def _capacity(self, one: Held, seen: Observation) -> float:
        memory = KV_LIMIT * self._kv_tokens
        if one.waiting >= QUEUE_LIMIT and one.kv_used_ratio > 0:
            self._saturated.append(self._tokens(one))
            return min(memory, self._tokens(one))
        if self._saturated:
            return min(memory, statistics.mean(self._saturated))
        derived = k2(seen.tokens_in_mean or 0.0, seen.tokens_out_mean or 0.0, self._batched_tokens, self._sequences)
        return min(memory, derived) if derived > 0 else memory


def wants_more(held: Sequence[Held]) -> bool:
    """Return whether too little is spare; where all are saturated nothing is."""
    free = [one for one in held if not one.saturated]
    if not free:
        return True
    kv = sum(KV_LIMIT - one.kv_used_ratio for one in free) / len(free)
    places = sum(QUEUE_LIMIT - one.waiting for one in free) / len(free)
    return kv < KV_SPARE or places < QUEUE_SPARE


def spares_one(held: Sequence[Held]) -> bool:
    """Return whether enough would be spare on one replica less."""
    free = [one for one in held if not one.saturated]
    left = len(free) - 1
    if left < 1:
        return False
    kv = KV_LIMIT - sum(one.kv_used_ratio for one in free) / left
    places = QUEUE_LIMIT - sum(one.waiting for one in free) / left
    return kv >= KV_SPARE and places >= QUEUE_SPARE


def k2(tokens_in: float, tokens_out: float, batched_tokens: float, sequences: float) -> float:
    """Return the tokens that a replica holds in a steady state; 0 without an answer's length."""
    if tokens_out <= 0:
        return 0.0
    return min(batched_tokens * tokens_out / (tokens_in + tokens_out), sequences) * (tokens_in + tokens_out / 2)


def change(demand: float, each: float, ready: int, warming: int) -> int:
    """Return by how many replicas the number changes.

    Args:
        demand: Tokens that are held or wait.
        each: Tokens that one replica holds; above 0.
        ready: Replicas that take requests.
        warming: Replicas that do not yet.
    """
    required = demand / UP_RATIO - (ready + warming) * each
    if required > 0:
        return math.ceil(required / each)
    spare = ready * each - demand / DOWN_RATIO
    return -min(math.floor(max(spare, 0.0) / each), max(ready + warming - 1, 0))


def _held(replicas: Sequence[ReplicaView]) -> list[Held]:
    """Return what the replicas hold that reported it."""
    return [
        Held(kv_used_ratio=one.kv_used_ratio, waiting=one.waiting)
        for one in replicas
        if one.kv_used_ratio is not None and one.waiting is not None
    ]
