"""Which events of OpenAI chat and completions carry output, rule by rule (spec/measurement.md 5)."""

import json
from typing import Any

import pytest

from telemetry.events import DONE, ERROR, EXACT, FINISH, OUTPUT, UNREADABLE, VISIBLE, WORD_CHARS_MAX, EngineTimes
from telemetry.openai_events import CHOICES_MAX, OpenAiReader
from telemetry.outcome import TokSource

SEEN = OUTPUT | EXACT | VISIBLE
THOUGHT = OUTPUT | EXACT


def chat(delta: object, *, index: int = 0, finish: str | None = None, **more: object) -> dict[str, Any]:
    ids = {"token_ids": more.pop("token_ids")} if "token_ids" in more else {}
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish} | ids]} | more


def text(content: str, *, index: int = 0, **more: object) -> dict[str, Any]:
    return {"choices": [{"index": index, "text": content, "finish_reason": None}]} | more


def used(completion_tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 3, "completion_tokens": completion_tokens}


def read(reader: OpenAiReader, *events: dict[str, Any]) -> list[int]:
    return [reader.read(b"", json.dumps(event).encode()) for event in events]


FUNCTION = {"name": "f", "arguments": ""}

MARKS: dict[str, tuple[dict[str, Any], int]] = {
    "role only": (chat({"role": "assistant", "content": ""}), 0),
    "role and null": (chat({"role": "assistant", "content": None}), 0),
    "text": (chat({"content": "a"}), SEEN),
    "text beside the role": (chat({"role": "assistant", "content": "a"}), SEEN),
    "text of a completion": (text("a"), SEEN),
    "text in parts": (chat({"content": [{"type": "text", "text": "a"}]}), SEEN),
    "reasoning": (chat({"reasoning": "a"}), THOUGHT),
    "reasoning_content": (chat({"reasoning_content": "a"}), THOUGHT),
    "refusal": (chat({"refusal": "a"}), SEEN),
    "audio": (chat({"audio": {"data": "a"}}), SEEN),
    "tool name": (chat({"tool_calls": [{"index": 0, "function": FUNCTION}]}), SEEN),
    "tool arguments": (chat({"tool_calls": [{"function": {"arguments": "{"}}]}), SEEN),
    "empty tool call": (chat({"tool_calls": [{"function": {"arguments": ""}}, None]}), 0),
    "tool calls of no shape": (chat({"tool_calls": "x"}), 0),
    "old function call": (chat({"function_call": FUNCTION}), SEEN),
    "finish only": (chat({}, finish="stop"), FINISH),
    "finish with empty text": (chat({"content": ""}, finish="stop"), FINISH),
    "finish with text": (chat({"content": "a"}, finish="stop"), SEEN | FINISH),
    "usage only": ({"choices": [], "usage": used(1)}, 0),
    "no choices": ({"choices": [], "prompt_filter_results": []}, 0),
    "null choices": ({"choices": None}, 0),
    "null delta": (chat(None), 0),
    "token ids": (chat({"content": ""}, token_ids=[1, 2]), THOUGHT),
    "token ids with the finish": (chat({"content": ""}, finish="stop", token_ids=[1]), THOUGHT | FINISH),
    "no token ids": (chat({"role": "assistant", "content": ""}, token_ids=[]), 0),
    "usage that grew": (chat({"content": ""}, usage=used(1)), THOUGHT),
    "usage that did not": (chat({"role": "assistant", "content": ""}, usage=used(0)), 0),
    "error": ({"error": {"code": 500}}, ERROR),
    "error null": ({"error": None, "choices": []}, 0),
}


@pytest.mark.parametrize(("event", "marks"), MARKS.values(), ids=MARKS.keys())
def test_marks_of_one_event(event: dict[str, Any], marks: int) -> None:
    assert [marks] == read(OpenAiReader(), event)


def test_an_empty_text_is_a_token_only_of_an_engine_that_holds_utf8() -> None:
    events = [chat({"content": ""}), text("")]

    assert [0, 0] == read(OpenAiReader(), *events)
    assert [OUTPUT, OUTPUT] == read(OpenAiReader(holds_utf8=True), *events)


def test_the_done_marker_and_what_is_no_json() -> None:
    reader = OpenAiReader()

    assert DONE == reader.read(b"", b"[DONE]")
    assert UNREADABLE == reader.read(b"", b"{")
    assert UNREADABLE == reader.read(b"", b"[1]")
    assert UNREADABLE == reader.read(b"", b'{"choices": [3]}')
    assert UNREADABLE == reader.read_body(b"{")


def test_an_event_named_error_is_one_whatever_it_holds() -> None:
    reader = OpenAiReader()

    assert ERROR == reader.read(b"error", b'{"type":"error"}')
    assert {"type": "error"} == reader.error
    assert ERROR | UNREADABLE == reader.read(b"error", b"boom")
    assert "boom" == reader.error


def test_numbers_that_json_does_not_have_cost_nothing() -> None:
    assert SEEN == OpenAiReader().read(b"", b'{"logprobs": NaN, "choices": [{"delta": {"content": "a"}}]}')
    assert SEEN == OpenAiReader().read(b"", b'{"choices": [{"delta": {"content": "\xff"}}]}')


def test_the_continuous_usage_is_per_choice_and_the_final_one_the_sum() -> None:
    reader = OpenAiReader(n=2)
    tokens: list[int] = []
    for index, total in ((0, 1), (1, 1), (0, 2), (1, 2)):
        read(reader, chat({"content": "a"}, index=index, usage=used(total)))
        tokens.append(reader.tokens)

    assert [1, 1, 1, 1] == tokens
    assert (TokSource.CUMULATIVE, 4) == (reader.tally().source, reader.tally().usage.tokens_out)

    read(reader, {"choices": [], "usage": used(4)})

    assert (TokSource.USAGE, 4) == (reader.tally().source, reader.tally().usage.tokens_out)
    assert reader.counted


def test_usage_beside_the_last_choice_is_final_and_no_output() -> None:
    reader = OpenAiReader()

    assert [SEEN, SEEN, FINISH] == read(
        reader, chat({"content": "a"}), chat({"content": "b"}), chat({}, finish="stop", usage=used(9))
    )
    assert (TokSource.USAGE, 9) == (reader.tally().source, reader.tally().usage.tokens_out)
    assert not reader.counted


def test_token_ids_are_summed_and_are_not_counted_twice() -> None:
    reader = OpenAiReader()
    read(reader, chat({"content": "a"}, token_ids=[1, 2], usage=used(2)))

    assert 2 == reader.tokens

    read(reader, chat({"content": "a"}, token_ids=[3]))

    assert (TokSource.CUMULATIVE, 2) == (reader.tally().source, reader.tally().usage.tokens_out)

    reader = OpenAiReader()
    read(reader, chat({"content": "a"}, token_ids=[1, 2]), chat({"content": "a"}, token_ids=[3]))

    assert (TokSource.TOKEN_IDS, 3) == (reader.tally().source, reader.tally().usage.tokens_out)


def test_after_a_count_an_event_without_one_adds_no_tokens() -> None:
    reader = OpenAiReader()

    assert [SEEN, SEEN] == read(reader, chat({"content": "a"}, token_ids=[1]), chat({"content": "b"}))
    assert 0 == reader.tokens


def test_an_echo_is_no_output_unless_a_count_says_that_a_token_came_with_it() -> None:
    assert [0, SEEN] == read(OpenAiReader(echo=True), text("the prompt"), text(" fox"))
    assert [THOUGHT, SEEN] == read(
        OpenAiReader(echo=True), text("the prompt", usage=used(1)), text(" fox", usage=used(2))
    )
    assert [0, 0, SEEN, SEEN] == read(
        OpenAiReader(echo=True, n=2), text("p"), text("p", index=1), text("a"), text("a", index=1)
    )
    assert [0, 0, SEEN] == read(
        OpenAiReader(echo=True),
        chat({"role": "assistant", "content": ""}),
        chat({"content": "the last message"}),
        chat({"content": "a"}),
    )


def test_choices_finish_one_by_one() -> None:
    reader = OpenAiReader(n=2)
    read(reader, chat({}, finish="stop"), chat({}, finish="stop"))

    assert 1 == reader.finished

    read(reader, chat({}, index=1, finish="length"))

    assert (2, ["stop", "length"]) == (reader.finished, reader.finishes)


def test_hostile_indices_and_words_are_bounded() -> None:
    reader = OpenAiReader(echo=True)
    events = [chat({"content": "a"}, index=i, finish="w" * 99 + str(i)) for i in (-5, 0, CHOICES_MAX, 10**9)]
    read(reader, *events)

    assert 2 == reader.finished
    assert ["w" * WORD_CHARS_MAX] == reader.finishes


def test_several_choices_in_one_event() -> None:
    event = {"choices": [{"index": 0, "text": "a"}, {"index": 1, "text": "b"}], "usage": used(9)}
    reader = OpenAiReader(n=2)

    assert [SEEN] == read(reader, event)
    assert (TokSource.NONE, None) == (reader.tally().source, reader.tally().usage.tokens_out)


def test_parts_of_the_usage() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    reader = OpenAiReader()
    read(reader, {"choices": [], "usage": usage})
    found = reader.tally().usage

    assert (100, 50, 40, 7, 20) == (
        found.tokens_in,
        found.tokens_out,
        found.tokens_cache_read,
        found.tokens_cache_write,
        found.tokens_reasoning,
    )


def test_the_cache_hits_of_deepseek() -> None:
    reader = OpenAiReader()
    read(reader, {"choices": [], "usage": {"prompt_cache_hit_tokens": 4, "prompt_tokens_details": None}})

    assert 4 == reader.tally().usage.tokens_cache_read


def test_tokens_in_are_known_before_the_end_of_a_stream_of_one_choice() -> None:
    one, two = OpenAiReader(), OpenAiReader(n=2)
    read(one, chat({"content": "a"}, usage=used(1)))
    read(two, chat({"content": "a"}, usage=used(1)))

    assert (3, None) == (one.tally().usage.tokens_in, two.tally().usage.tokens_in)


def test_the_engines_own_times() -> None:
    metrics = {
        "time_to_first_token_ms": 5.027,
        "generation_time_ms": 13.2641,
        "queue_time_ms": 0.0394,
        "mean_itl_ms": 3.316,
        "tokens_per_second": 273.3,
    }
    reader = OpenAiReader()
    read(reader, {"choices": [], "metrics": metrics})

    assert EngineTimes(queue_us=39, prefill_us=5027, decode_us=13264, mean_itl_us=3316) == reader.tally().times
    assert EngineTimes() == OpenAiReader().tally().times


def test_a_unary_body() -> None:
    body = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": used(5), "metrics": {}}
    reader = OpenAiReader()

    assert FINISH == reader.read_body(json.dumps(body).encode())
    assert (["stop"], TokSource.USAGE, 5) == (
        reader.finishes,
        reader.tally().source,
        reader.tally().usage.tokens_out,
    )


def test_a_unary_choice_without_a_finish_reason() -> None:
    assert 0 == OpenAiReader().read_body(b'{"choices":[{"message":{}}]}')


def test_an_error_in_a_unary_body() -> None:
    reader = OpenAiReader()

    assert ERROR == reader.read_body(b'{"error": {"code": 500}, "x": NaN}')
    assert isinstance(reader.error, dict)
