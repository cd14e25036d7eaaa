"""Knows the random streams of a plan, one for each question; refuses to know what is drawn from them.

Streams are apart, so that arrivals stay the same when the lengths change (common random numbers). A stream gives
uniform numbers alone: of Python's generator only `random()` promises the same numbers in every version.

Source: spec/loadtest.md 2; Python, library reference, random, "Notes on Reproducibility".
"""

from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from random import Random

Uniform = Callable[[], float]
"""Gives the next number of a stream, in [0, 1)."""

_HALF_BITS = 32


class Stream(StrEnum):
    """What a stream decides."""

    ARRIVALS = "arrivals"
    LENGTHS = "lengths"
    PREFIX = "prefix"
    CONVERSATIONS = "conversations"
    PATIENCE = "patience"
    RETRY = "retry"
    TEXT = "text"
    ARM = "arm"


def stream(seed: int, name: Stream | str) -> Uniform:
    """Return a stream from its beginning.

    Args:
        seed: Of the plan.
        name: Which one; a name with a slash is a stream within one, `text/17`.
    """
    digest = sha256(f"{seed}/{name}".encode()).digest()
    return Random(int.from_bytes(digest[:8], "big")).random  # noqa: S311 -- a plan must be repeatable, not secret


def bits64(uniform: Uniform) -> int:
    """Return 64 random bits, of two numbers of a stream."""
    return int(uniform() * (1 << _HALF_BITS)) << _HALF_BITS | int(uniform() * (1 << _HALF_BITS))
