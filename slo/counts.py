"""Knows counts of good and bad requests, checked and added as integers; refuses to know targets and windows.

Ratios are formed from sums, once, as fractions: a mean of ratios is never taken (1,000 requests at 50 % and 10 at
100 % give 0.50495, not 0.75), and every replica gets the same bits.

Source: spec/slo.md 4 (event weighted, `SLIInvalid`), 8 (sum integers and divide once).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from slo.errors import CountsError

_NUMBERS_KEPT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Requests of one bucket, slice or window; a sum of two is the counts of both.

    Attributes:
        eligible: Requests that count, good or bad.
        bad: Those of them that were bad.
        censored_bad: Those of the bad whose end was not seen, because the client left after the limit.
        excluded: Requests that do not count; no part of `eligible`.
    """

    eligible: int = 0
    bad: int = 0
    censored_bad: int = 0
    excluded: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be counted.

        Raises:
            CountsError: A number is negative, NaN or infinite, bad exceeds eligible, or censored_bad exceeds bad.
        """
        possible = 0 <= self.censored_bad <= self.bad <= self.eligible and self.excluded >= 0
        if not (possible and math.isfinite(self.eligible) and math.isfinite(self.excluded)):
            raise CountsError(f"{self} cannot be")

    def __add__(self, other: "Counts") -> "Counts":
        """Return the counts of both."""
        return Counts(
            eligible=self.eligible + other.eligible,
            bad=self.bad + other.bad,
            censored_bad=self.censored_bad + other.censored_bad,
            excluded=self.excluded + other.excluded,
        )

    @property
    def good(self) -> int:
        """Requests that count and were good."""
        return self.eligible - self.bad

    @property
    def bad_ratio(self) -> Fraction | None:
        """Share of the eligible that was bad; None without any."""
        return Fraction(self.bad, self.eligible) if self.eligible else None


def total(parts: Iterable[Counts]) -> Counts:
    """Return the sum of counts; nothing counted without any."""
    return sum(parts, Counts())


def with_overdue(counts: Counts, overdue: int) -> Counts:
    """Return the counts with requests that are in flight longer than the limit, which are bad already now.

    For the evaluation of an instant only, never for the stored budget: there they count when they end.
    """
    return counts + Counts(eligible=overdue, bad=overdue) if overdue else counts


@lru_cache(maxsize=_NUMBERS_KEPT)
def exact(value: float) -> Fraction:
    """Return the decimal that a person wrote, without the rounding of a float: 0.999 is 999/1000."""
    return Fraction(repr(value))


@lru_cache(maxsize=_NUMBERS_KEPT)
def allowed_ratio(target: float) -> Fraction:
    """Return the share of requests that may be bad, 1 - target, exactly.

    Args:
        target: Within [0, 1).
    """
    return 1 - exact(target)
