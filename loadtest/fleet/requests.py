"""Knows what a simulated request is, and how it ends; refuses to know who serves it.

A request is a tuple, because ten million of them are made and dropped: (at_s, tokens_in, tokens_out, wish). Times are
seconds of the simulation's own clock.

Source: spec/scaling.md 7; spec/measurement.md 5 (names of the ends).
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What few requests have: a beginning shared with others, or little patience.

    Attributes:
        prefix: Ids of the blocks that its prompt begins with; requests with the same ids share them.
        prefix_tokens: Tokens of each such block.
        patience_s: The client leaves after so long without a first token; None waits.
        deadline_s: The client leaves after so long in any case; None waits.
    """

    prefix: tuple[int, ...] = ()
    prefix_tokens: int = 0
    patience_s: float | None = None
    deadline_s: float | None = None


Request = tuple[float, int, int, Wish | None]
"""(at_s, tokens_in, tokens_out, wish): when it came, its lengths from 1, and what is special about it."""


class End(StrEnum):
    """How a request ended."""

    OK = "ok"
    ABANDONED = "abandoned"
    """Its client left."""
    LOST = "lost"
    """Its replica failed, or was stopped before it had drained."""
    TOO_LONG = "too_long"
    """No replica can hold it."""
    REJECTED = "rejected"
    """No replica took it, and the place where requests are held was full."""


Ended = tuple[Request, float | None, float, End]
"""(request, first_s, end_s, how): first_s is when its first token came, None if none did."""
