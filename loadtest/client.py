"""Knows how one request of a load test is sent and measured, on connections that are kept; never waits for a turn.

Each exchange takes an idle connection or opens one, so so many requests in flight are so many connections. A kept
connection that its peer had closed before the first byte of an answer is reopened, once. Stamps are the kernel's
(`line`), the meter is the one of tee and probes, and it runs on groups of reads (`intake`): the cost of an answer is
spread over its time and not due at its end, where it would delay other requests. No text is kept.

Where the machine's own bounds refuse a connection (descriptors, ports, memory) the request is `client_limit`: the fault
is not the server's.

It refuses to know threads: blocking calls wait, and under Locust gevent's patched sockets make that wait cooperative.

Source: spec/loadtest.md 4, 9; spec/measurement.md 2, 3.
"""

import errno
import ssl
from collections.abc import Callable, Mapping

from loadtest.answer import AnswerReader
from loadtest.exchange import Ask, Exchange
from loadtest.intake import AnswerIntake, Tap
from loadtest.line import Address, Intake, Line, dial, pumped
from loadtest.target import Target
from loadtest.waits import Deadlines, Waits
from telemetry.clock import monotonic_ns
from telemetry.dialects import RequestShape
from telemetry.meter import StreamMeter
from telemetry.outcome import AbortBy, TtftSource

__all__ = ["OWN_FAULTS", "Ask", "Client", "Exchange", "Pump", "Tap", "refused"]

OWN_FAULTS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
"""Errors of a connection that say that this machine has reached a bound."""
_ONE_CALL_BYTES = 64 * 1024


Pump = Callable[[Line, Intake], None]
"""Hands the reads of a line over, as `loadtest.line.pumped` does."""


class Client:
    """Sends requests to one address.

    Args:
        target: Where to.
        address: One of its addresses.
        headers: Of every request, for example Authorization.
        deadlines: Longest waits.
        tap: Sees what comes.
        pump: Hands over what comes.
    """

    def __init__(
        self,
        target: Target,
        address: Address,
        *,
        headers: Mapping[str, str] | None = None,
        deadlines: Deadlines | None = None,
        tap: Tap | None = None,
        pump: Pump = pumped,
    ) -> None:
        """Start without a connection."""
        self._pump = pump
        self.opened = 0
        """Connections that were opened."""
        self._target, self._address = target, address
        self._deadlines = deadlines or Deadlines()
        self._tap = tap
        self._tls = ssl.create_default_context() if target.place.scheme == "https" else None
        self._idle: list[Line] = []
        self._busy: set[Line] = set()
        self._is_cut = False
        fixed = {"Host": target.place.authority, "Content-Type": "application/json", **_FIXED, **(headers or {})}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in fixed.items()).encode("latin-1")

    def exchange(self, ask: Ask) -> Exchange:
        """Send one request and read its answer to the end; raises nothing for the network."""
        issue_ns = monotonic_ns()
        source = TtftSource.CLIENT if ask.t_sched_ns is None else TtftSource.SCHED
        meter, seen = StreamMeter(ask.shape, ttft_source=source), Exchange(issue_ns=issue_ns)
        meter.begin(issue_ns, ask.t_sched_ns)
        if not self._tried(ask, meter, seen):
            seen.reconnected = True
            self._tried(ask, meter, seen)
        seen.result = meter.result()
        return seen

    def cut(self) -> None:
        """End every exchange in flight, and every later one at once: each has run into the end of the run.

        That is a deadline of ours, and no user left: an answer that never ended may not leave the count.
        """
        self._is_cut = True
        for line in tuple(self._busy):
            line.shutdown()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _tried(self, ask: Ask, meter: StreamMeter, seen: Exchange) -> bool:
        """Return whether the exchange is over; it is not if its kept connection turned out to be closed."""
        seen.body = bytearray() if ask.keeps_body else None
        reader, line = AnswerReader(meter, seen.body), None
        intake = self._intake(ask, meter, reader, seen)
        try:
            self._must_not_be_cut()
            line = self._line(meter, seen)
            self._busy.add(line)
            self._must_not_be_cut()  # who cuts shuts busy lines down, and this one was not while it was dialled
            self._send(ask, line, meter, seen)
            self._pump(line, intake)
            intake.expire()
        except OSError as error:
            intake.settle()
            is_late = isinstance(error, TimeoutError) or reader.begun
            if seen.reused and not (is_late or seen.reconnected or self._is_cut):
                return False
            seen.own_fault = error.errno in OWN_FAULTS
            meter.abort(AbortBy.TOTAL_DEADLINE if self._is_cut else AbortBy.UPSTREAM, monotonic_ns())
        finally:
            seen.retry_after_s = reader.retry_after_s
            reader.release()
            if line is not None:
                self._busy.discard(line)
                self._put_back(line, is_usable=reader.complete and reader.keeps_alive and not self._is_cut)
        return True

    def _intake(self, ask: Ask, meter: StreamMeter, reader: AnswerReader, seen: Exchange) -> AnswerIntake:
        ref_ns = seen.issue_ns if ask.t_sched_ns is None or ask.is_retry else ask.t_sched_ns
        waits = Waits(seen.issue_ns, ref_ns, self._deadlines, ask.patience)
        intake = AnswerIntake(ask, meter, reader, seen, waits)
        intake.tap, intake.peer_ended = self._tap, lambda: self._peer_ended(reader, meter, seen)
        return intake

    def _must_not_be_cut(self) -> None:
        if self._is_cut:
            raise ConnectionAbortedError(errno.ECONNABORTED, "cut")

    def _line(self, meter: StreamMeter, seen: Exchange) -> Line:
        seen.reused = bool(self._idle) and not seen.reconnected
        if seen.reused:
            line = self._idle.pop()
            meter.connected(seen.issue_ns)
            return line
        self.opened += 1
        line = dial(self._address, self._deadlines.connect_s)
        if self._tls is not None:
            try:
                line.secure(self._tls, self._target.place.host)
            except BaseException:
                line.close()
                raise
        meter.connected(monotonic_ns())
        return line

    def _put_back(self, line: Line, *, is_usable: bool) -> None:
        if is_usable:
            self._idle.append(line)
        else:
            line.close()

    def _send(self, ask: Ask, line: Line, meter: StreamMeter, seen: Exchange) -> None:
        head = f"POST {self._target.base}{ask.path} HTTP/1.1\r\n".encode("latin-1")
        data = b"%b%b%bContent-Length: %d\r\n\r\n%b" % (head, self._head, ask.headers, len(ask.body), ask.body)
        line.wait_s(self._deadlines.first_token_s)
        # The kernel may stamp an answer before our clock is read behind the call: what one call takes is sent when it
        # begins.
        begun_ns = monotonic_ns()
        line.send(data)
        meter.sent(begun_ns if len(data) <= _ONE_CALL_BYTES else monotonic_ns())
        seen.sent_bytes = len(data)

    def _peer_ended(self, reader: AnswerReader, meter: StreamMeter, seen: Exchange) -> None:
        if self._is_cut:
            meter.abort(AbortBy.TOTAL_DEADLINE, monotonic_ns())
        elif seen.reused and not reader.begun:
            raise ConnectionResetError(errno.ECONNRESET, "closed before the first byte")
        else:
            reader.closed(monotonic_ns())


def refused(shape: RequestShape, t_sched_ns: int) -> Exchange:
    """Return the exchange of a request that this machine did not even begin."""
    now_ns = monotonic_ns()
    meter = StreamMeter(shape, ttft_source=TtftSource.SCHED)
    meter.begin(now_ns, t_sched_ns)
    meter.abort(AbortBy.CLIENT, now_ns)
    return Exchange(issue_ns=now_ns, result=meter.result(), own_fault=True)


_FIXED = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "User-Agent": "inferometer-load"}
