"""Knows the words of a hint: what it asks, why, and what speaks against it; refuses to know when each applies.

All are closed sets: a new word is a new version of the schema. Each has its sentence, which goes into the published
schema and the documentation.

Source: spec/scaling.md 1.
"""

from collections.abc import Mapping
from enum import StrEnum


class Action(StrEnum):
    """What a hint asks for."""

    SCALE_UP = "scale_up"
    SCALE_DOWN = "scale_down"
    HOLD = "hold"
    ACTIVATE = "activate"
    TO_ZERO = "to_zero"
    INFEASIBLE = "infeasible"
    NO_DATA = "no_data"
    FROZEN = "frozen"


class Mode(StrEnum):
    """How a hint is meant to be used."""

    ADVISORY = "advisory"
    ACTIVE = "active"
    FROZEN = "frozen"
    DEGRADED = "degraded"


class Role(StrEnum):
    """What the replicas of a target do."""

    AGGREGATE = "aggregate"
    PREFILL = "prefill"
    DECODE = "decode"


class ReplicaUnit(StrEnum):
    """What one replica is."""

    POD = "pod"
    POD_GROUP = "pod-group"


class Level(StrEnum):
    """How far a hint may be trusted."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Reason(StrEnum):
    """Why a hint asks for what it asks."""

    CAPACITY_NOW = "CAPACITY_NOW"
    CAPACITY_FORECAST = "CAPACITY_FORECAST"
    BACKLOG_PREFILL = "BACKLOG_PREFILL"
    QUEUE_DEPTH = "QUEUE_DEPTH"
    QUEUE_SLO = "QUEUE_SLO"
    KV_PRESSURE = "KV_PRESSURE"
    SLO_RATIO = "SLO_RATIO"
    GPU_BUSY = "GPU_BUSY"
    SCHEDULE = "SCHEDULE"
    ACTIVATION = "ACTIVATION"
    CONSOLIDATION = "CONSOLIDATION"
    IDLE = "IDLE"
    MIN_BOUND = "MIN_BOUND"
    MAX_BOUND = "MAX_BOUND"
    INFEASIBLE_PREFILL = "INFEASIBLE_PREFILL"
    INFEASIBLE_DECODE = "INFEASIBLE_DECODE"
    BURST_UNFOLLOWABLE = "BURST_UNFOLLOWABLE"
    NO_OBJECTIVE = "NO_OBJECTIVE"
    NO_DATA_STALE = "NO_DATA_STALE"
    NO_DATA_COVERAGE = "NO_DATA_COVERAGE"
    FROZEN_BY_USER = "FROZEN_BY_USER"
    FROZEN_BY_BUDGET = "FROZEN_BY_BUDGET"
    ROLLOUT_IN_PROGRESS = "ROLLOUT_IN_PROGRESS"
    COLD_START_IN_PROGRESS = "COLD_START_IN_PROGRESS"


class Veto(StrEnum):
    """What speaks against a smaller number; none blocks a larger one that safety asks for."""

    GPU_BAND = "GPU_BAND"
    QUEUE_NONZERO = "QUEUE_NONZERO"
    KV_AFTER = "KV_AFTER"
    RHO_AFTER = "RHO_AFTER"
    SLO_RATIO_AFTER = "SLO_RATIO_AFTER"
    WARMING = "WARMING"
    COVERAGE = "COVERAGE"
    STALE = "STALE"
    SCHEDULE_AHEAD = "SCHEDULE_AHEAD"
    BURN = "BURN"
    BUDGET_LOW = "BUDGET_LOW"
    COOLDOWN = "COOLDOWN"
    DRAINING = "DRAINING"
    LOW_CONFIDENCE = "LOW_CONFIDENCE"
    REVERSAL_LIMIT = "REVERSAL_LIMIT"
    FROZEN = "FROZEN"
    ROLLOUT = "ROLLOUT"


MEANINGS: Mapping[Reason | Veto, str] = {
    Reason.CAPACITY_NOW: "Arrivals now, with headroom, are more than so many replicas carry inside the objectives.",
    Reason.CAPACITY_FORECAST: "Arrivals expected by the time a new replica is ready are more than that.",
    Reason.BACKLOG_PREFILL: "Prompts that wait and prompts that arrive are more than so many replicas read in time.",
    Reason.QUEUE_DEPTH: "More requests wait per replica than the fixed threshold allows.",
    Reason.QUEUE_SLO: "More requests wait per replica than the time to first token allows at the measured goodput.",
    Reason.KV_PRESSURE: "The caches are fuller than four fifths.",
    Reason.SLO_RATIO: "The slow tenth of requests is near its objective.",
    Reason.GPU_BUSY: "GPUs were busy for five minutes, and the load or the cache says so too.",
    Reason.SCHEDULE: "A schedule asks for replicas or names a rate.",
    Reason.ACTIVATION: "There are no replicas and requests wait.",
    Reason.CONSOLIDATION: "With one replica less every signal would stay below its lower threshold.",
    Reason.IDLE: "Nothing arrived, and waiting for a cold start costs less than keeping a replica.",
    Reason.MIN_BOUND: "The lower bound of the target decides.",
    Reason.MAX_BOUND: "The upper bound of the target decides.",
    Reason.INFEASIBLE_PREFILL: "Prompts take longer to read than the objective allows, on however many replicas.",
    Reason.INFEASIBLE_DECODE: "An empty step takes longer than the objective for output tokens allows.",
    Reason.BURST_UNFOLLOWABLE: "Bursts are over before a new replica is ready: hold a floor, or queue.",
    Reason.NO_OBJECTIVE: "Without objectives and a load test nothing says what fewer replicas carry: none is taken.",
    Reason.NO_DATA_STALE: "The last observation is too old to decide by.",
    Reason.NO_DATA_COVERAGE: "Less than half of the replicas were seen.",
    Reason.FROZEN_BY_USER: "A person froze the target.",
    Reason.FROZEN_BY_BUDGET: "The error budget is spent and its policy takes no capacity away.",
    Reason.ROLLOUT_IN_PROGRESS: "Replicas of another configuration take the place of those there were.",
    Reason.COLD_START_IN_PROGRESS: "Replicas that were asked for are not ready yet; they count.",
    Veto.GPU_BAND: "GPUs of the replicas that stay would be busier than their band allows, or are no longer known.",
    Veto.QUEUE_NONZERO: "Requests wait, or it is not known whether some do.",
    Veto.KV_AFTER: "Caches of the replicas that stay would be too full, or are not known.",
    Veto.RHO_AFTER: "The load of the replicas that stay would be too high, or is not known.",
    Veto.SLO_RATIO_AFTER: "The slow tenth of requests would be too near its objective, or is not known.",
    Veto.WARMING: "Replicas are warming up.",
    Veto.COVERAGE: "Not every replica was seen, or not all that it should tell.",
    Veto.STALE: "The observation is not fresh.",
    Veto.SCHEDULE_AHEAD: "A scheduled peak is near.",
    Veto.BURN: "The error budget burns faster than it is given.",
    Veto.BUDGET_LOW: "Less than a tenth of the error budget is left, or its policy says no.",
    Veto.COOLDOWN: "The time since the last change, or of quiet, is too short.",
    Veto.DRAINING: "A replica is still being emptied.",
    Veto.LOW_CONFIDENCE: "The hint is not to be trusted far enough.",
    Veto.REVERSAL_LIMIT: "The direction changed too often within the hour.",
    Veto.FROZEN: "The target is frozen.",
    Veto.ROLLOUT: "A rollout is in progress: what replicas carry is not known of both configurations.",
}
