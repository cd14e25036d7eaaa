"""Knows what a target is told once, and what is known of it beside an observation; refuses to read either.

Source: spec/scaling.md 1 (target), 5 (baseline), 6 (what each part of the algorithm asks), 3 (freeze).
"""

from dataclasses import dataclass

from slo.scaling.capacity import Engine, Mix
from slo.scaling.codes import Mode, ReplicaUnit, Role
from slo.scaling.cold_start import ColdStarts
from slo.scaling.confidence import TTL_S
from slo.scaling.lead import Lead
from slo.scaling.preview import TOLERANCE
from slo.scaling.schedule import Schedule
from slo.scaling.shape import Shape
from slo.scaling.thresholds import QUEUE_DEPTH_HI
from slo.scaling.verdicts import Bursts
from slo.scaling.wants import SLO_BAND, QueueMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is scaled.

    Attributes:
        name: Of the target.
        namespace: Where it lives; empty if nowhere in particular.
        variant: Hardware and parallelism.
        role: What its replicas do.
        gpus_per_replica: GPUs of one.
        replica_unit: What one is; a group over several nodes counts once.
    """

    name: str
    namespace: str = ""
    variant: str = ""
    role: Role = Role.AGGREGATE
    gpus_per_replica: int = 1
    replica_unit: ReplicaUnit = ReplicaUnit.POD


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a target is told once.

    Attributes:
        target: What is scaled.
        replicas_min: Fewest replicas.
        replicas_max: Most of them.
        ttft_s: Objective for the first token; None without one.
        itl_s: Objective for each later token; None without one.
        mode: Whether hints are advice or carried out.
        queue_mode: Which threshold a queue is held against.
        queue_depth_hi: The fixed one, requests per replica.
        slo_band: Of the slow tenth against its objectives: from where replicas are added, below where taken away.
        schedules: Peaks that people named.
        zero_allowed: Whether its class allows that it is emptied.
        usd_per_gpu_hour: Price; None if unknown.
        hpa_tolerance: Of the autoscaler that hints are handed to.
        ttl_s: How long an observation may be acted upon.
    """

    target: Target
    replicas_min: int = 1
    replicas_max: int = 100
    ttft_s: float | None = None
    itl_s: float | None = None
    mode: Mode = Mode.ADVISORY
    queue_mode: QueueMode = QueueMode.SEED
    queue_depth_hi: float = QUEUE_DEPTH_HI
    slo_band: tuple[float, float] = SLO_BAND
    schedules: tuple[Schedule, ...] = ()
    zero_allowed: bool = False
    usd_per_gpu_hour: float | None = None
    hpa_tolerance: float = TOLERANCE
    ttl_s: float = TTL_S

    @property
    def has_objectives(self) -> bool:
        """Whether anything is to be in time."""
        return self.ttft_s is not None or self.itl_s is not None

    @property
    def usd_per_replica_hour(self) -> float | None:
        """Price of a replica; None if unknown."""
        return None if self.usd_per_gpu_hour is None else self.usd_per_gpu_hour * self.target.gpus_per_replica


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTest:
    """What a load test found of one replica.

    Attributes:
        basis: Which one: `loadtest:run_0193`.
        age_days: How old it is.
        same_config: Whether model, GPUs and engine flags are still those of the test.
        engine: How fast a replica is; None if the step model was not fitted.
        goodput_rps: Highest rate that kept the objectives; None if it was not found.
        mix: Requests it was found with; None if unknown.
    """

    basis: str
    age_days: float
    same_config: bool = True
    engine: Engine | None = None
    goodput_rps: float | None = None
    mix: Mix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A person's word that nothing is to change.

    Attributes:
        until_s: Until when, unix seconds.
        who: Who said so.
        reason: Why.
    """

    until_s: float
    who: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a target at an instant, beside the observation; None is unknown.

    Attributes:
        load_test: The last one.
        shape: What its days look like.
        forecast_error_p95: 95 % point of actual over expected, a lead ahead, in the last 14 days.
        speed_ratio: Speed of warm replicas over the speed that the model predicts.
        bursts: What arrivals looked like, second by second.
        gap_s: How long until the next request comes, on average, once none do.
        cold_penalty_usd: What it costs that one waits for a replica.
        freeze: Who froze it; None if nobody did.
        budget_kept: Whether the policy of the error budget takes no capacity away.
        acked_replicas: What an actor said that it applied, of the last hint.
        cold_starts: What is known of its starts, one by one.
        lead_basis: What the lead rests on that the observation tells; empty: cold starts.
    """

    load_test: LoadTest | None = None
    shape: Shape | None = None
    forecast_error_p95: float | None = None
    speed_ratio: float | None = None
    bursts: Bursts | None = None
    gap_s: float | None = None
    cold_penalty_usd: float | None = None
    freeze: Freeze | None = None
    budget_kept: bool = False
    acked_replicas: int | None = None
    cold_starts: ColdStarts | None = None
    lead_basis: str = ""

    @property
    def measured_lead(self) -> Lead | None:
        """How long starts take that were kept one by one; None without any."""
        return None if self.cold_starts is None else self.cold_starts.lead
