"""Knows what an objective is and how the store counts it; refuses to know files, budgets and burn rates.

Source: spec/slo.md 1 (keys, definition hash), 3 (eligible, censoring), 4 (budgeting methods); OpenSLO v1.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from slo import expression_sql
from slo.budget import BlindPolicy, EmptySlice
from slo.burn_catalogue import FIXED_WINDOWS
from slo.judging import Verdict, stored, verdict
from slo.periods import Calendar, CalendarUnit
from slo.terms import Condition, figures, written
from slo.wholes import Whole, facts
from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.asked import Dim
from telemetry.queries.counted import Counted, Left
from telemetry.record import RequestRecord

DAY_S = 86_400
GROUP_DIMS = (Dim.ENDPOINT, Dim.MODEL, Dim.REGION, Dim.WORKLOAD_CLASS, Dim.REPLICA)
"""Dimensions of which an objective may count each value by itself."""


class Traffic(StrEnum):
    """Whose requests count; never mixed."""

    USER = "user"
    PROBE = "probe"
    LOADTEST = "loadtest"


class Budgeting(StrEnum):
    """What a budget is made of."""

    OCCURRENCES = "Occurrences"
    TIMESLICES = "Timeslices"
    RATIO_TIMESLICES = "RatioTimeslices"


class ConditionKind(StrEnum):
    """What an alert condition looks at; all but the first are ours."""

    BURN_RATE = "burnrate"
    OUTAGE = "outage"
    BUDGET_DROP = "budget_drop"
    BUDGET_REMAINING = "budget_remaining"
    TIME_TO_EXHAUSTION = "time_to_exhaustion"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """A window that ends at the instant that is evaluated."""

    length_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """Which requests are looked at, and what makes one good.

    Attributes:
        good: What a request must be; None leaves it to the class of its outcome.
        only: Which requests are meant; None is all.
        eligible: Which of them count; None leaves it to the class of their outcome.
        group_by: Dimensions of `GROUP_DIMS` of which each value is counted by itself.
        traffic: Whose requests.
        left: How a request counts that its client left.
        also_bad: Outcomes that are bad here, whatever they are by default.
        also_excluded: Outcomes that do not count here.
    """

    good: Condition | None = None
    only: Condition | None = None
    eligible: Condition | None = None
    group_by: tuple[Dim, ...] = ()
    traffic: Traffic = Traffic.USER
    left: Left = Left.JUDGED
    also_bad: tuple[Outcome, ...] = ()
    also_excluded: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCondition:
    """One thing that an alert waits for.

    Attributes:
        kind: What it looks at.
        severity: Word of the file, for example `page`.
        threshold: The number that must be exceeded, or come short of for what runs out.
        lookback_s: Window that is looked at; None if the kind has none.
        after_s: How long it must hold before the alert fires.
        where: File and line.
    """

    kind: ConditionKind
    severity: str
    threshold: float | None = None
    lookback_s: int | None = None
    after_s: int = 0
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """When somebody is told, and who.

    Attributes:
        name: Of the policy.
        conditions: All of which must hold.
        targets: Names of notification targets.
        when_breaching: Whether to tell of the alert.
        when_resolved: Whether to tell of its end.
        when_no_data: Whether to tell that nothing was counted.
        keep_firing_s: How long it must be calm before the alert ends; None is usual for its severity.
    """

    name: str
    conditions: tuple[AlertCondition, ...]
    targets: tuple[str, ...] = ()
    when_breaching: bool = True
    when_resolved: bool = False
    when_no_data: bool = False
    keep_firing_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A share of requests, or of what they make up, that is to be good over a window.

    Attributes:
        name: Unique; the name of its SLO, with the name of the objective where an SLO has several.
        service: What it is promised of.
        target: Share that is to be good, within [0, 1).
        window: Over which time.
        indicator: What is counted.
        budgeting: What the budget is made of.
        slice_s: Length of a slice; None where the method has none.
        slice_target: Share of a slice's requests that makes it good; None where the method has none.
        empty_slice: What a slice without requests is.
        blind_policy: What the time is in which nobody looked.
        weight: Weight in the composite of its SLO; None if it stands alone.
        policies: When to alert; none means the catalogue of burn windows.
        catalogue: Name of that catalogue.
        labels: Of the SLO's metadata.
        template: Template that it was made from; empty if none.
        whole: What several requests together are, where the objective counts that; None where it counts requests.
        peak_only: Whether only minutes with load at or above the P90 of the last 7 d count.
        description: For people.
        where: File and line.
    """

    name: str
    service: str
    target: float
    window: Rolling | Calendar
    indicator: Indicator = field(default_factory=Indicator)
    budgeting: Budgeting = Budgeting.OCCURRENCES
    slice_s: int | None = None
    slice_target: float | None = None
    empty_slice: EmptySlice = EmptySlice.GOOD
    blind_policy: BlindPolicy = BlindPolicy.EXCLUDE
    weight: float | None = None
    policies: tuple[AlertPolicy, ...] = ()
    catalogue: str = FIXED_WINDOWS.name
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    template: str = ""
    whole: Whole | None = None
    peak_only: bool = False
    description: str = ""
    where: str = ""

    @property
    def period_s(self) -> int:
        """Length of the window; of a calendar's, that of its unit in general (a month has 30 days)."""
        if isinstance(self.window, Rolling):
            return self.window.length_s
        return _DAYS[self.window.unit] * self.window.count * DAY_S


_DAYS = {
    CalendarUnit.DAY: 1,
    CalendarUnit.WEEK: 7,
    CalendarUnit.MONTH: 30,
    CalendarUnit.QUARTER: 90,
    CalendarUnit.YEAR: 365,
}


def counted(objectives: Sequence[Objective]) -> tuple[Counted, ...]:
    """Return objectives as the store counts them."""
    return tuple(_counted(one.name, one.indicator) for one in objectives)


def definition_hash(objective: Objective) -> int:
    """Return a number of 64 bits that changes with what counts, and with nothing else: not with alerts or labels."""
    text = json.dumps(_definition(objective), sort_keys=True, separators=(",", ":"))
    return int.from_bytes(sha256(text.encode()).digest()[:8])


def class_of(indicator: Indicator, record: RequestRecord) -> Eligibility:
    """Return how a request counts before it is judged, as far as one request shows: markers of deployments do not."""
    if record.outcome in indicator.also_bad:
        return Eligibility.BAD
    if record.outcome in indicator.also_excluded:
        return Eligibility.EXCLUDED
    if indicator.eligible is not None:
        if not stored(indicator.eligible, record):
            return Eligibility.EXCLUDED
        if record.eligible is Eligibility.EXCLUDED:
            return Eligibility.BAD
    if record.eligible is Eligibility.CENSORED:
        return _LEFT[indicator.left]
    return record.eligible


def judge(indicator: Indicator, record: RequestRecord) -> Verdict | None:
    """Return how one request counts, by Python; None if the objective does not speak of it."""
    meant = record.traffic == indicator.traffic and (indicator.only is None or stored(indicator.only, record))
    return verdict(indicator.good, record, class_of(indicator, record)) if meant else None


_LEFT = {Left.JUDGED: Eligibility.CENSORED, Left.EXCLUDED: Eligibility.EXCLUDED, Left.BAD: Eligibility.BAD}


def _counted(name: str, indicator: Indicator) -> Counted:
    clauses = [one for one in (indicator.only, indicator.eligible, indicator.good) if one is not None]
    named = {figure for one in clauses for figure in figures(one)}
    return Counted(
        name=name,
        traffic=indicator.traffic.value,
        group_by=indicator.group_by,
        only=None if indicator.only is None else expression_sql.stored(indicator.only),
        eligible=None if indicator.eligible is None else expression_sql.stored(indicator.eligible),
        good=None if indicator.good is None else expression_sql.judged(indicator.good),
        figures=tuple(sorted(named)),
        needed=() if indicator.good is None else expression_sql.needed(indicator.good),
        also_bad=indicator.also_bad,
        also_excluded=indicator.also_excluded,
        left=indicator.left,
    )


def _definition(objective: Objective) -> dict[str, object]:
    window, indicator = objective.window, objective.indicator
    if isinstance(window, Rolling):
        span: object = window.length_s
    else:
        span = [window.start.isoformat(), window.zone, window.count, window.unit.value]
    return {
        "target": objective.target,
        "window": span,
        "budgeting": [objective.budgeting, objective.slice_s, objective.slice_target, objective.empty_slice],
        "weight": objective.weight,
        "peak_only": objective.peak_only,
        "expressions": [
            None if one is None else written(one) for one in (indicator.good, indicator.only, indicator.eligible)
        ],
        "group_by": indicator.group_by,
        "traffic": indicator.traffic,
        "left": indicator.left.name,
        "classes": [sorted(indicator.also_bad), sorted(indicator.also_excluded)],
        **({} if objective.whole is None else {"whole": facts(objective.whole)}),
    }
