"""Knows what the facts of one instant say of one objective; refuses to know where facts come from and who is told.

Every rule is read, the gates of those that are true are asked, and what is left is one event for each severity: the
rule that burns fastest speaks, the others stand beside it. A rule that is true and silent says by which gate.

Source: spec/slo.md 4 (budget), 5, 6 (rules and gates), 7 (what absence means), 9 (BAD, HYST), 10 (who speaks).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from slo import budget
from slo.alert_moves import AlertEvent, event_of
from slo.buckets import Bucket
from slo.budget import BlindPolicy, Budget
from slo.burn import NEAR_RATIO, Standing, burn_rate
from slo.burn_catalogue import Severity
from slo.counts import Counts, allowed_ratio, exact, with_overdue
from slo.gates import Silence, silences
from slo.objective import AlertCondition, ConditionKind
from slo.outage import LONG_S, SHORT_S, OutageRule, Run, is_outage, is_outage_run
from slo.sequential import is_spent, proof
from slo.telemetry_state import CAUSES, Assessment, Blind, BlindCause, Heartbeats, ProbeSays, assess, blind_s
from slo.watched import HOUR_S, Rule, Watched

_REACHES_KEPT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one objective and group at one instant.

    Attributes:
        at_s: The instant, unix time.
        windows: Length of each window that ends there to its counts.
        period: Counts of the period that the budget is of; None if that is the window of its length.
        budget: What is left, by slices; None of an objective whose budget is of requests.
        adjusted: What is left without what people took out of the period; None if they took nothing. No rule sees it.
        run: Failures that the last buckets end with; None if the last request was good, or none came.
        recent: Buckets of the last `sequential.LOOK_BACK_S` that had requests, oldest first; without them no burn is
            proven before its windows are full.
        overdue: Requests that have been waiting for longer than the objective allows.
        expected: Requests of the whole period; None if unknown.
        seen: How much of the telemetry arrives.
        coverage_ratio: Share of the expected collectors that is heard.
        probe: What synthetic requests find.
        counted_s: How far back requests are counted, in seconds; None: as far as there are any.
        blind: When in the period nobody looked.
        as_of_s: The last instant that was seen, of which `budget` is; None: it is of this one.
    """

    at_s: int
    windows: Mapping[int, Counts]
    period: Counts | None = None
    budget: Budget | None = None
    adjusted: Budget | None = None
    run: Run | None = None
    recent: Sequence[Bucket] = ()
    overdue: int = 0
    expected: float | None = None
    seen: Heartbeats = Heartbeats.FRESH
    coverage_ratio: float = 1.0
    probe: ProbeSays = ProbeSays.NONE
    counted_s: int | None = None
    blind: tuple[Blind, ...] = ()
    as_of_s: int | None = None

    def over(self, window_s: int) -> Counts:
        """Return the counts of a window, those in flight too long included."""
        return with_overdue(self.windows.get(window_s, Counts()), self.overdue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One rule at one instant.

    Attributes:
        rule: The rule.
        standing: Whether it is true, nearly, or not.
        silenced_by: The gates that keep a true rule silent.
    """

    rule: Rule
    standing: Standing
    silenced_by: tuple[Silence, ...] = ()

    @property
    def speaks(self) -> bool:
        """Whether it is true and passes its gates."""
        return self.standing is Standing.ABOVE and not self.silenced_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """One objective and group at one instant.

    Attributes:
        facts: What is known.
        known: What it means for alerts.
        budget: Of the period, by the objective's own method; what is in flight is no part of it. Rules look at it;
            while nobody looks it is that of the last instant that was seen.
        burn: Window to burn rate.
        readings: Every rule whose windows are counted.
        events: What each severity's alert is told; it is near if any rule is, though only one that spoke holds it.
        speaking: The rule that speaks for each severity that has one, and the others that are true.
    """

    facts: Facts
    known: Assessment
    budget: Budget
    burn: Mapping[int, float]
    readings: tuple[Reading, ...]
    events: Mapping[Severity, AlertEvent]
    speaking: Mapping[Severity, tuple[Reading, ...]] = field(default_factory=dict[Severity, tuple[Reading, ...]])

    @property
    def blind_cause(self) -> BlindCause | None:
        """Why nobody looks; None if somebody does."""
        return CAUSES[self.facts.seen] if self.known.is_blind else None

    @property
    def as_of_s(self) -> int:
        """The instant that the budget is of."""
        return self.facts.at_s if self.facts.as_of_s is None else self.facts.as_of_s

    @property
    def blind_minutes(self) -> float:
        """For how long nobody looked in the period; `facts.blind` says when, and why."""
        return blind_s(self.facts.blind) / 60

    @property
    def left(self) -> Budget:
        """The budget that holds: without what people took out of the period."""
        return self.facts.adjusted or self.budget


def evaluate(one: Watched, facts: Facts) -> Evaluated:
    """Return what the facts say.

    Raises:
        CountsError: Counts that cannot be.
    """
    left = facts.budget or _left(one, facts)
    known = assess(facts.seen, facts.over(LONG_S).eligible, facts.probe, facts.coverage_ratio)
    readings = tuple(_read(one, rule, facts, left) for rule in one.rules if _is_counted(one, rule, facts))
    return Evaluated(
        facts=facts,
        known=known,
        budget=left,
        burn={window_s: burn_rate(facts.over(window_s), one.objective.target) for window_s in one.windows_s},
        readings=readings,
        events={severity: _event(one, known, readings, severity) for severity in Severity},
        speaking={
            severity: found
            for severity in Severity
            if (found := tuple(r for r in readings if r.speaks and r.rule.severity is severity))
        },
    )


def holding(found: Evaluated, severity: Severity, before: Collection[str]) -> tuple[str, ...]:
    """Return the rules that hold the alert of a severity: those that speak, and those that spoke and are near still.

    A rule that never spoke holds nothing, however near it is.

    Args:
        found: This instant.
        severity: Whose alert.
        before: The rules that held it at the last instant.
    """
    if found.events[severity] in {AlertEvent.BLIND, AlertEvent.HELD}:
        return tuple(before)
    own = (reading for reading in found.readings if reading.rule.severity is severity)
    return tuple(
        reading.rule.name
        for reading in own
        if reading.speaks or (reading.rule.name in before and reading.standing is not Standing.BELOW)
    )


def _left(one: Watched, facts: Facts) -> Budget:
    """Return the budget of requests; those that were expected while nobody looked are bad if the objective says so."""
    period, unseen = _period(one, facts), 0
    if one.objective.blind_policy is BlindPolicy.COUNT_BAD and facts.expected is not None:
        unseen = round(exact(facts.expected) * blind_s(facts.blind) / one.objective.period_s)
    return budget.occurrences(period.eligible + unseen, period.bad + unseen, one.objective.target)


def _period(one: Watched, facts: Facts) -> Counts:
    return facts.windows.get(one.objective.period_s, Counts()) if facts.period is None else facts.period


def _event(one: Watched, known: Assessment, readings: Sequence[Reading], severity: Severity) -> AlertEvent:
    own = [reading for reading in readings if reading.rule.severity is severity]
    is_true = any(reading.speaks for reading in own)
    if is_true and not known.is_blind:
        return AlertEvent.BAD  # also without requests: that none come, or that little is left, may be the rule
    if len(readings) < len(one.rules) and len(own) < sum(rule.severity is severity for rule in one.rules):
        return AlertEvent.BLIND  # a rule that cannot be read yet is not false
    return event_of(
        known,
        is_true=is_true,
        is_near=any(reading.standing is not Standing.BELOW for reading in own),
        hold_last=one.no_traffic.hold_last,
    )


def _is_counted(one: Watched, rule: Rule, facts: Facts) -> bool:
    """Return whether all that a rule looks at is counted."""
    if facts.counted_s is None:
        return True
    looks_back_s = (
        one.objective.period_s if condition.kind in _OF_BUDGET else condition.lookback_s or HOUR_S
        for condition in rule.conditions
    )
    return max(looks_back_s, default=0) <= facts.counted_s


def _read(one: Watched, rule: Rule, facts: Facts, left: Budget) -> Reading:
    stands = [_STANDINGS[condition.kind](one, condition, facts, left) for condition in rule.conditions]
    standing = next((at for at in (Standing.BELOW, Standing.NEAR) if at in stands), Standing.ABOVE)
    gate = rule.gated_by
    silent: tuple[Silence, ...] = ()
    if standing is Standing.ABOVE and gate is not None:
        silent = silences(gate, one.objective.target, facts.over(gate.long_s), facts.expected, one.gates)
    return Reading(rule=rule, standing=standing, silenced_by=silent)


def _burns(one: Watched, condition: AlertCondition, facts: Facts, _left: Budget) -> Standing:
    counts = facts.over(condition.lookback_s or HOUR_S)
    if not counts.bad:
        return Standing.BELOW
    reach, near = _reaches(condition.threshold or 0.0, one.objective.target)
    if counts.bad * reach.denominator > reach.numerator * counts.eligible:
        return Standing.ABOVE
    return Standing.NEAR if counts.bad * near.denominator > near.numerator * counts.eligible else Standing.BELOW


@lru_cache(maxsize=_REACHES_KEPT)
def _reaches(burn: float, target: float) -> tuple[Fraction, Fraction]:
    """Return the bad ratio above which a burn rate is exceeded, and nearly so."""
    reach = exact(burn) * allowed_ratio(target)
    return reach, reach * NEAR_RATIO


def _is_out(one: Watched, condition: AlertCondition, facts: Facts, left: Budget) -> Standing:
    if condition.severity == OutageRule.OUTAGE_RUN:
        return _standing(is_outage_run(facts.run))
    if condition.severity == OutageRule.PROVEN_BURN:
        return _standing(_burns(one, condition, facts, left) is Standing.ABOVE and _is_proven(one, condition, facts))
    return _standing(is_outage(facts.over(LONG_S), facts.over(SHORT_S)))


def _is_proven(one: Watched, condition: AlertCondition, facts: Facts) -> bool:
    waiting = Bucket(start_s=facts.at_s, counts=with_overdue(Counts(), facts.overdue))
    found = proof([*facts.recent, waiting], one.objective.target, condition.threshold or 0.0)
    return found is not None and found.is_enough and is_spent(found.counts, one.objective.target, facts.expected)


def _runs_low(_one: Watched, condition: AlertCondition, _facts: Facts, left: Budget) -> Standing:
    return _standing(left.remaining is not None and left.remaining < (condition.threshold or 0.0))


def _runs_out(one: Watched, condition: AlertCondition, facts: Facts, left: Budget) -> Standing:
    """Return whether the budget is spent within `threshold` days at the burn rate of the last hour."""
    rate = burn_rate(facts.over(HOUR_S), one.objective.target)
    end = budget.exhaustion(left, one.objective.target, one.objective.period_s, rate)
    return _standing(end is not None and end.minutes < (condition.threshold or 0.0) * 1440)


def _drops(one: Watched, condition: AlertCondition, facts: Facts, _left: Budget) -> Standing:
    """Return whether a window spent the share `threshold` of the budget of the whole period."""
    period = _period(one, facts)
    whole = facts.expected or period.eligible
    bad = facts.windows.get(condition.lookback_s or HOUR_S, Counts()).bad
    allowed = allowed_ratio(one.objective.target) * exact(whole)
    return _standing(bool(allowed) and bad >= allowed * exact(condition.threshold or 0.0))


def _is_absent(_one: Watched, condition: AlertCondition, facts: Facts, _left: Budget) -> Standing:
    return _standing(facts.over(condition.lookback_s or HOUR_S).eligible == 0)


def _standing(holds: bool) -> Standing:  # noqa: FBT001 -- its only argument
    return Standing.ABOVE if holds else Standing.BELOW


_OF_BUDGET = frozenset({ConditionKind.BUDGET_REMAINING, ConditionKind.TIME_TO_EXHAUSTION, ConditionKind.BUDGET_DROP})
"""Kinds of conditions that look at the whole period, whatever their own window is."""
_STANDINGS: dict[ConditionKind, Callable[[Watched, AlertCondition, Facts, Budget], Standing]] = {
    ConditionKind.BURN_RATE: _burns,
    ConditionKind.OUTAGE: _is_out,
    ConditionKind.BUDGET_REMAINING: _runs_low,
    ConditionKind.TIME_TO_EXHAUSTION: _runs_out,
    ConditionKind.BUDGET_DROP: _drops,
    ConditionKind.ABSENT: _is_absent,
}
"""What each kind of condition looks at."""
