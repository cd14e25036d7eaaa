from collections.abc import Sequence
from uuid import UUID

import pytest

from telemetry import native
from telemetry.schema import Column


def data(kind: str, values: Sequence[object]) -> bytes:
    """The encoded values, without the head of the block."""
    column = Column(name="a", type=kind, meaning="")
    head = bytes((1, len(values), 1)) + b"a" + bytes((len(kind),)) + kind.encode()
    whole = native.block([column], [values])

    assert whole.startswith(head)
    return whole[len(head) :]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        pytest.param("UInt8", [1, 255], "01ff", id="bytes"),
        pytest.param("Int16", [-2], "feff", id="signed"),
        pytest.param("UInt64", [2**64 - 1], "ff" * 8, id="the largest integer"),
        pytest.param("Float64", [1.0], "000000000000f03f", id="a float"),
        pytest.param("DateTime64(3, 'UTC')", [1], "0100000000000000", id="milliseconds"),
        pytest.param("Nullable(UInt8)", [1, 2], "00000102", id="no NULL"),
        pytest.param("Nullable(UInt8)", [None, 2], "01000002", id="some NULL"),
        pytest.param("Nullable(UInt16)", [None, None], "010100000000", id="only NULL"),
        pytest.param("Nullable(UInt8)", [], "", id="no rows of a nullable"),
        pytest.param("String", ["", "ä"], "0002c3a4", id="strings"),
        pytest.param("FixedString(2)", [b"ab"], "6162", id="fixed string"),
        pytest.param("Enum8('x' = 1, 'y' = -1)", ["y", "x"], "ff01", id="enum"),
        pytest.param("Array(UInt8)", [(1, 2), ()], "02" + "00" * 7 + "02" + "00" * 7 + "0102", id="arrays"),
        pytest.param("Array(Tuple(a UInt8, b String))", [((7, "x"),)], "01" + "00" * 7 + "070178", id="tuples"),
        pytest.param("Array(Tuple(a UInt8, b String))", [()], "00" * 8, id="no tuples"),
        pytest.param("Map(Int16, UInt8)", [{-1: 5}], "01" + "00" * 7 + "ffff05", id="a map"),
        pytest.param(
            "UUID",
            [UUID("00112233-4455-6677-8899-aabbccddeeff")],
            "7766554433221100ffeeddccbbaa9988",
            id="each half of a UUID is little-endian",
        ),
        pytest.param("LowCardinality(String)", [], "0100000000000000", id="no rows of low cardinality"),
        pytest.param(
            "LowCardinality(String)",
            ["b", "a", "b"],
            "0100000000000000" "0006000000000000" "0200000000000000" "0162" "0161" "0300000000000000" "000100",
            id="low cardinality brings its keys",
        ),
        pytest.param(
            "LowCardinality(String)",
            ["a", "a"],
            "0100000000000000" "0006000000000000" "0100000000000000" "0161" "0200000000000000" "0000",
            id="low cardinality of one value",
        ),
    ],
)  # fmt: skip
def test_encoding(kind: str, values: Sequence[object], expected: str) -> None:
    assert data(kind, values).hex() == expected


@pytest.mark.parametrize(("n", "flags", "width"), [(256, 0x600, 1), (257, 0x601, 2), (65537, 0x602, 4)])
def test_the_indexes_of_low_cardinality_are_as_wide_as_they_must_be(n: int, flags: int, width: int) -> None:
    names = [str(at) for at in range(n)]
    whole = native.block([Column(name="a", type="LowCardinality(String)", meaning="")], [names])

    assert flags.to_bytes(8, "little") in whole[:64]
    assert whole.endswith((n - 1).to_bytes(width, "little"))
    assert whole[-n * width - 8 : -n * width] == n.to_bytes(8, "little")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param("UInt8", 256, id="too large"),
        pytest.param("Nullable(UInt32)", 2**32, id="too large for a nullable"),
        pytest.param("UInt8", None, id="NULL where none may be"),
        pytest.param("UInt32", 1.5, id="a float for an integer"),
        pytest.param("String", "\ud800", id="a lone surrogate"),
        pytest.param("String", 5, id="a number for a string"),
        pytest.param("FixedString(16)", b"short", id="another length"),
        pytest.param("Enum8('x' = 1)", "z", id="no member"),
        pytest.param("UUID", "text", id="no UUID"),
        pytest.param("Decimal(9, 2)", 1, id="a type without encoder"),
    ],
)
def test_what_a_column_cannot_hold_is_refused_by_name(kind: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"column a|no encoder"):
        native.block([Column(name="a", type=kind, meaning="")], [[value]])


def test_columns_of_one_block_have_one_length() -> None:
    columns = [Column(name=name, type="UInt8", meaning="") for name in "ab"]

    with pytest.raises(ValueError, match="column b has 1 values"):
        native.block(columns, [[1, 2], [1]])


def test_a_block_is_bounded() -> None:
    column = Column(name="a", type="UInt8", meaning="")

    assert len(native.block([column], [bytes(native.BLOCK_ROWS_MAX)])) > native.BLOCK_ROWS_MAX
    with pytest.raises(ValueError, match="rows in a block"):
        native.block([column], [bytes(native.BLOCK_ROWS_MAX + 1)])
