"""Knows how old a request in flight may get before it is bad whatever comes; refuses to know how many there are.

A heartbeat says how old the requests in flight are, those without output and all of them. The age from which such a
request fails an objective is searched with the judge itself, so it follows every expression that asks for more the
longer a request takes.

Error: none to the microsecond, for conditions that do not become true again with age.

Source: spec/slo.md 3 (`overdue`); spec/store.md 3 (`waiting_age_h`, `in_flight_age_h`).
"""

from dataclasses import dataclass
from uuid import UUID

from msgspec.structs import replace

from slo.judging import judged
from slo.objective import Indicator
from slo.terms import Condition
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestRecord

AGE_S_MAX = 86_400
"""Greatest age that is looked at: the longest that a batch may take."""

_WAITING = RequestRecord(
    ended_at=0,
    elapsed_us=0,
    endpoint="",
    model="",
    record_id=UUID(int=0),
    outcome=Outcome.CLIENT_CANCELLED,
    eligible=Eligibility.CENSORED,
    phase=Phase.QUEUED,
)
"""A request in flight, as if its client left now: nothing is known of it but its age."""
_ANSWERED = replace(_WAITING, phase=Phase.STREAMING, ttft_us=0, ttfo_us=0)
"""One that began to answer at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Ages above which a request in flight is bad already.

    Attributes:
        first_us: Of one without output; None if no age is enough.
        whole_us: Of one with output; None if no age is enough.
    """

    first_us: int | None
    whole_us: int | None


def patience(indicator: Indicator, tokens_in: int) -> Patience:
    """Return the ages above which requests in flight are bad.

    Args:
        indicator: What makes a request good.
        tokens_in: Length of prompts to allow for where a limit grows with it: a high percentile, so that what is
            called overdue is.
    """
    good = indicator.good
    if good is None:
        return Patience(first_us=None, whole_us=None)
    first, whole = (_age_us(good, replace(one, tokens_in=tokens_in)) for one in (_WAITING, _ANSWERED))
    return Patience(first_us=first, whole_us=whole)


def _age_us(good: Condition, record: RequestRecord) -> int | None:
    """Return the greatest age that is not bad yet."""
    fine, bad = 0, AGE_S_MAX * 1_000_000
    if _is_bad(good, record, fine) or not _is_bad(good, record, bad):
        return None
    while bad - fine > 1:
        middle = (fine + bad) // 2
        fine, bad = (fine, middle) if _is_bad(good, record, middle) else (middle, bad)
    return fine


def _is_bad(good: Condition, record: RequestRecord, age_us: int) -> bool:
    return judged(good, replace(record, elapsed_us=age_us), Eligibility.CENSORED) is False
