"""Engines recognised by what they say about themselves."""

import json

import pytest

from inferometer.ask import Answer
from inferometer.engine import MODELS_MAX, PATHS, recognise


def said(status: int, body: object = None) -> Answer:
    return Answer(status=status, headers={}, body=b"" if body is None else json.dumps(body).encode())


def models(*names: str, owner: str) -> Answer:
    return said(200, {"object": "list", "data": [{"id": name, "owned_by": owner} for name in names]})


def test_metrics_is_never_asked_for() -> None:
    # On TensorRT-LLM reading it removes what is read (spec/ui.md 1.1).
    assert not [path for path in PATHS if "metrics" in path]


@pytest.mark.parametrize(
    ("owner", "expected"),
    [("vllm", "vllm"), ("sglang", "sglang"), ("llamacpp", "llama.cpp"), ("me", "openai-compatible")],
)
def test_the_owner_of_the_models_names_the_engine(owner: str, expected: str) -> None:
    found = recognise({"/v1/models": models("a", "b", owner=owner), "/version": said(200, {"version": "1"})})

    assert (found.name, found.version, found.models, found.healthy) == (expected, "1", ("a", "b"), None)
    assert found.evidence == f"/v1/models owned_by={owner}"


@pytest.mark.parametrize(("status", "expected"), [(200, True), (503, False), (404, None)])
def test_health_is_known_only_where_the_path_is(status: int, expected: bool | None) -> None:
    assert expected is recognise({"/health": said(status)}).healthy


def test_a_key_that_is_asked_for_is_seen() -> None:
    # vLLM's 401 body is a string (spec/ui.md 1.1).
    assert recognise({"/v1/models": said(401, {"error": "Unauthorized"})}).guarded


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=200, headers={}, body=b"<html>"),
        said(200, []),
        said(200, {"data": "x"}),
        Answer(status=200, headers={}, body=b'{"data": ["x", {}]}'),
        said(500, {"data": [{"id": "a"}]}),
    ],
)
def test_nonsense_names_no_models(answer: Answer) -> None:
    assert recognise({"/v1/models": answer, "/version": answer}).models == ()


def test_the_list_of_models_is_bounded() -> None:
    listed = [f"m{number}" for number in range(MODELS_MAX + 1)]

    assert len(recognise({"/v1/models": models(*listed, owner="vllm")}).models) == MODELS_MAX
