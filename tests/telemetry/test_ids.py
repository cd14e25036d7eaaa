from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.ids import RANDOM_BITS, flow_id, trace_id, uuid7

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = b"00f067aa0ba902b7"


def test_the_example_of_the_rfc() -> None:
    # RFC 9562 appendix A.6: 2022-02-22 14:22:22.00-05:00, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    made = uuid7(0x017F22E279B0, 0xCC3 << 62 | 0x18C4DC0C0C07398F)

    assert str(made) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**RANDOM_BITS - 1))
def test_version_variant_and_stamp_hold_for_any_input(unix_ms: int, random_bits: int) -> None:
    made = uuid7(unix_ms, random_bits)

    assert (7, RFC_4122, unix_ms) == (made.version, made.variant, made.int >> 80)


@given(st.integers(0, 2**47), st.integers(0, 2**RANDOM_BITS - 1), st.integers(0, 2**RANDOM_BITS - 1))
def test_a_later_millisecond_sorts_later(unix_ms: int, first: int, second: int) -> None:
    assert uuid7(unix_ms, first).bytes < uuid7(unix_ms + 1, second).bytes


def test_bits_beyond_the_field_are_ignored() -> None:
    assert uuid7(5, 9) == uuid7(5 + 2**48, 9 + 2**RANDOM_BITS)


@pytest.mark.parametrize(
    ("traceparent", "expected"),
    [
        pytest.param(b"00-" + TRACE + b"-" + SPAN + b"-01", TRACE, id="sampled"),
        pytest.param(b"00-" + TRACE + b"-" + SPAN + b"-00", TRACE, id="not sampled"),
        pytest.param(b"01-" + TRACE + b"-" + SPAN + b"-01-later", TRACE, id="a later version may be longer"),
        pytest.param(b"00-" + TRACE + b"-" + SPAN + b"-01-later", None, id="version 00 may not be longer"),
        pytest.param(b"ff-" + TRACE + b"-" + SPAN + b"-01", None, id="version ff is forbidden"),
        pytest.param(b"00-" + b"0" * 32 + b"-" + SPAN + b"-01", None, id="an all-zero trace id is no trace"),
        pytest.param(b"00-" + TRACE + b"-" + b"0" * 16 + b"-01", None, id="an all-zero parent id is no parent"),
        pytest.param(b"00-" + TRACE.upper() + b"-" + SPAN + b"-01", None, id="upper case is not valid"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_traceparent(traceparent: bytes, expected: bytes | None) -> None:
    assert trace_id(traceparent) == (bytes.fromhex(expected.decode()) if expected else None)


def test_a_flow_has_the_number_that_its_name_and_the_key_give() -> None:
    # RFC 4231, test case 2: HMAC-SHA-256 of "what do ya want for nothing?" under "Jefe" begins 5bdcc146bf60754e.
    assert flow_id(b"Jefe", b"what do ya want for nothing?") == 0x5BDCC146BF60754E >> 1
