"""Knows which API a request speaks, what it asked for and who reads the answer; refuses to know the answer's form.

A further dialect is one row of `DIALECTS` and one reader (`telemetry.events.Reader`).

Source: spec/measurement.md 12; vLLM 0.32, entrypoints/openai/{chat_completion,completion}/protocol.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from telemetry.anthropic_events import AnthropicReader
from telemetry.events import Reader
from telemetry.openai_events import OpenAiReader
from telemetry.responses_events import ResponsesReader

N_MAX = 4096
"""Largest number of choices that is believed."""
MODEL_CHARS_MAX = 256
"""A model name is cut to this length."""

HOLDING_ENGINES = frozenset({"vllm"})
"""Engines that send an empty text for a token whose bytes are not yet UTF-8 (recorded in tests/fixtures/streams)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestShape:
    """What a request asked for, as far as the meter must know.

    Attributes:
        api: Dialect of the exchange; `http` for unknown traffic.
        model: Model named by the request; empty if none.
        stream: The client asked for a streamed answer.
        n: Number of choices that the answer will hold, over all prompts.
        echo: The first content of each choice repeats the prompt.
        include_usage: The client asked for a final usage chunk.
        engine: Configured engine behind the endpoint, for example `vllm`.
        parsed: The request body could be read; False leaves what stands in it at its default.
    """

    api: str = "http"
    model: str = ""
    stream: bool = False
    n: int = 1
    echo: bool = False
    include_usage: bool = False
    engine: str = "vllm"
    parsed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One API.

    Attributes:
        api: Its name in the record.
        path_end: End of the request's path.
        reader: Makes the reader of one answer.
    """

    api: str
    path_end: str
    reader: Callable[[RequestShape], Reader]


def _openai(shape: RequestShape) -> Reader:
    return OpenAiReader(n=shape.n, echo=shape.echo, holds_utf8=shape.engine in HOLDING_ENGINES)


DIALECTS: tuple[Dialect, ...] = (
    Dialect(api="openai_chat", path_end="/chat/completions", reader=_openai),
    Dialect(api="openai_completions", path_end="/completions", reader=_openai),
    Dialect(api="openai_responses", path_end="/responses", reader=lambda _: ResponsesReader()),
    Dialect(api="anthropic_messages", path_end="/v1/messages", reader=lambda _: AnthropicReader()),
)
"""All APIs that are read; the first whose path matches is taken."""

_READERS = {dialect.api: dialect.reader for dialect in DIALECTS}


class _StreamOptions(msgspec.Struct):
    include_usage: Any = False


class _Body(msgspec.Struct):
    model: Any = ""
    stream: Any = False
    n: Any = 1
    echo: Any = False
    stream_options: _StreamOptions | None = None
    prompt: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder(_Body).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def request_shape(method: str, path: str, body: bytes, *, engine: str = "vllm") -> RequestShape:
    """Read from the request line and body what the meter must know; never raises."""
    route = path.partition("?")[0].rstrip("/")
    known = (dialect.api for dialect in DIALECTS if method == "POST" and route.endswith(dialect.path_end))
    api = next(known, None)
    if api is None:
        return RequestShape(engine=engine)
    try:
        told = _decode(body)
        prompts = _prompts(bytes(told.prompt))
    except (ValueError, RecursionError):  # msgspec's own errors and UnicodeDecodeError are ValueErrors
        return RequestShape(api=api, engine=engine, parsed=False)
    return RequestShape(
        api=api,
        model=told.model[:MODEL_CHARS_MAX] if isinstance(told.model, str) else "",
        stream=told.stream is True,
        n=_choices(told.n, prompts),
        echo=told.echo is True,
        include_usage=told.stream_options is not None and told.stream_options.include_usage is True,
        engine=engine,
    )


def reader_for(shape: RequestShape) -> Reader | None:
    """Return a new reader of the answer, None for unknown traffic."""
    make = _READERS.get(shape.api)
    return None if make is None else make(shape)


def _choices(n: object, prompts: int) -> int:
    told = n if isinstance(n, int) and not isinstance(n, bool) else 1
    return min(max(told, 1) * prompts, N_MAX)


def _prompts(prompt: bytes) -> int:
    """Return how many prompts a `prompt` holds: a list of texts or of token lists is many, a list of tokens is one."""
    if not prompt.startswith(b"["):
        return 1
    parts = _decode_list(prompt)
    return len(parts) if parts and bytes(parts[0])[:1] in {b'"', b"["} else 1
