"""Knows how the rules of an objective look from outside, and why those that are true keep silent; refuses to judge.

Source: spec/slo.md 17 (`/rules`), 5 (reach, time to detect), 6 (a failed gate is the reason for silence).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from slo.alarms import Judged
from slo.evaluation import Reading
from slo.gates import Silence
from slo.objective import AlertCondition
from slo.reach import BAD_RATIOS
from slo.shown import instant, spans
from slo.watched import Rule
from slo.windows import BurnRule, reach_ratio, reachability, time_to_detect_s
from slo.words import span


@dataclass(frozen=True, slots=True, kw_only=True)
class GateShown:
    """A gate that keeps a rule silent.

    Attributes:
        gate: Which.
        found: What the counts give: requests, a ratio, or a share of the budget.
        needed: What that must reach.
    """

    gate: str
    found: float
    needed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachShown:
    """What a burn rule can see.

    Attributes:
        burn: Burn rate that must be exceeded.
        long_s: Length of the long window.
        short_s: Length of the short window.
        budget_ratio: Share of the budget that is spent when this burn lasts for the long window.
        reach_ratio: Share of bad requests that must be exceeded.
        can_fire: `reachable`, `barely` or `never`.
        detect_s: Steady share of bad requests to the seconds until the rule is true; None is never.
    """

    burn: float
    long_s: int
    short_s: int
    budget_ratio: float
    reach_ratio: float
    can_fire: str
    detect_s: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleShown:
    """One rule at the last instant.

    Attributes:
        name: Unique within its objective.
        severity: Who is told.
        conditions: What must hold, all of it, in words.
        for_s: How long it must be true.
        keep_firing_s: How long it must be calm.
        reach: What it can see; None for a rule without a burn rate.
        standing: `above`, `near` or `below`; None before the first instant.
        speaks: Whether it is true and passes its gates.
        silenced_by: The gates that keep a true rule silent.
        why: One sentence that says why it is silent, or that it speaks.
    """

    name: str
    severity: str
    conditions: tuple[str, ...]
    for_s: int
    keep_firing_s: int
    reach: ReachShown | None
    standing: str | None
    speaks: bool
    silenced_by: tuple[GateShown, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesShown:
    """The rules of one objective and group.

    Attributes:
        name: Of the objective.
        group: Values that it is grouped by.
        as_of: The instant.
        burn: Window to burn rate.
        rules: Highest burn first.
        notes: What loading the rules had to say.
    """

    name: str
    group: Mapping[str, str]
    as_of: str | None
    burn: Mapping[str, float]
    rules: tuple[RuleShown, ...]
    notes: tuple[str, ...]


def rules_shown(one: Judged, at_s: int | None) -> RulesShown:
    """Return the rules of an objective and group as they stood at the last instant."""
    target = one.watched.objective.target
    readings = {reading.rule.name: reading for reading in one.found.readings} if one.found else {}
    return RulesShown(
        name=one.watched.objective.name,
        group=dict(one.group),
        as_of=instant(at_s),
        burn=spans(one.found.burn) if one.found else {},
        rules=tuple(_rule(rule, target, readings.get(rule.name)) for rule in one.watched.rules),
        notes=one.watched.notes,
    )


def _rule(rule: Rule, target: float, reading: Reading | None) -> RuleShown:
    return RuleShown(
        name=rule.name,
        severity=rule.severity.value,
        conditions=tuple(map(_condition, rule.conditions)),
        for_s=rule.timers.for_s,
        keep_firing_s=rule.timers.keep_firing_s,
        reach=None if rule.gated_by is None else _reach(rule.gated_by, target),
        standing=None if reading is None else reading.standing.value,
        speaks=reading is not None and reading.speaks,
        silenced_by=() if reading is None else tuple(map(_gate, reading.silenced_by)),
        why=_why(reading),
    )


def _reach(rule: BurnRule, target: float) -> ReachShown:
    return ReachShown(
        burn=rule.burn,
        long_s=rule.long_s,
        short_s=rule.short_s,
        budget_ratio=rule.budget_ratio,
        reach_ratio=reach_ratio(rule, target),
        can_fire=reachability(rule, target).value,
        detect_s={f"{ratio:g}": time_to_detect_s(rule, target, ratio) for ratio in BAD_RATIOS},
    )


def _condition(one: AlertCondition) -> str:
    over = f" over {span(one.lookback_s)}" if one.lookback_s else ""
    threshold = "" if one.threshold is None else f" {one.threshold:g}"
    return f"{one.kind.value}{threshold}{over}"


def _gate(one: Silence) -> GateShown:
    return GateShown(gate=one.gate.value, found=one.found, needed=one.needed)


def _why(reading: Reading | None) -> str:
    if reading is None:
        return "nothing has been evaluated"
    if reading.speaks:
        return "it is true"
    if not reading.silenced_by:
        return "it is not true"
    gates = ", ".join(f"{one.gate} {one.found:.3g} of {one.needed:.3g}" for one in reading.silenced_by)
    return f"it is true and rests on too little: {gates}"
