"""Knows the three answers of a gate and what a process exits with; refuses to know how an answer was found.

A run that is not fit is inconclusive, whatever its numbers say: it may not blame the server.

Source: spec/loadtest.md 1 (exit codes), 13 (overall verdict).
"""

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What was shown."""

    PASSED = "pass"
    FAILED = "fail"
    INCONCLUSIVE = "inconclusive"


EXIT_CODES = {Verdict.PASSED: 0, Verdict.FAILED: 3, Verdict.INCONCLUSIVE: 4}
"""Exit code of a process that ends with a verdict."""


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of several: one fails all, else one that cannot tell leaves all untold.

    Nothing at all is inconclusive.
    """
    seen = set(verdicts)
    if Verdict.FAILED in seen:
        return Verdict.FAILED
    return Verdict.PASSED if seen == {Verdict.PASSED} else Verdict.INCONCLUSIVE
