"""Knows how OpenSLO writes alert policies, conditions and targets; refuses to know when an alert fires.

OpenSLO allows one condition in a policy, so it cannot say "over a long and a short window"; here two or more mean that
all must hold. A burn rate is breached when it is exceeded, so `op: lte`, which OpenSLO's own example has, is read as
`gte` with a word of warning. `keepFiringFor` of a policy is ours: how long it must be calm before its alert ends.

Source: OpenSLO v1 README, AlertPolicy, AlertCondition, AlertNotificationTarget; OpenSLO#218; spec/slo.md 1, 9
(`keep_firing_for`).
"""

import math
from enum import StrEnum

from slo.documents import Section
from slo.durations import duration_s
from slo.objective import AlertCondition, AlertPolicy, ConditionKind
from slo.openslo_index import Index, Kind, metadata

CONDITIONS_MAX = 16
"""Conditions of one policy."""
_HAS_LOOKBACK = frozenset({ConditionKind.BURN_RATE, ConditionKind.BUDGET_DROP, ConditionKind.OUTAGE})
_OF_SHARES = frozenset({ConditionKind.BUDGET_DROP, ConditionKind.BUDGET_REMAINING})
"""Kinds whose threshold is a share of the budget: 10 for 10 % would never hold, or always."""
_RUNS_OUT = frozenset({ConditionKind.BUDGET_REMAINING, ConditionKind.TIME_TO_EXHAUSTION})


class Op(StrEnum):
    """Comparisons of OpenSLO."""

    LTE = "lte"
    GTE = "gte"
    LT = "lt"
    GT = "gt"


def policies(slo_spec: Section, index: Index) -> tuple[AlertPolicy, ...]:
    """Return the policies of an SLO: inline, by `alertPolicyRef`, or by name alone."""
    found: list[AlertPolicy | None] = []
    for key, written in slo_spec.listed("alertPolicies"):
        if isinstance(written.value, str):
            found.append(_of(index.named(Kind.ALERT_POLICY, written.value, written.where, key), index))
            continue
        section = Section(written, key, slo_spec.findings)
        found.append(_of(index.inline_or_named(section, Kind.ALERT_POLICY, "alertPolicyRef"), index))
    return tuple(one for one in found if one is not None)


def policy(name: str, spec: Section, index: Index) -> AlertPolicy:
    """Return a policy."""
    spec.text("description", most=DESCRIPTION_CHARACTERS_MAX)
    conditions = [
        condition(*one)
        for section in spec.sections("conditions", required=True)
        if _joined(section)
        and (one := index.inline_or_named(section, Kind.ALERT_CONDITION, "conditionRef")) is not None
    ]
    if len(conditions) > CONDITIONS_MAX:
        spec.wrong("conditions", f"at most {CONDITIONS_MAX}", f"{len(conditions)} conditions")
    targets = [_target(section, index) for section in spec.sections("notificationTargets")]
    found = AlertPolicy(
        name=name,
        conditions=tuple(one for one in conditions if one is not None),
        targets=tuple(one for one in targets if one),
        when_breaching=spec.flag("alertWhenBreaching", default=True),
        when_resolved=spec.flag("alertWhenResolved", default=False),
        when_no_data=spec.flag("alertWhenNoData", default=False),
        keep_firing_s=duration_s(spec, "keepFiringFor", zero=True),
    )
    spec.end()
    return found


def condition(name: str, spec: Section) -> AlertCondition | None:
    """Return a condition; None if it is a mistake."""
    del name
    spec.text("description", most=DESCRIPTION_CHARACTERS_MAX)
    severity = spec.text("severity", required=True, allowed="a word such as page or ticket")
    inner = spec.section("condition")
    spec.end()
    if inner is None:
        spec.wrong("condition", "a mapping with kind, threshold, lookbackWindow")
        return None
    kind = inner.choice("kind", ConditionKind, default=ConditionKind.BURN_RATE)
    if kind is None:
        return None
    _check_op(inner, kind)
    needs_number = kind in {ConditionKind.BURN_RATE, ConditionKind.BUDGET_DROP, *_RUNS_OUT}
    found = AlertCondition(
        kind=kind,
        severity=severity,
        threshold=_threshold(inner, kind, required=needs_number),
        lookback_s=duration_s(inner, "lookbackWindow", required=kind in _HAS_LOOKBACK),
        after_s=duration_s(inner, "alertAfter", zero=True) or 0,
        where=inner.place("threshold"),
    )
    inner.end()
    return found


def target(name: str, spec: Section) -> str:
    """Check a notification target and return its name."""
    spec.text("description", most=DESCRIPTION_CHARACTERS_MAX)
    spec.text("target", required=True, allowed="a word such as slack or webhook")
    spec.end()
    return name


DESCRIPTION_CHARACTERS_MAX = 1_050
"""Longest description [OpenSLO]."""


def _of(found: tuple[str, Section] | None, index: Index) -> AlertPolicy | None:
    return None if found is None else policy(*found, index)


def _joined(section: Section) -> bool:
    """Check the word that joins a condition to the others; OpenSLO's schema tests have it, its text does not."""
    if section.text("operator") not in {"", "and"}:
        section.wrong("operator", "and")
    return True


def _target(section: Section, index: Index) -> str:
    if "targetRef" not in section:
        inner = section.section("spec")
        name, _ = metadata(section)
        section.text("kind")
        section.text("apiVersion")
        section.end()
        return target(name, inner) if inner is not None else ""
    name = section.text("targetRef")
    section.end()
    if not index.has(Kind.ALERT_NOTIFICATION_TARGET, name):
        section.lint("targetRef", f"{name!r} is no AlertNotificationTarget of these files; it must be configured")
    return name


def _check_op(inner: Section, kind: ConditionKind) -> None:
    op = inner.choice("op", Op, default=Op.LT if kind in _RUNS_OUT else Op.GTE)
    falls = op in {Op.LTE, Op.LT}
    if op is None or falls == (kind in _RUNS_OUT):
        return
    meant = "lte" if kind in _RUNS_OUT else "gte"
    inner.lint("op", f"{op.value} would fire while all is well; it is read as {meant}")


def _threshold(inner: Section, kind: ConditionKind, *, required: bool) -> float | None:
    is_share = kind in _OF_SHARES
    allowed = "a share of the budget, above 0 and at most 1" if is_share else "a number above 0"
    number = inner.number("threshold", allowed, required=required)
    if number is not None and not 0 < number <= (1 if is_share else math.inf):
        inner.wrong("threshold", allowed)
    return number
