"""Knows whether the alerts of an objective can fire at all, and how soon; refuses to fire them.

Source: spec/slo.md 5 (load-time check per rule).
"""

from dataclasses import dataclass

from slo.burn_catalogue import CATALOGUES, Severity
from slo.objective import ConditionKind, Objective
from slo.wholes import known_after_s
from slo.windows import BurnRule, Reachability, burn_rules, reach_ratio, reachability, rule_over, time_to_detect_s

BAD_RATIOS = (1.0, 0.5, 0.1)
"""Shares of bad requests of which a person is told how long they go unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What one burn rule can see.

    Attributes:
        objective: Name of the objective.
        severity: Who is told.
        rule: The rule; of a condition in a file, its lookback is the long window.
        ratio: Share of bad requests that must be exceeded.
        can_fire: Whether that is possible.
        detect_s: Seconds until it is seen, for each of `BAD_RATIOS`, those included until a flow, item or call is known
            to be bad; None is never.
        where: File and line of the rule, or of the objective that the catalogue gave it to.
    """

    objective: str
    severity: str
    rule: BurnRule
    ratio: float
    can_fire: Reachability
    detect_s: tuple[float | None, ...]
    where: str


def reaches(objective: Objective) -> tuple[Reach, ...]:
    """Return what the burn rules of an objective can see: those of its policies, else those of its catalogue."""
    if objective.policies:
        return tuple(
            _reach(
                objective,
                rule_over(one.threshold, one.lookback_s, objective.period_s, Severity.PAGE),
                one.severity,
                one.where,
            )
            for policy in objective.policies
            for one in policy.conditions
            if one.kind is ConditionKind.BURN_RATE and one.threshold is not None and one.lookback_s is not None
        )
    kept = burn_rules(CATALOGUES[objective.catalogue], objective.period_s).kept
    return tuple(_reach(objective, rule, rule.severity.value, objective.where) for rule in kept)


def _reach(objective: Objective, rule: BurnRule, severity: str, where: str) -> Reach:
    seen = [time_to_detect_s(rule, objective.target, ratio) for ratio in BAD_RATIOS]
    return Reach(
        objective=objective.name,
        severity=severity,
        rule=rule,
        ratio=reach_ratio(rule, objective.target),
        can_fire=reachability(rule, objective.target),
        detect_s=tuple(None if seen_s is None else seen_s + known_after_s(objective.whole) for seen_s in seen),
        where=where,
    )
