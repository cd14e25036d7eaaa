import json
from pathlib import Path

import pytest

from probes.answer_text import text_of

STREAMS = Path(__file__).parent.parent / "fixtures" / "streams"


@pytest.mark.parametrize(
    ("name", "api", "streamed"),
    [
        ("vllm_chat", "openai_chat", True),
        ("vllm_chat_unary", "openai_chat", False),
        ("vllm_chat_n2", "openai_chat", True),
        ("vllm_completions_64", "openai_completions", True),
        ("vllm_completions_unary", "openai_completions", False),
        ("vllm_responses", "openai_responses", True),
        ("vllm_messages", "anthropic_messages", True),
    ],
)
def test_a_recorded_answer_has_a_text(name: str, api: str, streamed: bool) -> None:
    body = (STREAMS / f"{name}.http").read_bytes().partition(b"\r\n\r\n")[2]

    assert text_of(api, body, streamed=streamed).strip()


def event(told: object) -> bytes:
    return b"data: " + json.dumps(told).encode() + b"\n\n"


def test_only_the_first_choice_and_what_can_be_seen_counts() -> None:
    deltas: list[tuple[int, dict[str, object]]] = [
        (0, {"role": "assistant", "content": ""}),
        (0, {"reasoning_content": "hm"}),
        (1, {"content": "B"}),
        (0, {"content": "A "}),
        (0, {"content": "é"}),
        (0, {"tool_calls": [1]}),
    ]
    body = b"".join(event({"choices": [{"index": index, "delta": delta}]}) for index, delta in deltas)

    assert "A é" == text_of("openai_chat", body + b"data: [DONE]\n\n", streamed=True)


def test_responses_and_messages_are_read_whole_too() -> None:
    responses = {"output": [{"type": "reasoning"}, {"content": [{"type": "output_text", "text": "a"}, {"type": "x"}]}]}
    messages = {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "b"}]}

    assert "a" == text_of("openai_responses", json.dumps(responses).encode(), streamed=False)
    assert "b" == text_of("anthropic_messages", json.dumps(messages).encode(), streamed=False)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("api", ["openai_chat", "openai_completions", "openai_responses", "anthropic_messages"])
@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"null",
        b'{"choices":[1]}',
        b'{"choices":[{"index":0,"delta":3,"text":4,"message":5}]}',
        b"[" * 9999,
    ],
)
def test_what_cannot_be_read_is_no_text(api: str, told: bytes, streamed: bool) -> None:
    assert "" == text_of(api, b"data: " + told + b"\n\n" if streamed else told, streamed=streamed)
