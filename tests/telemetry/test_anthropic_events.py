"""Which events of Anthropic messages carry output, and how their usage adds up."""

import json

import pytest

from telemetry.anthropic_events import AnthropicReader
from telemetry.events import DONE, ERROR, EXACT, FINISH, OUTPUT, UNREADABLE, VISIBLE, Usage
from telemetry.outcome import TokSource

SEEN = OUTPUT | EXACT | VISIBLE
THOUGHT = OUTPUT | EXACT


def delta(**told: object) -> dict[str, object]:
    return {"type": "content_block_delta", "index": 0, "delta": told}


def start(**usage: object) -> dict[str, object]:
    return {"type": "message_start", "message": {"usage": usage}}


def stop(reason: object, **usage: object) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def read(reader: AnthropicReader, *events: object) -> list[int]:
    return [reader.read(b"", json.dumps(event).encode()) for event in events]


MARKS: dict[str, tuple[object, int]] = {
    "text": (delta(type="text_delta", text="a"), SEEN),
    "empty text": (delta(type="text_delta", text=""), 0),
    "thinking": (delta(type="thinking_delta", thinking="a"), THOUGHT),
    "tool input": (delta(type="input_json_delta", partial_json="{"), SEEN),
    "citation": (delta(type="citations_delta", citation={"x": 1}), THOUGHT),
    "signature": (delta(type="signature_delta", signature="x"), 0),
    "a type of no shape": (delta(type=["x"]), 0),
    "block start": ({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}, 0),
    "no delta": ({"type": "content_block_delta"}, 0),
    "ping": ({"type": "ping"}, 0),
    "message start": (start(input_tokens=1), 0),
    "stop reason": (stop("end_turn", output_tokens=5), FINISH),
    "stop reason of no shape": (stop({"x": 1}), FINISH),
    "no stop reason": (stop(None), 0),
    "no delta in the message delta": ({"type": "message_delta"}, 0),
    "message stop": ({"type": "message_stop"}, DONE),
    "error": ({"type": "error", "error": {"type": "overloaded_error"}}, ERROR),
    "a list": ([1], UNREADABLE),
}


@pytest.mark.parametrize(("event", "marks"), MARKS.values(), ids=MARKS.keys())
def test_marks_of_one_event(event: object, marks: int) -> None:
    assert [marks] == read(AnthropicReader(), event)


def test_case_10_the_last_value_of_each_field_wins() -> None:
    reader = AnthropicReader()
    read(
        reader,
        start(input_tokens=10, cache_creation_input_tokens=2000, cache_read_input_tokens=3000, output_tokens=1),
        stop("end_turn", output_tokens=57, output_tokens_details={"thinking_tokens": 9}),
    )

    assert TokSource.USAGE is reader.tally().source
    assert (
        Usage(tokens_in=5010, tokens_out=57, tokens_cache_read=3000, tokens_cache_write=2000, tokens_reasoning=9)
        == reader.tally().usage
    )


def test_the_output_count_of_the_start_is_a_placeholder() -> None:
    reader = AnthropicReader()
    read(reader, start(input_tokens=10, output_tokens=1))

    assert (TokSource.NONE, None, 10) == (
        reader.tally().source,
        reader.tally().usage.tokens_out,
        reader.tally().usage.tokens_in,
    )
    assert Usage() == AnthropicReader().tally().usage


def test_a_unary_body() -> None:
    reader = AnthropicReader()
    told = {"type": "message", "stop_reason": "max_tokens", "usage": {"input_tokens": 3, "output_tokens": 4}}

    assert FINISH == reader.read_body(json.dumps(told).encode())
    assert (["max_tokens"], 1, 4) == (reader.finishes, reader.finished, reader.tally().usage.tokens_out)
    assert UNREADABLE == reader.read_body(b"{")
    assert ERROR == reader.read_body(b'{"type":"error","error":{"type":"api_error"}}')


def test_an_event_named_error_is_one_whatever_it_holds() -> None:
    reader = AnthropicReader()

    assert UNREADABLE | ERROR == reader.read(b"error", b"boom")
    assert "boom" == reader.error
    assert ERROR == reader.read(b"error", b'{"type": NaN}')
