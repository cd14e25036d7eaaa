"""The acceptance cases of spec/measurement.md 17 that concern the meter, by number."""

import json
from typing import Any

import pytest

from telemetry import histogram
from telemetry.dialects import RequestShape
from telemetry.meter import MeterResult, StreamMeter
from telemetry.outcome import AbortBy, Outcome, Phase, TokSource, TokTimeQuality, TtftQuality

MS = 1_000_000
S = 1_000_000_000
SSE = [(b"Content-Type", b"text/event-stream; charset=utf-8")]
DONE = b"data: [DONE]\n\n"

Chunks = list[tuple[int, bytes]]


def shape(engine: str = "vllm", *, n: int = 1, echo: bool = False) -> RequestShape:
    return RequestShape(api="openai_chat", stream=True, engine=engine, n=n, echo=echo)


def event(payload: object) -> bytes:
    return b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\n\n"


def delta(content: str | None = None, *, finish: str | None = None, index: int = 0, **more: object) -> bytes:
    told = {} if content is None else {"content": content}
    return event({"choices": [{"index": index, "delta": told, "finish_reason": finish}], **more})


def usage(tokens: int) -> bytes:
    return event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": tokens}})


ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
FINISH = delta("", finish="stop")


def open_meter(asked: RequestShape, *, issue_ms: int = 0, sched_ms: int | None = None) -> StreamMeter:
    meter = StreamMeter(asked)
    meter.begin(issue_ms * MS, None if sched_ms is None else sched_ms * MS)
    meter.connected(issue_ms * MS)
    meter.sent(issue_ms * MS)
    meter.headers(200, SSE, issue_ms * MS + MS)
    return meter


def play(
    chunks: Chunks, asked: RequestShape | None = None, *, by: AbortBy | None = None, planned: bool = False
) -> MeterResult:
    """Feed chunks at milliseconds, close 1 ms after the last."""
    meter = open_meter(asked or shape(), issue_ms=3, sched_ms=0) if planned else open_meter(asked or shape())
    for at_ms, chunk in chunks:
        meter.feed(chunk, at_ms * MS)
    close_ns = (chunks[-1][0] + 1 if chunks else 2) * MS
    if by is None:
        meter.end(close_ns)
    else:
        meter.abort(by, close_ns)
    return meter.result()


CASE_1: Chunks = [
    (103, ROLE + delta("a")),
    (123, delta("b")),
    (143, delta("c") + delta("d")),
    (193, delta("e") + FINISH),
    (194, usage(5) + DONE),
]


def by_byte(chunks: Chunks) -> Chunks:
    return [(at_ms, chunk[i : i + 1]) for at_ms, chunk in chunks for i in range(len(chunk))]


def replaced(chunks: Chunks, old: bytes, new: bytes) -> Chunks:
    return [(at_ms, chunk.replace(old, new)) for at_ms, chunk in chunks]


def but_wire_gap(found: MeterResult) -> dict[str, Any]:
    return {name: getattr(found, name) for name in MeterResult.__struct_fields__ if name != "wire_gap_max_us"}


def test_case_1_the_figures_of_a_stream() -> None:
    found = play(CASE_1, planned=True)

    assert Outcome.OK is found.outcome
    assert (3_000, 103_000, 100_000, 193_000, 195_000) == (
        found.sched_lag_us,
        found.ttft_us,
        found.ttft_service_us,
        found.e2e_us,
        found.elapsed_us,
    )
    assert 22_500 == found.tpot_us
    assert (20_000, 50_000, 50_000) == (found.icl_p50_us, found.icl_p99_us, found.icl_max_us)
    assert histogram.build([20_000, 10_000, 10_000, 50_000]) == found.itl_h
    assert (4, 5) == (found.n_arrivals, found.n_out_events)
    assert (5, TokSource.USAGE, 7) == (found.tokens_out, found.tok_source, found.tokens_in)
    assert (TtftQuality.EXACT, 103_000) == (found.ttft_quality, found.ttfo_us)


@pytest.mark.parametrize(
    "chunks",
    [
        by_byte(CASE_1),
        replaced(CASE_1, b"\n", b"\r\n"),
        by_byte(replaced(CASE_1, b"\n", b"\r\n")),
        replaced(CASE_1, b"\n", b"\r"),
        by_byte(replaced(CASE_1, b"\n", b"\r")),
        [(103, b"\xef\xbb\xbf" + CASE_1[0][1]), *CASE_1[1:]],
        [*CASE_1[:2], (133, b": keep-alive\n\n"), *CASE_1[2:]],
    ],
    ids=["by byte", "CRLF", "CRLF by byte", "CR", "CR by byte", "BOM", "comment"],
)
def test_case_2_the_same_events_give_the_same_result(chunks: Chunks) -> None:
    assert but_wire_gap(play(CASE_1, planned=True)) == but_wire_gap(play(chunks, planned=True))


def test_case_3_bytes_are_cut_where_they_please() -> None:
    chunk = delta("a ") + delta("é\u2028")
    at_space, in_letter = chunk.index(b'a "') + 1, chunk.index("é".encode()) + 1
    pieces = [(5, chunk[:at_space]), (6, chunk[at_space:in_letter]), (7, chunk[in_letter:] + FINISH + DONE)]
    found = play(pieces)

    assert (Outcome.OK, 2, 0, 0) == (found.outcome, found.n_out_events, found.n_bad_utf8, found.n_bad_json)


def held(*tail: bytes) -> Chunks:
    return [(5, ROLE), *((6 + i, delta("")) for i in range(6)), (20, FINISH + b"".join(tail) + DONE)]


def test_case_4_an_engine_that_holds_text_back() -> None:
    found = play(held(usage(6)))

    assert (Outcome.OK, 6, TtftQuality.HELD) == (found.outcome, found.tokens_out, found.ttft_quality)
    assert (6_000, None) == (found.ttft_us, found.ttfo_us)


def test_case_4_the_same_bytes_of_a_hosted_engine() -> None:
    found = play(held(usage(6)), shape(engine="hosted"))

    assert (Outcome.OK, TtftQuality.FALLBACK, 5_000) == (found.outcome, found.ttft_quality, found.ttft_us)
    assert (0, None, None) == (found.n_arrivals, found.tpot_us, found.icl_max_us)

    found = play(held(), shape(engine="hosted"))

    assert (Outcome.BAD_OUTPUT, "empty") == (found.outcome, found.raw_code)
    assert (None, TokSource.NONE, None) == (found.tokens_out, found.tok_source, found.ttft_us)


def failure(**error: object) -> bytes:
    return event({"error": error})


def test_case_5_an_error_after_three_tokens() -> None:
    told = failure(type="InternalServerError", code=500)
    found = play([(5, ROLE + delta("a")), (6, delta("b")), (7, delta("c")), (8, told + DONE)])

    assert (Outcome.STREAM_ERROR, Phase.STREAMING, 1) == (found.outcome, found.phase, found.in_stream)
    assert (5_000, None, 3) == (found.ttft_us, found.e2e_us, found.n_out_events)
    assert ("InternalServerError", "500") == (found.raw_type, found.raw_code)


def test_case_5_an_error_as_the_first_event() -> None:
    found = play([(5, failure(type="InternalServerError", code=500) + DONE)])

    assert (Outcome.STREAM_ERROR, Phase.QUEUED, None) == (found.outcome, found.phase, found.ttft_us)
    assert Outcome.OOM is play([(5, failure(message="CUDA out of memory. Tried", code=500) + DONE)]).outcome


@pytest.mark.parametrize(("code", "outcome"), [(503, Outcome.UNAVAILABLE), (400, Outcome.INVALID_REQUEST)])
def test_case_6_the_code_outranks_the_type(code: int, outcome: Outcome) -> None:
    assert outcome is play([(5, failure(type="invalid_request_error", code=code) + DONE)]).outcome


def test_case_7_a_named_error_event_under_200() -> None:
    ping = b'event: ping\ndata: {"type":"ping"}\n\n'
    chunk = ping + b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'
    found = play([(5, chunk)])

    assert (Outcome.OVERLOADED, 1) == (found.outcome, found.in_stream)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (529, b'{"type":"error","error":{"type":"overloaded_error"}}', Outcome.OVERLOADED),
        (429, b'{"error":"Model is overloaded","error_type":"overloaded"}', Outcome.OVERLOADED),
        (429, b'{"error":{"type":"requests","code":"rate_limit_exceeded"}}', Outcome.RATE_LIMITED),
        (429, b'{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}', Outcome.QUOTA_EXHAUSTED),
    ],
)
def test_case_7_error_responses(status: int, body: bytes, outcome: Outcome) -> None:
    meter = StreamMeter(shape())
    meter.begin(0)
    meter.headers(status, [(b"content-type", b"application/json")], MS)
    meter.feed(body[:9], 2 * MS)
    meter.feed(body[9:], 3 * MS)
    meter.end(3 * MS)
    found = meter.result()

    assert (outcome, status, 0, None) == (found.outcome, found.http_status, found.in_stream, found.ttft_us)


TOKENS: Chunks = [(5, ROLE + delta("a")), (25, delta("b"))]


@pytest.mark.parametrize(
    ("chunks", "by", "outcome"),
    [
        (TOKENS, None, Outcome.STREAM_TRUNCATED),
        (TOKENS, AbortBy.UPSTREAM, Outcome.STREAM_TRUNCATED),
        ([*TOKENS, (30, FINISH)], None, Outcome.OK),
        ([*TOKENS, (30, delta(finish="abort") + DONE)], None, Outcome.STREAM_TRUNCATED),
        ([*TOKENS, (30, FINISH)], AbortBy.CLIENT, Outcome.OK),
        (TOKENS, AbortBy.CLIENT, Outcome.CLIENT_CANCELLED),
        (TOKENS, AbortBy.LOSS, Outcome.UNOBSERVED),
        ([*TOKENS, (30, FINISH)], AbortBy.LOSS, Outcome.OK),
        ([*TOKENS, (30, DONE)], None, Outcome.OK),
    ],
    ids=[
        "EOF",
        "reset",
        "finish without DONE",
        "abort without a client close",
        "client closes after the finish",
        "client closes",
        "frames lost",
        "frames lost after the finish",
        "DONE without finish",
    ],
)
def test_case_8_who_ended_it(chunks: Chunks, by: AbortBy | None, outcome: Outcome) -> None:
    assert outcome is play(chunks, by=by).outcome


def test_case_9_what_a_cancelled_request_leaves_to_judge() -> None:
    early = play([], by=AbortBy.CLIENT)
    silent = open_meter(shape())
    silent.feed(ROLE + delta("a"), S)
    silent.feed(delta("b"), 2 * S)
    silent.abort(AbortBy.CLIENT, 7 * S)
    late = silent.result()

    assert ("censored", None, None, 2_000) == (early.eligible, early.ttft_us, early.e2e_us, early.elapsed_us)
    assert (1_000_000, 5_000_000, 7_000_000, None) == (
        late.ttft_us,
        late.open_gap_us,
        late.elapsed_us,
        late.e2e_us,
    )
    assert (1, 5_000_000, 5_000_000) == (late.stall_n, late.stall_us, late.wire_gap_max_us)


def test_case_10_no_usage_is_no_count() -> None:
    found = play([*TOKENS, (30, FINISH + DONE)])

    assert (None, None, TokSource.NONE, TokTimeQuality.NONE) == (
        found.tokens_in,
        found.tokens_out,
        found.tok_source,
        found.tok_time_quality,
    )
    assert (None, ()) == (found.tpot_us, found.tok_by_s)


def test_case_11_two_choices_are_counted_once() -> None:
    def told(index: int, tokens: int) -> bytes:
        return delta("a", index=index, usage={"prompt_tokens": 7, "completion_tokens": tokens})

    ends = delta(finish="stop") + delta(finish="stop", index=1)
    found = play([(5, told(0, 1)), (6, told(1, 1)), (7, told(0, 2)), (8, told(1, 2) + ends + usage(4))], shape(n=2))

    assert (Outcome.OK, 4, 4, TokTimeQuality.EXACT) == (
        found.outcome,
        found.tokens_out,
        found.n_out_events,
        found.tok_time_quality,
    )


def test_case_11_one_choice_of_two_is_not_the_end() -> None:
    found = play([*TOKENS, (30, FINISH)], shape(n=2), by=AbortBy.CLIENT)

    assert Outcome.CLIENT_CANCELLED is found.outcome


def test_case_11_the_echo_is_not_the_first_token() -> None:
    found = play([(5, delta("the prompt")), (9, delta("a")), (12, FINISH + usage(1) + DONE)], shape(echo=True))

    assert (9_000, 1) == (found.ttft_us, found.n_out_events)


def test_case_11_one_token_has_no_tpot() -> None:
    found = play([(5, ROLE + delta("a")), (6, FINISH + usage(1) + DONE)])

    assert (None, 1, TtftQuality.EXACT, "good") == (
        found.tpot_us,
        found.tokens_out,
        found.ttft_quality,
        found.eligible,
    )


def test_case_11_fifty_tokens_at_once() -> None:
    found = play([(5, ROLE + delta("a") * 50 + FINISH + usage(50) + DONE)])

    assert (TtftQuality.UPPER_BOUND, None, None, {}) == (
        found.ttft_quality,
        found.icl_max_us,
        found.tpot_us,
        found.itl_h,
    )


def test_case_12_tokens_are_credited_to_their_seconds() -> None:
    tokens = [(9_000 + 20 * i, delta("a")) for i in range(100)]
    found = play([*tokens, (11_000, FINISH + usage(100) + DONE)])

    assert (9, (50, 50)) == (found.tok_s0, found.tok_by_s)


def test_case_12_keep_alives_in_a_gap() -> None:
    quiet = [(1_000 + 5_000 * i, b": keep-alive\n\n") for i in range(1, 4)]
    found = play([(1_000, ROLE + delta("a")), *quiet, (21_000, delta("b") + FINISH + DONE)])

    assert (20_000_000, 5_000_000, 1, 20_000_000) == (
        found.icl_max_us,
        found.wire_gap_max_us,
        found.stall_n,
        found.stall_us,
    )


def test_case_16_nan_in_logprobs() -> None:
    chunk = b'data: {"choices":[{"delta":{"content":"a"},"logprobs":NaN}]}\n\n'
    found = play([(5, chunk), (6, FINISH + DONE)])

    assert (1, 0) == (found.n_out_events, found.n_bad_json)


def test_case_16_an_event_of_11_mib_is_skipped() -> None:
    huge = delta("x" * (11 * 1024 * 1024))
    found = play([(5, ROLE + delta("a")), (6, huge[: 2**20]), (7, huge[2**20 :]), (8, delta("b") + FINISH + DONE)])

    assert (Outcome.OK, 1, 2, 3_000) == (found.outcome, found.n_oversize, found.n_out_events, found.icl_max_us)
