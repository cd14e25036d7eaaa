"""The request as the meter sees it."""

import json

import pytest

from telemetry.dialects import DIALECTS, MODEL_CHARS_MAX, N_MAX, RequestShape, reader_for, request_shape


def shape(path: str, body: object, method: str = "POST") -> RequestShape:
    return request_shape(method, path, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("method", "path", "api"),
    [
        ("POST", "/v1/chat/completions", "openai_chat"),
        ("POST", "/v1/completions", "openai_completions"),
        ("POST", "/v1/completions/", "openai_completions"),
        ("POST", "/openai/deployments/x/chat/completions?api-version=1", "openai_chat"),
        ("POST", "http://engine:8000/v1/completions", "openai_completions"),
        ("POST", "/v1/responses", "openai_responses"),
        ("POST", "/v1/messages", "anthropic_messages"),
        ("POST", "/v1/messages/count_tokens", "http"),
        ("GET", "/v1/chat/completions", "http"),
        ("POST", "/v1/models", "http"),
        ("POST", "/v1/chat/completions/render", "http"),
        ("OPTIONS", "*", "http"),
        ("", "", "http"),
    ],
)
def test_the_route_names_the_api(method: str, path: str, api: str) -> None:
    assert api == shape(path, {}, method).api


def test_what_a_chat_request_asks_for() -> None:
    body: dict[str, object] = {
        "model": "m",
        "stream": True,
        "n": 3,
        "stream_options": {"include_usage": True},
        "messages": [{}],
    }

    assert RequestShape(api="openai_chat", model="m", stream=True, n=3, include_usage=True) == shape(
        "/v1/chat/completions", body
    )


@pytest.mark.parametrize(
    ("prompt", "n", "choices"),
    [
        ("text", 2, 2),
        (["a", "b", "c"], 2, 6),
        ([1, 2, 3], 2, 2),
        ([[1, 2], [3]], 1, 2),
        ([], 1, 1),
        (None, 1, 1),
        ("text", None, 1),
        ("text", 0, 1),
        ("text", True, 1),
        ("text", N_MAX, N_MAX),
        ("text", N_MAX + 1, N_MAX),
    ],
)
def test_choices_over_all_prompts(prompt: object, n: object, choices: int) -> None:
    assert choices == shape("/v1/completions", {"model": "m", "prompt": prompt, "n": n}).n


@pytest.mark.parametrize("body", [b"", b"{nope", b"[]", b'{"stream_options": 3}', b"\xff"])
def test_a_body_that_cannot_be_read_leaves_the_api(body: bytes) -> None:
    assert RequestShape(api="openai_chat", parsed=False) == request_shape("POST", "/v1/chat/completions", body)


def test_fields_of_a_wrong_type_are_as_if_absent() -> None:
    body = {"model": 3, "stream": "yes", "n": "2", "echo": 1, "stream_options": {"include_usage": 1}}

    assert RequestShape(api="openai_completions") == shape("/v1/completions", body)


def test_a_model_name_is_cut() -> None:
    assert "m" * MODEL_CHARS_MAX == shape("/v1/completions", {"model": "m" * (MODEL_CHARS_MAX + 1)}).model


def test_every_dialect_has_a_reader_and_unknown_traffic_has_none() -> None:
    assert all(reader_for(RequestShape(api=dialect.api)) is not None for dialect in DIALECTS)
    assert reader_for(RequestShape()) is None
