"""Knows what a stream of one token says about an engine; the only check that costs tokens, and only when asked for.

Two requests at most: one as a client sends it that asks for no usage, and one that asks, if the first had none.

Source: spec/ui.md 1.2 (target.stream), 1.3; spec/measurement.md 4 (S9: `[DONE]`), 7 (usage).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from inferometer.doctor_flags import Stream
from telemetry.fetch import Client
from telemetry.fetch_error import FetchError
from telemetry.guard import ENGINE
from telemetry.sse import SseDecoder

WAIT_S = 10.0
"""Longest wait for one token."""
STREAM_BYTES_MAX = 1 << 20
"""Longest answer that is read."""
_PATH = "/v1/chat/completions"
_OK = 200


@dataclass(slots=True, kw_only=True)
class Told:
    """What a stream had.

    Attributes:
        chunks: Events with choices.
        done: Whether it ended with `[DONE]`.
        usage: The usage object.
        beside: The event that the usage was in.
    """

    chunks: int = 0
    done: bool = False
    usage: Mapping[str, object] | None = None
    beside: Mapping[str, object] = field(default_factory=dict[str, object])


class StreamError(Exception):
    """There was no stream; the message is one line."""


async def look(url: str, model: str, api_key: str) -> tuple[Stream, Told]:
    """Ask for one token, and say what came.

    Raises:
        StreamError: There was no stream.
    """
    async with Client() as client:
        first = await _told(client, url, model, api_key, asking=False)
        second = first if first.usage else await _told(client, url, model, api_key, asking=True)
    return (
        Stream(
            usage_unasked=first.usage is not None,
            usage=frozenset(name for name, value in (second.usage or {}).items() if value is not None),
            beside=frozenset(name for name, value in second.beside.items() if value is not None),
        ),
        first,
    )


async def _told(client: Client, url: str, model: str, api_key: str, *, asking: bool) -> Told:
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 1,
        "stream": True,
    }
    if asking:
        body["stream_options"] = {"include_usage": True}
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
    try:
        answer = await client.fetch(
            "POST",
            url + _PATH,
            policy=ENGINE,
            total_s=WAIT_S,
            bytes_max=STREAM_BYTES_MAX,
            headers=headers,
            body=json.dumps(body).encode(),
        )
    except FetchError as fault:
        raise StreamError(str(fault)) from None
    if answer.status != _OK:
        raise StreamError(f"{_PATH} answered {answer.status}")
    return read(answer.body)


def read(body: bytes) -> Told:
    """Return what the events of a stream said."""
    decoder = SseDecoder()
    told = Told()
    for _, data in [*decoder.feed(body), *decoder.finish()]:
        if data == b"[DONE]":
            told.done = True
        elif (event := _object(data)) is not None:
            _take(event, told)
    return told


def _take(event: Mapping[str, object], told: Told) -> None:
    if event.get("choices"):
        told.chunks += 1
    usage = event.get("usage")
    if isinstance(usage, dict):
        told.usage = cast("dict[str, object]", usage)
        told.beside = event


def _object(data: bytes) -> dict[str, object] | None:
    try:
        found: object = json.loads(data)
    except ValueError:
        return None
    return cast("dict[str, object]", found) if isinstance(found, dict) else None
