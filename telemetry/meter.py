"""Knows how one request is measured from the stamps and bytes handed in; refuses to own a clock, socket or log.

The same object is driven by the observer behind the tee, by probes and by load-test users, online or in replay.
Goals, in order: never raise, never hold more than one event (`sse.EVENT_BYTES_MAX`) and one series of arrivals
(`gaps.ARRIVALS_MAX`), be cheap for the chunk that an engine really sends. Text is never kept.

All events that one `feed` completes share its stamp. A stamp before the last one is taken as the last and flagged.
After `end` or `abort` nothing changes any more.

Source: spec/measurement.md 2, 3, 5 and 6.
"""

from collections.abc import Sequence
from typing import cast

from telemetry import figures
from telemetry.classify import Evidence, Fault, Verdict, decide, is_success, read_fault
from telemetry.dialects import RequestShape, reader_for
from telemetry.events import (
    DONE,
    ERROR,
    EXACT,
    FINISH,
    OUTPUT,
    RARE,
    UNREADABLE,
    VISIBLE,
    Reader,
    Tally,
    is_json,
    is_utf8,
    json_or_text,
)
from telemetry.figures import Stamps
from telemetry.gaps import ArrivalSeries
from telemetry.histogram import US_MAX
from telemetry.likeness import LESSONS_MAX, Likeness, likeness
from telemetry.meter_result import MeterResult
from telemetry.outcome import AbortBy, Flag, TtftQuality, TtftSource
from telemetry.sse import EVENT_BYTES_MAX, Event, SseDecoder

__all__ = ["FAULT_BYTES_MAX", "MeterResult", "StreamMeter"]

FAULT_BYTES_MAX = 64 * 1024
"""Start of an error body that is kept until the request is classified."""

_FINAL_MIN = 200
_TEXT = OUTPUT | EXACT | VISIBLE
_SWITCHING_PROTOCOLS = 101


class StreamMeter:
    """Measures one request; calls follow the life of the exchange and may stop at any point.

    Args:
        shape: What the request asked for.
        ttft_source: Who takes the stamps.
        stall_gap_us: A longer gap between arrivals is a stall.
    """

    def __init__(
        self, shape: RequestShape, *, ttft_source: TtftSource = TtftSource.TEE, stall_gap_us: int = 1_000_000
    ) -> None:
        self._shape = shape
        self._ttft_source = ttft_source
        self._stall_gap_us = stall_gap_us
        self._reader: Reader | None = reader_for(shape)
        self._decoder: SseDecoder | None = None  # set when the body is a stream of events
        self._arrivals = ArrivalSeries(stall_gap_us=stall_gap_us)
        self._stamps = Stamps()
        self._now_ns = 0
        self._wire_ns: int | None = None  # last body byte
        self._wire_gap_ns = 0
        self._is_plain = False  # all firsts are seen: an output event changes only the arrivals
        self._like: Likeness | None = None
        self._lessons = 0
        self._first_exact = False
        self._n_first = 1
        self._status = 0
        self._server = ""
        self._body: bytearray | None = None  # of an answer that is read as a whole
        self._fault: Fault | None = None
        self._failed = self._done = self._undecodable = False
        self._closed_by: AbortBy | None = None
        self._decided_ns: int | None = None
        self._flags = 0
        self._n_bad_json = self._n_bad_utf8 = self._n_oversize = self._n_framing_fault = 0

    def begin(self, t_issue_ns: int, t_sched_ns: int | None = None) -> None:
        """Take the issue, and the planned arrival of an open-loop plan."""
        self._stamps.issue_ns = self._now_ns = t_issue_ns
        self._stamps.sched_ns = t_sched_ns

    def connected(self, at_ns: int) -> None:
        """Take the instant at which the connection became usable; the issue itself for a reused one."""
        self._stamps.conn_ns = self._at(at_ns)

    def sent(self, at_ns: int) -> None:
        """Take the instant at which the last request byte was handed on."""
        self._stamps.sent_ns = self._at(at_ns)
        if self._stamps.head_ns is not None:
            self._flags |= Flag.EARLY_RESPONSE

    def headers(self, status: int, headers: Sequence[tuple[bytes, bytes]], at_ns: int) -> None:
        """Take the head of the final response; informational ones (1xx but 101) are passed over."""
        if self._decided_ns is not None or (status < _FINAL_MIN and status != _SWITCHING_PROTOCOLS):
            return
        self._stamps.head_ns = self._at(at_ns)
        self._status = status
        told = {name.lower(): value for name, value in headers}
        self._server = told.get(b"server", b"").decode("latin-1").lower()
        kind = told.get(b"content-type", b"").partition(b";")[0].strip().lower()
        self._failed = not is_success(self._shape.api, status)
        if self._failed:
            self._body = bytearray()
        elif self._reader is not None:
            self._choose_framing(kind)

    def opaque(self) -> None:
        """Say that the body's coding cannot be decoded: its bytes are timed, not read. Call before the first `feed`."""
        self._flags |= Flag.OPAQUE_BODY
        self._decoder = self._body = self._reader = None

    def feed(self, chunk: bytes, at_ns: int) -> None:
        """Take decoded body bytes that were received at once."""
        if self._decided_ns is not None:
            return
        if at_ns < self._now_ns:
            at_ns = self._at(at_ns)
        wire_ns = self._wire_ns
        if wire_ns is not None and at_ns - wire_ns > self._wire_gap_ns:
            self._wire_gap_ns = at_ns - wire_ns
        self._wire_ns = self._now_ns = at_ns
        decoder = self._decoder
        if decoder is None or self._reader is None:
            self._keep(chunk, at_ns)
            return
        if self._like is not None and decoder.idle and self._like.holds(chunk):
            self._arrivals.add(at_ns, 1, 0)
            return
        data = decoder.single(chunk)
        if data is None:
            self._take(decoder.feed(chunk), at_ns)
        else:
            self._take_single(chunk, data, at_ns)

    def end(self, at_ns: int) -> None:
        """Take the completion of the body."""
        self._close(None, at_ns)

    def abort(self, by: AbortBy, at_ns: int) -> None:
        """Take an end before the body was complete."""
        self._close(by, at_ns)

    @property
    def has_output(self) -> bool:
        """Whether an output event has come."""
        return self._arrivals.n_events > 0

    def result(self) -> MeterResult:
        """Return the measurement so far; changes nothing, so it may be asked for mid-stream."""
        tally = self._reader.tally() if self._reader is not None else Tally()
        terminal = self._is_terminal()
        fallback = terminal and not self._arrivals.n and self._decoder is not None and bool(tally.usage.tokens_out)
        verdict = decide(self._evidence(terminal=terminal, output=self._has_output(terminal=terminal) or fallback))
        return self._assemble(verdict, tally, terminal=terminal, fallback=fallback)

    def _at(self, at_ns: int) -> int:
        if at_ns < self._now_ns:
            self._flags |= Flag.CLAMPED
            at_ns = self._now_ns
        self._now_ns = at_ns
        return at_ns

    def _choose_framing(self, kind: bytes) -> None:
        streamed = kind == b"text/event-stream" or (not kind and self._shape.stream)
        if self._shape.parsed and streamed != self._shape.stream:
            self._flags |= Flag.DIALECT_CONFLICT
        if streamed:
            self._decoder = SseDecoder()
        else:
            self._body = bytearray()

    def _keep(self, chunk: bytes, at_ns: int) -> None:
        if self._stamps.event_ns is None and chunk:
            self._stamps.event_ns = at_ns
        if self._body is None:
            return
        if self._failed:
            self._body += chunk[: FAULT_BYTES_MAX - len(self._body)]
        elif len(self._body) + len(chunk) <= EVENT_BYTES_MAX:
            self._body += chunk
        else:
            self._body = None
            self._n_oversize += 1

    def _take_single(self, chunk: bytes, data: bytes, at_ns: int) -> None:
        """Do as `_take` does for one event, without its loop: this is the path of nearly every chunk."""
        reader = cast("Reader", self._reader)
        marks = reader.read(b"", data)
        if marks & RARE or not self._is_plain or not data.isascii():
            self._note(marks, (b"", data), at_ns)
        elif marks == _TEXT and not reader.tokens and self._lessons <= LESSONS_MAX:
            self._lessons += 1  # one too many, and each event is read in full
            self._like = likeness(chunk, reader.text_keys) if self._lessons <= LESSONS_MAX else None
        if marks & OUTPUT:
            self._arrivals.add(at_ns, 1, reader.tokens)

    def _take(self, events: Sequence[Event], at_ns: int) -> None:
        reader = cast("Reader", self._reader)
        for event in events:
            marks = reader.read(*event)
            self._note(marks, event, at_ns)
            if marks & OUTPUT:
                self._arrivals.add(at_ns, 1, reader.tokens)

    def _note(self, marks: int, event: Event, at_ns: int) -> None:
        """Take what is seldom: the first events, an end, an error, bytes that are not plain ASCII."""
        stamps = self._stamps
        if stamps.event_ns is None:
            stamps.event_ns = at_ns
        if marks & OUTPUT and stamps.first_ns is None:
            stamps.first_ns = at_ns
            self._first_exact = bool(marks & EXACT)
            self._n_first = cast("Reader", self._reader).tokens or 1
        if marks & VISIBLE and stamps.visible_ns is None:
            stamps.visible_ns = at_ns
            self._is_plain = True
        if marks & RARE:
            self._rare(marks, event, at_ns)
        if not marks & UNREADABLE and not is_utf8(event[1]):
            self._n_bad_utf8 += 1

    def _rare(self, marks: int, event: Event, at_ns: int) -> None:
        if marks & FINISH:
            self._stamps.finish_ns = at_ns
        if marks & DONE:
            self._done = True
        if marks & ERROR and self._fault is None:
            self._fault = read_fault(cast("Reader", self._reader).error)
        if marks & UNREADABLE and not marks & ERROR:
            self._unreadable(event, at_ns)

    def _unreadable(self, event: Event, at_ns: int) -> None:
        lines = event[1].split(b"\n")
        if len(lines) > 1 and all(map(is_json, lines)):
            self._n_framing_fault += 1
            self._take([(event[0], line) for line in lines], at_ns)
        elif not cast("SseDecoder", self._decoder).tail:  # a tail that is cut off is no fault of its sender
            self._n_bad_json += 1
            self._n_bad_utf8 += int(not is_utf8(event[1]))

    def _close(self, by: AbortBy | None, at_ns: int) -> None:
        if self._decided_ns is not None:
            return
        at_ns = self._at(at_ns)
        if self._decoder is not None and by in {None, AbortBy.UPSTREAM}:
            events = self._decoder.finish()
            if self._decoder.tail:
                self._flags |= Flag.UNTERMINATED_TAIL
            self._take(events, at_ns if self._wire_ns is None else self._wire_ns)
        elif self._body is not None:
            self._read_body(bytes(self._body), complete=by is None)
            self._body = None
        if self._wire_ns is not None and not self._is_terminal():
            self._wire_gap_ns = max(self._wire_gap_ns, at_ns - self._wire_ns)
        self._closed_by = by
        self._decided_ns = at_ns

    def _read_body(self, body: bytes, *, complete: bool) -> None:
        if self._failed:
            self._fault = read_fault(json_or_text(body))
        elif complete and self._reader is not None:
            marks = self._reader.read_body(body)
            self._undecodable = bool(marks & UNREADABLE)
            if marks & ERROR:
                self._fault = read_fault(self._reader.error)
            if not is_utf8(body):
                self._n_bad_utf8 += 1

    def _is_terminal(self) -> bool:
        """Return whether the answer ended as its dialect ends it."""
        if self._fault is not None:
            return False
        if self._decoder is None or self._reader is None:
            complete = self._decided_ns is not None and self._closed_by is None
            return complete and self._status != 0 and not self._failed
        return self._done or self._reader.finished >= self._shape.n

    def _has_output(self, *, terminal: bool) -> bool:
        if self._decoder is None:
            return terminal
        return self._arrivals.n_events > 0 or (terminal and self._shape.echo)  # an echo alone may be all that was asked

    def _evidence(self, *, terminal: bool, output: bool) -> Evidence:
        return Evidence(
            api=self._shape.api,
            status=self._status,
            server=self._server,
            fault=self._fault,
            finishes=tuple(self._reader.finishes) if self._reader is not None else (),
            terminal=terminal,
            output=output,
            undecodable=self._undecodable,
            sent=self._stamps.sent_ns is not None,
            closed_by=self._closed_by,
            ended=self._decided_ns is not None,
        )

    def _t_end(self) -> int:
        """Return the end of an answer that ended well."""
        ends = [at_ns for at_ns in (self._stamps.finish_ns, self._arrivals.last_ns) if at_ns] if self._decoder else []
        return max(ends) if ends else self._now_ns

    def _assemble(self, verdict: Verdict, tally: Tally, *, terminal: bool, fallback: bool) -> MeterResult:
        stamps, arrivals, usage, times = self._stamps, self._arrivals, tally.usage, tally.times
        counted = self._reader is not None and self._reader.counted
        ref_ns, now_ns = stamps.ref_ns, self._now_ns
        first_ns = stamps.event_ns if fallback else stamps.first_ns
        open_gap_us = figures.span_us(arrivals.last_ns, now_ns) if arrivals.n and stamps.finish_ns is None else None
        gaps = arrivals.summary()
        stalled_us = open_gap_us if open_gap_us is not None and open_gap_us > self._stall_gap_us else None
        service_us = figures.span_us(stamps.issue_ns, first_ns)
        residual_us, conflict = figures.residual_us(service_us, times.queue_us, times.prefill_us)
        bins = figures.token_bins(arrivals, usage.tokens_out, counted=counted, end_ns=self._t_end())
        elapsed_us = figures.span_us(ref_ns, now_ns) or 0
        return MeterResult(
            elapsed_us=elapsed_us,
            api=self._shape.api,
            outcome=verdict.outcome,
            phase=verdict.phase,
            origin=verdict.origin,
            finish_reason=verdict.finish_reason,
            eligible=verdict.eligible,
            http_status=self._status,
            stream=int(self._decoder is not None or (not self._status and self._shape.stream)),
            in_stream=verdict.in_stream,
            retryable=verdict.retryable,
            flags=self._flags
            | (Flag.ATTRIBUTION_CONFLICT if conflict else 0)
            | (Flag.CLAMPED if elapsed_us == US_MAX else 0),
            e2e_us=figures.span_us(ref_ns, self._t_end()) if terminal else None,
            sched_lag_us=figures.span_us(self._stamps.sched_ns, self._stamps.issue_ns),
            connect_us=figures.span_us(self._stamps.issue_ns, self._stamps.conn_ns),
            send_us=figures.span_us(self._stamps.conn_ns, self._stamps.sent_ns),
            headers_us=figures.span_us(ref_ns, self._stamps.head_ns),
            first_event_us=figures.span_us(ref_ns, self._stamps.event_ns),
            ttft_us=figures.span_us(ref_ns, first_ns),
            ttft_service_us=service_us,
            ttfo_us=figures.span_us(ref_ns, self._stamps.visible_ns),
            tpot_us=figures.tpot_us(arrivals, usage.tokens_out, self._n_first)
            if counted or self._shape.n == 1
            else None,
            icl_p50_us=gaps.icl_p50_us,
            icl_p99_us=gaps.icl_p99_us,
            icl_max_us=gaps.icl_max_us,
            open_gap_us=open_gap_us,
            stall_us=gaps.stall_us + (stalled_us or 0) if arrivals.n else None,
            wire_gap_max_us=None if self._wire_ns is None else self._wire_gap_ns // 1000,
            stall_n=gaps.stall_n + int(stalled_us is not None),
            n_arrivals=arrivals.n,
            n_out_events=self._arrivals.n_events,
            srv_queue_us=times.queue_us,
            srv_prefill_us=times.prefill_us,
            srv_decode_us=times.decode_us,
            srv_mean_itl_us=times.mean_itl_us,
            residual_us=residual_us,
            itl_h=gaps.itl_h,
            tok_by_s=bins.tok_by_s,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            tokens_cache_read=usage.tokens_cache_read,
            tokens_cache_write=usage.tokens_cache_write,
            tokens_reasoning=usage.tokens_reasoning,
            ttft_source=self._ttft_source,
            ttft_quality=self._quality(tally, terminal=terminal, fallback=fallback),
            tok_source=tally.source,
            tok_time_quality=bins.quality,
            decided_at_ns=now_ns,
            raw_type=verdict.raw_type,
            raw_code=verdict.raw_code,
            tok_s0=bins.tok_s0,
            n_bad_json=self._n_bad_json,
            n_bad_utf8=self._n_bad_utf8,
            n_oversize=self._n_oversize + (self._decoder.n_oversize if self._decoder is not None else 0),
            n_framing_fault=self._n_framing_fault,
        )

    def _quality(self, tally: Tally, *, terminal: bool, fallback: bool) -> TtftQuality:
        if fallback:
            return TtftQuality.FALLBACK
        if self._stamps.first_ns is None:
            return TtftQuality.NONE
        if terminal and self._arrivals.n == 1 and (tally.usage.tokens_out or self._arrivals.n_events) > 1:
            return TtftQuality.UPPER_BOUND
        return TtftQuality.EXACT if self._first_exact else TtftQuality.HELD
