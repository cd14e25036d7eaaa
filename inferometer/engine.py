"""Knows how to tell which engine answers, from what it says about itself; refuses to read `/metrics` for that.

TensorRT-LLM's `/metrics` is a destructive read, so it is never asked for here.

Source: spec/ui.md 1.1 (order of evidence); spec/measurement.md 15 T1.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from inferometer.ask import Answer

PATHS = ("/version", "/health", "/v1/models")
"""What is asked for, all of it free of side effects."""
MODELS_MAX = 256
"""Most model names taken from an engine."""
_OWNERS = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama.cpp",
    "lmdeploy": "lmdeploy",
    "tensorrt_llm": "trt-llm",
}
"""`owned_by` of /v1/models, by engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What an engine says about itself.

    Attributes:
        name: `vllm`, `sglang`, ...; `openai-compatible` if it does not tell.
        version: As given by `/version`; empty if it does not tell.
        models: Names of `/v1/models`, in order.
        healthy: Whether `/health` answered 200; None if there is no such path.
        guarded: Whether `/v1/models` asks for a key.
        evidence: Why `name` was chosen.
    """

    name: str
    version: str
    models: tuple[str, ...]
    healthy: bool | None
    guarded: bool
    evidence: str


def recognise(answers: Mapping[str, Answer]) -> Engine:
    """Return what some answers, by path, tell about the engine."""
    models = _models(answers.get("/v1/models"))
    owners = [owner for _, owner in models]
    name = next((_OWNERS[owner] for owner in owners if owner in _OWNERS), "openai-compatible")
    listed = answers.get("/v1/models")
    health = answers.get("/health")
    return Engine(
        name=name,
        version=_version(answers.get("/version")),
        models=tuple(model for model, _ in models),
        healthy=None if health is None or health.status == _NOT_FOUND else health.status == _OK,
        guarded=listed is not None and listed.status in _REFUSED,
        evidence=f"/v1/models owned_by={owners[0]}" if owners else "no /v1/models",
    )


_OK = 200
_NOT_FOUND = 404
_REFUSED = (401, 403)


def _version(answer: Answer | None) -> str:
    found = _object(answer).get("version")
    return found if isinstance(found, str) else ""


def _models(answer: Answer | None) -> list[tuple[str, str]]:
    entries = _object(answer).get("data")
    found = cast("list[object]", entries) if isinstance(entries, list) else []
    dicts = [cast("dict[str, object]", entry) for entry in found[:MODELS_MAX] if isinstance(entry, dict)]
    return [(str(entry["id"]), str(entry.get("owned_by", ""))) for entry in dicts if "id" in entry]


def _object(answer: Answer | None) -> dict[str, object]:
    if answer is None or answer.status != _OK:
        return {}
    try:
        found: object = json.loads(answer.body)
    except ValueError:
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}
