"""Knows which rules an objective is watched by; refuses to know counts.

A rule is a set of conditions that must all hold. The catalogue's rules look at a long and a short window; those of an
objective's own policies at whatever their conditions say.

Source: spec/slo.md 1 (two or more conditions mean AND; no policy means the catalogue), 3 (overdue), 5 (windows), 9
(`for`).
"""

from collections.abc import Collection
from dataclasses import dataclass

from slo.alert_states import Timers, default_timers
from slo.burn_catalogue import FIXED_WINDOWS, Catalogue, Severity
from slo.gates import DEFAULT_GATES, GateSettings
from slo.objective import AlertCondition, ConditionKind, Objective, definition_hash
from slo.outage import LONG_S, SHORT_S, OutageRule, default_rules
from slo.patience import Patience, patience
from slo.telemetry_state import NoTraffic
from slo.windows import BurnRule, burn_rules, rule_over

HOUR_S = 3_600
"""A window that every objective has, for the time to exhaustion."""
SHOWN_S = (300, 1_800, 3_600, 7_200, 21_600, 86_400, 259_200)
"""Windows whose burn rate is shown of every objective, up to its period."""
TOKENS_IN = 8_000
"""Prompt that is allowed for where a limit grows with it and the prompts in flight are not known."""
NO_LIMIT = Patience(first_us=None, whole_us=None)
BURNS_NOTHING = NoTraffic()
"""Without requests nothing burns."""
_PAGES = frozenset({"page", "critical", "high"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Something that is true or not at an instant.

    Attributes:
        name: Unique within its objective.
        severity: Who is told.
        conditions: All must hold.
        timers: What it waits for.
        gated_by: The burn rule whose gates it must pass; None for a rule without a burn rate.
    """

    name: str
    severity: Severity
    conditions: tuple[AlertCondition, ...]
    timers: Timers
    gated_by: BurnRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """An objective and what is made of it for evaluation.

    Attributes:
        objective: The objective.
        definition_hash: Of what counts.
        rules: Highest burn first.
        gates: What keeps a burn rule silent.
        no_traffic: What an instant without requests means.
        patience: Ages above which a request in flight is bad already.
        notes: What loading it had to say.
    """

    objective: Objective
    definition_hash: int
    rules: tuple[Rule, ...]
    gates: GateSettings = DEFAULT_GATES
    no_traffic: NoTraffic = BURNS_NOTHING
    patience: Patience = NO_LIMIT
    notes: tuple[str, ...] = ()

    @property
    def windows_s(self) -> tuple[int, ...]:
        """Windows whose counts an evaluation needs, ascending."""
        looked_at = {one.lookback_s for rule in self.rules for one in rule.conditions if one.lookback_s}
        shown = {window_s for window_s in SHOWN_S if window_s <= self.objective.period_s}
        return tuple(sorted({SHORT_S, LONG_S, HOUR_S, self.objective.period_s} | looked_at | shown))

    def calm(self, severity: Severity, held_by: Collection[str]) -> Timers:
        """Return what an alert waits for in the calm: what those rules say that held it last.

        Who held it is forgotten after the first calm instant; then it is what the rules say that burn.

        Args:
            severity: Of the alert.
            held_by: Names of rules.
        """
        own = [rule for rule in self.rules if rule.severity is severity]
        held = [rule for rule in own if rule.name in held_by] or [rule for rule in own if rule.gated_by is not None]
        usual = default_timers(severity, is_burn_rule=True)
        keep_s = max([rule.timers.keep_firing_s for rule in held], default=usual.keep_firing_s)
        return Timers(for_s=usual.for_s, keep_firing_s=keep_s)


def watched(objective: Objective, catalogue: Catalogue = FIXED_WINDOWS) -> Watched:
    """Return an objective with its rules."""
    made = burn_rules(catalogue, objective.period_s)
    burning = _of_policies(objective) if objective.policies else [_of_burn(rule) for rule in made.kept]
    proven = (
        [] if objective.policies else [_of_proof(rule) for rule in made.kept if rule.severity is Severity.PAGE][-1:]
    )
    outages = [_of_outage(rule) for rule in default_rules(objective.target) if rule is not OutageRule.ENDPOINT_DOWN]
    return Watched(
        objective=objective,
        definition_hash=definition_hash(objective),
        rules=(*burning, *proven, *outages),
        patience=patience(objective.indicator, TOKENS_IN),
        notes=() if objective.policies else made.notes,
    )


def _of_burn(rule: BurnRule) -> Rule:
    windows = (rule.long_s, rule.short_s)
    return Rule(
        name=f"burn {rule.burn:g} over {rule.long_s // 60} min",
        severity=rule.severity,
        conditions=tuple(_burn_condition(rule.burn, window, rule.severity) for window in windows),
        timers=default_timers(rule.severity, is_burn_rule=True),
        gated_by=rule,
    )


def _burn_condition(burn: float, window_s: int, severity: Severity) -> AlertCondition:
    return AlertCondition(kind=ConditionKind.BURN_RATE, severity=severity.value, threshold=burn, lookback_s=window_s)


def _of_outage(rule: OutageRule) -> Rule:
    return Rule(
        name=rule.value,
        severity=Severity.PAGE,
        conditions=(AlertCondition(kind=ConditionKind.OUTAGE, severity=rule.value),),
        timers=default_timers(Severity.PAGE, is_burn_rule=True),
    )


def _of_proof(slowest: BurnRule) -> Rule:
    """Return the rule that proves the burn of the slowest page before its window is full."""
    condition = AlertCondition(
        kind=ConditionKind.OUTAGE,
        severity=OutageRule.PROVEN_BURN.value,
        threshold=slowest.burn,
        lookback_s=LONG_S,
    )
    return Rule(
        name=OutageRule.PROVEN_BURN.value,
        severity=Severity.PAGE,
        conditions=(condition,),
        timers=default_timers(Severity.PAGE, is_burn_rule=True),
    )


def _of_policies(objective: Objective) -> list[Rule]:
    rules: list[Rule] = []
    for policy in objective.policies:
        severity = Severity.PAGE if policy.conditions[0].severity.lower() in _PAGES else Severity.TICKET
        after_s = max(one.after_s for one in policy.conditions)
        usual_s = default_timers(severity, is_burn_rule=True).keep_firing_s
        keep_s = usual_s if policy.keep_firing_s is None else policy.keep_firing_s
        rules.append(
            Rule(
                name=policy.name,
                severity=severity,
                conditions=policy.conditions,
                timers=Timers(for_s=after_s, keep_firing_s=keep_s),
                gated_by=_gate(policy.conditions, objective.period_s, severity),
            )
        )
    return sorted(rules, key=lambda rule: -(rule.gated_by.burn if rule.gated_by else 0.0))


def _gate(conditions: tuple[AlertCondition, ...], period_s: int, severity: Severity) -> BurnRule | None:
    """Return the rule of the longest window that burns, by which the gates are asked."""
    burning = [one for one in conditions if one.kind is ConditionKind.BURN_RATE and one.lookback_s and one.threshold]
    if not burning:
        return None
    longest = max(burning, key=lambda one: one.lookback_s or 0)
    return rule_over(longest.threshold or 0.0, longest.lookback_s or 0, period_s, severity)
