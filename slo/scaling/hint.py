"""Knows the hint as it is sent, `inferometer.hint/v1`, its bytes and its published schema; refuses to make one up.

The bytes are the same wherever they are written: field order is that of the classes, and no default is left out. The
published schema is `docs/hint.schema.json`. A field that is not known is null.

Source: spec/scaling.md 1; JSON Schema 2020-12, as msgspec writes it.
"""

import hashlib
import json
from typing import Any, Final, Literal

import msgspec

from slo.scaling.codes import MEANINGS, Action, Level, Mode, Reason, ReplicaUnit, Role, Veto
from slo.scaling.cold_start import Phase
from slo.scaling.preview import Swallowed
from telemetry.ids import RANDOM_BITS, uuid7

SCHEMA: Final = "inferometer.hint/v1"


class Struct(msgspec.Struct, frozen=True, kw_only=True):
    """What every part of a hint is."""


class TargetPart(Struct, frozen=True, kw_only=True):
    """What is scaled."""

    name: str
    namespace: str
    variant: str
    role: Role
    gpus_per_replica: int
    replica_unit: ReplicaUnit


class ReplicasPart(Struct, frozen=True, kw_only=True):
    """How many there are and should be; `raw` is the binding want before rounding.

    `draining` are emptied and not asked for, `strangers` are ready ones of another configuration while a rollout
    passes: neither is capacity.
    """

    spec: int
    ready: int
    warming: int
    desired: int
    raw: float | None
    min: int
    max: int
    bounded_by: tuple[str, ...]
    draining: int = 0
    strangers: int = 0


class ReasonPart(Struct, frozen=True, kw_only=True):
    """Why; `binding` marks what decided."""

    code: Reason
    binding: bool
    wants: int | None
    signal: str | None
    value: float | None
    threshold: float | None
    unit: str | None
    text: str


class VetoPart(Struct, frozen=True, kw_only=True):
    """What speaks against a smaller number."""

    code: Veto
    against: Action
    text: str


class SignalPart(Struct, frozen=True, kw_only=True):
    """One figure that was looked at, how old it is, and of what share of the replicas."""

    value: float | None
    age_s: float | None
    coverage: float


class SloPart(Struct, frozen=True, kw_only=True):
    """The objective and its budget."""

    objective: float | None
    attainment_1h: float | None
    burn_1h: float | None
    budget_left: float | None


class SchedulePart(Struct, frozen=True, kw_only=True):
    """The peak that people named and that is near."""

    name: str
    peak_at: str
    pre_scale_at: str


class ForecastPart(Struct, frozen=True, kw_only=True):
    """What is expected when a replica asked for now is ready."""

    lead_s: float
    lead_basis: str
    method: str
    p50_rps: float | None
    p95_rps: float | None
    headroom: float
    schedule: SchedulePart | None


class CapacityPart(Struct, frozen=True, kw_only=True):
    """What one replica carries inside the objectives, after correction, and how the queue is held against it.

    `kv_fits` is how many more requests the fullest cache takes.
    """

    goodput_rps: float | None
    basis: str | None
    age_days: float | None
    online_correction: float
    bottleneck: str | None
    rho: float | None
    queue_depth_hi: float
    queue_depth_hi_s: float | None
    queue_star: float | None
    queue_star_s: float | None
    kv_fits: int | None = None


class ConfidencePart(Struct, frozen=True, kw_only=True):
    """How far to trust it, and why."""

    score: float
    level: Level
    why: tuple[str, ...]


class CooldownPart(Struct, frozen=True, kw_only=True):
    """What is held back for how long."""

    up_until: str | None
    down_until: str | None
    reversals_1h: int
    reversal_limit: int


class ImpactPart(Struct, frozen=True, kw_only=True):
    """What it costs, and the probability that more arrives than is carried."""

    usd_per_h_now: float | None
    usd_per_h_desired: float | None
    miss_risk_if_ignored: float | None
    miss_risk_if_followed: float | None


class PreviewPart(Struct, frozen=True, kw_only=True):
    """What an autoscaler would make of the number."""

    tolerance: float
    would_set: int
    swallowed: Swallowed
    text: str


class LoadRangePart(Struct, frozen=True, kw_only=True):
    """What the load was at so many instants of seven days, while GPUs were within two points of 75 %."""

    low: float
    high: float
    n: int
    text: str


class GpuPart(Struct, frozen=True, kw_only=True):
    """What utilisation says, and what it hides."""

    util: float | None
    band: str | None
    label: str | None
    rho_at_75: LoadRangePart | None = None


class TookPart(Struct, frozen=True, kw_only=True):
    """How long something took, the last 20 times it is known of."""

    p50_s: float
    p90_s: float
    n: int


class SlowerPart(Struct, frozen=True, kw_only=True):
    """`coldstart_regression`: the P90 of the last starts is more than 1.3 times that of the 30 days before."""

    phase: Phase
    p90_s: float
    before_p90_s: float
    n: int
    before_n: int
    text: str


class ColdStartPart(Struct, frozen=True, kw_only=True):
    """Starts of replicas, each measured; phases that nobody told are missing, `ready` is all of a start."""

    phases: dict[Phase, TookPart]
    failed_30d: int
    regression: SlowerPart | None


class AckPart(Struct, frozen=True, kw_only=True):
    """What an actor said that it did."""

    state: Literal["pending", "applied"]
    applied: int | None


class Hint(Struct, frozen=True, kw_only=True):
    """A scaling hint: how many replicas, why, what speaks against fewer, how far to trust it and until when."""

    schema: Literal["inferometer.hint/v1"] = SCHEMA
    id: str
    seq: int
    mode: Mode
    target: TargetPart
    observed_at: str | None
    issued_at: str
    valid_from: str
    expires_at: str
    ttl_s: float
    action: Action
    replicas: ReplicasPart
    reasons: tuple[ReasonPart, ...]
    vetoes: tuple[VetoPart, ...]
    signals: dict[str, SignalPart]
    slo: SloPart
    forecast: ForecastPart
    capacity: CapacityPart
    gpu: GpuPart
    confidence: ConfidencePart
    cooldown: CooldownPart
    impact: ImpactPart
    hpa_preview: PreviewPart
    ack: AckPart
    cold_start: ColdStartPart | None = None


def encoded(hint: Hint) -> bytes:
    """Return the bytes of a hint."""
    return msgspec.json.encode(hint)


def digest(hint: Hint) -> str:
    """Return what a hint says, as 16 characters: mode, action, numbers, reasons and vetoes by their codes, and trust.

    Ages, figures, texts and times are no part of it: they differ at each instant, and who waits for news waits for
    another decision.
    """
    said = (
        hint.mode,
        hint.action,
        (hint.replicas.spec, hint.replicas.desired, hint.replicas.bounded_by),
        tuple((one.code, one.binding, one.wants) for one in hint.reasons),
        tuple((one.code, one.against) for one in hint.vetoes),
        hint.confidence.level,
        hint.ack,
    )
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]


def hint_id(target: str, namespace: str, at_s: int, *, is_over: bool = False) -> str:
    """Return the id of the hint of a target that was issued at an instant: a UUIDv7 with a hash for its random bits.

    Args:
        target: Its name.
        namespace: Where it lives.
        at_s: The instant, unix time.
        is_over: Whether it is what a hint stands for that nobody renewed until then.
    """
    name = f"{len(namespace)}:{namespace}{target}@{at_s}{'!' if is_over else ''}"
    bits = int.from_bytes(hashlib.sha256(name.encode()).digest()) & ((1 << RANDOM_BITS) - 1)
    return str(uuid7(at_s * 1_000, bits))


def schema_text() -> str:
    """Return the published schema, `docs/hint.schema.json`."""
    found: dict[str, Any] = msgspec.json.schema(Hint)
    for name, of in (("Reason", Reason), ("Veto", Veto)):
        found["$defs"][name]["description"] = "\n".join(f"{code}: {MEANINGS[code]}" for code in of)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **{name: part for name, part in found.items() if name != "$defs"},
        "$defs": found["$defs"],
    }
    return json.dumps(head, indent=2) + "\n"
