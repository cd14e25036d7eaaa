"""Knows how a sample becomes the payload of a frame, and back; refuses to know seqs and files.

A payload is msgpack `[lane u8, schema u16, day u16, shape u8, [values..]]`, with a prefix as wide as a request's, so
one reader cuts every lane by day.

What is written is what the store will take: labels are cleaned, a number that its column cannot hold becomes unknown
where that is allowed, and its nearest value where it is not. A sample with a number that nobody can repair (a sum that
is NaN), or with a document that is too long, is invalid.

Source: spec/store.md 11.2, 11.6; column types: `telemetry.schema.samples`.
"""

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from math import isfinite, isnan
from typing import Any, get_args
from uuid import UUID

import msgspec

from telemetry.errors import StorePoisonError
from telemetry.load_records import BUCKETS_MAX, DOCUMENT_BYTES_MAX, LoadRecord
from telemetry.samples import SAMPLES, Sample
from telemetry.schema.parts import STAMP
from telemetry.spool_record import DAY_MS, ENDED_AT_MS_MAX, FUTURE_MS_MAX, clean, clean_label

SCHEMA = 1
ENTRIES_MAX = 256
"""Entries of a map or an array of one sample; the rest is cut off."""
HASH_BYTES = 32
TEXT_CHARS_MAX = 512
"""Characters of a free text in a map."""

_PREFIX = struct.Struct(">BHBBHBH")
_SHAPES = tuple(SAMPLES)
_ELEMENTS = 5
_FLOAT32_GREATEST = 3.4e38
_Fit = Callable[[Any], Any]


def encode_sample(sample: Sample, now_ms: int) -> bytes | None:
    """Encode a sample, repaired where needed.

    Args:
        sample: The sample.
        now_ms: Wall clock, unix milliseconds; a sample from beyond it is moved back to it.

    Returns:
        The payload; None if the sample is beyond repair.
    """
    shape = type(sample)
    try:
        values = [fit(value) for fit, value in zip(_FITS[shape], msgspec.structs.astuple(sample), strict=True)]
        at = _TIMES[shape]
        at_ms = values[at] = values[at] if values[at] <= now_ms + FUTURE_MS_MAX else now_ms
        prefix = _PREFIX.pack(0xDC, _ELEMENTS, SAMPLES[shape].lane, 0xCD, SCHEMA, 0xCD, at_ms // DAY_MS)
        return prefix + _encode(_SHAPES.index(shape)) + _encode(values)
    except (msgspec.MsgspecError, OverflowError, TypeError, ValueError, AttributeError, struct.error):
        return None  # a field of a type that nobody can repair


def decode_sample(payload: bytes) -> Sample:
    """Decode a payload.

    Raises:
        StorePoisonError: It is no sample of a shape that we know.
    """
    try:
        _, schema, _, shape, values = _decode(payload)
        sample = _convert(values, _SHAPES[shape])
    except (msgspec.MsgspecError, ValueError, LookupError, TypeError) as error:
        raise StorePoisonError(f"no sample that this version can read: {error}") from error
    if schema != SCHEMA:
        raise StorePoisonError(f"no sample that this version can read: schema {schema}")
    return sample


def _whole(bits: int) -> _Fit:
    """Return what makes a value a whole number that is always known."""
    bound = (1 << bits) - 1
    return lambda value: min(max(int(value), 0), bound)


def _maybe_whole(bits: int) -> _Fit:
    bound = (1 << bits) - 1

    def fitted(value: float | None) -> int | None:
        if value is None or not isfinite(value) or not 0 <= value <= bound:
            return None
        return int(value)

    return fitted


def _maybe_real(value: float | None) -> float | None:
    return None if value is None or not abs(value) <= _FLOAT32_GREATEST else float(value)


def _real(value: float) -> float:
    if not isfinite(value):
        raise ValueError(f"{value} where a number must be")
    return float(value)


def _bounds(values: Sequence[float]) -> list[float]:
    """Return bounds of buckets, of which the last one may be infinite."""
    if any(map(isnan, values)):
        raise ValueError("a bound that is no number")
    return [float(value) for value in values[:ENTRIES_MAX]]


def _counts(values: Sequence[float]) -> list[int]:
    return [_whole(64)(value) for value in values[:ENTRIES_MAX]]


def _words(values: Sequence[str]) -> list[str]:
    return [clean_label(value) for value in values[:ENTRIES_MAX]]


def _map(fit: _Fit) -> _Fit:
    def fitted(values: Mapping[str, Any]) -> dict[str, Any]:
        found = ((clean_label(key), fit(value)) for key, value in list(values.items())[:ENTRIES_MAX])
        return {key: value for key, value in found if value is not None}

    return fitted


def _ages(values: Mapping[int, int]) -> dict[int, int]:
    """Return a histogram whose indexes and counts its column holds."""
    fit, low, high = _whole(32), -(1 << 15), (1 << 15) - 1
    return {key: fit(n) for key, n in list(values.items())[:ENTRIES_MAX] if low <= key <= high}


def _histogram(values: Mapping[int, int]) -> dict[int, int]:
    """Return a histogram of which no bucket may be missing."""
    if len(values) > BUCKETS_MAX:
        raise ValueError(f"{len(values)} buckets, allowed are {BUCKETS_MAX}")
    return {int(key): _whole(64)(n) for key, n in values.items()}


def _document(value: str) -> str:
    text = clean(value)
    if len(text.encode()) > DOCUMENT_BYTES_MAX:
        raise ValueError(f"a text of more than {DOCUMENT_BYTES_MAX} bytes")
    return text


def _signed(value: int) -> int:
    return min(max(int(value), -(1 << 63)), (1 << 63) - 1)


def _text(value: str) -> str:
    return clean_label(value[:TEXT_CHARS_MAX])


def _stamp(value: float) -> int:
    return min(max(int(value), 0), ENDED_AT_MS_MAX)


def _hash(value: bytes) -> bytes:
    if len(value) != HASH_BYTES:
        raise ValueError(f"{len(value)} bytes where a hash has {HASH_BYTES}")
    return value


def _id(value: UUID) -> bytes:
    return value.bytes


_FIT_OF: tuple[tuple[str, _Fit], ...] = (
    (r"DateTime64\(3, 'UTC'\)", _stamp),
    (r"LowCardinality\(String\)", clean_label),
    (r"String", clean_label),
    (r"UInt8", _whole(8)),
    (r"UInt16", _whole(16)),
    (r"UInt32", _whole(32)),
    (r"UInt64", _whole(64)),
    (r"Nullable\(UInt32\)", _maybe_whole(32)),
    (r"Nullable\(UInt64\)", _maybe_whole(64)),
    (r"Nullable\(Float(32|64)\)", _maybe_real),
    (r"Float64", _real),
    (r"Array\(Float64\)", _bounds),
    (r"Array\(UInt64\)", _counts),
    (r"Array\((LowCardinality\(String\)|String)\)", _words),
    (r"Map\(LowCardinality\(String\), UInt64\)", _map(_maybe_whole(64))),
    (r"Map\(LowCardinality\(String\), Float64\)", _map(_maybe_real)),
    (r"Map\(LowCardinality\(String\), String\)", _map(_text)),
    (r"Map\(Int16, UInt32\)", _ages),
    (r"Map\(Int16, UInt64\)", _histogram),
    (r"Int64", _signed),
    (r"UUID", _id),
    (r"FixedString\(32\)", _hash),
)
_OF_LOADS = ((r"String", _document), *_FIT_OF)


def _fits(shape: type[Sample]) -> tuple[_Fit, ...]:
    known = _OF_LOADS if shape in get_args(LoadRecord) else _FIT_OF
    columns = SAMPLES[shape].table.insert_columns
    return tuple(next(fit for pattern, fit in known if re.fullmatch(pattern, column.type)) for column in columns)


_FITS: dict[type[Sample], tuple[_Fit, ...]] = {shape: _fits(shape) for shape in SAMPLES}
_TIMES = {
    shape: next(at for at, column in enumerate(kind.table.insert_columns) if column.type == STAMP)
    for shape, kind in SAMPLES.items()
}
"""Where the time stands by which a sample is cut into days."""
_encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[bytes], tuple[int, int, int, int, list[object]]] = msgspec.msgpack.Decoder().decode
_convert: Callable[[Any, type[Sample]], Sample] = msgspec.convert
