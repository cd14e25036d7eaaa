"""Knows what the events of OpenAI Responses carry; refuses to know time.

vLLM ends with `response.completed` even if the status is incomplete, so the reason is read from the response.

Source: spec/measurement.md 7 and 12; vLLM 0.32, entrypoints/openai/responses (recorded in tests/fixtures/streams).
"""

from typing import Any

import msgspec

from telemetry.events import (
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

CONTROL_DELTAS = frozenset({"response.shell_call_output_content.delta"})
"""Deltas that are no output of the model."""
UNSEEN_STARTS = ("response.reasoning",)
"""Starts of the types whose output a reader does not see."""
ENDS = frozenset({"response.completed", "response.incomplete"})
FAULTS = frozenset({"response.failed", "error"})


class _Usage(msgspec.Struct, gc=False):
    input_tokens: Any = None
    output_tokens: Any = None
    input_tokens_details: Any = None
    output_tokens_details: Any = None


class _Response(msgspec.Struct, gc=False):
    status: Any = None
    usage: _Usage | None = None
    incomplete_details: Any = None
    error: Any = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    delta: Any = None
    response: _Response | None = None
    error: Any = None


_event = msgspec.json.Decoder(_Event)
_response = msgspec.json.Decoder(_Response)


class ResponsesReader:
    """Reads one answer of OpenAI Responses."""

    __slots__ = ("_usage", "counted", "error", "finished", "finishes", "text_keys", "tokens")

    def __init__(self) -> None:
        self.tokens = 0
        self.counted = False
        self.finishes: list[str] = []
        self.finished = 0
        self.error: object = None
        self.text_keys: tuple[bytes, ...] = ()  # its events have names, and are read in full
        self._usage: _Usage | None = None

    def read(self, name: bytes, data: bytes) -> int:
        """Return the marks of one event."""
        event = decoded(_event, data)
        if event is None:
            return self._unreadable(name, data)
        kind = event.type if isinstance(event.type, str) else ""
        if kind.endswith(".delta"):
            return _delta(kind) if event.delta else 0
        if kind.endswith(".partial_image"):
            return OUTPUT | EXACT | VISIBLE
        if kind in FAULTS or event.error is not None or name == b"error":
            whole = json_or_text(data)
            self.error = _inner(whole) if kind == "response.failed" else whole
            return ERROR
        return self._end(event.response) if kind in ENDS and event.response is not None else 0

    def read_body(self, body: bytes) -> int:
        """Return the marks of a whole unary body."""
        response = decoded(_response, body)
        if response is None:
            return UNREADABLE
        if response.error is not None:
            self.error = json_or_text(body)
            return ERROR
        return self._end(response)

    def tally(self) -> Tally:
        """Return what the answer has told of tokens so far."""
        usage = self._usage or _Usage()
        prompt, answer = as_object(usage.input_tokens_details), as_object(usage.output_tokens_details)
        tokens_out = count(usage.output_tokens)
        return Tally(
            source=TokSource.NONE if tokens_out is None else TokSource.USAGE,
            usage=Usage(
                tokens_in=count(usage.input_tokens),
                tokens_out=tokens_out,
                tokens_cache_read=count(prompt.get("cached_tokens")),
                tokens_cache_write=count(prompt.get("cache_write_tokens")),
                tokens_reasoning=count(answer.get("reasoning_tokens")),
            ),
        )

    def _end(self, response: _Response) -> int:
        self._usage = response.usage
        reason = as_object(response.incomplete_details).get("reason") or response.status
        self.finishes = [as_word(reason)]
        self.finished = 1
        return FINISH

    def _unreadable(self, name: bytes, data: bytes) -> int:
        if name != b"error":
            return UNREADABLE
        self.error = json_or_text(data)
        return UNREADABLE | ERROR


def _delta(kind: str) -> int:
    if kind in CONTROL_DELTAS:
        return 0
    return OUTPUT | EXACT | (0 if kind.startswith(UNSEEN_STARTS) else VISIBLE)


def _inner(whole: object) -> object:
    return {"error": as_object(as_object(whole).get("response")).get("error")}
