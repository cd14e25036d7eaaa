"""Knows which burn rules an objective gets and what they can see; refuses to know counts.

    burn = budget share * period / long window        short window = long window / 12
    reach = burn * (1 - target)                       the bad ratio that a rule needs: from 1 on it can never fire

A burn below 0.9 would fire on a service that keeps its objective. Such a rule keeps the burn that its catalogue has,
and its windows shrink instead; a ticket that a page has made superfluous is then dropped, with a note.

Error: windows are rounded to whole buckets of 30 s; `budget_ratio` is what the rounded rule spends.

Source: spec/slo.md 5; kibana#170830 (14.4 on a 7 d objective would spend 8.6 % of its budget, not 2 %).
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from slo.burn_catalogue import Catalogue, CatalogueRow, Scales, Severity
from slo.counts import allowed_ratio, exact

BUCKET_S = 30
"""Windows are sums of buckets of this length (spec/store.md 4.5)."""
SHORT_PARTS = 12
"""The short window is the long one divided by this."""

_BURN_LEAST = Fraction(9, 10)
_REACH_SAFE = Fraction(9, 10)


class Reachability(StrEnum):
    """Whether a rule can fire at all."""

    REACHABLE = "reachable"
    BARELY = "barely"
    """Only when more than nine tenths of all requests are bad; a warning."""
    NEVER = "never"
    """No share of bad requests is high enough; an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRule:
    """Fires while both windows burn faster than `burn`, strictly.

    Attributes:
        burn: Burn rate, as a multiple of the rate that spends the budget in exactly the period.
        long_s: Length of the long window, a multiple of `BUCKET_S`.
        short_s: Length of the short window, a multiple of `BUCKET_S`.
        severity: Who is told.
        budget_ratio: Share of the budget that is spent when this burn lasts for the long window.
    """

    burn: float
    long_s: int
    short_s: int
    severity: Severity
    budget_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRules:
    """The rules of one objective.

    Attributes:
        kept: Highest burn first.
        notes: One sentence for each rule that was changed or dropped.
    """

    kept: tuple[BurnRule, ...]
    notes: tuple[str, ...]


def burn_rules(catalogue: Catalogue, period_s: int) -> BurnRules:
    """Return the rules that a catalogue gives to an objective of a period, changed and dropped ones noted."""
    rules: list[BurnRule] = []
    notes: list[str] = []
    for row in catalogue.rows:
        rule = _scaled(row, catalogue, period_s)
        if catalogue.scales is Scales.BURN and rule.burn == row.burn and rule.long_s != row.long_s:
            notes.append(f"burn {rule.burn:g} looks at {rule.long_s} s instead of {row.long_s} s: the period is short")
        rules.append(rule)
    kept = [rule for rule in rules if not _dominated(rule, rules)]
    notes += [
        f"ticket at burn {rule.burn:g} over {rule.long_s} s is dropped: a page covers it"
        for rule in rules
        if rule not in kept
    ]
    return BurnRules(kept=tuple(kept), notes=tuple(notes))


def rule_over(burn: float, long_s: float, period_s: int, severity: Severity) -> BurnRule:
    """Return a rule with its short window and its share of the budget; for rules that no catalogue gives, too."""
    long = _buckets(Fraction(long_s))
    share = exact(burn) * long / period_s
    short = _buckets(Fraction(long, SHORT_PARTS))
    return BurnRule(burn=burn, long_s=long, short_s=short, severity=severity, budget_ratio=float(share))


def reach_ratio(rule: BurnRule, target: float) -> float:
    """Return the bad ratio that both windows must exceed; at most 1 is possible."""
    return float(_reach(rule, target))


def reachability(rule: BurnRule, target: float) -> Reachability:
    """Return whether a rule can fire for a target: asked when an objective is loaded."""
    reach = _reach(rule, target)
    if reach >= 1:
        return Reachability.NEVER
    return Reachability.BARELY if reach > _REACH_SAFE else Reachability.REACHABLE


def time_to_detect_s(rule: BurnRule, target: float, bad_ratio: float) -> float | None:
    """Return how long a steady bad ratio lasts before the rule is true; None if it never becomes true.

    Lag and the step of evaluation come on top.
    """
    reach = _reach(rule, target)
    ratio = exact(bad_ratio)
    return float(reach * rule.long_s / ratio) if ratio > reach else None


def time_to_clear_s(rule: BurnRule, target: float, keep_firing_s: float) -> float:
    """Return how long after the end of a total outage the alert of a reachable rule is resolved."""
    return float((1 - _reach(rule, target)) * rule.short_s) + keep_firing_s


def _reach(rule: BurnRule, target: float) -> Fraction:
    return exact(rule.burn) * allowed_ratio(target)


def _scaled(row: CatalogueRow, catalogue: Catalogue, period_s: int) -> BurnRule:
    """Return a row of a catalogue at another period."""
    factor = Fraction(period_s, catalogue.period_s)
    burn = exact(row.burn) * factor
    if catalogue.scales is Scales.WINDOWS or burn < _BURN_LEAST:
        return rule_over(row.burn, float(row.long_s * factor), period_s, row.severity)
    return rule_over(float(burn), row.long_s, period_s, row.severity)


def _buckets(seconds: Fraction) -> int:
    """Return a length in whole buckets, at least one, half a bucket counted as one."""
    return max(1, int(seconds / BUCKET_S + Fraction(1, 2))) * BUCKET_S


def _dominated(rule: BurnRule, rules: list[BurnRule]) -> bool:
    """Return whether a page is true whenever this ticket is."""
    if rule.severity is Severity.PAGE:
        return False
    pages = [other for other in rules if other.severity is Severity.PAGE]
    return any(page.burn <= rule.burn and page.long_s >= rule.long_s for page in pages)
