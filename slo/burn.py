"""Knows how fast counts burn a budget, and whether a burn rule is true; refuses to know gates and states.

    burn = (bad / eligible) / (1 - target)      0 without requests, at most 1 / (1 - target)

A rule is true while long AND short window burn faster than it says, strictly. Near means that both burn faster than
nine tenths of it: an alert that fires stays, one that does not is not started.

Error: none. Comparisons are of integers and fractions; the rates to show round once.

Source: spec/slo.md 4 (burn), 5 (both strict), 9 (HYST: burn in (0.9x, x]).
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from slo.counts import Counts, allowed_ratio, exact
from slo.windows import BurnRule

NEAR_RATIO = Fraction(9, 10)
"""An alert that fires is held while the burn is above this part of the rule's."""


class Standing(StrEnum):
    """Where the burn stands, measured by its rule."""

    ABOVE = "above"
    NEAR = "near"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnReading:
    """A rule at one instant.

    Attributes:
        rule: The rule.
        burn_long: Burn rate over the long window.
        burn_short: Burn rate over the short window.
        standing: Where both stand.
    """

    rule: BurnRule
    burn_long: float
    burn_short: float
    standing: Standing


def burn_rate(counts: Counts, target: float) -> float:
    """Return the burn rate of a window, 0 without requests.

    Args:
        counts: Sums over the window.
        target: Share that is to be good, within [0, 1).
    """
    if not counts.bad:
        return 0.0
    allowed = allowed_ratio(target)
    return counts.bad * allowed.denominator / (counts.eligible * allowed.numerator)  # of integers it rounds once


def read(rule: BurnRule, target: float, long: Counts, short: Counts) -> BurnReading:
    """Return where a rule stands.

    Args:
        rule: The rule.
        target: Share that is to be good.
        long: Counts of its long window.
        short: Counts of its short window.
    """
    reach = exact(rule.burn) * allowed_ratio(target)
    standing = Standing.BELOW
    if _above(reach, long, short):
        standing = Standing.ABOVE
    elif _above(reach * NEAR_RATIO, long, short):
        standing = Standing.NEAR
    return BurnReading(
        rule=rule, burn_long=burn_rate(long, target), burn_short=burn_rate(short, target), standing=standing
    )


def _above(ratio: Fraction, *windows: Counts) -> bool:
    return all(counts.bad > ratio * counts.eligible for counts in windows)
