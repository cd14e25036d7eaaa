"""The contract of the meter: it never raises, any chunking and any replay give the same, memory is bounded."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.dialects import DIALECTS, RequestShape
from telemetry.gaps import ARRIVALS_MAX
from telemetry.meter import MeterResult, StreamMeter
from telemetry.outcome import AbortBy, Flag, Outcome, Phase, TokTimeQuality, TtftQuality, TtftSource

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
FIELDS = (
    *("choices", "delta", "content", "text", "index", "finish_reason", "token_ids", "tool_calls", "function", "role"),
    *("usage", "completion_tokens", "prompt_tokens", "prompt_tokens_details", "metrics", "queue_time_ms", "error"),
    *("type", "code", "message", "response", "status", "incomplete_details", "reason", "stop_reason", "output_tokens"),
)
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


@given(
    st.lists(
        st.sampled_from(
            [
                delta("a"),
                delta(""),
                delta("é"),
                delta("", "stop"),
                USED,
                event({"error": {"code": 500}}),
                b'data: {"choices":[{"delta":\ndata: {"content":"a"}}]}\n\n',
                b'data: {"choices":[]}\ndata: {"choices":[{"delta":{"content":"x"}}]}\n\n',
                b"data: {nope\n\n",
                b"data: \xff\n\n",
                b'data: {"choices":[{"delta":{"content":"\xff"}}]}\r\n\r\n',
                b": c\n\n",
                b"event: error\n\n",
                b"data: [DONE]\n\n",
                b"data: {",
                b"\r",
            ]
        )
    ),
    st.lists(st.integers(0, 400)),
    st.sampled_from([None, AbortBy.UPSTREAM, AbortBy.CLIENT, AbortBy.LOSS]),
)
def test_m4_any_chunking_at_one_stamp_gives_the_same(parts: list[bytes], cuts: list[int], by: AbortBy | None) -> None:
    stream = b"".join(parts)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    whole, cut, bytewise = streaming(), streaming(), streaming()
    whole.feed(stream, 20 * MS)
    for a, b in pairwise(edges):
        cut.feed(stream[a:b], 20 * MS)
    for i in range(len(stream)):
        bytewise.feed(stream[i : i + 1], 20 * MS)
    for meter in (whole, cut, bytewise):
        if by is None:
            meter.end(25 * MS)
        else:
            meter.abort(by, 25 * MS)

    assert whole.result() == cut.result()
    if stream:
        assert whole.result() == bytewise.result()


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(-5, 50)), max_size=20), st.integers(0, 600))
def test_m1_it_never_raises(pairs: list[tuple[bytes, int]], status: int) -> None:
    for headers in (SSE, JSON, []):
        meter = begun()
        meter.headers(status, headers, 15 * MS)
        for chunk, at_ms in pairs:
            meter.feed(b"data: " + chunk + b"\n\n", at_ms * MS)
            meter.result()
        meter.end(0)
        found = meter.result()

        assert found.elapsed_us >= 0


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("api", [dialect.api for dialect in DIALECTS])
@given(st.lists(JSON_VALUES, max_size=4))
def test_m1_no_shape_of_json_makes_it_raise(api: str, values: list[object]) -> None:
    asked = RequestShape(api=api, stream=True)
    for headers, status in ((SSE, 200), (JSON, 200), (JSON, 500)):
        meter = streaming(asked, headers, status)
        for value in values:
            chunk = json.dumps(value).encode()
            meter.feed(b"data: " + chunk + b"\n\n" if headers is SSE else chunk, 20 * MS)
            meter.result()
        meter.end(21 * MS)

        assert meter.result().decided_at_ns == 21 * MS


@pytest.mark.parametrize("depth", [10, 400, 900, 1100, 100_000])
def test_m1_deep_nesting_does_not_raise(depth: int) -> None:
    for chunk in (b'{"error":' * depth + b"1" + b"}" * depth, b'{"choices":[{"finish_reason":' + b"[" * depth):
        meter = streaming()
        meter.feed(b"data: " + chunk + b"\n\n", 20 * MS)
        meter.end(21 * MS)

        assert meter.result().outcome is not Outcome.OK
        assert Outcome.SERVER_ERROR is body(CHAT, JSON, chunk, 500).outcome


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2)), min_size=1, max_size=40))
def test_m5_online_equals_replay_and_results_change_nothing(steps: list[tuple[int, int]]) -> None:
    stored: list[tuple[bytes, int]] = []
    at_ns = 20 * MS
    online = streaming()
    for wait_ms, kind in steps:
        at_ns += wait_ms * MS
        stored.append(((delta("a"), delta("a", usage={"completion_tokens": len(stored)}), b": c\n\n")[kind], at_ns))
        online.feed(*stored[-1])
        online.result()
    replay = streaming()
    for pair in stored:
        replay.feed(*pair)
    online.end(at_ns)
    replay.end(at_ns)

    assert online.result() == replay.result() == online.result()


@given(st.lists(st.integers(1, 300), min_size=2, max_size=60))
def test_sum_and_mean_of_itl_agree_with_tpot(gaps_ms: list[int]) -> None:
    meter = streaming()
    at_ns = 20 * MS
    for n, gap_ms in enumerate(gaps_ms, 1):
        at_ns += gap_ms * MS
        meter.feed(delta("a", usage={"prompt_tokens": 1, "completion_tokens": n}), at_ns)
    meter.feed(delta("", "stop") + event({"choices": [], "usage": {"completion_tokens": len(gaps_ms)}}), at_ns)
    meter.end(at_ns)
    found = meter.result()
    span_us = sum(gaps_ms[1:]) * 1000

    assert len(gaps_ms) - 1 == sum(found.itl_h.values())
    assert span_us // (len(gaps_ms) - 1) == found.tpot_us
    assert len(gaps_ms) == sum(found.tok_by_s)
    assert TokTimeQuality.EXACT is found.tok_time_quality


def test_open_intervals_show_mid_stream() -> None:
    meter = streaming()
    meter.feed(delta("a"), 20 * MS)
    meter.feed(b": c\n\n", 50 * MS)
    found = meter.result()

    assert (Outcome.UNOBSERVED, Phase.STREAMING) == (found.outcome, found.phase)
    assert (30_000, 40_000, None, 10_000) == (found.open_gap_us, found.elapsed_us, found.e2e_us, found.ttft_us)


def test_diagnostics_of_the_way_there() -> None:
    found = body(CHAT, SSE, ANSWER)

    assert (1_000, 1_000, 5_000, 10_000, 11_000) == (
        found.connect_us,
        found.send_us,
        found.headers_us,
        found.first_event_us,
        found.elapsed_us,
    )
    assert (None, 21 * MS, TtftSource.TEE) == (found.sched_lag_us, found.decided_at_ns, found.ttft_source)


def test_a_stamp_before_the_last_is_clamped_and_flagged() -> None:
    meter = streaming()
    meter.feed(delta("a"), 20 * MS)
    meter.feed(delta("b"), 19 * MS)
    meter.end(18 * MS)
    found = meter.result()

    assert (1, Flag.CLAMPED, 20 * MS) == (found.n_arrivals, found.flags, found.decided_at_ns)


def test_an_answer_before_the_request_was_sent_is_flagged() -> None:
    meter = StreamMeter(CHAT)
    meter.begin(0)
    meter.headers(413, JSON, MS)
    meter.sent(2 * MS)
    meter.end(2 * MS)

    assert Flag.EARLY_RESPONSE == meter.result().flags


def test_an_hour_too_long_is_clamped() -> None:
    meter = streaming()
    meter.end(2 * 3_600_000 * MS)

    assert (2**32 - 1, Flag.CLAMPED) == (meter.result().elapsed_us, meter.result().flags)


def test_after_the_end_nothing_changes() -> None:
    meter = streaming()
    meter.feed(ANSWER, 20 * MS)
    meter.end(21 * MS)
    before = meter.result()
    meter.feed(delta("late"), 30 * MS)
    meter.headers(500, JSON, 31 * MS)
    meter.abort(AbortBy.CLIENT, 32 * MS)
    meter.end(33 * MS)

    assert before == meter.result()


def test_informational_heads_are_passed_over() -> None:
    meter = begun()
    meter.headers(100, [], 13 * MS)

    assert 0 == meter.result().http_status

    meter.headers(200, SSE, 15 * MS)

    assert (200, 5_000) == (meter.result().http_status, meter.result().headers_us)


@pytest.mark.parametrize(
    ("connected", "by", "outcome", "phase"),
    [
        (False, AbortBy.UPSTREAM, Outcome.CONNECT_ERROR, Phase.CONNECT),
        (True, AbortBy.UPSTREAM, Outcome.CONNECT_ERROR, Phase.QUEUED),
        (True, AbortBy.CLIENT, Outcome.CLIENT_CANCELLED, Phase.QUEUED),
        (True, AbortBy.FIRST_TOKEN_DEADLINE, Outcome.TIMEOUT_FIRST_TOKEN, Phase.QUEUED),
        (True, None, Outcome.CONNECT_ERROR, Phase.QUEUED),
    ],
)
def test_an_end_before_the_head(connected: bool, by: AbortBy | None, outcome: Outcome, phase: Phase) -> None:
    meter = begun() if connected else StreamMeter(CHAT)
    if by is None:
        meter.end(20 * MS)
    else:
        meter.abort(by, 20 * MS)
    found = meter.result()

    assert (outcome, phase, 1, 0) == (found.outcome, found.phase, found.stream, found.http_status)


def test_bad_events_are_counted_and_the_rest_is_measured() -> None:
    found = body(
        CHAT, SSE, b"data: {nope\n\ndata: \xff\n\n" + b"data: {}\ndata: [DONE]\n\ndata: {\ndata: {\n\n" + ANSWER
    )

    assert (Outcome.OK, 3, 1, 1) == (found.outcome, found.n_bad_json, found.n_bad_utf8, found.n_framing_fault)


def test_s5_a_last_event_without_its_blank_line() -> None:
    meter = streaming()
    meter.feed(delta("a"), 20 * MS)
    meter.feed(delta("", "stop")[:-1], 30 * MS)
    meter.end(99 * MS)
    found = meter.result()

    assert (Outcome.OK, Flag.UNTERMINATED_TAIL, 20_000) == (found.outcome, found.flags, found.e2e_us)


def test_s5_a_tail_that_is_cut_off_is_evidence_of_truncation() -> None:
    meter = streaming()
    meter.feed(delta("a") + delta("", "stop")[:30], 20 * MS)
    meter.end(21 * MS)
    found = meter.result()

    assert (Outcome.STREAM_TRUNCATED, Flag.UNTERMINATED_TAIL, 0) == (found.outcome, found.flags, found.n_bad_json)


def test_engine_times_that_do_not_fit_are_flagged() -> None:
    told = event({"choices": [], "metrics": {"queue_time_ms": 5.0, "time_to_first_token_ms": 6.0}})
    fits = event({"choices": [], "metrics": {"queue_time_ms": 5.0, "time_to_first_token_ms": 4.0}})
    conflict, good = body(CHAT, SSE, told + ANSWER), body(CHAT, SSE, fits + ANSWER)

    assert (None, Flag.ATTRIBUTION_CONFLICT) == (conflict.residual_us, conflict.flags)
    assert (1_000, 0) == (good.residual_us, good.flags)


def test_tokens_of_several_choices_without_counts_have_no_tpot() -> None:
    meter = streaming(RequestShape(api="openai_chat", stream=True, n=2))
    meter.feed(delta("a"), 20 * MS)
    meter.feed(delta("b"), 30 * MS)
    meter.feed(USED + b"data: [DONE]\n\n", 31 * MS)
    meter.end(31 * MS)
    found = meter.result()

    assert (None, 4, 10_000) == (found.tpot_us, found.tokens_out, found.icl_max_us)


def test_an_echo_alone_is_an_answer() -> None:
    found = body(RequestShape(api="openai_completions", stream=True, echo=True), SSE, delta("p", "length"))

    assert (Outcome.OK, None, TtftQuality.NONE) == (found.outcome, found.ttft_us, found.ttft_quality)


def test_reasoning_is_output_but_not_visible() -> None:
    meter = streaming()
    meter.feed(event({"choices": [{"delta": {"reasoning": "a"}}]}), 20 * MS)
    meter.feed(delta("b", "stop"), 30 * MS)
    meter.end(31 * MS)
    found = meter.result()

    assert (10_000, 20_000, TtftQuality.EXACT) == (found.ttft_us, found.ttfo_us, found.ttft_quality)


def test_the_stall_threshold_is_the_endpoints_own() -> None:
    meter = begin(StreamMeter(CHAT, stall_gap_us=1_000, ttft_source=TtftSource.CLIENT))
    meter.headers(200, SSE, 15 * MS)
    for at_ms in (20, 21, 23):
        meter.feed(delta("a"), at_ms * MS)
    meter.abort(AbortBy.CLIENT, 30 * MS)
    found = meter.result()

    assert (2, 9_000, TtftSource.CLIENT) == (found.stall_n, found.stall_us, found.ttft_source)


def test_m6_a_long_stream_keeps_its_figures() -> None:
    meter = streaming()
    n = 2 * ARRIVALS_MAX + 10
    for i in range(n):
        meter.feed(delta("a"), (20 + 20 * i) * MS)
    meter.feed(delta("", "stop"), 20 * n * MS)
    meter.end((20 + 20 * n) * MS)
    found = meter.result()

    assert (n, 20_000, 20_000, 20_000) == (found.n_arrivals, found.icl_p50_us, found.icl_p99_us, found.icl_max_us)


def test_output_is_known_as_soon_as_it_came() -> None:
    meter = streaming()
    before = meter.has_output
    meter.feed(delta("a"), 20 * MS)

    assert (before, meter.has_output) == (False, True)
