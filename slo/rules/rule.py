"""Knows what a built-in rule is: what it asks of the store, and what it finds; refuses to know any one rule.

A rule is asked every `every_s` seconds, at instants that are whole multiples of it, so that replicas ask the same. What
it finds is judged twice: soundly, which acts, and naively, which is shown beside it (or acts, if `mode` says so).

Source: spec/slo.md 13 (`enabled, threshold, window, severity, mode, min_events`), the law of its head (both verdicts).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from slo.burn_catalogue import Severity
from slo.inhibit import Kind
from slo.jump import Verdict
from telemetry.queries.question import Question

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]
"""Answers of the store by the name of the question."""


class RuleId(StrEnum):
    """Every built-in rule, by the name that its alerts have."""

    P99_OVER_SLA = "p99_over_sla"
    P99_DRIFT = "p99_drift"
    TTFT_P99_LOAD_TRIPLE = "ttft_p99_load_triple"
    TAIL_SPREAD = "tail_spread"
    ERROR_RATE_JUMP = "error_rate_jump"
    ERROR_RATE_5XX = "error_rate_5xx"
    ERROR_RATE_TIMEOUT = "error_rate_timeout"
    ERROR_RATE_OOM = "error_rate_oom"
    ERROR_RATE_STREAM = "error_rate_stream"
    ERROR_RATE_CONNECT = "error_rate_connect"
    ERROR_RATE_AUTH = "error_rate_auth"
    ERROR_RATE_NOT_FOUND = "error_rate_not_found"
    ERROR_RATE_PEAK = "error_rate_peak"
    OOM = "oom"
    ABANDONMENT = "abandonment"
    THROUGHPUT_BELOW_EXPECTED = "throughput_below_expected"
    GPU_BAND = "gpu_band"
    COST_JUMP = "cost_jump"
    WASTING_COMPUTE = "wasting_compute"
    QUEUE_DEPTH = "queue_depth"
    STALLED_ENGINE = "stalled_engine"
    KV_THRASH = "kv_thrash"
    PREFIX_CACHE_COLLAPSE = "prefix_cache_collapse"
    LENGTH_MIX_SHIFT = "length_mix_shift"
    QUALITY_CANARY = "quality_canary"
    REPLICA_OUTLIER = "replica_outlier"
    TELEMETRY_SELF = "telemetry_self"
    ANOMALY = "anomaly"
    MISFIT_BATCH_ON_SERVERLESS = "misfit_batch_on_serverless"
    MISFIT_ENDPOINT_ON_BATCH_STACK = "misfit_endpoint_on_batch_stack"
    MISFIT_WORKFLOW_STATELESS = "misfit_workflow_stateless"


class Mode(StrEnum):
    """Which reading of a rule makes alerts."""

    SOUND = "sound"
    NAIVE = "naive"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a configuration says of a rule; None leaves what the rule itself says.

    Attributes:
        enabled: Whether it is asked at all.
        threshold: The number that it compares with, in the rule's own unit.
        window_s: Length of its window, seconds.
        severity: Severity of all its alerts, in place of the rule's own.
        mode: Which reading makes alerts.
        min_events: Fewer requests say nothing.
        options: More numbers that the rule knows, by name.
    """

    enabled: bool = True
    threshold: float | None = None
    window_s: int | None = None
    severity: Severity | None = None
    mode: Mode = Mode.SOUND
    min_events: int | None = None
    options: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a rule found of one subject.

    Attributes:
        labels: Who it is about: `endpoint`, `model`, `region`, `replica`, ... as far as the rule tells them apart.
        sound: What is proven.
        naive: What the plain threshold says.
        words: Annotations: `summary` is one sentence with the figures; `sound` and `naive` may say how each was read.
        bad: Bad requests behind it; None if it counts none.
        is_known: Whether it could be judged; an alert of one that could not stands as it was.
    """

    labels: Mapping[str, str]
    sound: Verdict
    naive: Verdict = Verdict.SILENT
    words: Mapping[str, str] = field(default_factory=dict[str, str])
    bad: int | None = None
    is_known: bool = True


class Rule(Protocol):
    """A built-in rule, made of its settings."""

    @property
    def id(self) -> RuleId:
        """Its name, and that of its alerts."""
        ...

    @property
    def kind(self) -> Kind:
        """What it is about, which decides who speaks for it."""
        ...

    @property
    def settings(self) -> Settings:
        """What was configured."""
        ...

    @property
    def every_s(self) -> int:
        """Time between two questions, seconds; a multiple of 30."""
        ...

    @property
    def for_s(self) -> int:
        """How long it must be true, seconds."""
        ...

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant, by name; windows end there."""
        ...

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        """Return what the answers say, for every subject that has any; silent ones too, so that their alerts end."""
        ...
