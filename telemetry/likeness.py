"""Knows when an event is one more like an event that was read: the same bytes, but for the text of one string.

Nearly every event of a stream differs from the one before in its text alone, and what an event means hangs on whether
that text is empty, not on what it says. So once one was read in full, those like it need not be decoded. The proof is
on bytes: what stands before and behind the text is equal, and the text is not empty and holds nothing that JSON treats
specially (quote, backslash, control characters) or that is not ASCII. A string exchanged for such a string leaves the
JSON the same but for that value; a quote inside a string is escaped, so a key that is found with its own quotes is no
part of a string.

It refuses to know which keys hold text: that is the dialect's reader. Measured on one core for a chunk of 190 bytes,
from bytes to the arrival: 1.0 us instead of 2.2 us.

Source: RFC 8259 7 (strings); spec/measurement.md 5 (R-c: non-empty text).
"""

from collections.abc import Sequence

LIKE_BYTES_MAX = 64 * 1024
"""A longer event is always read in full."""
LESSONS_MAX = 8
"""So often a stream may change its looks; then its events are read in full, each."""

_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))


class Likeness:
    """What the events are like that are like one event."""

    __slots__ = ("_after", "_before", "_end", "_least", "_start")

    def __init__(self, before: bytes, after: bytes) -> None:
        """Take what stands before the text, and behind it."""
        self._before, self._after = before, after
        self._start, self._end, self._least = len(before), -len(after), len(before) + len(after)

    def holds(self, chunk: bytes) -> bool:
        """Return whether a chunk is one event like it."""
        return (
            self._least < len(chunk) <= LIKE_BYTES_MAX
            and chunk.startswith(self._before)
            and chunk.endswith(self._after)
            and not chunk[self._start : self._end].translate(None, _PLAIN)
        )


def likeness(chunk: bytes, keys: Sequence[bytes]) -> Likeness | None:
    """Return what events like a chunk are like; None if its text cannot be told from the rest.

    Args:
        chunk: One event, read in full: its text was not empty.
        keys: Beginnings of a member that may hold the text, up to the quote that opens it.
    """
    for key in keys:
        if chunk.count(key) == 1:
            before, _, rest = chunk.partition(key)
            text, quote, after = rest.partition(b'"')
            found = Likeness(before + key, quote + after)
            return found if text and quote and found.holds(chunk) else None
    return None
