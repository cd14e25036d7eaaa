"""Knows how a completion is asked for in each dialect; refuses to know connections.

Of the dialects that tell usage only when asked, the most is asked for first and less after the server refused it.

Source: spec/measurement.md 7 (usage), 12, 13 (join keys); the bodies of tests/fixtures/streams.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from telemetry.dialects import RequestShape, request_shape

_NOTHING: Mapping[str, str] = MappingProxyType({})
_ANTHROPIC_VERSION = "2023-06-01"


class Usage(StrEnum):
    """How usage is asked for."""

    CONTINUOUS = "continuous"
    """With every event; vLLM and SGLang."""
    FINAL = "final"
    """In one last event."""
    UNASKED = "unasked"
    """The dialect tells it by itself, or the server refuses to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of an endpoint.

    Attributes:
        url: Base of the API, with or without `/v1`.
        api: Dialect, as `telemetry.dialects` names it.
        engine: Engine behind the endpoint; anything but vLLM and SGLang is a hosted API.
        model: Model to ask for.
        prompt: What to say to it.
        tokens_max: Longest answer.
        stream: Whether the answer shall be streamed.
        extra: Further fields of the body; None takes a field out.
        key: API key; empty for none.
    """

    url: str
    api: str
    engine: str = "vllm"
    model: str
    prompt: str = field(repr=False)
    tokens_max: int = 16
    stream: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request, ready to be sent.

    Attributes:
        url: Where.
        headers: With the key in it.
        body: JSON.
        shape: What the meter must know of it.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    shape: RequestShape


@dataclass(frozen=True, slots=True)
class _Form:
    path: str
    limit: str
    prompt: str


_FORMS: Mapping[str, _Form] = {
    "openai_chat": _Form("/v1/chat/completions", "max_tokens", "messages"),
    "openai_completions": _Form("/v1/completions", "max_tokens", "prompt"),
    "openai_responses": _Form("/v1/responses", "max_output_tokens", "input"),
    "anthropic_messages": _Form("/v1/messages", "max_tokens", "messages"),
}
APIS = tuple(_FORMS)
"""Dialects that can be asked."""
_CONTINUOUS = frozenset({"vllm", "sglang"})
_TELL_WHEN_ASKED = frozenset({"openai_chat", "openai_completions"})
_OPTIONS: Mapping[Usage, Mapping[str, bool]] = {
    Usage.CONTINUOUS: {"include_usage": True, "continuous_usage_stats": True},
    Usage.FINAL: {"include_usage": True},
}


def usages(wish: Wish) -> Sequence[Usage]:
    """Return the ways to ask for usage, the one that tells most first."""
    if not wish.stream or wish.api not in _TELL_WHEN_ASKED:
        return (Usage.UNASKED,)
    return tuple(Usage) if wish.engine in _CONTINUOUS else (Usage.FINAL, Usage.UNASKED)


def question(wish: Wish, usage: Usage, trace_id: bytes, given: Mapping[str, str] = _NOTHING) -> Question:
    """Spell one request.

    Args:
        wish: What is wanted.
        usage: How usage is asked for.
        trace_id: 16 bytes, not all zero; the engine's own traces can be joined by it.
        given: Texts that replace `${name}` in the prompt.
    """
    form = _FORMS[wish.api]
    prompt = filled(wish.prompt, given)
    body: dict[str, Any] = {
        "model": wish.model,
        form.prompt: [{"role": "user", "content": prompt}] if form.prompt == "messages" else prompt,
        form.limit: wish.tokens_max,
        "stream": wish.stream,
    }
    if options := _OPTIONS.get(usage):
        body["stream_options"] = options
    whole = {name: value for name, value in {**body, **wish.extra}.items() if value is not None}
    encoded = msgspec.json.encode(whole)
    return Question(
        url=under(wish.url, form.path),
        headers={"Content-Type": "application/json", **_key(wish), **_join_keys(trace_id)},
        body=encoded,
        shape=request_shape("POST", form.path, encoded, engine=wish.engine),
    )


def under(url: str, path: str) -> str:
    """Return the URL of a path below a base, which may end with the path's own `/v1`."""
    base = url.rstrip("/")
    return base + (path.removeprefix("/v1") if base.endswith("/v1") else path)


def filled(text: str, given: Mapping[str, str]) -> str:
    """Return a text with each `${name}` replaced that has a value; nothing else in it means anything."""
    for name, value in given.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def bearer(key: str) -> Mapping[str, str]:
    """Return the header that shows a key; none without one."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def _key(wish: Wish) -> Mapping[str, str]:
    if wish.api != "anthropic_messages":
        return bearer(wish.key)
    shown = bearer(wish.key) if wish.engine in _CONTINUOUS else {"x-api-key": wish.key} if wish.key else {}
    return {"anthropic-version": _ANTHROPIC_VERSION, **shown}


def _join_keys(trace_id: bytes) -> Mapping[str, str]:
    return {"traceparent": f"00-{trace_id.hex()}-{trace_id[:8].hex()}-01", "X-Request-Id": trace_id.hex()}
