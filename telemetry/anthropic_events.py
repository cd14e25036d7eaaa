"""Knows what the events of Anthropic messages carry; refuses to know time.

Usage is cumulative in `message_start` and `message_delta`: the last value of a field wins. The output count of
`message_start` is a placeholder, so the count is unknown until a `message_delta` told one.

Source: spec/measurement.md 7 and 12; vLLM 0.32, entrypoints/anthropic (recorded in tests/fixtures/streams).
"""

from typing import Any

import msgspec

from telemetry.events import (
    DONE,
    ERROR,
    EXACT,
    FINISH,
    OUTPUT,
    UNREADABLE,
    VISIBLE,
    Tally,
    Usage,
    as_object,
    as_word,
    count,
    decoded,
    json_or_text,
)
from telemetry.outcome import TokSource

OUTPUTS: dict[str, tuple[str, int]] = {
    "text_delta": ("text", OUTPUT | EXACT | VISIBLE),
    "input_json_delta": ("partial_json", OUTPUT | EXACT | VISIBLE),
    "thinking_delta": ("thinking", OUTPUT | EXACT),
    "citations_delta": ("citation", OUTPUT | EXACT),
}
"""Kinds of `content_block_delta`: the field that must not be empty, and the marks. Others are control."""


class _Delta(msgspec.Struct, gc=False):
    type: Any = None
    text: Any = None
    thinking: Any = None
    partial_json: Any = None
    citation: Any = None
    stop_reason: Any = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: Any = None
    output_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_read_input_tokens: Any = None
    output_tokens_details: Any = None


class _Message(msgspec.Struct, gc=False):
    usage: _Usage | None = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    message: _Message | None = None
    stop_reason: Any = None
    error: Any = None


_event = msgspec.json.Decoder(_Event)


class AnthropicReader:
    """Reads one answer of Anthropic messages."""

    __slots__ = ("_counts", "_has_output_count", "counted", "error", "finished", "finishes", "text_keys", "tokens")

    def __init__(self) -> None:
        self.tokens = 0
        self.counted = False
        self.finishes: list[str] = []
        self.finished = 0
        self.error: object = None
        self.text_keys: tuple[bytes, ...] = ()  # its events have names, and are read in full
        self._counts: dict[str, int] = {}
        self._has_output_count = False

    def read(self, name: bytes, data: bytes) -> int:
        """Return the marks of one event."""
        event = decoded(_event, data)
        if event is None or event.error is not None or name == b"error":
            return self._fault(event, name, data)
        if event.type == "content_block_delta" and event.delta is not None:
            field, marks = OUTPUTS.get(as_word(event.delta.type), ("type", 0))
            return marks if getattr(event.delta, field) else 0
        if event.message is not None:
            self._take(event.message.usage)
        if event.type == "message_delta":
            self._take(event.usage)
            self._has_output_count = "output_tokens" in self._counts
            return self._finish(event.delta.stop_reason if event.delta is not None else None)
        return DONE if event.type == "message_stop" else 0

    def read_body(self, body: bytes) -> int:
        """Return the marks of a whole unary body."""
        event = decoded(_event, body)
        if event is None or event.error is not None:
            return self._fault(event, b"", body)
        self._take(event.usage)
        self._has_output_count = "output_tokens" in self._counts
        return self._finish(event.stop_reason)

    def tally(self) -> Tally:
        """Return what the answer has told of tokens so far."""
        told = self._counts
        read, write = told.get("cache_read_input_tokens"), told.get("cache_creation_input_tokens")
        tokens_in = told.get("input_tokens")
        return Tally(
            source=TokSource.USAGE if self._has_output_count else TokSource.NONE,
            usage=Usage(
                tokens_in=None if tokens_in is None else tokens_in + (read or 0) + (write or 0),
                tokens_out=told["output_tokens"] if self._has_output_count else None,
                tokens_cache_read=read,
                tokens_cache_write=write,
                tokens_reasoning=told.get("thinking_tokens"),
            ),
        )

    def _take(self, usage: _Usage | None) -> None:
        if usage is None:
            return
        told = {field: count(getattr(usage, field)) for field in usage.__struct_fields__}
        told["thinking_tokens"] = count(as_object(usage.output_tokens_details).get("thinking_tokens"))
        self._counts |= {field: value for field, value in told.items() if value is not None}

    def _finish(self, reason: object) -> int:
        if reason is None:
            return 0
        self.finishes = [as_word(reason)]
        self.finished = 1
        return FINISH

    def _fault(self, event: _Event | None, name: bytes, data: bytes) -> int:
        marks = UNREADABLE if event is None else 0
        if event is not None or name == b"error":
            self.error = json_or_text(data)
            marks |= ERROR
        return marks
