"""Knows what the null server sends for one request, and when: seconds after the request and the bytes between stamps.

Refuses to know sockets and clocks: where a piece carries a stamp, the server puts the clock's reading there at the
moment it sends. Nothing is computed from the prompt but its length; the answer is the word `tok`.

Source: spec/loadtest.md 17; wire shapes: telemetry.testing.engine_bodies (vLLM 0.32), Anthropic Messages streaming
(spec/measurement.md 12), Ollama `/api/generate` (spec/measurement.md 4).
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

from loadtest.lengths import lognormal
from loadtest.random_streams import Uniform

MODEL = "null"
TOKENS_DEFAULT = 16
"""Answer length when neither the shape nor the request names one."""
TOKENS_MAX = 1_000_000
"""Longest answer."""

_Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=86_400.0)]
_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]
_Some = Annotated[int, msgspec.Meta(ge=1, le=TOKENS_MAX)]


class LineEnd(StrEnum):
    """What ends a line of an event stream."""

    LF = "lf"
    CRLF = "crlf"
    CR = "cr"


class Form(StrEnum):
    """The wire shape of an answer."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    ANTHROPIC = "anthropic"
    NDJSON = "ndjson"


class Ending(StrEnum):
    """How an answer is broken off."""

    EOF = "eof"
    RESET = "reset"


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the null server answers.

    Attributes:
        ttft_s: Request complete to first token, seconds.
        itl_s: Between two chunks of tokens, seconds.
        tokens: Length of the answer; None: what the request asks for, else `TOKENS_DEFAULT`.
        tokens_per_chunk: Tokens in one event.
        role: A role chunk comes with the head.
        usage: A usage chunk ends the stream, if the request asks for one.
        header_delay_s: Request complete to response head, seconds.
        coalesce: So many events are held and written at once, at the time of the last.
        line_end: What ends a line.
        comment_every: A comment line stands before each so many-th event; 0: none.
        split_bytes: Each write is cut into pieces of this size, a turn of the loop apart; 0: not cut.
        error_at: Before this event (from 0) an error frame comes in place of the rest.
        eof_at: Before this event the connection is closed.
        reset_at: Before this event the connection is reset.
        stall_at: Before this event nothing comes for `stall_s`; later events keep their distance to it.
        stall_s: Length of that stall, seconds.
        capacity_rps: Answers begun a second, at most; requests above it queue. 0: no limit.
        share_429: Share of requests answered 429, evenly spaced.
        share_503: Share of requests answered 503, evenly spaced.
        slow_body_s: A refusal's body comes this long after its head, seconds.
        stamps: Events carry the clock; else a 0, so that one event is like the next but for its text, as an engine's.
        ttft_sigma: Lognormal spread of `ttft_s`, seeded; 0: always the same.
        leak_itl_s: With each answer `itl_s` grows by so much, seconds.
        leak_bytes: With each answer so much memory is taken and kept, bytes.
        leak_kv: With each answer the use of the KV cache that `/metrics` tells grows by this share, up to 1.
    """

    ttft_s: _Seconds = 0.05
    itl_s: _Seconds = 0.01
    tokens: _Count | None = None
    tokens_per_chunk: _Some = 1
    role: bool = True
    usage: bool = True
    header_delay_s: _Seconds = 0.0
    coalesce: _Some = 1
    line_end: LineEnd = LineEnd.LF
    comment_every: _Count = 0
    split_bytes: _Count = 0
    error_at: _Count | None = None
    eof_at: _Count | None = None
    reset_at: _Count | None = None
    stall_at: _Count | None = None
    stall_s: _Seconds = 0.0
    capacity_rps: Annotated[float, msgspec.Meta(ge=0.0, le=1e6)] = 0.0
    share_429: _Share = 0.0
    share_503: _Share = 0.0
    slow_body_s: _Seconds = 0.0
    stamps: bool = True
    ttft_sigma: Annotated[float, msgspec.Meta(ge=0.0, le=5.0)] = 0.0
    leak_itl_s: _Seconds = 0.0
    leak_bytes: Annotated[int, msgspec.Meta(ge=0, le=1 << 30)] = 0
    leak_kv: _Share = 0.0


class Move(NamedTuple):
    """One step of an answer.

    Attributes:
        at_s: When, seconds after the request was complete.
        parts: Bytes to send; the server's stamp, in decimal, stands between each two.
        ending: The answer is broken off here.
    """

    at_s: float
    parts: tuple[bytes, ...] = ()
    ending: Ending | None = None


def shape_of(words: list[str]) -> Shape:
    """Read a shape from words of the form KEY=VALUE.

    Raises:
        ValueError: A word is not of this form, a key is unknown or a value out of bounds; the message names it.
    """
    keys = {key: value for key, eq, value in (word.partition("=") for word in words) if eq}
    if len(keys) != len(words):
        raise ValueError(f"allowed: KEY=VALUE, each key once; found {' '.join(words)!r}")
    try:
        return msgspec.convert(keys, Shape, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error}; allowed keys: {', '.join(Shape.__struct_fields__)}") from None


def moves(shape: Shape, form: Form, tokens: int, *, tokens_in: int, usage: bool) -> Iterator[Move]:
    """Return the steps of a streamed answer, in time order.

    Args:
        shape: How the server answers.
        form: Which API.
        tokens: Tokens of the answer.
        tokens_in: Tokens of the prompt, for the usage.
        usage: The request asked for a usage chunk.
    """
    wire = _Wire(shape.line_end, form, tokens_in)
    if opening := wire.opening(role=shape.role):
        yield Move(shape.header_delay_s, opening)
    held: list[bytes] = []
    at_s, left = shape.ttft_s, tokens
    for number in range(-(-tokens // shape.tokens_per_chunk)):
        at_s += (shape.itl_s if number else 0.0) + (shape.stall_s if number == shape.stall_at else 0.0)
        if (broken := _broken(shape, wire, number, at_s)) is not None:
            yield from broken
            return
        if shape.comment_every and number % shape.comment_every == 0:
            held = _joined(held, (wire.comment(),))
        held = _joined(held, wire.tokens(min(left, shape.tokens_per_chunk), is_last=left <= shape.tokens_per_chunk))
        left -= shape.tokens_per_chunk
        if (number + 1) % shape.coalesce == 0 or left <= 0:
            yield Move(at_s, tuple(held))
            held = []
    yield Move(at_s, wire.closing(tokens, usage=usage and shape.usage))


def worn(shape: Shape, answers: int, uniform: Uniform) -> Shape:
    """Return how the next answer is given after so many: slower by what leaks, and with a TTFT of its own.

    Args:
        shape: How the server answers.
        answers: Given before.
        uniform: Source of the spread.
    """
    if not (shape.ttft_sigma or shape.leak_itl_s):
        return shape
    ttft_s = shape.ttft_s * (lognormal(shape.ttft_sigma, uniform()) if shape.ttft_sigma else 1.0)
    return msgspec.structs.replace(shape, ttft_s=ttft_s, itl_s=shape.itl_s + answers * shape.leak_itl_s)


def is_leaky(shape: Shape) -> bool:
    """Return whether anything grows, so that there is something to tell; else it is no engine and has no page."""
    return bool(shape.leak_itl_s or shape.leak_bytes or shape.leak_kv)


def page(shape: Shape, answers: int, resident_bytes: int) -> bytes:
    """Return the page of metrics after so many answers."""
    kv = min(1.0, answers * shape.leak_kv)
    return b"process_resident_memory_bytes %d\nvllm:kv_cache_usage_perc %f\n" % (resident_bytes, kv)


def refused(shape: Shape, number: int) -> int | None:
    """Return the status by which request `number` (from 0) is refused; None if it is answered."""
    for status, share in ((429, shape.share_429), (503, shape.share_503)):
        if int((number + 1) * share + _SLACK) > int(number * share + _SLACK):
            return status
    return None


_SLACK = 1e-9
"""So that ten times a tenth is one."""


def _joined(held: list[bytes], parts: tuple[bytes, ...]) -> list[bytes]:
    return [*held[:-1], (held[-1] if held else b"") + parts[0], *parts[1:]]


def _broken(shape: Shape, wire: "_Wire", number: int, at_s: float) -> list[Move] | None:
    if number == shape.error_at:
        return [Move(at_s, wire.error())]
    if number == shape.eof_at:
        return [Move(at_s, ending=Ending.EOF)]
    if number == shape.reset_at:
        return [Move(at_s, ending=Ending.RESET)]
    return None


class _Wire:
    """The bytes of one answer."""

    def __init__(self, line_end: LineEnd, form: Form, tokens_in: int) -> None:
        self._end = {LineEnd.LF: b"\n", LineEnd.CRLF: b"\r\n", LineEnd.CR: b"\r"}[line_end]
        self._form, self._tokens_in = form, tokens_in

    def opening(self, *, role: bool) -> tuple[bytes, ...]:
        """Return what comes before the first token."""
        if self._form is Form.ANTHROPIC:
            usage = b'"usage":{"input_tokens":%d,"output_tokens":1}' % self._tokens_in
            message = b'{"type":"message_start","message":{"id":"n","role":"assistant","content":[],%b}}' % usage
            block = b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
            return (self._event(message, b"message_start") + self._event(block, b"content_block_start"),)
        if self._form is Form.CHAT and role:
            delta = b'{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}'
            return (self._event(_CHAT_HEAD + b'"choices":[%b]}' % delta),)
        return ()

    def tokens(self, n: int, *, is_last: bool) -> tuple[bytes, ...]:
        """Return the event of `n` tokens, cut where its stamp stands."""
        text = b"tok " * n
        if self._form is Form.ANTHROPIC:
            delta = b'"index":0,"delta":{"type":"text_delta","text":"%b"}}' % text
            return self._stamped(b'{"type":"content_block_delta","sent_ns":', b"," + delta, b"content_block_delta")
        if self._form is Form.NDJSON:
            return b'{"model":"null","sent_ns":', b',"response":"%b","done":false}\n' % text
        finish = b'"length"' if is_last else b"null"
        body = b'"delta":{"content":"%b"}' if self._form is Form.CHAT else b'"text":"%b"'
        head = _CHAT_HEAD if self._form is Form.CHAT else _TEXT_HEAD
        choice = b',"choices":[{"index":0,%b,"finish_reason":%b}]}' % (body % text, finish)
        return self._stamped(head + b'"sent_ns":', choice)

    def closing(self, tokens: int, *, usage: bool) -> tuple[bytes, ...]:
        """Return what comes after the last token."""
        if self._form is Form.ANTHROPIC:
            delta = b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":%d}}' % tokens
            end = self._event(b'{"type":"message_stop"}', b"message_stop")
            return (self._event(delta, b"message_delta") + end,)
        if self._form is Form.NDJSON:
            counts = b'"prompt_eval_count":%d,"eval_count":%d' % (self._tokens_in, tokens)
            return (b'{"model":"null","response":"","done":true,"done_reason":"length",%b}\n' % counts,)
        told = b'"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}'
        told %= (self._tokens_in, tokens, self._tokens_in + tokens)
        head = _CHAT_HEAD if self._form is Form.CHAT else _TEXT_HEAD
        return ((self._event(head + told) if usage else b"") + self._event(b"[DONE]"),)

    def error(self) -> tuple[bytes, ...]:
        """Return an error frame, and what the form sends after it."""
        if self._form is Form.ANTHROPIC:
            return (self._event(b'{"type":"error","error":{"type":"api_error","message":"null"}}', b"error"),)
        error = b'{"error":{"message":"null","type":"InternalServerError","code":500}}'
        return (error + b"\n",) if self._form is Form.NDJSON else (self._event(error) + self._event(b"[DONE]"),)

    def comment(self) -> bytes:
        """Return a keep-alive."""
        return self._end if self._form is Form.NDJSON else b": keep-alive" + self._end * 2

    def _stamped(self, before: bytes, after: bytes, name: bytes = b"") -> tuple[bytes, ...]:
        event = b"event: %b%b" % (name, self._end) if name else b""
        return event + b"data: " + before, after + self._end * 2

    def _event(self, data: bytes, name: bytes = b"") -> bytes:
        return (b"event: %b%b" % (name, self._end) if name else b"") + b"data: " + data + self._end * 2


_CHAT_HEAD = b'{"id":"null","object":"chat.completion.chunk","created":0,"model":"null",'
_TEXT_HEAD = b'{"id":"null","object":"text_completion","created":0,"model":"null",'
