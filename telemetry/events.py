"""Knows what one event of a stream can carry, in the terms of no dialect; refuses to know any wire form.

A reader of a dialect turns events into marks (bits, so that the data path tests them with one operation) and leaves
the rare facts in its attributes. Adding a dialect means one such reader and its line in `telemetry.readers`.

Source: spec/measurement.md 5 (which events carry output) and 7 (tokens and usage).
"""

import json
from typing import Any, Protocol, TypeVar, cast

import msgspec

from telemetry.outcome import TokSource

OUTPUT = 1
"""Token-bearing."""
VISIBLE = 2
"""The output can be seen by a reader: text, refusal, audio, tool call; not reasoning."""
EXACT = 4
"""The output is certain (R-a, R-b, R-c). Output without it is held: a token exists, its text does not yet (R-d)."""
FINISH = 8
"""Ends a choice, in the engine's own words."""
ERROR = 16
"""Tells of an error."""
DONE = 32
"""The stream's own end marker; no success."""
UNREADABLE = 64
"""Not JSON, or not of the dialect's shape."""

RARE = FINISH | ERROR | DONE | UNREADABLE


COUNT_MAX = 2**32
"""A reported number at or above this is no count and no duration."""
WORD_CHARS_MAX = 64
"""Words of the engine (finish reason, error type, code) are cut to this length."""


UNREAD = (ValueError, RecursionError)
"""What decoding raises: the errors of msgspec and UnicodeDecodeError are ValueErrors."""

_T = TypeVar("_T")


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts of a request in canonical form: input includes cache reads and writes, output includes reasoning."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cache_read: int | None = None
    tokens_cache_write: int | None = None
    tokens_reasoning: int | None = None


class EngineTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Durations that the engine reports for the request, on its own clock, microseconds."""

    queue_us: int | None = None
    prefill_us: int | None = None
    decode_us: int | None = None
    mean_itl_us: int | None = None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream has told of its tokens and of the engine's clock.

    Attributes:
        usage: Best token counts known.
        source: Where `usage.tokens_out` comes from.
        times: Durations reported by the engine.
    """

    usage: Usage = Usage()
    source: TokSource = TokSource.NONE
    times: EngineTimes = EngineTimes()


class Reader(Protocol):
    """Reads the events of one stream of one dialect; never raises.

    Attributes:
        tokens: Known tokens of the event read last; 0 if unknown.
        counted: The stream tells tokens by event (R-a or R-b).
        finishes: Finish reasons in the order of coming, each once.
        finished: Number of choices that have finished.
        error: The decoded error object of the last error event, or its bare text.
        text_keys: Beginnings of the members, as `"text":"`, whose strings say nothing but that there is text: an event
            that carries text alone means the same whatever stands there, as long as something does.
    """

    tokens: int
    counted: bool
    finishes: list[str]
    finished: int
    error: object
    text_keys: tuple[bytes, ...]

    def read(self, name: bytes, data: bytes) -> int:
        """Return the marks of one event."""
        ...

    def read_body(self, body: bytes) -> int:
        """Return the marks of a whole unary body."""
        ...

    def tally(self) -> Tally:
        """Return what the stream has told of tokens and engine times so far."""
        ...


def lenient_json(data: bytes) -> object:
    """Decode JSON as leniently as the world writes it: NaN and Infinity, and bytes that are not UTF-8.

    Raises:
        ValueError: It is not JSON even so.
    """
    try:
        return cast("object", json.loads(data.decode("utf-8", "replace")))
    except RecursionError as deep:
        raise ValueError("nested too deeply") from deep


def is_json(line: bytes) -> bool:
    """Return whether a line is JSON, leniently, or the end marker of OpenAI's streams."""
    if line == b"[DONE]":
        return True
    try:
        lenient_json(line)
    except ValueError:
        return False
    return True


def json_or_text(data: bytes) -> object:
    """Decode JSON leniently; what is none comes back as text."""
    try:
        return lenient_json(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def decoded(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T | None:
    """Decode an object of a known shape, leniently at the second try; None if it is not one."""
    try:
        return decoder.decode(data)
    except UNREAD:
        return decoded_again(decoder, data)


def decoded_again(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T | None:
    """Decode leniently what the decoder itself could not; None if it is not an object of the shape."""
    try:
        return msgspec.convert(lenient_json(data), decoder.type)
    except UNREAD:
        return None


def is_utf8(data: bytes) -> bool:
    """Return whether the bytes are valid UTF-8."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def as_object(value: object) -> dict[str, object]:
    """Return a decoded JSON object as a dict; anything else as an empty one."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def as_word(value: object) -> str:
    """Return a word of the engine, cut to its bound; `other` if it is none."""
    return value[:WORD_CHARS_MAX] if isinstance(value, str) else "other"


def count(value: Any) -> int | None:  # noqa: ANN401 -- the engine's JSON, of any type
    """Return a count that the engine reports, None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < COUNT_MAX:
        return None
    return int(value)


def us_of_ms(value: Any) -> int | None:  # noqa: ANN401 -- the engine's JSON, of any type
    """Return microseconds of a reported number of milliseconds, None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < COUNT_MAX:
        return None
    return round(value * 1000)
