from typing import Any

import msgspec
import pytest

from probes.question import APIS, Question, Usage, Wish, bearer, filled, question, under, usages
from telemetry.dialects import DIALECTS

TRACE = bytes(range(16))


def wish(**changed: Any) -> Wish:  # noqa: ANN401 -- any field
    told: dict[str, Any] = {"url": "http://h", "api": "openai_chat", "model": "m", "prompt": "p", "key": "k"}
    return Wish(**(told | changed))


def body(asked: Question) -> dict[str, Any]:
    return msgspec.json.decode(asked.body, type=dict[str, Any])


def test_every_dialect_that_is_read_can_be_asked() -> None:
    assert {dialect.api for dialect in DIALECTS} == set(APIS)


@pytest.mark.parametrize(
    ("api", "path", "expected"),
    [
        ("openai_chat", "/v1/chat/completions", {"messages": [{"role": "user", "content": "p"}], "max_tokens": 16}),
        ("openai_completions", "/v1/completions", {"prompt": "p", "max_tokens": 16}),
        ("openai_responses", "/v1/responses", {"input": "p", "max_output_tokens": 16}),
        ("anthropic_messages", "/v1/messages", {"messages": [{"role": "user", "content": "p"}], "max_tokens": 16}),
    ],
)
def test_a_dialect_has_its_path_and_its_names(api: str, path: str, expected: dict[str, Any]) -> None:
    asked = question(wish(api=api), Usage.UNASKED, TRACE)

    assert f"http://h{path}" == asked.url
    assert {"model": "m", "stream": True, **expected} == body(asked)
    assert (api, "m", True) == (asked.shape.api, asked.shape.model, asked.shape.stream)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage.CONTINUOUS, {"include_usage": True, "continuous_usage_stats": True}),
        (Usage.FINAL, {"include_usage": True}),
        (Usage.UNASKED, None),
    ],
)
def test_usage_is_asked_for(usage: Usage, expected: object) -> None:
    asked = question(wish(), usage, TRACE)

    assert expected == body(asked).get("stream_options")
    assert (expected is not None) == asked.shape.include_usage


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"engine": "vllm"}, [Usage.CONTINUOUS, Usage.FINAL, Usage.UNASKED]),
        ({"engine": "hosted"}, [Usage.FINAL, Usage.UNASKED]),
        ({"stream": False}, [Usage.UNASKED]),
        ({"api": "openai_responses"}, [Usage.UNASKED]),
        ({"api": "anthropic_messages"}, [Usage.UNASKED]),
    ],
)
def test_the_most_is_asked_for_first(changed: dict[str, Any], expected: list[Usage]) -> None:
    assert expected == list(usages(wish(**changed)))


def test_further_fields_add_replace_and_take_out() -> None:
    asked = question(
        wish(extra={"max_tokens": None, "max_completion_tokens": 9, "stream": False}), Usage.UNASKED, TRACE
    )

    assert {
        "model": "m",
        "messages": [{"role": "user", "content": "p"}],
        "max_completion_tokens": 9,
        "stream": False,
    } == body(asked)
    assert not asked.shape.stream


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"Authorization": "Bearer k"}),
        ({"key": ""}, {}),
        ({"api": "anthropic_messages", "engine": "hosted"}, {"x-api-key": "k", "anthropic-version": "2023-06-01"}),
        ({"api": "anthropic_messages", "engine": "hosted", "key": ""}, {"anthropic-version": "2023-06-01"}),
        ({"api": "anthropic_messages"}, {"Authorization": "Bearer k", "anthropic-version": "2023-06-01"}),
    ],
    ids=["bearer", "no key", "anthropic", "anthropic without key", "anthropic's dialect on vLLM"],
)
def test_the_key_is_shown_as_the_server_wants_it(changed: dict[str, Any], expected: dict[str, str]) -> None:
    headers = dict(question(wish(**changed), Usage.UNASKED, TRACE).headers)
    trace = TRACE.hex()

    assert {
        "Content-Type": "application/json",
        "traceparent": f"00-{trace}-{trace[:16]}-01",
        "X-Request-Id": trace,
        **expected,
    } == headers


def test_a_wish_and_a_question_do_not_show_their_secrets() -> None:
    secret = wish(key="canary", prompt="canary")

    assert "canary" not in repr(secret) + repr(question(secret, Usage.FINAL, TRACE))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h", "http://h/v1/x"),
        ("http://h/", "http://h/v1/x"),
        ("http://h/v1", "http://h/v1/x"),
        ("http://h/a/v1/", "http://h/a/v1/x"),
    ],
)
def test_a_base_may_end_with_v1(url: str, expected: str) -> None:
    assert expected == under(url, "/v1/x")


def test_names_are_filled_in_and_nothing_else() -> None:
    assert "a 1 $y ${z} {x}" == filled("a ${x} $y ${z} {x}", {"x": "1", "y": "2"})
    assert {"Authorization": "Bearer k"} == bearer("k")
    assert {} == bearer("")
