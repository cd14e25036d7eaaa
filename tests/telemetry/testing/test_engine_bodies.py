"""Shows the simulated bodies beside those which vLLM 0.32.0 sent (fixtures/http/vllm_bodies.json, see its note)."""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import pytest

from telemetry.testing import engine_bodies as bodies
from telemetry.testing.engine_bodies import Answer, Ask, Message, StreamOptions

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "http" / "vllm_bodies.json").read_text(encoding="utf-8")
)
CHAT = Ask(messages=[Message(role="user", content="hello fox")], max_tokens=4, stream=True)
TEXT = Ask(prompt="hello fox", max_tokens=4, stream=True)


def answer(ask: Ask, *, is_chat: bool = True) -> Answer:
    return Answer(ask, is_chat=is_chat, ident="1", created_unix_s=1)


def loaded(event: bytes) -> dict[str, Any]:
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    fields: dict[str, Any] = json.loads(event.removeprefix(b"data: "))
    return fields


def shape(value: object) -> object:
    """Reduce a body to its keys, in order, and the kinds of its values; lists to their first element."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in cast("dict[str, object]", value).items()]
    if isinstance(value, list):
        return [shape(inner) for inner in cast("list[object]", value)[:1]]
    return type(value).__name__


def with_usage(ask: Ask, *, continuous: bool = False) -> Ask:
    options = StreamOptions(include_usage=True, continuous_usage_stats=continuous)
    return Ask(messages=ask.messages, prompt=ask.prompt, max_tokens=4, stream=True, stream_options=options)


CONTINUOUS = with_usage(CHAT, continuous=True)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        pytest.param("chat_role", answer(CHAT).role(), id="chat, role chunk"),
        pytest.param("chat_token", answer(CHAT).token(0), id="chat, a token"),
        pytest.param("chat_last_with_usage", answer(with_usage(CHAT)).token(3), id="chat, last token, usage follows"),
        pytest.param("chat_last", answer(CHAT).token(3), id="chat, last token, no usage"),
        pytest.param("chat_usage", answer(with_usage(CHAT)).usage(), id="chat, usage chunk"),
        pytest.param("chat_role_continuous", answer(CONTINUOUS).role(), id="chat, role chunk, continuous usage"),
        pytest.param("chat_token_continuous", answer(CONTINUOUS).token(0), id="chat, a token, continuous usage"),
        pytest.param("text_token", answer(TEXT, is_chat=False).token(0), id="completions, a token"),
        pytest.param("text_last_with_usage", answer(with_usage(TEXT), is_chat=False).token(3), id="completions, last"),
        pytest.param("text_usage", answer(with_usage(TEXT), is_chat=False).usage(), id="completions, usage chunk"),
    ],
)
def test_an_event_has_the_shape_of_the_real_one(name: str, ours: bytes) -> None:
    assert shape(RECORDED[name]) == shape(loaded(ours))


def test_completions_have_no_role_chunk_and_no_usage_unless_asked() -> None:
    assert b"" == answer(TEXT, is_chat=False).role()
    assert b"" == answer(TEXT, is_chat=False).usage()


def test_usage_adds_up() -> None:
    usage = loaded(answer(with_usage(CHAT)).usage())["usage"]

    assert {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6} == usage  # "hello fox" is 9 bytes
    assert 1 == loaded(answer(CONTINUOUS).token(0))["usage"]["completion_tokens"]
    assert 0 == loaded(answer(CONTINUOUS).role())["usage"]["completion_tokens"]


@pytest.mark.parametrize(("is_chat", "name"), [(True, "chat_whole"), (False, "text_whole")])
def test_a_whole_answer_has_the_fields_that_a_client_reads(is_chat: bool, name: str) -> None:
    whole, real = json.loads(answer(CHAT, is_chat=is_chat).whole()), RECORDED[name]

    assert set(whole) <= set(real)
    assert set(whole["choices"][0]) <= set(real["choices"][0])
    assert shape(real["usage"]) == shape(whole["usage"])


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        pytest.param("error_model", bodies.model_missing("nope"), id="404, model"),
        pytest.param("error_temperature", bodies.failure(HTTPStatus.BAD_REQUEST), id="400"),
        pytest.param("error_path", bodies.detail("Not Found"), id="404, path"),
        pytest.param("error_json", bodies.unreadable("json_invalid"), id="400, not JSON"),
        pytest.param("error_context", bodies.too_long(99_999), id="400, too long"),
        pytest.param("error_key", bodies.failure(HTTPStatus.UNAUTHORIZED), id="401"),
    ],
)
def test_an_error_has_the_shape_of_the_real_one(name: str, ours: bytes) -> None:
    assert shape(RECORDED[name]) == shape(json.loads(ours))


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_a_failure_names_its_status(status: int) -> None:
    error = json.loads(bodies.failure(HTTPStatus(status)))["error"]

    assert status == error["code"]
    assert error["type"]


def test_the_error_frame_is_an_event_of_code_500() -> None:
    assert 500 == loaded(bodies.error_frame())["error"]["code"]


def test_every_page_says_that_it_is_simulated() -> None:
    assert json.loads(bodies.version())["simulated"] is True
    assert bodies.MODEL == json.loads(bodies.models(1))["data"][0]["id"]
    assert bodies.MODEL_TOKENS_MAX == json.loads(bodies.models(1))["data"][0]["max_model_len"]


@pytest.mark.parametrize(
    ("ask", "tokens"),
    [
        pytest.param(Ask(), (1, 16), id="nothing asked"),
        pytest.param(Ask(prompt="x" * 400, max_tokens=7), (100, 7), id="a prompt"),
        pytest.param(
            Ask(messages=[Message(role="user", content="x" * 40)], max_completion_tokens=3), (10, 3), id="chat"
        ),
        pytest.param(Ask(messages=[Message(role="user", content=[{"text": "x"}])]), (3, 16), id="content in parts"),
    ],
)
def test_token_counts_follow_from_the_request(ask: Ask, tokens: tuple[int, int]) -> None:
    assert tokens == (ask.tokens_in, ask.tokens_out)
