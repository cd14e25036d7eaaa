"""Knows how long an answer may take at each point of it; refuses to wait.

Source: spec/measurement.md 3 (abort), 9 (timeout_first_token, timeout_stream).
"""

from dataclasses import dataclass

from telemetry.meter_result import MeterResult
from telemetry.outcome import AbortBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Limits of one answer, seconds.

    Attributes:
        first_token_s: Issue to first output of a streamed answer.
        stall_s: Output to next output or finish, and finish to the end of the body.
        total_s: Issue to the end, of everything.
    """

    first_token_s: float = 30.0
    stall_s: float = 10.0
    total_s: float = 60.0

    def next(self, issued_ns: int, at_ns: int, found: MeterResult | None) -> tuple[int, AbortBy]:
        """Return until when to wait, monotonic nanoseconds, and what it means if that passes.

        Args:
            issued_ns: The question was put.
            at_ns: Instant of the last chunk.
            found: The measurement at that instant; None while nothing limits but the whole, as for one whole body.
        """
        total = issued_ns + round(self.total_s * 1e9), AbortBy.TOTAL_DEADLINE
        if found is None:
            return total
        if not found.n_arrivals:
            return min(total, (issued_ns + round(self.first_token_s * 1e9), AbortBy.FIRST_TOKEN_DEADLINE))
        quiet_us = found.open_gap_us or 0  # None after the finish: then the end is waited for, since the last chunk
        return min(total, (at_ns - quiet_us * 1000 + round(self.stall_s * 1e9), AbortBy.STALL_DEADLINE))
