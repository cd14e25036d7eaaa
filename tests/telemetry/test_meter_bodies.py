"""Answers that are read as a whole, errors, unknown traffic and bodies that cannot be read."""

import json

import pytest

from telemetry.dialects import RequestShape
from telemetry.meter import FAULT_BYTES_MAX, MeterResult, StreamMeter
from telemetry.outcome import AbortBy, Flag, Origin, Outcome, TokTimeQuality
from telemetry.sse import EVENT_BYTES_MAX

MS = 1_000_000
SSE = [(b"content-type", b"text/event-stream")]
JSON = [(b"content-type", b"application/json"), (b"Server", b"uvicorn")]
CHAT = RequestShape(api="openai_chat", stream=True)
UNARY = RequestShape(api="openai_chat")
PLAIN = RequestShape()


def event(payload: object) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def delta(content: str, finish: str | None = None, **more: object) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}], **more})


USED = event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
ANSWER = delta("a") + delta("b") + delta("", "stop") + USED + b"data: [DONE]\n\n"


def begun(asked: RequestShape = CHAT) -> StreamMeter:
    return begin(StreamMeter(asked))


def begin(meter: StreamMeter) -> StreamMeter:
    meter.begin(10 * MS)
    meter.connected(11 * MS)
    meter.sent(12 * MS)
    return meter


def streaming(asked: RequestShape = CHAT, headers: list[tuple[bytes, bytes]] = SSE, status: int = 200) -> StreamMeter:
    meter = begun(asked)
    meter.headers(status, headers, 15 * MS)
    return meter


def body(asked: RequestShape, headers: list[tuple[bytes, bytes]], content: bytes, status: int = 200) -> MeterResult:
    meter = streaming(asked, headers, status)
    meter.feed(content, 20 * MS)
    meter.end(21 * MS)
    return meter.result()


def test_a_unary_answer() -> None:
    content = (
        b'\n\n{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":3,"completion_tokens":4},'
        b'"metrics":{"queue_time_ms":1.0,"time_to_first_token_ms":2.0,"generation_time_ms":3.0,"mean_itl_ms":1.5}}'
    )
    found = body(UNARY, JSON, content)

    assert (Outcome.OK, "stop", 0) == (found.outcome, found.finish_reason, found.stream)
    assert (None, None, 11_000, None) == (found.ttft_us, found.ttfo_us, found.e2e_us, found.tpot_us)
    assert (3, 4, TokTimeQuality.LUMP, (4,)) == (
        found.tokens_in,
        found.tokens_out,
        found.tok_time_quality,
        found.tok_by_s,
    )
    assert (1000, 2000, 3000, 1500, None) == (
        found.srv_queue_us,
        found.srv_prefill_us,
        found.srv_decode_us,
        found.srv_mean_itl_us,
        found.residual_us,
    )


@pytest.mark.parametrize(
    ("content", "outcome", "raw_code"),
    [
        (b"<html>", Outcome.BAD_OUTPUT, "undecodable"),
        (b'{"choices":[{"finish_reason":"content_filter"}]}', Outcome.CONTENT_FILTERED, ""),
        (b'{"error":{"code":503,"message":"no healthy upstream"}}', Outcome.UNAVAILABLE, "503"),
        (b'{"choices":[{"message":{"content":"\xff"},"finish_reason":"stop"}]}', Outcome.OK, ""),
    ],
)
def test_unary_bodies_that_are_not_well(content: bytes, outcome: Outcome, raw_code: str) -> None:
    found = body(UNARY, JSON, content)

    assert (outcome, raw_code) == (found.outcome, found.raw_code)
    assert int(b"\xff" in content) == found.n_bad_utf8


def test_a_unary_body_is_kept_up_to_the_bound() -> None:
    frame = b'{"choices":[],"usage":{"completion_tokens":1},"x":"%s"}'
    kept = body(UNARY, JSON, frame % (b"x" * (EVENT_BYTES_MAX - len(frame) + 2)))
    dropped = body(UNARY, JSON, frame % (b"x" * (EVENT_BYTES_MAX - len(frame) + 3)))

    assert (1, 0) == (kept.tokens_out, kept.n_oversize)
    assert (None, 1, Outcome.OK) == (dropped.tokens_out, dropped.n_oversize, dropped.outcome)


def test_an_error_body_is_kept_up_to_the_bound() -> None:
    text = b"CUDA out of memory"
    at_start = body(CHAT, JSON, text + b"x" * FAULT_BYTES_MAX, 500)
    past = body(CHAT, JSON, b"x" * FAULT_BYTES_MAX + text, 500)

    assert (Outcome.OOM, Outcome.SERVER_ERROR) == (at_start.outcome, past.outcome)


def test_a_truncated_unary_body() -> None:
    meter = streaming(UNARY, JSON)
    meter.feed(b'{"choices":', 20 * MS)
    meter.abort(AbortBy.UPSTREAM, 21 * MS)
    found = meter.result()

    assert (Outcome.STREAM_TRUNCATED, Origin.NETWORK, None) == (found.outcome, found.origin, found.e2e_us)


@pytest.mark.parametrize(
    ("asked", "headers", "stream", "flags"),
    [
        (CHAT, SSE, 1, 0),
        (CHAT, [], 1, 0),
        (UNARY, JSON, 0, 0),
        (UNARY, [], 0, 0),
        (CHAT, JSON, 0, Flag.DIALECT_CONFLICT),
        (UNARY, SSE, 1, Flag.DIALECT_CONFLICT),
        (RequestShape(api="openai_chat", parsed=False), SSE, 1, 0),
    ],
)
def test_the_content_type_confirms_the_dialect(
    asked: RequestShape, headers: list[tuple[bytes, bytes]], stream: int, flags: int
) -> None:
    found = body(asked, headers, ANSWER if stream else b"{}")

    assert (Outcome.OK, stream, flags) == (found.outcome, found.stream, found.flags)


@pytest.mark.parametrize(
    ("status", "outcome", "e2e_us"),
    [(200, Outcome.OK, 11_000), (304, Outcome.OK, 11_000), (404, Outcome.NOT_FOUND, None)],
)
def test_unknown_traffic(status: int, outcome: Outcome, e2e_us: int | None) -> None:
    found = body(PLAIN, SSE, ANSWER, status)

    assert (outcome, "http", None, 10_000, 5_000) == (
        found.outcome,
        found.api,
        found.ttft_us,
        found.first_event_us,
        found.headers_us,
    )
    assert (e2e_us, 11_000, None, 0) == (found.e2e_us, found.elapsed_us, found.tokens_out, found.n_arrivals)


def test_a_body_that_cannot_be_decoded_is_timed() -> None:
    meter = streaming()
    meter.opaque()
    meter.feed(b"\x00\x01", 20 * MS)
    meter.feed(b"\x02", 50 * MS)
    meter.end(51 * MS)
    found = meter.result()

    assert (Outcome.OK, Flag.OPAQUE_BODY, None) == (found.outcome, found.flags, found.ttft_us)
    assert (30_000, 10_000) == (found.wire_gap_max_us, found.first_event_us)
