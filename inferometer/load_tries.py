"""Knows that a run which may not speak is made again, and how often; refuses to carry one out.

Source: spec/loadtest.md 5 (`load sweep` needs fit runs).
"""

from collections.abc import Callable

from loadtest.conductor import EXIT_INCONCLUSIVE
from loadtest.sweep import Measured

TRIES_MAX = 3
"""Runs in a row that were not fit, and end a sweep."""

Result = tuple[str, int, Measured]
"""A run: its id, exit code and rows."""


def insisted(carry: Callable[[], Result]) -> Result:
    """Carry out a run until it was fit, `TRIES_MAX` times at most; returns the last one."""
    for _ in range(TRIES_MAX - 1):
        result = carry()
        if result[1] != EXIT_INCONCLUSIVE:
            return result
    return carry()
