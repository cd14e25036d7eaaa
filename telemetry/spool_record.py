"""Knows how a request record becomes the payload of a frame, and back; refuses to know seqs and files.

A payload is msgpack `[lane u8, schema u16, day u16, values..]`; the values are the record itself (`RequestRecord` is
array-like), so the prefix has a fixed width and the record's bytes follow it unchanged.

What is written is what the store will take: strings hold no control or bidi characters and are at most 256 bytes, and
integers fit their columns. The check decodes the encoded bytes once with the bounds in the type, which costs about as
much as the encoding; only a record that fails it is repaired field by field: above the column's maximum becomes the
maximum with flag `clamped`, a negative number becomes unknown where that is allowed. What cannot be repaired is
`invalid`.

Source: spec/store.md 11.2, 11.6; column types: spec/store.md 2.1.
"""

import re
import struct
from math import isfinite
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from telemetry.accounting import Lane
from telemetry.errors import StorePoisonError
from telemetry.outcome import Flag
from telemetry.record import NO_TRACE, RequestRecord

SCHEMA = 1
LABEL_BYTES_MAX = 256
FUTURE_MS_MAX = 300_000
"""A record that ended further than this in the future is moved back to now and flagged."""
ENDED_AT_MS_MAX = 4_102_444_800_000
"""2100-01-01: from 2106 on the store's DateTime and its TTL begin again at 1970, and a row would vanish unsaid."""
TOK_BINS_MAX = 7200
"""Seconds of a stream of which the tokens are kept apart."""
KNOWN_LABELS_MAX = 4096
"""Combinations of clean labels that are remembered."""
DAY_MS: Final = 86_400_000

_U8, _U16, _U32, _U63 = (1 << 8) - 1, (1 << 16) - 1, (1 << 32) - 1, (1 << 63) - 1
_MAX_OF: dict[str, int] = {
    **dict.fromkeys(("attempt", "stream", "in_stream", "retryable"), _U8),
    **dict.fromkeys(("http_status", "defs_version", "stall_n"), _U16),
    **dict.fromkeys(("ended_at", "elapsed_us", "e2e_us", "bytes_in", "bytes_out", "flow_id"), _U63),
}
_FIELDS = msgspec.structs.fields(RequestRecord)
_INT_FIELDS = tuple(f.name for f in _FIELDS if f.type in (int, int | None))
_LABEL_FIELDS = tuple(f.name for f in _FIELDS if f.type is str)
_labels_of = attrgetter(*_LABEL_FIELDS)
_UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_PREFIX = struct.Struct(">BHBBHBH")
_PREFIX_HEAD = 0xDC, 3 + len(_FIELDS), int(Lane.REQUESTS), 0xCD, SCHEMA, 0xCD
_RECORD_HEAD = struct.pack(">BH", 0xDC, len(_FIELDS))


def _bounded(field: msgspec.structs.FieldInfo) -> Any:  # noqa: ANN401  # a type made at run time
    if field.name not in _INT_FIELDS:
        return _BOUNDED.get(field.name, field.type)
    bounded: Any = Annotated[int, msgspec.Meta(ge=0, le=_MAX_OF.get(field.name, _U32))]
    return bounded if field.type is int else bounded | None


_Count = Annotated[int, msgspec.Meta(ge=0, le=_U32)]
_Bucket = Annotated[int, msgspec.Meta(ge=-(1 << 15), le=(1 << 15) - 1)]
_BOUNDED: dict[str, Any] = {
    "itl_h": dict[_Bucket, _Count],
    "tok_by_s": Annotated[tuple[_Count, ...], msgspec.Meta(max_length=TOK_BINS_MAX)],
    "trace_id": Annotated[bytes, msgspec.Meta(min_length=len(NO_TRACE), max_length=len(NO_TRACE))],
}
_Checked = msgspec.defstruct("_Checked", [(f.name, _bounded(f)) for f in _FIELDS], array_like=True, gc=False)
_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_check = msgspec.msgpack.Decoder(_Checked).decode
_decode = msgspec.msgpack.Decoder(RequestRecord).decode


class Encoded(NamedTuple):
    """A record ready for its frame; `repaired` says that it was changed."""

    payload: bytes
    repaired: bool


class RequestEncoder:
    """Encodes request records; remembers which labels it has already seen to be clean."""

    def __init__(self) -> None:
        """Start without memory."""
        self._clean: set[tuple[str, ...]] = set()

    def encode(self, record: RequestRecord, now_ms: int) -> Encoded | None:
        """Encode a record, repaired where needed.

        Args:
            record: The record.
            now_ms: Wall clock, unix milliseconds.

        Returns:
            The payload; None if the record is beyond repair.
        """
        try:
            record, repaired = self._presentable(record, now_ms)
            body = _encode(record)
            _check(body)
        except (msgspec.MsgspecError, OverflowError, TypeError, ValueError):
            return _encode_repaired(record)
        return Encoded(_prefix(record.ended_at) + body[len(_RECORD_HEAD) :], repaired)

    def _presentable(self, record: RequestRecord, now_ms: int) -> tuple[RequestRecord, bool]:
        moved = record.ended_at > now_ms + FUTURE_MS_MAX
        if moved:
            record = msgspec.structs.replace(record, ended_at=now_ms, flags=record.flags | Flag.FUTURE_TS)
        labels = _labels_of(record)
        if labels in self._clean:
            return record, moved
        record, relabelled = self._clean_labels(record, labels)
        return record, moved or relabelled

    def _clean_labels(self, record: RequestRecord, labels: tuple[str, ...]) -> tuple[RequestRecord, bool]:
        cleaned = tuple(clean_label(label) for label in labels)
        if cleaned != labels:
            return msgspec.structs.replace(record, **dict(zip(_LABEL_FIELDS, cleaned, strict=True))), True
        if len(self._clean) >= KNOWN_LABELS_MAX:
            self._clean.clear()
        self._clean.add(labels)
        return record, False


def clean_label(text: str) -> str:
    """Return a label that the store takes: no lone surrogate, NUL, C0, C1 or bidi control, at most 256 bytes."""
    text = clean(text)
    data = text.encode()
    return text if len(data) <= LABEL_BYTES_MAX else data[:LABEL_BYTES_MAX].decode(errors="ignore")


def clean(text: str) -> str:
    """Return a text that the store takes, of any length."""
    return _UNCLEAN.sub("?", text)


def _prefix(ended_at_ms: int) -> bytes:
    return _PREFIX.pack(*_PREFIX_HEAD, ended_at_ms // DAY_MS)


def _encode_repaired(record: RequestRecord) -> Encoded | None:
    try:
        changes = {name: _fitted(getattr(record, name), _MAX_OF.get(name, _U32)) for name in _INT_FIELDS}
        changes |= _fitted_collections(record)
        is_clamped = any(changes[name] and changes[name] != getattr(record, name) for name in changes)
        changes["flags"] = (record.flags & _U32) | (Flag.CLAMPED if is_clamped else 0)
        changes["trace_id"] = record.trace_id if len(record.trace_id) == len(NO_TRACE) else NO_TRACE
        body = _encode(msgspec.structs.replace(record, **changes))
        _check(body)
        return Encoded(_prefix(record.ended_at) + body[len(_RECORD_HEAD) :], repaired=True)
    except (msgspec.MsgspecError, OverflowError, AttributeError, TypeError, ValueError, struct.error):
        return None  # a field of a type that nobody can repair


def _fitted(value: object, bound: int) -> object:
    """Return an integer that its column holds; what is negative or no finite number is unknown."""
    if isinstance(value, float):
        value = int(value) if isfinite(value) else None
    if not isinstance(value, int):
        return value
    return min(value, bound) if value >= 0 else None


def _fitted_collections(record: RequestRecord) -> dict[str, Any]:
    low, high = -(1 << 15), (1 << 15) - 1
    return {
        "itl_h": {key: min(n, _U32) for key, n in record.itl_h.items() if low <= key <= high and n >= 0},
        "tok_by_s": tuple(min(max(n, 0), _U32) for n in record.tok_by_s[:TOK_BINS_MAX]),
    }


def decode_request(payload: bytes) -> RequestRecord:
    """Decode a payload.

    Raises:
        StorePoisonError: It is no request of a shape that we know, or lies beyond the store's calendar.
    """
    try:
        record = _decoded(payload)
    except (msgspec.MsgspecError, ValueError, LookupError, TypeError) as error:  # ValueError: text that is no UTF-8
        raise StorePoisonError(f"no request that this version can read: {error}") from error
    if record.ended_at > ENDED_AT_MS_MAX:
        raise StorePoisonError(f"ended_at {record.ended_at} lies beyond the store's calendar, {ENDED_AT_MS_MAX}")
    return record


def _decoded(payload: bytes) -> RequestRecord:
    if payload[: len(_OUR_HEAD)] == _OUR_HEAD:
        return _decode(_RECORD_HEAD + payload[_PREFIX.size :])
    values = msgspec.msgpack.decode(payload)
    if values[0] != Lane.REQUESTS:
        raise TypeError(f"lane {values[0]}")
    return msgspec.convert(values[3:], RequestRecord)


def day_of(payload: bytes) -> int:
    """Return the partition day of a payload that `RequestEncoder` wrote, in days since 1970 (UTC); 0 of any other."""
    day: int = _DAY.unpack_from(payload, _PREFIX.size - _DAY.size)[0] if len(payload) >= _PREFIX.size else 0
    return day


_OUR_HEAD = _PREFIX.pack(*_PREFIX_HEAD, 0)[: _PREFIX.size - 2]
_DAY = struct.Struct(">H")
