"""Knows ClickHouse's Native format, revision 0, for the column types of our tables; refuses to know HTTP.

A block is `varint columns | varint rows`, then per column `string name | string type | data`, all little-endian, a
string being `varint length | bytes`. Each encoder takes a whole column and does its work in C (`struct`, `bytes`,
`map`). Values out of range or of a wrong type raise `ValueError`; nothing is clamped here.

Source: clickhouse_connect/driver/transform.py (block), clickhouse_connect/datatypes (column layouts; LowCardinality
in base.py, UUID in special.py), checked by reading blocks back through the embedded store.
"""

import re
import struct
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

from telemetry.protobuf import varint
from telemetry.schema import Column

BLOCK_ROWS_MAX = 1_000_000
"""Rows of one block; more would be split by the server, and the insert would lose its atomicity."""

_LOW_CARDINALITY_VERSION = struct.pack("<Q", 1)
_OWN_DICTIONARY = 1 << 9 | 1 << 10
"""Flags of a LowCardinality column that brings its keys with it; the low byte names the width of the indexes."""

"""LEB128: seven bits in a byte, the eighth says that more follow."""

Values = Sequence[Any]
_Encode = Callable[[Values], bytes]


class _Encoder(NamedTuple):
    """How values of a type are written; the prefix stands once per column, before the lengths of what encloses it."""

    encode: _Encode
    prefix: bytes = b""


def block(columns: Sequence[Column], values: Sequence[Values]) -> bytes:
    """Encode one block.

    Args:
        columns: Names and types, in the order of the insert statement.
        values: One sequence per column, all of one length.

    Raises:
        ValueError: The column that cannot hold one of its values, and why.
    """
    n_rows = len(values[0])
    if n_rows > BLOCK_ROWS_MAX:
        raise ValueError(f"{n_rows} rows in a block, allowed are {BLOCK_ROWS_MAX}")
    parts = [varint(len(columns)), varint(n_rows)]
    for column, column_values in zip(columns, values, strict=True):
        if len(column_values) != n_rows:
            raise ValueError(f"column {column.name} has {len(column_values)} values, the first has {n_rows}")
        parts += [_string(column.name), _string(column.type), _encode(column, column_values)]
    return b"".join(parts)


def _encode(column: Column, values: Values) -> bytes:
    encoder = _encoder(column.type)
    try:
        return encoder.prefix + encoder.encode(values)
    except (struct.error, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"column {column.name} {column.type}: {error}") from error


def _encoder(kind: str) -> _Encoder:
    encoder = _ENCODERS.get(kind)
    if encoder is None:
        encoder = _ENCODERS[kind] = _made(kind)
    return encoder


def _made(kind: str) -> _Encoder:
    for pattern, make in _PATTERNS:
        found = pattern.fullmatch(kind)
        if found:
            made = make(*found.groups())
            return made if isinstance(made, _Encoder) else _Encoder(made)
    raise ValueError(f"no encoder for the column type {kind}")


def _string(text: str) -> bytes:
    raw = text.encode()
    return varint(len(raw)) + raw


def _strings(values: Values) -> bytes:
    return b"".join(map(_string, values))


def _pack(code: str, values: Values) -> bytes:
    return struct.pack(f"<{len(values)}{code}", *values)


def _integers(kind: str) -> _Encode:
    code = _CODES[kind]
    return lambda values: _pack(code, values)


def _nullable(inner: str) -> _Encode:
    code = _CODES[inner]
    zero = bytes(struct.calcsize("<" + code))

    def encode(values: Values) -> bytes:
        n_rows = len(values)
        if n_rows and values[0] is None and values.count(None) == n_rows:
            return b"\1" * n_rows + zero * n_rows
        try:  # A column without NULL is the common one; looking for them first would double its cost.
            return bytes(n_rows) + _pack(code, values)
        except struct.error:
            nulls = bytes([value is None for value in values])
            return nulls + _pack(code, [0 if value is None else value for value in values])

    return encode


def _low_cardinality(values: Values) -> bytes:
    if not values:
        return b""
    keys = dict.fromkeys(values)
    code, width = ("B", 0) if len(keys) <= 1 << 8 else ("H", 1) if len(keys) <= 1 << 16 else ("I", 2)
    head = struct.pack("<QQ", _OWN_DICTIONARY | width, len(keys)) + _strings(tuple(keys))
    return head + struct.pack("<Q", len(values)) + _indexes(code, keys, values)


def _indexes(code: str, keys: Mapping[str, None], values: Values) -> bytes:
    if len(keys) == 1:
        return bytes(len(values))
    positions = dict(zip(keys, range(len(keys)), strict=True))
    found = map(positions.__getitem__, values)
    return bytes(found) if code == "B" else _pack(code, list(found))


def _uuids(values: Values) -> bytes:
    halves = array("Q", b"".join([value.int.to_bytes(16, "big") for value in values]))
    halves.byteswap()  # Two UInt64 per value, the high half first.
    return halves.tobytes()


def _fixed_string(width: str) -> _Encode:
    size = int(width)

    def encode(values: Values) -> bytes:
        if set(map(len, values)) - {size}:
            raise ValueError(f"a value of FixedString({size}) has another length")
        return b"".join(values)

    return encode


def _enum(members: str) -> _Encode:
    numbers: Mapping[str, int] = {name: int(number) for name, number in _MEMBER.findall(members)}

    def encode(values: Values) -> bytes:
        unknown = set(values) - numbers.keys()
        if unknown:
            raise ValueError(f"no member of the enum: {sorted(unknown)}")
        return _pack("b", list(map(numbers.__getitem__, values)))

    return encode


def _map(key: str, value: str) -> _Encoder:
    keys, inner = _encoder(key), _encoder(value)

    def encode(values: Sequence[Mapping[Any, Any]]) -> bytes:
        names = tuple(chain.from_iterable(values))
        counts = tuple(chain.from_iterable(one.values() for one in values))
        return _ends(values) + keys.encode(names) + inner.encode(counts)

    return _Encoder(encode, keys.prefix + inner.prefix)


def _array(kind: str) -> _Encoder:
    inner = _encoder(kind)

    def encode(values: Sequence[Sequence[Any]]) -> bytes:
        return _ends(values) + inner.encode(tuple(chain.from_iterable(values)))

    return _Encoder(encode, inner.prefix)


def _tuple(members: str) -> _Encoder:
    inner = [_encoder(member.partition(" ")[2]) for member in members.split(", ")]

    def encode(values: Sequence[Sequence[Any]]) -> bytes:
        columns = zip(*values, strict=True) if values else ((),) * len(inner)
        return b"".join(one.encode(column) for one, column in zip(inner, columns, strict=True))

    return _Encoder(encode, b"".join(one.prefix for one in inner))


def _ends(values: Values) -> bytes:
    return _pack("Q", tuple(accumulate(map(len, values))))


_CODES = {
    "Int8": "b",
    "Int16": "h",
    "Int32": "i",
    "Int64": "q",
    "UInt8": "B",
    "UInt16": "H",
    "UInt32": "I",
    "UInt64": "Q",
    "Float32": "f",
    "Float64": "d",
}
_MEMBER = re.compile(r"'(\w+)' = (-?\d+)")
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[..., _Encoder | _Encode]], ...] = (
    (re.compile(r"(U?Int(?:8|16|32|64)|Float(?:32|64))"), _integers),
    (re.compile(r"DateTime64\(\d, '\w+'\)"), lambda: _integers("Int64")),
    (re.compile(r"DateTime\('\w+'\)"), lambda: _integers("UInt32")),
    (re.compile(r"Nullable\(DateTime64\(\d, '\w+'\)\)"), lambda: _nullable("Int64")),
    (re.compile(r"Nullable\((\w+)\)"), _nullable),
    (re.compile(r"String"), lambda: _strings),
    (re.compile(r"LowCardinality\(String\)"), lambda: _Encoder(_low_cardinality, _LOW_CARDINALITY_VERSION)),
    (re.compile(r"UUID"), lambda: _uuids),
    (re.compile(r"FixedString\((\d+)\)"), _fixed_string),
    (re.compile(r"Enum8\((.*)\)"), _enum),
    (re.compile(r"Map\(([\w()]+), ([\w()]+)\)"), _map),
    (re.compile(r"Array\((.+)\)"), _array),
    (re.compile(r"Tuple\((.+)\)"), _tuple),  # named members of simple types
)
_ENCODERS: dict[str, _Encoder] = {}
