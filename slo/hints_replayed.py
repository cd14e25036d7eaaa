"""Knows how a replay of scaling policies over recorded traffic is asked for and told; refuses to replay.

The fleet that is simulated belongs to another room, so whoever has it is handed in (`slo.api_parts.Beyond.replay`).

Source: spec/scaling.md 2 (whatif), 7 (scores, Pareto).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from slo.hints_target import Hinted
from slo.scaling.codes import Reason

SEEDS_USUAL, SEEDS_MAX = 10, 20
"""Runs of each policy."""
SPAN_S_MAX = 7 * 86_400
"""Longest time of one replay here; `inferometer hints backtest` takes longer ones."""
POLICIES_MAX = 32
"""Policies of one replay."""
POLICY_CHARS_MAX = 1_000
"""Longest list of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayAsked:
    """What is replayed of a target.

    Attributes:
        policies: Names of `slo.scaling.policies.catalogue`, each once.
        since_s: Start of the traffic, unix time.
        until_s: Its end, excluded.
        seeds: Runs of each policy.
        objective_ratio: Share of requests that shall be good; None without an objective.
    """

    policies: tuple[str, ...]
    since_s: int
    until_s: int
    seeds: int = SEEDS_USUAL
    objective_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReplayed:
    """What a policy made of the traffic; figures are means over seeds, intervals 95 %, None is unknown.

    Attributes:
        policy: Its name.
        seeds: Runs.
        attainment_ratio: Share of requests within their objectives.
        attainment_low: Lower end.
        attainment_high: Upper end.
        gpu_h: GPU-hours.
        gpu_h_low: Lower end.
        gpu_h_high: Upper end.
        gpu_h_over_oracle: Against the one that knows all arrivals; None if that was not run.
        good_per_gpu_h: Good requests of each GPU-hour.
        goodput_rps: Good requests a second.
        miss_minutes: Minutes below the target.
        queue_max_s: Longest time to a first token, of all seeds.
        reversals_per_h: Changes of direction.
        recovery_s: Time until a step is over.
        lost_in_drain: Requests, of all seeds.
        usd_per_mtok: USD per million tokens of good answers.
        pareto_rank: 1: nobody is better on both axes; 2: only those of rank 1 are; and so on.
        on_front: Whether the rank is 1.
        dominated_by: Who is better, by means; those that know the future are left out.
        dominates: Than whom it is proven better.
    """

    policy: str
    seeds: int
    attainment_ratio: float
    attainment_low: float | None
    attainment_high: float | None
    gpu_h: float
    gpu_h_low: float | None
    gpu_h_high: float | None
    gpu_h_over_oracle: float | None
    good_per_gpu_h: float | None
    goodput_rps: float
    miss_minutes: float
    queue_max_s: float
    reversals_per_h: float
    recovery_s: float | None
    lost_in_drain: int
    usd_per_mtok: float | None
    pareto_rank: int
    on_front: bool
    dominated_by: tuple[str, ...]
    dominates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstReplayed:
    """Bursts of the traffic that no new replica can follow.

    Attributes:
        code: `BURST_UNFOLLOWABLE`.
        ratio: Highest second over mean.
        length_s: How long they last.
        floor: Replicas that would carry them.
        usd_per_month: What these cost; None without a price.
    """

    code: Reason
    ratio: float
    length_s: float
    floor: int
    usd_per_month: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayShown:
    """What policies would have made of the traffic of a target, on simulated engines.

    Attributes:
        target: Which.
        endpoint: Whose requests.
        since: Start of the traffic.
        until: Its end, excluded.
        requests: How many there were.
        seeds: Runs of each policy.
        cold_start_s: Median of a replica's start.
        cold_start_basis: Where that comes from.
        engine_basis: Where the speed of a replica comes from.
        gpus_per_replica: Which GPU-hours count.
        ttft_s: Objective for the first token; None without one.
        itl_s: Objective for each later one; None without one.
        objective_ratio: Share of requests that shall be within both.
        policies: The highest attainment first.
        burst: Bursts that no policy can follow; None if there are none.
        winner: The fewest GPU-hours of those that keep the objective, else who comes nearest; None if all know the
            future.
        keeps_objective: Whether the winner does.
        manifest: ScaledObject of the winner, YAML; None unless that is ours, which alone has one.
        notes: What was assumed, and what is odd.
    """

    target: str
    endpoint: str
    since: str
    until: str
    requests: int
    seeds: int
    cold_start_s: float
    cold_start_basis: str
    engine_basis: str
    gpus_per_replica: int
    ttft_s: float | None
    itl_s: float | None
    objective_ratio: float
    policies: tuple[PolicyReplayed, ...]
    burst: BurstReplayed | None
    winner: str | None
    keeps_objective: bool
    manifest: str | None
    notes: tuple[str, ...]


Replaying = Callable[[Hinted, ReplayAsked], Awaitable[ReplayShown]]
"""Replays for the API; what is wrong is a `ProblemError`."""
