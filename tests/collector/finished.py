"""Finished requests for the tests of what counts them."""

from itertools import count
from typing import Any
from uuid import UUID

from collector.series import Series
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestRecord

UNIX_MS = 1_790_000_000_000
_NUMBERS = count(1)
OK: dict[str, Any] = {
    "ended_at": UNIX_MS,
    "elapsed_us": 2_000_000,
    "endpoint": "chat",
    "model": "m",
    "api": "openai_chat",
    "outcome": Outcome.OK,
    "phase": Phase.DONE,
    "eligible": Eligibility.GOOD,
    "e2e_us": 2_000_000,
    "ttft_us": 500_000,
    "ttfo_us": 600_000,
    "tpot_us": 15_000,
    "icl_max_us": 40_000,
    "tokens_in": 50,
    "tokens_out": 101,
    "itl_h": {-97: 60, -96: 40},
}
LEFT: dict[str, Any] = {
    "outcome": Outcome.CLIENT_CANCELLED,
    "phase": Phase.QUEUED,
    "eligible": Eligibility.CENSORED,
    "elapsed_us": 700_000,
    "e2e_us": None,
    "ttft_us": None,
    "ttfo_us": None,
    "tpot_us": None,
    "icl_max_us": None,
    "tokens_out": None,
    "itl_h": {},
}
BROKEN: dict[str, Any] = {
    "outcome": Outcome.STREAM_ERROR,
    "phase": Phase.STREAMING,
    "eligible": Eligibility.BAD,
    "in_stream": 1,
    "e2e_us": None,
    "tokens_out": 7,
}


def finished(*parts: dict[str, Any], **changed: object) -> RequestRecord:
    """Return a request that ended well, or as the parts say."""
    fields: dict[str, Any] = {**OK, "record_id": UUID(int=next(_NUMBERS))}
    for part in (*parts, changed):
        fields |= part
    return RequestRecord(**fields)


def counted(*records: RequestRecord) -> Series:
    series = Series()
    for record in records:
        series.add(record)
    return series


def never() -> None:
    """Nobody else writes, so no reader waits."""
    raise AssertionError
