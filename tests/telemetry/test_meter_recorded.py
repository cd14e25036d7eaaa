"""What a real vLLM 0.32 sent, measured; the recordings are described in tests/fixtures/streams/README.md."""

from pathlib import Path
from typing import Any

import pytest

from telemetry.dialects import RequestShape
from telemetry.meter import MeterResult, StreamMeter
from telemetry.outcome import Outcome, TokSource, TokTimeQuality, TtftQuality

STREAMS = Path(__file__).parent.parent / "fixtures" / "streams"
MS = 1_000_000

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


def recorded(name: str) -> Answer:
    head, _, body = (STREAMS / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = [(key, value.strip()) for key, _, value in (line.partition(b":") for line in lines)]
    return int(first.split()[1]), headers, body


def measured(
    answer: Answer, api: str, *, step: int = 0, stream: bool = False, n: int = 1, echo: bool = False
) -> MeterResult:
    """Play an answer, one event each 10 ms (or `step` bytes at one stamp)."""
    status, headers, body = answer
    meter = StreamMeter(RequestShape(api=api, stream=stream, n=n, echo=echo))
    meter.begin(0)
    meter.connected(0)
    meter.sent(0)
    meter.headers(status, headers, MS)
    pieces = [body[i : i + step] for i in range(0, len(body), step)] if step else body.split(b"\n\n")
    at_ns = 10 * MS
    for piece in pieces:
        if piece:
            meter.feed(piece if step else piece + b"\n\n", at_ns)
            at_ns += 0 if step else 10 * MS
    meter.end(at_ns)
    return meter.result()


STREAMED: dict[str, tuple[dict[str, Any], int | None, TokSource, TokTimeQuality]] = {
    "chat": ({}, None, TokSource.NONE, TokTimeQuality.NONE),
    "chat_usage": ({}, 12, TokSource.USAGE, TokTimeQuality.SCALED),
    "chat_continuous": ({}, 12, TokSource.USAGE, TokTimeQuality.EXACT),
    "chat_token_ids": ({}, 12, TokSource.USAGE, TokTimeQuality.EXACT),
    "chat_logprobs": ({}, 3, TokSource.USAGE, TokTimeQuality.SCALED),
    "chat_n2": ({"n": 2}, 12, TokSource.USAGE, TokTimeQuality.EXACT),
    "completions_usage": ({}, 12, TokSource.USAGE, TokTimeQuality.SCALED),
    "completions_64": ({}, 64, TokSource.USAGE, TokTimeQuality.SCALED),
    "completions_stop": ({}, 1, TokSource.USAGE, TokTimeQuality.LUMP),
    "completions_echo": ({"echo": True}, 5, TokSource.USAGE, TokTimeQuality.SCALED),
    "completions_echo_continuous": ({"echo": True}, 5, TokSource.USAGE, TokTimeQuality.EXACT),
    "completions_n2": ({"n": 4}, 12, TokSource.USAGE, TokTimeQuality.EXACT),
}


def api_of(name: str) -> str:
    return "openai_completions" if name.startswith("completions") else "openai_chat"


@pytest.mark.parametrize(("name", "given"), STREAMED.items(), ids=STREAMED.keys())
def test_tokens_of_a_stream(name: str, given: tuple[dict[str, Any], int | None, TokSource, TokTimeQuality]) -> None:
    asked, tokens_out, source, quality = given
    found = measured(recorded(f"vllm_{name}"), api_of(name), stream=True, **asked)

    assert (Outcome.OK, "length") == (found.outcome, found.finish_reason)
    assert (tokens_out, source, quality) == (found.tokens_out, found.tok_source, found.tok_time_quality)
    assert (tokens_out or 0) == sum(found.tok_by_s)
    assert (0, 0, 0, 0, 0) == (
        found.flags & ~16,  # the played stamps do not fit the engine's times everywhere
        found.n_bad_json,
        found.n_bad_utf8,
        found.n_oversize,
        found.n_framing_fault,
    )


@pytest.mark.parametrize(("name", "given"), STREAMED.items(), ids=STREAMED.keys())
def test_a_recorded_stream_cut_anywhere_is_the_same(name: str, given: tuple[dict[str, Any], Any, Any, Any]) -> None:
    answer = recorded(f"vllm_{name}")
    whole, *cut = (
        measured(answer, api_of(name), step=step, stream=True, **given[0]) for step in (10**6, 1, 7, 100, 1000)
    )

    assert all(whole == found for found in cut)


@pytest.mark.parametrize(
    ("name", "api", "reason", "tokens_in"),
    [
        ("messages", "anthropic_messages", "max_tokens", 19),
        ("responses", "openai_responses", "max_output_tokens", None),
    ],
)
def test_other_apis_of_the_engine(name: str, api: str, reason: str, tokens_in: int | None) -> None:
    answer = recorded(f"vllm_{name}")
    found = measured(answer, api, stream=True)

    assert (Outcome.OK, reason, 12, TokSource.USAGE) == (
        found.outcome,
        found.finish_reason,
        found.tokens_out,
        found.tok_source,
    )
    assert tokens_in is None or tokens_in == found.tokens_in
    assert found.ttft_us is not None
    assert found.first_event_us is not None
    assert found.first_event_us < found.ttft_us
    assert measured(answer, api, stream=True, step=10**6) == measured(answer, api, stream=True, step=7)


def test_the_role_chunk_is_not_the_first_token() -> None:
    found = measured(recorded("vllm_chat_usage"), "openai_chat", stream=True)

    assert (10_000, 20_000, TtftQuality.EXACT) == (found.first_event_us, found.ttft_us, found.ttft_quality)


def test_a_token_whose_text_is_held_back_is_the_first_one_of_a_completion() -> None:
    found = measured(recorded("vllm_completions_usage"), "openai_completions", stream=True)

    assert (10_000, 20_000, TtftQuality.HELD) == (found.ttft_us, found.ttfo_us, found.ttft_quality)


def test_a_lone_token_beside_the_finish_is_a_fallback() -> None:
    found = measured(recorded("vllm_completions_stop"), "openai_completions", stream=True)

    assert (10_000, TtftQuality.FALLBACK, 0, None) == (
        found.ttft_us,
        found.ttft_quality,
        found.n_out_events,
        found.tpot_us,
    )


def test_an_echo_without_counts_and_with_them() -> None:
    bare = measured(recorded("vllm_completions_echo"), "openai_completions", stream=True, echo=True)
    told = measured(recorded("vllm_completions_echo_continuous"), "openai_completions", stream=True, echo=True)

    assert (20_000, 4) == (bare.ttft_us, bare.n_out_events)
    assert (10_000, 5) == (told.ttft_us, told.n_out_events)


def test_the_engines_times_ride_on_the_final_usage_chunk() -> None:
    found = measured(recorded("vllm_completions_64"), "openai_completions", stream=True)

    assert None not in (found.srv_queue_us, found.srv_prefill_us, found.srv_decode_us, found.srv_mean_itl_us)


@pytest.mark.parametrize(("name", "tokens"), [("chat_unary", (19, 12)), ("completions_unary", (2, 5))])
def test_unary(name: str, tokens: tuple[int, int]) -> None:
    found = measured(recorded(f"vllm_{name}"), api_of(name), step=10**6)

    assert (Outcome.OK, 0, None, "length") == (found.outcome, found.stream, found.ttft_us, found.finish_reason)
    assert tokens == (found.tokens_in, found.tokens_out)
    assert None not in (found.srv_queue_us, found.srv_prefill_us, found.srv_decode_us, found.srv_mean_itl_us)


@pytest.mark.parametrize(
    ("name", "outcome", "raw_type", "raw_code"),
    [
        ("chat_400", Outcome.INVALID_REQUEST, "BadRequestError", "400"),
        ("chat_400_json", Outcome.INVALID_REQUEST, "Bad Request", "400"),
        ("chat_400_prompt", Outcome.CONTEXT_LENGTH, "BadRequestError", "400"),
        ("chat_404", Outcome.NOT_FOUND, "NotFoundError", "404"),
    ],
)
def test_errors(name: str, outcome: Outcome, raw_type: str, raw_code: str) -> None:
    found = measured(recorded(f"vllm_{name}"), "openai_chat", step=50, stream=True)

    assert (outcome, raw_type, raw_code) == (found.outcome, found.raw_type, found.raw_code)


@pytest.mark.parametrize(
    ("name", "outcome", "status"),
    [
        ("models", Outcome.OK, 200),
        ("route_404", Outcome.NOT_FOUND, 404),
        ("models_405", Outcome.INVALID_REQUEST, 405),
        ("messages", Outcome.OK, 200),
    ],
)
def test_unknown_traffic(name: str, outcome: Outcome, status: int) -> None:
    found = measured(recorded(f"vllm_{name}"), "http", step=100)

    assert (outcome, status, None, None) == (found.outcome, found.http_status, found.ttft_us, found.tokens_out)
