import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.answer import HEADERS_MAX, AnswerReader
from telemetry.dialects import RequestShape
from telemetry.meter import MeterResult, StreamMeter
from telemetry.outcome import Flag, Outcome

BODY = b'data: {"choices":[{"index":0,"text":"a","finish_reason":null}]}\n\ndata: [DONE]\n\n'
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = STREAM + b"transfer-encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
SIZED = STREAM + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
UNSIZED = STREAM + b"connection: close\r\n\r\n" + BODY
CONTINUED = b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n" + CHUNKED


sizes = st.integers(min_value=1, max_value=400)


def read(data: bytes, size: int) -> tuple[AnswerReader, MeterResult]:
    """Read an answer in pieces of a size; its end closes the connection."""
    meter = StreamMeter(RequestShape(api="openai_completions", stream=True))
    meter.begin(0)
    meter.connected(0)
    meter.sent(0)
    reader, at_ns = AnswerReader(meter), 0
    for at in range(0, len(data), size):
        if not (reader.complete or reader.faulty):
            at_ns = 7_000
            reader.feed(data[at : at + size], at_ns)
    if not (reader.complete or reader.faulty):
        reader.closed(at_ns)
    return reader, meter.result()


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("data", "keeps"),
    [
        pytest.param(CHUNKED, True, id="in chunks"),
        pytest.param(SIZED, True, id="with a length"),
        pytest.param(UNSIZED, False, id="up to the end of the connection"),
        pytest.param(CONTINUED, True, id="behind an informational head"),
        pytest.param(CHUNKED.replace(b"OK\r\n", b"OK\r\nconnection: close\r\n"), False, id="that closes"),
    ],
)
def test_an_answer_is_read_whole(data: bytes, keeps: bool, size: int) -> None:
    reader, result = read(data, size)

    assert (True, False, keeps) == (reader.complete, reader.faulty, reader.keeps_alive)
    assert (Outcome.OK, 200, 1, 7) == (result.outcome, result.http_status, result.n_out_events, result.ttft_us)


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize("cut", [10, 40, len(CHUNKED) - 60])
def test_an_answer_that_is_cut_off_is_no_success(cut: int, size: int) -> None:
    reader, result = read(CHUNKED[:cut], size)

    expected = Outcome.CONNECT_ERROR if cut < len(STREAM) else Outcome.STREAM_TRUNCATED
    assert (False, expected) == (reader.complete, result.outcome)


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"\x16\x03\x01\x00"])
def test_what_is_no_http_is_a_fault(data: bytes) -> None:
    reader, _ = read(data, 100)

    assert (True, False) == (reader.faulty, reader.complete)


def test_bytes_behind_the_answer_spoil_the_connection_only() -> None:
    reader, result = read(CHUNKED + b"garbage\r\n", 10_000)

    assert (True, False, False) == (reader.complete, reader.keeps_alive, reader.faulty)
    assert Outcome.OK == result.outcome


def test_a_coding_is_timed_and_not_read() -> None:
    _, result = read(SIZED.replace(b"OK\r\n", b"OK\r\ncontent-encoding: br\r\n"), 10_000)

    assert (None, Flag.OPAQUE_BODY) == (result.ttft_us, result.flags)


@pytest.mark.parametrize(("n", "faulty"), [(HEADERS_MAX - 2, False), (HEADERS_MAX - 1, True)])
def test_a_head_is_bounded(n: int, faulty: bool) -> None:
    data = STREAM + b"a: b\r\n" * n + b"content-length: 0\r\n\r\n"

    reader, _ = read(data, 100_000)

    assert faulty == reader.faulty


@given(
    data=st.binary(max_size=300), head=st.sampled_from([b"", STREAM, CHUNKED[:90], b"HTTP/1.1 200 OK\r\n"]), size=sizes
)
def test_no_bytes_raise_and_no_garbage_is_a_success(data: bytes, head: bytes, size: int) -> None:
    reader, result = read(head + data, size)

    assert not (reader.faulty and reader.complete)
    assert Outcome.OK != result.outcome or b"DONE" in data or b"finish_reason" in data
