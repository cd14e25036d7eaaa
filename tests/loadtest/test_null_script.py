import re

import msgspec
import pytest

from loadtest.null_script import (
    TOKENS_MAX,
    Ending,
    Form,
    LineEnd,
    Move,
    Shape,
    is_leaky,
    moves,
    page,
    refused,
    shape_of,
    worn,
)
from loadtest.random_streams import stream
from telemetry.dialects import RequestShape
from telemetry.meter import MeterResult, StreamMeter
from telemetry.outcome import Outcome

MS = 1_000_000
APIS = {Form.CHAT: "openai_chat", Form.COMPLETIONS: "openai_completions", Form.ANTHROPIC: "anthropic_messages"}


def sent(move: Move) -> bytes:
    return b"77".join(move.parts)


def measured(shape: Shape, form: Form, tokens: int) -> MeterResult:
    """Play an answer to the meter at the times that the script says."""
    meter = StreamMeter(RequestShape(api=APIS[form], stream=True, include_usage=True))
    meter.begin(0)
    meter.connected(0)
    meter.sent(0)
    meter.headers(200, [(b"content-type", b"text/event-stream")], 0)
    at_ns = 0
    for move in moves(shape, form, tokens, tokens_in=9, usage=True):
        at_ns = round(move.at_s * 1000) * MS
        if move.parts:
            meter.feed(sent(move), at_ns)
    meter.end(at_ns)
    return meter.result()


@pytest.mark.parametrize("line_end", list(LineEnd))
@pytest.mark.parametrize("form", list(APIS))
def test_the_meter_reads_what_the_script_meant(form: Form, line_end: LineEnd) -> None:
    shape = Shape(ttft_s=0.1, itl_s=0.02, line_end=line_end, comment_every=2)

    result = measured(shape, form, 5)

    assert (Outcome.OK, 100_000, 20_000, 5, 9) == (
        result.outcome,
        result.ttft_us,
        result.icl_max_us,
        result.tokens_out,
        result.tokens_in,
    )
    assert 5 == result.n_out_events
    assert 0 == result.n_bad_json + result.n_framing_fault


def test_tokens_of_one_chunk_are_one_event() -> None:
    result = measured(Shape(tokens_per_chunk=4), Form.CHAT, 10)

    assert (10, 3, 3) == (result.tokens_out, result.n_out_events, result.n_arrivals)


def test_coalesced_events_come_at_the_time_of_the_last() -> None:
    result = measured(Shape(ttft_s=0.1, itl_s=0.02, coalesce=3), Form.CHAT, 6)

    assert (140_000, 6, 2, 60_000) == (result.ttft_us, result.n_out_events, result.n_arrivals, result.icl_max_us)


def test_a_stall_moves_what_comes_after_it() -> None:
    times = [move.at_s for move in moves(Shape(stall_at=2, stall_s=1), Form.COMPLETIONS, 4, tokens_in=1, usage=False)]

    assert [0.05, 0.06, 1.07, 1.08, 1.08] == pytest.approx(times)  # the last move ends the stream


@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("form", list(APIS))
def test_an_error_frame_ends_the_answer(form: Form, number: int) -> None:
    result = measured(Shape(error_at=number), form, 5)

    assert (Outcome.STREAM_ERROR, 1, number) == (result.outcome, result.in_stream, result.n_out_events)


@pytest.mark.parametrize(("shape", "ending"), [(Shape(eof_at=1), Ending.EOF), (Shape(reset_at=1), Ending.RESET)])
def test_an_answer_breaks_off_where_asked(shape: Shape, ending: Ending) -> None:
    *_, before, last = moves(shape, Form.COMPLETIONS, 5, tokens_in=1, usage=True)

    assert (2, None, ending, ()) == (len(before.parts), before.ending, last.ending, last.parts)


def test_each_event_carries_one_stamp_and_is_json() -> None:
    stamps = 0
    for move in moves(Shape(coalesce=2), Form.CHAT, 4, tokens_in=1, usage=True):
        for data in re.findall(rb"data: (\{.*\})", sent(move)):
            stamps += msgspec.json.decode(data).get("sent_ns") == 77

    assert 4 == stamps


def test_lines_of_json_are_json() -> None:
    data = b"".join(map(sent, moves(Shape(comment_every=2), Form.NDJSON, 3, tokens_in=5, usage=True)))

    *tokens, last = [msgspec.json.decode(line) for line in data.splitlines() if line]
    assert ["tok "] * 3 == [token["response"] for token in tokens]
    assert (True, 5, 3) == (last["done"], last["prompt_eval_count"], last["eval_count"])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 1.0])
def test_refusals_are_evenly_spread(share: float) -> None:
    statuses = [refused(Shape(share_429=share), number) for number in range(1000)]

    assert round(1000 * share) == statuses.count(429)
    assert round(100 * share) == statuses[:100].count(429)


def test_a_shape_is_read_from_words() -> None:
    assert Shape(ttft_s=0.1, tokens=7, role=False, line_end=LineEnd.CRLF) == shape_of(
        ["ttft_s=0.1", "tokens=7", "role=false", "line_end=crlf"]
    )


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["ttft=0.1"], "ttft"),
        (["ttft_s"], "KEY=VALUE"),
        (["tokens=1", "tokens=2"], "each key once"),
        (["ttft_s=-1"], "ttft_s"),
        ([f"tokens={TOKENS_MAX + 1}"], "tokens"),
        (["line_end=lfcr"], "line_end"),
    ],
)
def test_a_wrong_word_is_named(words: list[str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        shape_of(words)


def test_the_longest_answer_is_allowed() -> None:
    assert TOKENS_MAX == shape_of([f"tokens={TOKENS_MAX}"]).tokens


def test_an_answer_is_worn_by_those_before_it() -> None:
    shape = Shape(ttft_s=0.1, itl_s=0.01, leak_itl_s=0.001)
    draw = stream(0, "x")

    assert shape_of([]) == worn(shape_of([]), 1000, draw)
    assert (0.1, pytest.approx(0.015)) == (worn(shape, 5, draw).ttft_s, worn(shape, 5, draw).itl_s)
    spread = [worn(Shape(ttft_s=0.1, ttft_sigma=0.5), 0, draw).ttft_s for _ in range(200)]
    assert 0.085 < sorted(spread)[100] < 0.115  # the median's standard error is 4 %
    assert len(set(spread)) == 200


def test_the_page_of_metrics() -> None:
    told = page(Shape(leak_kv=0.25), 3, 4096)

    assert b"process_resident_memory_bytes 4096\nvllm:kv_cache_usage_perc 0.750000\n" == told
    assert is_leaky(Shape(leak_kv=0.25))
    assert not is_leaky(Shape())
    assert b"perc 1.000000" in page(Shape(leak_kv=0.25), 5, 1)
