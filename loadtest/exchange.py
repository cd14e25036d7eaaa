"""Knows one request of a load test as it is sent, and what it gave; refuses to know how.

Source: spec/loadtest.md 4, 9.
"""

from dataclasses import dataclass, field

from loadtest.waits import ENDLESS, Patience
from telemetry.dialects import RequestShape
from telemetry.meter import MeterResult

_NS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request as it is sent.

    Attributes:
        path: Path below the target's base, as `/v1/chat/completions`.
        body: JSON.
        shape: What it asks for.
        t_sched_ns: Planned arrival, monotonic; None without a plan.
        patience: When its user leaves.
        abort_after: It is cut on purpose after so many output events; None never.
        headers: Further header lines, each with its line end.
        is_retry: An earlier attempt ended: its user waits anew, and patience counts from the issue.
        keeps_body: The body of the answer is handed back: its conversation goes on.
    """

    path: str
    body: bytes
    shape: RequestShape
    t_sched_ns: int | None = None
    patience: Patience = ENDLESS
    abort_after: int | None = None
    headers: bytes = b""
    is_retry: bool = False
    keeps_body: bool = False


@dataclass(slots=True, kw_only=True)
class Exchange:
    """What one request gave.

    Attributes:
        result: The measurement.
        issue_ns: When it was put, monotonic.
        sent_bytes: Request bytes.
        received_bytes: Response bytes, heads and framing included.
        lags_us: How late each read was against the kernel's stamp; empty if there are no stamps.
        reads: Number of reads that gave bytes.
        reconnected: A kept connection had to be reopened.
        reused: A kept connection carried it.
        cut_by_plan: It was aborted as planned.
        own_fault: This machine refused a connection.
        retry_after_s: What `Retry-After` asked for, seconds; None if nothing.
        body: The body, if it was asked to be kept; never written anywhere.
    """

    issue_ns: int
    result: MeterResult | None = None
    sent_bytes: int = 0
    received_bytes: int = 0
    lags_us: list[int] = field(default_factory=list[int])
    reads: int = 0
    reconnected: bool = False
    reused: bool = False
    cut_by_plan: bool = False
    own_fault: bool = False
    retry_after_s: float | None = None
    body: bytearray | None = None

    @property
    def elapsed_s(self) -> float:
        """From the issue to the decision, seconds."""
        return (self.measured.decided_at_ns - self.issue_ns) / _NS

    @property
    def measured(self) -> MeterResult:
        """The measurement, once the exchange is over."""
        assert self.result is not None  # noqa: S101 -- `Client.exchange` returns nothing else
        return self.result
