"""Knows how many tokens a run may use and what it may cost, and whether it passed that; refuses to end it.

Prices are of a million tokens, as a bill has them. Without both there is no cost, and it is unknown, never 0. An answer
that does not tell its tokens counts for a ceiling with the fewest that it may have had.

Source: spec/loadtest.md, safety (`tokens_max`, `cost_usd_max` end the run).
"""

from typing import Annotated

from msgspec import Meta, Struct

from telemetry.outcome import Outcome
from telemetry.record import RequestRecord

_MTOK = 1e6


class Ceilings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run must not pass.

    Attributes:
        tokens_max: Tokens of prompts and answers; None is without a bound.
        cost_usd_max: Cost; None is without a bound.
        usd_per_mtok_in: Price of a million prompt tokens; None if unknown.
        usd_per_mtok_out: Price of a million tokens of answers; None if unknown.
    """

    tokens_max: Annotated[int, Meta(ge=1)] | None = None
    cost_usd_max: Annotated[float, Meta(gt=0.0)] | None = None
    usd_per_mtok_in: Annotated[float, Meta(ge=0.0)] | None = None
    usd_per_mtok_out: Annotated[float, Meta(ge=0.0)] | None = None

    def cost_usd(self, tokens_in: int, tokens_out: int) -> float | None:
        """Return what tokens cost; None if a price is unknown."""
        if self.usd_per_mtok_in is None or self.usd_per_mtok_out is None:
            return None
        return (tokens_in * self.usd_per_mtok_in + tokens_out * self.usd_per_mtok_out) / _MTOK

    def passed(self, tokens_in: int, tokens_out: int) -> str:
        """Return which ceiling is passed, in words; empty if none is."""
        tokens, cost_usd = tokens_in + tokens_out, self.cost_usd(tokens_in, tokens_out)
        if self.tokens_max is not None and tokens > self.tokens_max:
            return f"{tokens} tokens, above load.tokens_max of {self.tokens_max}"
        if self.cost_usd_max is not None and cost_usd is not None and cost_usd > self.cost_usd_max:
            return f"{cost_usd:.6g} USD, above load.cost_usd_max of {self.cost_usd_max:.6g}"
        return ""


def tokens_out(record: RequestRecord, asked: int) -> int:
    """Return the output tokens of an answer: as told, else one an event, of a whole one no fewer than asked.

    Args:
        record: Of the attempt.
        asked: Tokens that the answer was asked to have.
    """
    if record.tokens_out is not None:
        return record.tokens_out
    return max(record.n_out_events, asked if record.outcome is Outcome.OK else 0)
