"""Knows what a scaling policy may look at, and what it answers; refuses to know how either comes about.

One observation is what has become known of one target by an instant: late by `age_s`, with holes where a value did not
arrive. The simulated fleet and the live controller make the same type, so that a policy cannot tell them apart. A value
that is not known is None, and a replica that did not report stays in `replicas` with None in its fields: whoever adds
up decides what the hole means, and 0 is never what a hole looks like.

Source: spec/scaling.md 5 (inputs), 6 (what the wants read), 7 (policies beside ours).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaView:
    """A replica that takes requests, as its last scrape that arrived shows it.

    Attributes:
        name: Of the replica; it is not used again after the replica ended.
        ready_for_s: Since it became ready; a policy leaves out what is not warm yet.
        age_s: Of the values below; None if none arrived yet.
        running: Requests in its batch.
        waiting: Requests in its queue.
        waiting_prompt_tokens: Prompt tokens of those that wait.
        kv_used_ratio: Share of its KV cache that requests hold.
        gpu_util_ratio: Share of the time in which some kernel ran, as NVML counts.
    """

    name: str
    ready_for_s: float
    age_s: float | None = None
    running: int | None = None
    waiting: int | None = None
    waiting_prompt_tokens: int | None = None
    kv_used_ratio: float | None = None
    gpu_util_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is known of a target at an instant; rates, means and tails are over the last `window_s` that arrived.

    Attributes:
        now_unix_s: The instant, wall time.
        spec: Replicas that are asked for.
        ready: Replicas that take requests.
        warming: Replicas that are asked for and not ready, those that load after a failure included.
        draining: Replicas that finish what they hold and take nothing more; not part of `spec`.
        replicas: The ready ones, in the order in which they were started.
        age_s: Of the rates, means and tails; None if none arrived yet.
        coverage: Share of the ready replicas whose values are not stale, 0..1; 1 without a ready replica.
        window_s: What rates, means and tails are taken over.
        arrivals_rps: Requests that arrived, refused ones and those that wait included.
        completed_rps: Requests that were answered to the end.
        held: Requests that wait before any replica, because none takes them.
        tokens_in_mean: Prompt tokens of the requests that arrived.
        tokens_out_mean: Answer tokens of the requests that ended well.
        prefix_hit_ratio: Share of the prompt tokens that were taken from a prefix cache.
        prompts: (prompt tokens, requests): how many of the requests that arrived have at most so many tokens and more
            than the pair before says; ascending, empty where nothing arrived.
        ttft_p50_s: To the first token, seen by the client.
        ttft_p90_s: The same.
        ttft_p95_s: The same.
        tpot_p50_s: For each later token of a request, its mean.
        tpot_p90_s: The same.
        tpot_p95_s: The same.
        cold_start_p50_s: From being asked for to ready, of the last 20 replicas; None below one.
        cold_start_p90_s: The same.
        objective_ratio: Share of the requests that shall meet the objective; None without one.
        attainment_1h_ratio: Share that met it, of those that ended in the last hour.
        burn_1h: Rate at which the last hour used the budget; 1 uses it up exactly.
        budget_left_ratio: What is left of the budget.
        strangers: Ready replicas of another configuration than most, while a rollout passes: they serve, and are not
            what was measured.
    """

    now_unix_s: float
    spec: int
    ready: int
    warming: int
    draining: int
    replicas: tuple[ReplicaView, ...]
    age_s: float | None
    coverage: float
    window_s: float = 60.0
    arrivals_rps: float | None = None
    completed_rps: float | None = None
    held: int | None = None
    tokens_in_mean: float | None = None
    tokens_out_mean: float | None = None
    prefix_hit_ratio: float | None = None
    prompts: tuple[tuple[int, int], ...] = ()
    ttft_p50_s: float | None = None
    ttft_p90_s: float | None = None
    ttft_p95_s: float | None = None
    tpot_p50_s: float | None = None
    tpot_p90_s: float | None = None
    tpot_p95_s: float | None = None
    cold_start_p50_s: float | None = None
    cold_start_p90_s: float | None = None
    objective_ratio: float | None = None
    attainment_1h_ratio: float | None = None
    burn_1h: float | None = None
    budget_left_ratio: float | None = None
    strangers: int = 0

    @property
    def oldest_s(self) -> float | None:
        """Age of the oldest figure that is told: of the rates, or of a replica; None where no rate arrived yet."""
        ages_s = [one.age_s for one in self.replicas if one.age_s is not None]
        return None if self.age_s is None else max([self.age_s, *ages_s])

    @property
    def tokens_in_uncached_mean(self) -> float | None:
        """Prompt tokens of a request that no cache held; with an unknown ratio of hits all of them."""
        return None if self.tokens_in_mean is None else self.tokens_in_mean * (1 - (self.prefix_hit_ratio or 0.0))

    @property
    def running(self) -> int | None:
        """Requests in the batches of the replicas that reported; None if none did."""
        return self._sum(lambda one: one.running)

    @property
    def waiting(self) -> int | None:
        """Requests in the queues of the replicas that reported; None if none did."""
        return self._sum(lambda one: one.waiting)

    @property
    def waiting_prompt_tokens(self) -> int | None:
        """Prompt tokens in the queues of the replicas that reported; None if none did."""
        return self._sum(lambda one: one.waiting_prompt_tokens)

    @property
    def kv_used_ratios(self) -> tuple[float, ...]:
        """Of the replicas that reported."""
        return tuple(one.kv_used_ratio for one in self.replicas if one.kv_used_ratio is not None)

    @property
    def gpu_util_ratio(self) -> float | None:
        """Mean of the replicas that reported; None if none did."""
        known = [one.gpu_util_ratio for one in self.replicas if one.gpu_util_ratio is not None]
        return sum(known) / len(known) if known else None

    def _sum(self, value: Callable[[ReplicaView], int | None]) -> int | None:
        known = [found for one in self.replicas if (found := value(one)) is not None]
        return sum(known) if known else None


class Policy(Protocol):
    """Decides how many replicas a target should have; what it remembers, it remembers from observations alone."""

    @property
    def tick_s(self) -> float:
        """How often it is asked."""
        ...

    def decide(self, seen: Observation) -> int:
        """Return the replicas that should be asked for: absolute, from 0; the caller clamps to its bounds."""
        ...
