"""Steps of flows for tests: stored requests that share a `flow_id`, told by when they began and ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from uuid import UUID

import msgspec
from query_store import record

from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestRecord

CLASS_OF = {
    Outcome.OK: Eligibility.GOOD,
    Outcome.SERVER_ERROR: Eligibility.BAD,
    Outcome.CLIENT_CANCELLED: Eligibility.CENSORED,
    Outcome.CONTEXT_LENGTH: Eligibility.EXCLUDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a flow; times are seconds after an instant that the test chooses."""

    flow: int
    start_s: float
    end_s: float
    what: str = "middle"
    outcome: Outcome = Outcome.OK
    tokens_in: int | None = 100


def stored_steps(steps: Iterable[Step], at_ms: int, endpoint: str) -> list[RequestRecord]:
    """Return steps as rows; `what` is the model."""
    like = record(0, Random(1))  # noqa: S311 -- seeded
    return [
        msgspec.structs.replace(
            like,
            ended_at=at_ms + round(one.end_s * 1000),
            elapsed_us=round((one.end_s - one.start_s) * 1e6),
            endpoint=endpoint,
            model=one.what,
            region="eu",
            flow_id=one.flow,
            outcome=one.outcome,
            eligible=CLASS_OF[one.outcome],
            phase=Phase.DONE if one.outcome is Outcome.OK else Phase.QUEUED,
            tokens_in=one.tokens_in,
            record_id=UUID(int=n + 1),
        )
        for n, one in enumerate(steps)
    ]
