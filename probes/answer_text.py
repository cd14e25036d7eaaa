"""Knows which text a whole answer shows its reader; refuses to measure.

The meter keeps no text, so a probe that has to check one reads it out of the bytes that it has kept meanwhile. Only the
first choice counts; reasoning and tool calls are no text.

Source: spec/measurement.md 12; the streams of tests/fixtures/streams.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from telemetry.events import UNREAD, as_object, lenient_json
from telemetry.sse import SseDecoder


def text_of(api: str, body: bytes, *, streamed: bool) -> str:
    """Return the text of an answer; empty where it has none or cannot be read.

    Args:
        api: Dialect.
        body: All bytes of the body, undamaged or not.
        streamed: The body is a stream of events.
    """
    if not streamed:
        return _WHOLE[api](_json(body))
    decoder = SseDecoder()
    events = [*decoder.feed(body), *decoder.finish()]
    return "".join(_EVENT[api](_json(data)) for _, data in events)


def _json(data: bytes) -> Mapping[str, object]:
    try:
        return as_object(lenient_json(data))
    except UNREAD:
        return {}


def _chat_event(event: Mapping[str, object]) -> str:
    return _text(as_object(_first_choice(event).get("delta")).get("content"))


def _chat_whole(body: Mapping[str, object]) -> str:
    return _text(as_object(_first_choice(body).get("message")).get("content"))


def _completion(told: Mapping[str, object]) -> str:
    return _text(_first_choice(told).get("text"))


def _responses_event(event: Mapping[str, object]) -> str:
    return _text(event.get("delta")) if event.get("type") == "response.output_text.delta" else ""


def _responses_whole(body: Mapping[str, object]) -> str:
    parts = (part for item in _objects(body.get("output")) for part in _objects(item.get("content")))
    return "".join(_text(part.get("text")) for part in parts if part.get("type") == "output_text")


def _messages_event(event: Mapping[str, object]) -> str:
    delta = as_object(event.get("delta"))
    return _text(delta.get("text")) if delta.get("type") == "text_delta" else ""


def _messages_whole(body: Mapping[str, object]) -> str:
    return "".join(_text(part.get("text")) for part in _objects(body.get("content")) if part.get("type") == "text")


_Reader = Callable[[Mapping[str, object]], str]
_EVENT: Mapping[str, _Reader] = {
    "openai_chat": _chat_event,
    "openai_completions": _completion,
    "openai_responses": _responses_event,
    "anthropic_messages": _messages_event,
}
_WHOLE: Mapping[str, _Reader] = {
    "openai_chat": _chat_whole,
    "openai_completions": _completion,
    "openai_responses": _responses_whole,
    "anthropic_messages": _messages_whole,
}


def _first_choice(told: Mapping[str, object]) -> Mapping[str, object]:
    firsts = [choice for choice in _objects(told.get("choices")) if choice.get("index", 0) == 0]
    return firsts[0] if firsts else {}


def _objects(told: object) -> Iterable[Mapping[str, object]]:
    items = cast("list[object]", told) if isinstance(told, list) else []
    return [as_object(item) for item in items]


def _text(told: object) -> str:
    return told if isinstance(told, str) else ""
