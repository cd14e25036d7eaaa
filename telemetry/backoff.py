"""Knows how long to wait before another try, and between two batches; refuses to wait.

Full jitter: the wait is uniform between the least wait and a ceiling that doubles, so many writers that lost the same
store do not return at once.

Source: spec/store.md 10.7.
"""

from random import Random

FIRST_S = 0.2
CEILING_S_MAX = 30.0
PACE_S_MAX = 10.0
"""Longest time between two cuts; rows that wait longer are no live view any more."""


class Backoff:
    """The waits of one series of failures.

    Args:
        random: Source of the jitter.
        first_s: Least wait and first ceiling.
        ceiling_s_max: Greatest ceiling.
    """

    def __init__(self, random: Random, first_s: float = FIRST_S, ceiling_s_max: float = CEILING_S_MAX) -> None:
        """Start without failures."""
        self._random, self._first_s, self._ceiling_s_max = random, first_s, ceiling_s_max
        self._failures_n = 0

    def failed(self) -> float:
        """Count a failure and return the wait before the next try, in seconds."""
        ceiling_s = min(self._first_s * 2.0 ** min(self._failures_n, 32), self._ceiling_s_max)
        self._failures_n += 1
        return self._random.uniform(min(self._first_s, ceiling_s), ceiling_s)

    def slow(self) -> float:
        """Return the wait after an error that needs a human: the greatest ceiling."""
        self._failures_n += 1
        return self._ceiling_s_max

    def worked(self) -> None:
        """End the series."""
        self._failures_n = 0


class Pace:
    """The time between two cuts: doubled when the store has too many parts, halved again with each batch it takes.

    Attributes:
        cut_s: That time, seconds.
    """

    def __init__(self, cut_s: float, cut_s_max: float = PACE_S_MAX) -> None:
        """Start at the usual time."""
        self.cut_s = self._usual_s = cut_s
        self._cut_s_max = cut_s_max

    def crowded(self) -> None:
        """Make fewer and larger batches."""
        self.cut_s = max(self._usual_s, min(2 * self.cut_s, self._cut_s_max))

    def worked(self) -> None:
        """Come back to the usual time."""
        self.cut_s = max(self._usual_s, self.cut_s / 2)
