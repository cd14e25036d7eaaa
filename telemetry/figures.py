"""Knows the arithmetic from stamps, gaps and counts to the figures of a request; refuses to read bytes.

Source: spec/measurement.md 6 and 7.
"""

from typing import NamedTuple

from telemetry.gaps import ArrivalSeries
from telemetry.histogram import US_MAX
from telemetry.outcome import TokTimeQuality

_NS_PER_S = 1_000_000_000


class Stamps:
    """The instants of a request, monotonic nanoseconds; None if not reached.

    Attributes:
        issue_ns: The client asked.
        sched_ns: The plan wanted it asked; None without a plan.
        conn_ns: The connection was usable.
        sent_ns: The last request byte was handed on.
        head_ns: The response head was complete.
        event_ns: First event of any kind but a comment; first body byte of a body that is no stream of events.
        first_ns: First output event.
        visible_ns: First output event that a reader can see.
        finish_ns: Last finish event.
    """

    __slots__ = (
        "conn_ns",
        "event_ns",
        "finish_ns",
        "first_ns",
        "head_ns",
        "issue_ns",
        "sched_ns",
        "sent_ns",
        "visible_ns",
    )

    def __init__(self) -> None:
        self.issue_ns = 0
        self.sched_ns: int | None = None
        self.conn_ns: int | None = None
        self.sent_ns: int | None = None
        self.head_ns: int | None = None
        self.event_ns: int | None = None
        self.first_ns: int | None = None
        self.visible_ns: int | None = None
        self.finish_ns: int | None = None

    @property
    def ref_ns(self) -> int:
        """The instant from which the user waits: the planned arrival, else the issue."""
        return self.issue_ns if self.sched_ns is None else self.sched_ns


class TokenBins(NamedTuple):
    """Tokens by second.

    Attributes:
        tok_s0: Monotonic second of the first bin; None without bins.
        tok_by_s: Tokens in each second from there on; sums to the tokens of the answer.
        quality: How the tokens were placed.
    """

    tok_s0: int | None
    tok_by_s: tuple[int, ...]
    quality: TokTimeQuality


def span_us(from_ns: int | None, to_ns: int | None) -> int | None:
    """Return a duration in whole microseconds, 0 at least and `US_MAX` at most; None if an end is unknown."""
    if from_ns is None or to_ns is None:
        return None
    return min(max((to_ns - from_ns) // 1000, 0), US_MAX)


def tpot_us(arrivals: ArrivalSeries, tokens_out: int | None, n_first: int) -> int | None:
    """Return the time per output token after the first event's, None if it cannot be told."""
    if tokens_out is None or tokens_out <= n_first or arrivals.n < 2:  # noqa: PLR2004 -- two arrivals make a span
        return None
    return (arrivals.last_ns - arrivals.first_ns) // (1000 * (tokens_out - n_first))


def residual_us(service_us: int | None, queue_us: int | None, prefill_us: int | None) -> tuple[int | None, bool]:
    """Return the part of the time to first token that the engine does not account for, and whether clocks conflict."""
    if service_us is None or queue_us is None or prefill_us is None:
        return None, False
    rest = service_us - queue_us - prefill_us
    return (None, True) if rest < 0 else (rest, False)


def token_bins(arrivals: ArrivalSeries, tokens_out: int | None, *, counted: bool, end_ns: int) -> TokenBins:
    """Place the tokens of an answer in time.

    Args:
        arrivals: Output of the stream; empty for an answer that was not streamed.
        tokens_out: Tokens of the answer; None if unknown.
        counted: The stream told tokens by event.
        end_ns: End of the answer, where tokens without arrivals are placed.
    """
    if tokens_out is None:
        return TokenBins(None, (), TokTimeQuality.NONE)
    if not arrivals.n:
        return TokenBins(end_ns // _NS_PER_S, (tokens_out,), TokTimeQuality.LUMP)
    by_s = arrivals.tokens_by_s() if counted else arrivals.events_by_s()
    exact = counted and sum(by_s.values()) == tokens_out
    bins = [by_s.get(second, 0) for second in range(max(by_s) + 1)]
    return TokenBins(
        arrivals.first_ns // _NS_PER_S,
        tuple(bins) if exact else scaled(bins, tokens_out),
        TokTimeQuality.EXACT if exact else TokTimeQuality.SCALED,
    )


def scaled(bins: list[int], total: int) -> tuple[int, ...]:
    """Scale counts to a total, exactly: each bin takes what its running share adds."""
    whole = sum(bins)
    running, before, shares = 0, 0, list[int]()
    for part in bins:
        running += part
        upto = running * total // whole
        shares.append(upto - before)
        before = upto
    return tuple(shares)
