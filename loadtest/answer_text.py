"""Knows the text of a streamed answer, which the next turn of its conversation repeats; keeps nothing.

An engine's cache holds the tokens that it made, so only the real answer makes reuse real.

Source: spec/loadtest.md 8 (multi-turn); OpenAI API reference, streaming chunks.
"""

import msgspec

from telemetry.sse import SseDecoder

BODY_BYTES_MAX = 16 << 20
"""Longest answer whose text is read; the conversation of a longer one ends with it."""


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []


_decode = msgspec.json.Decoder(_Chunk).decode


def text_of(body: bytes) -> str:
    """Return the text of an answer of a single choice; events that are no chunks give nothing."""
    decoder = SseDecoder()
    return "".join(_text(data) for _, data in [*decoder.feed(body), *decoder.finish()])


def _text(data: bytes) -> str:
    try:
        chunk = _decode(data)
    except (msgspec.MsgspecError, ValueError):
        return ""
    return "".join((choice.delta and choice.delta.content) or choice.text or "" for choice in chunk.choices)
