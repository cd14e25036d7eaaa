"""Knows how an answer of a simulated engine ends, drawn from a seed or asked for; refuses to know how long it takes.

A fate is arithmetic over a `random.Random` that is handed in; times are the business of whoever paces the answer.
"""

from enum import StrEnum
from random import Random

STALL_S = 1.5
"""Length of a stall: above the 1 s from which a gap counts as one (spec/measurement.md 6)."""
FAULT_RATIO = 0.04
"""Share of requests that get a fate other than OK, unless the engine is told another one."""


class Fate(StrEnum):
    """How an answer ends; the value is what the header `X-Simulated-Fate` may ask for."""

    OK = "ok"
    BAD_REQUEST = "400"
    UNAUTHORIZED = "401"
    NOT_FOUND = "404"
    RATE_LIMITED = "429"
    SERVER_ERROR = "500"
    BUSY = "503"
    STREAM_ERROR = "stream_error"
    """An error frame inside a stream of status 200, then `[DONE]`; 500 when not streamed."""
    TRUNCATED = "truncated"
    """FIN in the middle of the body."""
    RESET = "reset"
    """RST in the middle of the body."""
    STALL = "stall"
    """A pause of `STALL_S` before the last token."""


_FAULTS = (Fate.BAD_REQUEST, Fate.RATE_LIMITED, Fate.SERVER_ERROR, Fate.BUSY, Fate.STREAM_ERROR, Fate.TRUNCATED)


def fate(random: Random, fault_ratio: float, wanted: str | None = None) -> Fate:
    """Return how an answer ends.

    Args:
        random: Where chance comes from; drawn from once or twice for each request, whatever that one wants.
        fault_ratio: Share of answers with a fate other than OK, 0..1.
        wanted: What the request asked for; None leaves it to chance, and what is no fate is a bad request.
    """
    drawn = random.choice(_FAULTS) if random.random() < fault_ratio else Fate.OK
    if wanted is None:
        return drawn
    return Fate(wanted) if wanted in set(Fate) else Fate.BAD_REQUEST
