"""Knows how long each answer of the simulated engine takes and how it ends, drawn from a seed.

Refuses to know clocks, sockets and JSON: a plan is arithmetic over a `random.Random` that is handed in. The shape
follows what a small vLLM shows under light load (tens of milliseconds to the first token, then a steady pace with a
little jitter and a rare stall); the figures are made up and are no claim about any engine.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from random import Random

STALL_RATIO = 0.01
"""Share of answers that stall once."""
STALL_S = 1.5
"""Length of such a stall: above the 1 s from which a gap counts as a stall (spec/measurement.md 6)."""
FAULT_RATIO = 0.04
"""Share of requests that get a fate other than OK, unless the engine is told another one."""
_PREFILL_BASE_S = 0.012
_PREFILL_PER_TOKEN_S = 0.00005
_TOKEN_S = 0.008
_JITTER_SIGMA = 0.35


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One answer, before it is given.

    Attributes:
        fate: How it ends.
        prefill_s: From the start of work to the first token, seconds.
        gaps_s: Before each later token, seconds.
    """

    fate: Fate
    prefill_s: float
    gaps_s: tuple[float, ...]

    @property
    def decode_s(self) -> float:
        """From the first token to the last one, seconds."""
        return math.fsum(self.gaps_s)


def plan(random: Random, *, tokens_in: int, tokens_out: int, fault_ratio: float, speed: float) -> Plan:
    """Draw the plan of one answer.

    Args:
        random: Where chance comes from; one draw order per request, so equal seeds give equal plans.
        tokens_in: Length of the prompt.
        tokens_out: Length of the answer, at least 1.
        fault_ratio: Share of answers with a fate other than OK, 0..1.
        speed: All times are divided by it.
    """
    fate = random.choice(_FAULTS) if random.random() < fault_ratio else Fate.OK
    prefill_s = (_PREFILL_BASE_S + _PREFILL_PER_TOKEN_S * tokens_in) * _jitter(random)
    gaps_s = [_TOKEN_S * _jitter(random) for _ in range(tokens_out - 1)]
    if gaps_s and random.random() < STALL_RATIO:
        gaps_s[random.randrange(len(gaps_s))] += STALL_S
    return Plan(fate=fate, prefill_s=prefill_s / speed, gaps_s=tuple(gap_s / speed for gap_s in gaps_s))


def stalled(calm: Plan, speed: float) -> Plan:
    """Return the plan with a stall before its last token."""
    gaps_s = (*calm.gaps_s[:-1], STALL_S / speed)
    return Plan(fate=Fate.STALL, prefill_s=calm.prefill_s, gaps_s=gaps_s if calm.gaps_s else ())


def _jitter(random: Random) -> float:
    """Return a factor with median 1."""
    return random.lognormvariate(0.0, _JITTER_SIGMA)
