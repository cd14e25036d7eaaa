"""Knows what the API may be asked: parameters and bodies with their bounds; refuses whatever else they hold.

Source: spec/slo.md 10 (silences), 16 (gate), 17 (routes); spec/scaling.md 2 (hints); spec/ui.md 11 (an unknown
parameter is 400).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from slo.adjustments import ALL_PERCENT, SPAN_S_MAX
from slo.alert_moves import AlertState
from slo.api_guard import BODY_BYTES_MAX
from slo.desk_records import NAME_CHARS_MAX, TEXT_CHARS_MAX, MarkerKind
from slo.expression import EXPRESSION_CHARACTERS_MAX
from slo.gate import MIN_REMAINING
from slo.hints_replayed import POLICY_CHARS_MAX, SEEDS_MAX, SEEDS_USUAL
from slo.recurrence import RULE_CHARS_MAX
from slo.scaling.cold_start import PARTS, PHASE_S_MAX, Phase
from slo.silence import MATCHERS_MAX, PATTERN_CHARS_MAX, MatchOp

OBJECTIVES_MAX = 1_000
"""Objectives that one question may name."""
INCIDENTS_MAX = 500
"""Incidents of one backtest."""
GROUP_CHARS_MAX = 2_000
"""Longest text of a group."""
WAIT_S_MAX = 60.0
"""Longest time that a question for news of a hint is kept open."""
REPLICAS_MAX = 65_535
"""Most replicas that a row of the store holds."""
YEAR_MAX = 2105
"""Last year of a time; the store's seconds end in 2106."""
_YEAR_LEAST = 1970

Name = Annotated[str, Field(max_length=NAME_CHARS_MAX)]
Said = Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX)]
Text = Annotated[str, Field(max_length=TEXT_CHARS_MAX)]
Severity = Literal["", "page", "ticket"]
Replicas = Annotated[int, Field(ge=0, le=REPLICAS_MAX, strict=True)]


def _within_reach(at: datetime | None) -> datetime | None:
    if at is not None and not _YEAR_LEAST <= at.year <= YEAR_MAX:
        raise ValueError(f"must lie in the years {_YEAR_LEAST} to {YEAR_MAX}")
    return at


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _Timed(_Asked):
    @field_validator("since", "until", "starts_at", "ends_at", "at", "start", "end", mode="after", check_fields=False)
    @classmethod
    def _year(cls, value: datetime | None) -> datetime | None:
        return _within_reach(value)


class GroupAsked(_Asked):
    """Which group of an objective."""

    group: str = Field(
        default="",
        max_length=GROUP_CHARS_MAX,
        description="Values that it is grouped by, as a JSON object; empty: the group with the least budget left.",
    )

    def values(self) -> Mapping[str, str] | None:
        """Return the group; None if any is meant.

        Raises:
            ValueError: It is no JSON object of strings.
        """
        if not self.group:
            return None
        try:
            return msgspec.json.decode(self.group, type=dict[str, str])
        except (msgspec.MsgspecError, UnicodeError):
            raise ValueError('must be a JSON object of strings, for example {"endpoint": "chat"}') from None


class SeriesAsked(GroupAsked, _Timed):
    """Which counts."""

    since: AwareDatetime | None = Field(default=None, alias="from", description="Start; a day before `to`.")
    until: AwareDatetime | None = Field(default=None, alias="to", description="End, excluded; the last instant.")
    step_s: int = Field(default=300, ge=30, le=7 * 86_400, multiple_of=30, description="Seconds of a step.")


class AlertsAsked(_Asked):
    """Which alerts."""

    state: list[AlertState] = Field(
        default_factory=list[AlertState], max_length=len(AlertState), description="States; pending, firing, resolved."
    )
    severity: Severity = Field(default="", description="Only this severity.")
    slo: Name = Field(default="", description="Only of this objective.")
    service: Name = Field(default="", description="Only of this service.")


class HistoryAsked(_Timed):
    """Which changes of alerts."""

    since: AwareDatetime | None = Field(default=None, alias="from", description="Start; seven days before `to`.")
    until: AwareDatetime | None = Field(default=None, alias="to", description="End, excluded; now.")
    slo: Name = Field(default="", description="Only of this objective.")
    severity: Severity = Field(default="", description="Only of this severity.")
    fingerprint: str = Field(default="", pattern="^([0-9a-f]{16})?$", description="Only of this alert.")


class TimesAsked(_Timed):
    """Which time."""

    since: AwareDatetime | None = Field(default=None, alias="from", description="Start; seven days before `to`.")
    until: AwareDatetime | None = Field(default=None, alias="to", description="End, excluded; now.")


class GateAsked(_Asked):
    """Whose gate."""

    service: Name = Field(default="", description="Only objectives of this service.")
    slo: Name = Field(default="", description="Only this objective, or all parts of this SLO.")
    version: Name = Field(default="", description="Of the release; returned as it is.")
    min_remaining: float = Field(
        default=MIN_REMAINING, ge=-1, le=1, allow_inf_nan=False, description="Share of each budget that must be left."
    )


class Nothing(_Asked):
    """No parameters."""


class AckBody(_Timed):
    """Somebody takes an alert on."""

    who: Said = Field(description="Who.")
    until: AwareDatetime | None = Field(default=None, description="Until when; left out: as long as it fires.")


class MatcherBody(_Asked):
    """One condition on a label."""

    name: Said = Field(description="The label.")
    op: MatchOp = Field(default=MatchOp.EQUAL, description="How it is compared.")
    value: str = Field(max_length=PATTERN_CHARS_MAX, description="A value, or an expression for the whole value.")


class SilenceBody(_Timed):
    """A silence."""

    matchers: list[MatcherBody] = Field(min_length=1, max_length=MATCHERS_MAX, description="All must match.")
    starts_at: AwareDatetime | None = Field(default=None, description="From here on; now.")
    ends_at: AwareDatetime = Field(description="Until here, at most seven days after its start.")
    author: Said = Field(description="Who asks for it.")
    comment: Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX)] = Field(description="Why.")


class AdjustmentBody(_Timed):
    """A time that counts less, once or again and again."""

    selector: list[MatcherBody] = Field(
        min_length=1,
        max_length=MATCHERS_MAX,
        description="Which objectives and groups: `slo`, `service`, what they are grouped by, labels; all must match.",
    )
    start: AwareDatetime = Field(description="When it begins; with `rrule` the earliest occurrence.")
    end: AwareDatetime | None = Field(default=None, description="When that occurrence ends; or `duration_s`.")
    duration_s: int | None = Field(default=None, ge=1, le=SPAN_S_MAX, description="How long an occurrence lasts.")
    rrule: str = Field(
        default="",
        max_length=RULE_CHARS_MAX,
        description="FREQ=DAILY or FREQ=WEEKLY, and BYDAY, UNTIL, TZID: FREQ=WEEKLY;BYDAY=SU;TZID=Europe/Berlin.",
    )
    percent_excluded: int = Field(default=ALL_PERCENT, ge=1, le=ALL_PERCENT, description="How much is taken out.")
    reason: Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX)] = Field(description="Why.")
    author: Said = Field(description="Who enters it.")


class EndAsked(_Asked):
    """Who ends something."""

    who: Name = Field(default="", description="Who.")
    reason: Text = Field(default="", description="Why.")


class WithdrawAsked(_Asked):
    """Who takes something back."""

    who: Said = Field(description="Who.")
    reason: Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX)] = Field(description="Why.")


class WhatIfBody(_Timed):
    """What would be otherwise."""

    since: AwareDatetime | None = Field(default=None, alias="from", description="Start; a day before `to`.")
    until: AwareDatetime | None = Field(default=None, alias="to", description="End, excluded; now.")
    target: float | None = Field(default=None, ge=0, lt=1, allow_inf_nan=False, description="Share to be good.")
    good: str = Field(
        default="", max_length=EXPRESSION_CHARACTERS_MAX, description="What a request must be; empty: as it is."
    )


class IncidentBody(_Timed):
    """A span in which something was wrong."""

    start: AwareDatetime = Field(description="When it began.")
    end: AwareDatetime = Field(description="When it was over.")
    service: Name = Field(default="", description="Whose; empty for all.")
    label: Name = Field(default="", description="What people call it.")


class BacktestBody(_Timed):
    """Which policies, and over which time."""

    since: AwareDatetime | None = Field(default=None, alias="from", description="Start; seven days before `to`.")
    until: AwareDatetime | None = Field(default=None, alias="to", description="End, excluded; now.")
    slos: list[Said] = Field(
        default_factory=list[Said], max_length=OBJECTIVES_MAX, description="Only these objectives; none: all."
    )
    policy: str = Field(
        default="", max_length=BODY_BYTES_MAX, description="OpenSLO documents, YAML; empty: those that are evaluated."
    )
    incidents: list[IncidentBody] = Field(
        default_factory=list[IncidentBody], max_length=INCIDENTS_MAX, description="What people marked."
    )


class TargetTestBody(_Asked):
    """Somebody tests a notification channel."""

    who: Said = Field(description="Who.")


class MarkerBody(_Timed):
    """Something that happened."""

    kind: MarkerKind = Field(description="What it was.")
    at: AwareDatetime | None = Field(default=None, description="When it began; now.")
    end: AwareDatetime | None = Field(default=None, description="When it ended; left out: an instant.")
    service: Name = Field(default="", description="What it happened to.")
    endpoint: Name = Field(default="", description="Endpoint concerned; empty for all.")
    version: Name = Field(default="", description="Version that came.")
    actor: Said = Field(description="Who caused it.")
    automated: bool = Field(default=False, description="Whether a program did.")
    text: Text = Field(default="", description="What a person wants to read.")


class OverrideBody(_Timed):
    """Somebody lets releases pass the gate."""

    who: Said = Field(description="Who.")
    reason: Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX)] = Field(description="Why.")
    until: AwareDatetime = Field(description="Until when, at most a day from now.")
    service: Name = Field(default="", description="Only for this service.")
    slo: Name = Field(default="", description="Only for this objective.")


class HintAsked(_Asked):
    """Which hint."""

    wait: float = Field(
        default=0.0, ge=0, le=WAIT_S_MAX, allow_inf_nan=False, description="Seconds to wait for another decision."
    )
    after_seq: int | None = Field(
        default=None,
        ge=-(2**63),
        lt=2**63,
        description="The number that is known already; negative of one that expired.",
    )


class HintAckBody(_Asked):
    """A hint was carried out."""

    hint_id: str = Field(min_length=1, max_length=64, description="Of the hint.")
    applied_replicas: Replicas = Field(description="Replicas that are asked for since.")
    actor: Said = Field(description="Who did it.")
    automated: bool = Field(default=False, description="Whether a program did.")


class ReplicasBody(_Asked):
    """So many replicas are asked for, whoever asked."""

    replicas: Replicas = Field(description="Replicas that are asked for now.")
    actor: Said = Field(description="Who says so.")


Took = Annotated[float, Field(ge=0, le=PHASE_S_MAX, allow_inf_nan=False)]


class StartBody(_Asked):
    """How long phases of the start of a replica took; at least one, in one word or in several."""

    replica: Said = Field(description="Its name, as engine metrics have it: the address and port that is scraped.")
    schedule_s: Took | None = Field(default=None, description="Asked for to placed on a node.")
    image_s: Took | None = Field(default=None, description="Fetching the image.")
    weights_s: Took | None = Field(default=None, description="Loading the weights.")
    init_s: Took | None = Field(default=None, description="The engine's own start, without the weights.")

    def took_s(self) -> Mapping[Phase, float]:
        """Return the phases that are told."""
        told = {phase: getattr(self, f"{phase}_s") for phase in PARTS}
        return {phase: took_s for phase, took_s in told.items() if took_s is not None}


class ReplayBody(_Timed):
    """Which policies are replayed, over which traffic."""

    policy: Annotated[str, Field(min_length=1, max_length=POLICY_CHARS_MAX)] = Field(
        description="Policies, `ours,keda-waiting,hpa-running=24`; a number is the threshold."
    )
    since: AwareDatetime | None = Field(default=None, alias="from", description="Start; a day before `to`.")
    until: AwareDatetime | None = Field(default=None, alias="to", description="End, excluded; now.")
    seeds: int = Field(default=SEEDS_USUAL, ge=1, le=SEEDS_MAX, strict=True, description="Runs of each policy.")


class FreezeBody(_Timed):
    """Nothing is to change for a while."""

    until: AwareDatetime = Field(description="Until when, at most seven days from now.")
    reason: Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX)] = Field(description="Why.")
    who: Said = Field(description="Who says so.")
