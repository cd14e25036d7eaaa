"""Knows what becomes of the reads of one answer: counted, checked against the deadlines, shown to the meter.

Up to the first output each read is looked at when it comes. Behind it, what comes is nearly always one whole chunk
that cannot be the end of the answer, and nothing hangs on the instant at which it is looked at, since its stamp is the
kernel's. So such reads are held, and a group of them is looked at as one, without the HTTP parser. Whatever is not such
a read, and whoever asks for the deadline, ends the group. Nothing is held for an answer that is to be cut at some
event, or whose user may leave before a visible token.

It refuses to know connections and to wait.

Source: spec/loadtest.md 4 (keep `(at_ns, bytes)`), 9; spec/measurement.md 2, 3; RFC 9112 7.1 (the end of a chunked body
is an empty line: CR LF CR LF).
"""

from collections.abc import Callable

from loadtest.answer import AnswerReader
from loadtest.exchange import Ask, Exchange
from loadtest.line import Got, Read, got
from loadtest.waits import Waits
from telemetry.meter import StreamMeter
from telemetry.outcome import AbortBy

HELD_MAX = 32
"""Reads of a group."""
_GOES_ON = b"\n\n\r\n"
"""End of a chunk that ends with an event: no end of a body."""

Tap = Callable[[bytes, int], None]
"""Sees each read with its stamp; only the null server's truth is checked this way."""


class AnswerIntake:
    """Takes the reads of one answer.

    Attributes:
        is_over: Nothing more is taken.
        tap: Sees each read; None if nobody wants to.
        peer_ended: Is told of the peer's end.
    """

    __slots__ = (
        "_ask", "_by", "_due_ns", "_held", "_holds", "_meter", "_reader", "_seen", "_waits", "is_over", "peer_ended",
        "tap",
    )  # fmt: skip

    def __init__(self, ask: Ask, meter: StreamMeter, reader: AnswerReader, seen: Exchange, waits: Waits) -> None:
        """Begin.

        Args:
            ask: What was asked.
            meter: Has begun; `reader` shows it what comes.
            reader: Reads the answer.
            seen: Counts the reads.
            waits: Of the request.
        """
        self._ask, self._meter, self._reader, self._seen, self._waits = ask, meter, reader, seen, waits
        self._due_ns, self._by = waits.next(seen.issue_ns, has_output=False)
        self._held: list[Read] = []
        self._holds = self.is_over = False
        self.tap: Tap | None = None
        self.peer_ended: Callable[[], None] = _nothing

    def take(self, read: Read) -> bool:
        """Take a read; returns whether it is over, or the time to wait has become less."""
        if self._holds and read[0][-4:] == _GOES_ON:
            self._held.append(read)
            if len(self._held) < HELD_MAX:
                return False
            self.settle()
            return self.is_over
        self.settle()
        due_ns = self._due_ns
        self._take(got(read))
        return self.is_over or self._due_ns < due_ns

    def due_ns(self) -> int:
        """Return until when to wait for the next read, monotonic."""
        self.settle()
        return self._due_ns

    def settle(self) -> None:
        """Look at what is held."""
        if not self._held:
            return
        reads = [got(read) for read in self._held]
        self._held.clear()
        if self.is_over:
            return
        if reads[-1].at_ns > self._due_ns:  # one of them may have come too late
            for read in reads:
                self._take(read)
        else:
            taken = reads[: self._reader.feed_run(reads)]
            self._count(taken)
            self._go_on(taken[-1].at_ns)

    def expire(self) -> None:
        """End it at its deadline, unless it is over."""
        self.settle()
        if not self.is_over:
            self._meter.abort(self._by, self._due_ns)
            self.is_over = True

    def _take(self, read: Got) -> None:
        if self.is_over:
            return
        data, at_ns, _ = read
        if data:
            self._count([read])
        if at_ns > self._due_ns:  # it came too late, and whoever waits for the deadline has not noticed yet
            self._meter.abort(self._by, self._due_ns)
            self.is_over = True
        elif not data:
            self.is_over = True
            self.peer_ended()
        else:
            self._reader.feed(data, at_ns)
            self._go_on(at_ns)

    def _count(self, reads: list[Got]) -> None:
        seen = self._seen
        seen.reads += len(reads)
        seen.received_bytes += sum([len(data) for data, _, _ in reads])
        seen.lags_us += [lag_ns // 1000 for _, _, lag_ns in reads if lag_ns is not None]
        if self.tap is not None:
            for data, at_ns, _ in reads:
                self.tap(data, at_ns)

    def _go_on(self, at_ns: int) -> None:
        """Decide what follows the reads up to this instant."""
        reader, meter = self._reader, self._meter
        if reader.faulty or self._is_cut():
            meter.abort(AbortBy.UPSTREAM if reader.faulty else AbortBy.CLIENT, at_ns)
            self.is_over = True
            return
        has_output = meter.has_output
        self._due_ns, self._by = self._waits.next(at_ns, has_output=has_output)
        self.is_over = reader.complete
        self._holds = has_output and reader.in_chunks and self._ask.abort_after is None and not self._waits.watches

    def _is_cut(self) -> bool:
        """Return whether the request is to be aborted as planned; lets the waits know of a visible token."""
        waits, meter, last = self._waits, self._meter, self._ask.abort_after
        if waits.watches and meter.has_output and meter.result().ttfo_us is not None:
            waits.seen()
        if last is not None:
            self._seen.cut_by_plan = meter.result().n_out_events >= last
        return self._seen.cut_by_plan


def _nothing() -> None:
    pass
