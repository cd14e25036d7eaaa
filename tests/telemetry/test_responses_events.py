"""Which events of OpenAI Responses carry output."""

import json

import pytest

from telemetry.events import ERROR, EXACT, FINISH, OUTPUT, UNREADABLE, VISIBLE, Usage
from telemetry.outcome import TokSource
from telemetry.responses_events import ResponsesReader

SEEN = OUTPUT | EXACT | VISIBLE
THOUGHT = OUTPUT | EXACT

MARKS: dict[str, tuple[object, int]] = {
    "text": ({"type": "response.output_text.delta", "delta": "a"}, SEEN),
    "empty text": ({"type": "response.output_text.delta", "delta": ""}, 0),
    "refusal": ({"type": "response.refusal.delta", "delta": "a"}, SEEN),
    "tool arguments": ({"type": "response.function_call_arguments.delta", "delta": "{"}, SEEN),
    "reasoning": ({"type": "response.reasoning_text.delta", "delta": "a"}, THOUGHT),
    "reasoning summary": ({"type": "response.reasoning_summary_text.delta", "delta": "a"}, THOUGHT),
    "output of a shell": ({"type": "response.shell_call_output_content.delta", "delta": "a"}, 0),
    "partial image": ({"type": "response.image_generation_call.partial_image"}, SEEN),
    "created": ({"type": "response.created", "response": {"status": "in_progress"}}, 0),
    "text done": ({"type": "response.output_text.done", "text": "a"}, 0),
    "completed": ({"type": "response.completed", "response": {"status": "completed"}}, FINISH),
    "incomplete": ({"type": "response.incomplete", "response": {"status": "incomplete"}}, FINISH),
    "completed without a response": ({"type": "response.completed"}, 0),
    "failed": ({"type": "response.failed", "response": {"error": {"code": "server_error"}}}, ERROR),
    "error": ({"type": "error", "code": "x", "message": "y"}, ERROR),
    "error object": ({"error": {"code": 500}}, ERROR),
    "a type of no shape": ({"type": 3}, 0),
    "a list": ([1], UNREADABLE),
}


def read(reader: ResponsesReader, event: object) -> int:
    return reader.read(b"", json.dumps(event).encode())


@pytest.mark.parametrize(("event", "marks"), MARKS.values(), ids=MARKS.keys())
def test_marks_of_one_event(event: object, marks: int) -> None:
    assert marks == read(ResponsesReader(), event)


def test_the_reason_and_the_usage_stand_in_the_last_response() -> None:
    reader = ResponsesReader()
    usage = {
        "input_tokens": 10,
        "output_tokens": 12,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    last = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "usage": usage}
    read(reader, {"type": "response.completed", "response": last})

    assert (["max_output_tokens"], 1, TokSource.USAGE) == (reader.finishes, reader.finished, reader.tally().source)
    assert Usage(tokens_in=10, tokens_out=12, tokens_cache_read=4, tokens_reasoning=2) == reader.tally().usage
    assert TokSource.NONE is ResponsesReader().tally().source


def test_the_error_of_a_failed_response_is_what_it_failed_with() -> None:
    reader = ResponsesReader()
    read(reader, {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded"}}})

    assert {"error": {"code": "rate_limit_exceeded"}} == reader.error


def test_an_event_named_error_is_one_whatever_it_holds() -> None:
    reader = ResponsesReader()

    assert UNREADABLE | ERROR == reader.read(b"error", b"boom")
    assert "boom" == reader.error


def test_a_unary_body() -> None:
    reader = ResponsesReader()

    assert FINISH == reader.read_body(b'{"status":"completed","usage":{"output_tokens":3}}')
    assert (["completed"], 3) == (reader.finishes, reader.tally().usage.tokens_out)
    assert UNREADABLE == reader.read_body(b"nope")
    assert ERROR == reader.read_body(b'{"status":"failed","error":{"code":"server_error"}}')
