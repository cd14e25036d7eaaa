"""Knows the sums of many windows that end at one moving instant; refuses to know targets and rules.

A ring holds the buckets of the longest window, and each window its own sum. One step forward costs one addition for
each window, however long it is; a bucket that is put again, by a later revision, corrects the sums that it is in.

Error: none, integers are added and taken away.

Source: spec/slo.md 8 (windows end at the instant, late rows recompute buckets), 15 (backtest).
"""

from array import array
from collections.abc import Sequence

from slo.buckets import Bucket
from slo.counts import Counts
from slo.windows import BUCKET_S


class WindowSums:
    """Windows over the buckets of one objective and group.

    Attributes:
        at_s: The instant that the windows end at.
        eligible: Requests of each window, in the order that windows were given in.
        bad: The bad of them.
    """

    def __init__(self, windows_s: Sequence[int], at_s: int) -> None:
        """Start empty at an instant, a multiple of the bucket; windows are multiples of it, too."""
        self.at_s = at_s
        self.eligible = [0] * len(windows_s)
        self.bad = [0] * len(windows_s)
        self._windows_s = tuple(windows_s)
        self._place = {window_s: place for place, window_s in enumerate(windows_s)}
        self._lengths = tuple(enumerate(window_s // BUCKET_S for window_s in windows_s))
        self._slots = max(windows_s) // BUCKET_S
        self._eligible = array("q", bytes(8 * self._slots))
        self._bad = array("q", bytes(8 * self._slots))

    def advance(self) -> None:
        """Go one bucket forward: a new one begins the windows, empty, and the oldest of each leaves it."""
        now, slots = self.at_s // BUCKET_S, self._slots
        eligible, bad = self._eligible, self._bad
        for place, length in self._lengths:
            slot = (now - length) % slots
            if eligible[slot]:
                self.eligible[place] -= eligible[slot]
                self.bad[place] -= bad[slot]
        eligible[now % slots] = bad[now % slots] = 0  # of the bucket that left the longest window
        self.at_s += BUCKET_S

    def put(self, start_s: int, eligible: int, bad: int) -> tuple[int, int]:
        """Set what a bucket holds; one that is older than the longest window, or has not ended, is left out.

        Returns:
            How many more requests, and bad ones, it holds now.
        """
        age_s = self.at_s - start_s
        if not 0 < age_s <= self._slots * BUCKET_S:
            return 0, 0
        slot = start_s // BUCKET_S % self._slots
        more, more_bad = eligible - self._eligible[slot], bad - self._bad[slot]
        self._eligible[slot], self._bad[slot] = eligible, bad
        for place, window_s in enumerate(self._windows_s):
            if age_s <= window_s:
                self.eligible[place] += more
                self.bad[place] += more_bad
        return more, more_bad

    def place(self, window_s: int) -> int:
        """Return where the sums of a window stand in `eligible` and `bad`."""
        return self._place[window_s]

    def counts(self) -> dict[int, Counts]:
        """Return the counts of every window.

        Raises:
            CountsError: What was put cannot be.
        """
        return {
            window_s: Counts(eligible=eligible, bad=bad)
            for window_s, eligible, bad in zip(self._windows_s, self.eligible, self.bad, strict=True)
        }

    def recent(self, span_s: int) -> list[Bucket]:
        """Return the buckets of the last seconds that had requests, oldest first."""
        found: list[Bucket] = []
        for start_s in range(self.at_s - min(span_s, self._slots * BUCKET_S), self.at_s, BUCKET_S):
            slot = start_s // BUCKET_S % self._slots
            if self._eligible[slot]:
                counts = Counts(eligible=self._eligible[slot], bad=self._bad[slot])
                found.append(Bucket(start_s=start_s, counts=counts))
        return found
