"""Knows up to which instant every request that ended is stored; refuses to know where they are kept.

Whoever writes records notes, once a second, which sequence number was the last when an instant had passed. As soon as
everything up to a number is settled, every request that ended before its instant is in the store, or given up and
counted.

Source: spec/store.md 10.10 (a stored watermark proves that the rows are there).
"""

from collections import deque

NOTES_MAX = 3_600
"""Instants that are remembered; beyond them the oldest are forgotten, and the mark waits for the ones that are left."""


class Watermark:
    """The mark of one writer; starts at the wall time of its start.

    Args:
        at_ms: Unix milliseconds at which it starts.
    """

    def __init__(self, at_ms: int) -> None:
        self._at_ms = at_ms
        self._notes: deque[tuple[int, int]] = deque(maxlen=NOTES_MAX)

    def note(self, seq_last: int, at_ms: int) -> None:
        """Note that every request that ended before an instant has a number up to this one."""
        if not self._notes or at_ms > self._notes[-1][1]:
            self._notes.append((seq_last, at_ms))

    def at_ms(self, first_waiting: int | None) -> int:
        """Return the mark, unix milliseconds; it never goes back.

        Args:
            first_waiting: Lowest sequence number that is not settled; None if all are.
        """
        while self._notes and (first_waiting is None or self._notes[0][0] < first_waiting):
            self._at_ms = max(self._at_ms, self._notes.popleft()[1])
        return self._at_ms
