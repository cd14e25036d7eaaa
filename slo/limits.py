"""Knows which limits objectives set to the time to first token and to the whole request; refuses to judge a service.

A limit is searched with the judge itself: of two requests that are fine in all else, the slowest that is good. So it
follows every expression, and is none where the expression does not ask. Where it grows with the prompt, it is that of
a long one, so that what is called slow is.

Source: spec/slo.md 2 (`endpoint_p99_sla`), 3 (composite), 13 (`p99_over_sla`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from msgspec.structs import replace

from slo.judging import judged, stored
from slo.objective import Indicator, Objective, Traffic
from slo.terms import Condition
from slo.watched import TOKENS_IN
from telemetry.histogram import US_MAX
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestRecord

_KEPT = 4_096
_FINE = RequestRecord(
    ended_at=0,
    elapsed_us=0,
    endpoint="",
    model="",
    record_id=UUID(int=0),
    outcome=Outcome.OK,
    eligible=Eligibility.GOOD,
    phase=Phase.DONE,
    finish_reason="stop",
    stream=1,
    ttft_us=0,
    ttfo_us=0,
    e2e_us=0,
    tokens_in=TOKENS_IN,
    tokens_out=1,
)
"""A request that took no time at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The least limits of several objectives.

    Attributes:
        ttft_us: To the first token; None if none sets one.
        e2e_us: Of the whole request; None if none sets one.
    """

    ttft_us: int | None = None
    e2e_us: int | None = None


def limits(objectives: Iterable[Objective], endpoint: str, model: str) -> Limits:
    """Return the limits that objectives set to the requests of users to an endpoint and model."""
    found = [_of(one.indicator) for one in objectives if _is_of_users(one) and speaks_of(one, endpoint, model)]
    return Limits(
        ttft_us=min((one.ttft_us for one in found if one.ttft_us is not None), default=None),
        e2e_us=min((one.e2e_us for one in found if one.e2e_us is not None), default=None),
    )


def speaks_of(one: Objective, endpoint: str, model: str) -> bool:
    """Return whether an objective is about the requests to an endpoint and model."""
    only = one.indicator.only
    return only is None or stored(only, replace(_FINE, endpoint=endpoint, model=model))


def _is_of_users(one: Objective) -> bool:
    return one.whole is None and one.indicator.traffic is Traffic.USER


@lru_cache(maxsize=_KEPT)
def _of(indicator: Indicator) -> Limits:
    good = indicator.good
    if good is None:
        return Limits()
    return Limits(ttft_us=_limit_us(good, "ttft_us"), e2e_us=_limit_us(good, "e2e_us"))


def _limit_us(good: Condition, name: str) -> int | None:
    """Return the greatest value that is good; None if any is, or none."""
    fine, bad = 0, US_MAX
    if not _is_good(good, name, fine) or _is_good(good, name, bad):
        return None
    while bad - fine > 1:
        middle = (fine + bad) // 2
        fine, bad = (middle, bad) if _is_good(good, name, middle) else (fine, middle)
    return fine


def _is_good(good: Condition, name: str, value_us: int) -> bool:
    return judged(good, replace(_FINE, **{name: value_us}), Eligibility.GOOD) is True
