"""Knows what one worker says of its part of a run, meanwhile and at the end, and how parts add up; refuses to judge.

Source: spec/loadtest.md 3 (messages, mergeable sketches), 5 (what the fit gate asks).
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from loadtest.fitness import Client
from loadtest.sketch import Sketch, merged


class WorkerReport(msgspec.Struct, kw_only=True):
    """What a worker has done so far. Sketches and the window's counts are of the measured arrivals only.

    Attributes:
        worker: Its number.
        due: Its arrivals whose time has come, or had come when the run was told to end.
        sent: Arrivals that were begun.
        shed: Arrivals that the cap or a bound of the machine turned away.
        window_due: Of `due`, those that count.
        window_sent: Of `sent`, those that count.
        ended: Attempts that are over.
        in_flight: Attempts that are not.
        failed: Attempts that ended badly.
        outcomes: Attempts by outcome.
        tokens_in: Tokens of the prompts that were answered: as told, else as planned.
        tokens_out: Output tokens that came: as told, else at least as many as this.
        uncounted: Answers, whole or not, that did not tell their tokens.
        unreached: Attempts in a row that got no response head, up to now.
        unconnected: Of those, the ones that got no connection, or lost it.
        silent_s: Time since a response head came; since the start if none did.
        lag_us: Dispatch lag of first attempts.
        ttft_us: Time to first token.
        e2e_us: Time to the end of answers.
        read_us: Read lag.
        truth_us: Our stamp less the null server's; empty with any other target.
        cpu_ratio: Largest 5 s mean, share of a core; None below 5 s.
        reads_per_s: Largest 5 s mean; None below 5 s.
        clock_step_ms: Largest step of the wall clock.
        rss_bytes: Greatest memory.
        in_flight_s: Time integral of the attempts in flight, request-seconds.
        elapsed_s: Sum of their durations; of first attempts from the planned arrival.
        opened: Connections opened.
        reused: Attempts on a kept connection.
        reconnected: Of those, the ones whose connection had to be opened again.
        rows_lost: Rows that could not be written.
        error: Why; empty if all are.
        capped: What ended its part early to save the machine.
        over: It has come to the end.
    """

    worker: int
    due: int = 0
    sent: int = 0
    shed: int = 0
    window_due: int = 0
    window_sent: int = 0
    ended: int = 0
    in_flight: int = 0
    failed: int = 0
    outcomes: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    tokens_in: int = 0
    tokens_out: int = 0
    uncounted: int = 0
    unreached: int = 0
    unconnected: int = 0
    silent_s: float = 0.0
    lag_us: Sketch = msgspec.field(default_factory=dict[int, int])
    ttft_us: Sketch = msgspec.field(default_factory=dict[int, int])
    e2e_us: Sketch = msgspec.field(default_factory=dict[int, int])
    read_us: Sketch = msgspec.field(default_factory=dict[int, int])
    truth_us: Sketch = msgspec.field(default_factory=dict[int, int])
    cpu_ratio: float | None = None
    reads_per_s: float | None = None
    clock_step_ms: float = 0.0
    rss_bytes: int = 0
    in_flight_s: float = 0.0
    elapsed_s: float = 0.0
    opened: int = 0
    reused: int = 0
    reconnected: int = 0
    rows_lost: int = 0
    error: str = ""
    capped: str = ""
    over: bool = False


_SUMS = (
    "due", "sent", "shed", "window_due", "window_sent", "ended", "in_flight", "failed", "tokens_in", "tokens_out",
    "uncounted", "unreached", "unconnected", "in_flight_s", "elapsed_s", "opened", "reused", "reconnected", "rows_lost",
)  # fmt: skip
_LARGEST = ("cpu_ratio", "reads_per_s", "clock_step_ms", "rss_bytes")
_SKETCHES = ("lag_us", "ttft_us", "e2e_us", "read_us", "truth_us")


def total(parts: Sequence[WorkerReport]) -> WorkerReport:
    """Return what all workers did; `worker` is how many they are, `silent_s` that of the one that heard last.

    Args:
        parts: At least one.
    """
    made: dict[str, object] = {name: sum(getattr(part, name) for part in parts) for name in _SUMS}
    made |= {name: _largest(getattr(part, name) for part in parts) for name in _LARGEST}
    made |= {name: merged(getattr(part, name) for part in parts) for name in _SKETCHES}
    outcomes: Counter[str] = Counter()
    for part in parts:
        outcomes.update(part.outcomes)
    return WorkerReport(
        worker=len(parts),
        outcomes=dict(outcomes),
        silent_s=min(part.silent_s for part in parts),
        error="; ".join(sorted({part.error for part in parts if part.error})),
        capped="; ".join(sorted({part.capped for part in parts if part.capped})),
        over=all(part.over for part in parts),
        **made,  # type: ignore[arg-type] # the names are those of the fields
    )


def client(parts: Sequence[WorkerReport], *, workers_lost: int, ceiling_chunks_per_s: float | None) -> Client:
    """Return what the fit gate asks.

    Args:
        parts: At least one.
        workers_lost: How many of them did not come to the end.
        ceiling_chunks_per_s: Of one worker, as calibrated on this host.
    """
    whole = total(parts)
    return Client(
        planned=whole.window_due,
        sent=whole.window_sent,
        workers_lost=workers_lost,
        shed=whole.shed,
        lag_us=whole.lag_us,
        ttft_us=whole.ttft_us,
        read_us=whole.read_us,
        cpu_ratio=whole.cpu_ratio,
        chunks_per_s=whole.reads_per_s,
        ceiling_chunks_per_s=ceiling_chunks_per_s,
        clock_step_ms=whole.clock_step_ms,
        in_flight_s=whole.in_flight_s,
        elapsed_s=whole.elapsed_s,
        ended=whole.ended,
        capped=whole.capped,
    )


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
