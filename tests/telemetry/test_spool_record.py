import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import StorePoisonError
from telemetry.outcome import Flag
from telemetry.record import NO_TRACE, RequestRecord
from telemetry.spool_record import (
    DAY_MS,
    ENDED_AT_MS_MAX,
    FUTURE_MS_MAX,
    KNOWN_LABELS_MAX,
    LABEL_BYTES_MAX,
    TOK_BINS_MAX,
    RequestEncoder,
    clean_label,
    day_of,
    decode_request,
)
from telemetry.testing.memory_store import sample_request

NOW_MS = 1_790_000_000_000


def changed(**fields: object) -> RequestRecord:
    return msgspec.structs.replace(sample_request(1), **fields)


def through(record: RequestRecord) -> RequestRecord | None:
    encoded = RequestEncoder().encode(record, NOW_MS)
    return None if encoded is None else decode_request(encoded.payload)


def test_a_record_comes_back_unchanged() -> None:
    encoder = RequestEncoder()
    encoded = encoder.encode(sample_request(7), NOW_MS)

    assert encoded is not None
    assert not encoded.repaired
    assert decode_request(encoded.payload) == sample_request(7)
    assert encoder.encode(sample_request(7), NOW_MS) == encoded


def test_the_payload_is_lane_schema_day_and_the_values() -> None:
    encoded = RequestEncoder().encode(sample_request(7), NOW_MS)

    assert encoded is not None
    values = msgspec.msgpack.decode(encoded.payload)
    assert values[:3] == [0, 1, NOW_MS // DAY_MS]
    assert values[3:5] == [NOW_MS, sample_request(7).elapsed_us]
    assert day_of(encoded.payload) == NOW_MS // DAY_MS


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B"),
        ("a\ud800b", "a?b"),
        ("a\x00b", "a?b"),
        ("a\x85b\x1bc", "a?b?c"),
        ("a\u202eb\u2066", "a?b?"),
        ("' OR 1=1", "' OR 1=1"),
        ("x" * LABEL_BYTES_MAX, "x" * LABEL_BYTES_MAX),
        ("x" * (LABEL_BYTES_MAX + 1), "x" * LABEL_BYTES_MAX),
        ("x" * (LABEL_BYTES_MAX - 1) + "\u00e9", "x" * (LABEL_BYTES_MAX - 1)),
    ],
    ids=[
        "plain",
        "lone surrogate",
        "NUL",
        "C1 and escape",
        "bidi overrides",
        "quotes are data",
        "at the bound",
        "past the bound",
        "no character is cut in two",
    ],
)
def test_labels_are_what_the_store_takes(text: str, clean: str) -> None:
    assert clean_label(text) == clean
    back = through(changed(model=text))
    assert back is not None
    assert back.model == clean


@given(st.text(max_size=400))
def test_any_model_name_is_kept_in_some_form(text: str) -> None:
    back = through(changed(model=text, finish_reason=text))

    assert back is not None
    assert len(back.model.encode()) <= LABEL_BYTES_MAX
    assert clean_label(back.model) == back.model


@pytest.mark.parametrize(
    ("field", "value", "expected", "flag"),
    [
        ("ttft_us", 2**32 - 1, 2**32 - 1, 0),
        ("ttft_us", 2**32, 2**32 - 1, Flag.CLAMPED),
        ("stall_n", 2**16, 2**16 - 1, Flag.CLAMPED),
        ("attempt", 256, 255, Flag.CLAMPED),
        ("e2e_us", 2**40, 2**40, 0),
        ("tpot_us", -1, None, 0),
        ("bytes_out", 2**80, 2**63 - 1, Flag.CLAMPED),
    ],
    ids=["maximum", "above u32", "above u16", "above u8", "u64 column", "negative is unknown", "beyond msgpack"],
)
def test_integers_fit_their_columns(field: str, value: int, expected: int | None, flag: int) -> None:
    back = through(changed(**{field: value}))

    assert back is not None
    assert getattr(back, field) == expected
    assert back.flags == flag


@pytest.mark.parametrize(
    ("field", "value", "expected", "flag"),
    [
        ("ttft_us", math.nan, None, 0),
        ("ttft_us", math.inf, None, 0),
        ("ttft_us", 2.5, 2, Flag.CLAMPED),
        ("itl_h", {-40_000: 1, 5: 2**40, 6: -1, 7: 3}, {5: 2**32 - 1, 7: 3}, Flag.CLAMPED),
        ("tok_by_s", (1,) * TOK_BINS_MAX, (1,) * TOK_BINS_MAX, 0),
        ("tok_by_s", (1,) * (TOK_BINS_MAX + 1), (1,) * TOK_BINS_MAX, Flag.CLAMPED),
        ("trace_id", b"short", NO_TRACE, 0),
        ("trace_id", "text", NO_TRACE, 0),
    ],
    ids=[
        "no number is unknown",
        "infinite is unknown",
        "a fraction is cut",
        "buckets and counts that no column holds",
        "as many seconds as are kept",
        "one second more",
        "a short trace id",
        "a trace id of the wrong type",
    ],
)
def test_values_that_no_column_holds_are_repaired(field: str, value: object, expected: object, flag: int) -> None:
    back = through(changed(**{field: value}))

    assert back is not None
    assert (getattr(back, field), back.flags) == (expected, flag)


@pytest.mark.parametrize(
    "fields",
    [
        {"elapsed_us": -1},
        {"ended_at": -1},
        {"http_status": -5},
        {"model": 7},
        {"itl_h": None},
        {"e2e_us": "x"},
        {"tenant": {}},
        {"itl_h": {1: set}},
    ],
    ids=[
        "negative elapsed",
        "negative time",
        "negative status",
        "number as label",
        "no map",
        "text as number",
        "map as label",
        "what cannot be encoded",
    ],
)
def test_what_cannot_be_repaired_is_refused(fields: dict[str, object]) -> None:
    assert through(changed(**fields)) is None


@pytest.mark.parametrize(("ahead_ms", "moved"), [(FUTURE_MS_MAX, False), (FUTURE_MS_MAX + 1, True)])
def test_a_record_from_the_future_is_moved_to_now(ahead_ms: int, moved: bool) -> None:
    back = through(changed(ended_at=NOW_MS + ahead_ms))

    assert back is not None
    assert back.ended_at == (NOW_MS if moved else NOW_MS + ahead_ms)
    assert back.flags == (Flag.FUTURE_TS if moved else 0)


def test_more_labels_than_are_remembered_stay_right() -> None:
    encoder = RequestEncoder()
    for n in range(KNOWN_LABELS_MAX + 2):
        encoded = encoder.encode(changed(model=f"m{n}"), NOW_MS)

        assert encoded is not None
        assert not encoded.repaired


def test_a_record_of_an_older_shape_is_filled_with_defaults() -> None:
    encoded = RequestEncoder().encode(sample_request(3), NOW_MS)
    assert encoded is not None
    older = msgspec.msgpack.encode(msgspec.msgpack.decode(encoded.payload)[:-2])

    back = decode_request(older)

    assert back == msgspec.structs.replace(sample_request(3), bytes_in=0, bytes_out=0)


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x90", b"\x93\x05\x01\x01", b"\x01", b"\xdc\x00", b"\xa1\xff"])
def test_what_is_no_request_is_said_so(payload: bytes) -> None:
    with pytest.raises(StorePoisonError, match="no request that this version can read"):
        decode_request(payload)
    assert day_of(payload) == 0


@pytest.mark.parametrize("ended_at", [ENDED_AT_MS_MAX, ENDED_AT_MS_MAX + 1])
def test_a_time_beyond_the_stores_calendar_is_said_so(ended_at: int) -> None:
    encoded = RequestEncoder().encode(changed(ended_at=ended_at), ended_at)
    assert encoded is not None

    if ended_at <= ENDED_AT_MS_MAX:
        assert decode_request(encoded.payload).ended_at == ended_at
    else:
        with pytest.raises(StorePoisonError, match="beyond the store's calendar"):
            decode_request(encoded.payload)
