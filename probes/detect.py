"""Knows what to ask an unknown engine, in which order, and what its answers tell; refuses to ask blindly.

TensorRT-LLM's `GET /metrics` is a destructive read: it hands out statistics and forgets them. So that path is the last
one, and is asked only if everything before it was answered by the server itself and nothing pointed to TensorRT-LLM.
A server that keeps its models behind a key, and does not show otherwise what it is, is not asked for it: say the
engine in the configuration, or give the key.

In this order, each with GET, each once, none with a side effect; the list ends as soon as the engine is known, except
for what belongs to that engine:

    /version              vLLM and TensorRT-LLM tell their version
    /v1/models            names of the models, and `owned_by`, which names most engines
    /server_info          SGLang, with its version
    /prometheus/metrics   TensorRT-LLM with return_perf_metrics
    /health               whether it is well
    /load                 vLLM, also without a key
    /info                 Text Generation Inference
    /props                llama.cpp
    /v2                   Triton, on its HTTP port
    /v1/metrics           NIM
    /metrics              whatever is left, for example Triton's metrics port

A first question that gets no answer is the last one, and so is the second such question of all.

Source: spec/measurement.md 15 T1; vLLM 0.32.0 entrypoints/serve/instrumentator/basic.py (/load, /version); SGLang
entrypoints/http_server.py (/server_info: internal_states, version); TensorRT-LLM serve/openai_server.py (owned_by
tensorrt_llm, /metrics, /prometheus/metrics only with return_perf_metrics); LMDeploy serve/openai/protocol.py
(owned_by); Text Generation Inference router (/info: `router`); Triton protocol extension (/v2: `extensions`); llama.cpp
tools/server/README.md (/props).
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import cast

from probes.aliases import Engine
from telemetry.fetch_error import Fault, FetchError

MODELS_MAX = 256
"""Most model names that are taken from an engine."""
NAME_CHARS_MAX = 256
"""Longest model name and version that is taken."""
SILENT_MAX = 2
"""Most questions without an answer."""
BLIND = "/metrics"
"""Never asked while the engine may be TensorRT-LLM."""

METRICS_PATHS: Mapping[Engine, str] = MappingProxyType(
    dict.fromkeys(Engine, BLIND) | {Engine.TRTLLM: "/prometheus/metrics", Engine.NIM: "/v1/metrics"}
)
"""Where an engine keeps its page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said to one question.

    Attributes:
        status: HTTP status.
        body: As it came.
    """

    status: int
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What an engine says about itself.

    Attributes:
        engine: Which one it is; None if it does not tell.
        version: As it gives it; empty if it does not.
        models: Names of `/v1/models`, in order.
        evidence: What the engine was recognised by, or why it was not.
        metrics_path: Where its page is to be had; None while the engine is not known.
        guarded: Whether `/v1/models` asks for a key.
        healthy: Whether `/health` answered 200; None if there is no such path or it was not asked.
        reached: Whether anybody answered.
        fault: Why nobody did; None if somebody did.
        asked: The paths that were asked, in order.
    """

    engine: Engine | None = None
    version: str = ""
    models: tuple[str, ...] = ()
    evidence: str = ""
    metrics_path: str | None = None
    guarded: bool = False
    healthy: bool | None = None
    reached: bool = True
    fault: Fault | None = None
    asked: tuple[str, ...] = ()


Answers = Mapping[str, Answer | None]
"""What was said so far, by path, in the order of asking; None if nothing was."""

_VERSION, _MODELS, _INFO, _TRT_PAGE, _HEALTH = (
    "/version",
    "/v1/models",
    "/server_info",
    "/prometheus/metrics",
    "/health",
)
_FIRST = (_VERSION, _MODELS, _INFO, _TRT_PAGE, _HEALTH)
_THEN = ("/load", "/info", "/props", "/v2", "/v1/metrics")
_OWNERS = {
    "vllm": Engine.VLLM,
    "sglang": Engine.SGLANG,
    "llamacpp": Engine.LLAMACPP,
    "lmdeploy": Engine.LMDEPLOY,
    "tensorrt_llm": Engine.TRTLLM,
}
_PAGES = (
    (Engine.VLLM, r"vllm[:_]"),
    (Engine.SGLANG, r"sglang[:_]"),
    (Engine.LMDEPLOY, r"lmdeploy[:_]"),
    (Engine.TRTLLM, r"trtllm_"),
    (Engine.LLAMACPP, r"llamacpp[:_]"),
    (Engine.TGI, r"tgi_"),
    (Engine.TRITON, r"nv_(?:inference|trt_llm)_"),
    (Engine.NIM, r"(?:num_requests_running|gpu_cache_usage_perc)[ {]"),
)
_LINES = tuple((engine, re.compile(rf"(?m)^(?:ray_|kserve_)?{start}".encode())) for engine, start in _PAGES)
_OK = 200
_REFUSED = frozenset({401, 403})
_OWN_NO = frozenset({404, 405, 501})
"""What a server answers that has no such path, or has it switched off."""


def next_path(answers: Answers) -> str | None:
    """Return what to ask next; None if that is all."""
    silent = [answer is None for answer in answers.values()]
    if sum(silent) >= SILENT_MAX or (silent and all(silent)):
        return None
    known = _recognised(answers)[0]
    if known is not None:
        wanted = [_VERSION, _MODELS, _HEALTH, *([_INFO] if known is Engine.SGLANG else [])]
    else:
        wanted = [*_FIRST, *_THEN, *([BLIND] if _may_be_blind(answers) else [])]
    return next((path for path in wanted if path not in answers), None)


def judge(answers: Answers) -> Detected:
    """Return what some answers tell."""
    engine, evidence = _recognised(answers)
    listed, health = answers.get(_MODELS), answers.get(_HEALTH)
    return Detected(
        engine=engine,
        version=_version(answers),
        models=tuple(name for name, _ in _models(listed)),
        evidence=evidence,
        metrics_path=_where(engine, answers),
        guarded=_is_guarded(answers),
        healthy=None if health is None or health.status in _OWN_NO else health.status == _OK,
        reached=any(answer is not None for answer in answers.values()),
        asked=tuple(answers),
    )


def recognise(page: bytes) -> Engine | None:
    """Return the engine whose names stand on a page of metrics; None if there are none."""
    return next((engine for engine, line in _LINES if line.search(page)), None)


async def detect(ask: Callable[[str], Awaitable[Answer]]) -> Detected:
    """Ask what an engine is.

    Args:
        ask: Puts one question, bounded in time and bytes, and follows no redirect; raises FetchError if nobody answers.
    """
    answers: dict[str, Answer | None] = {}
    fault: Fault | None = None
    while (path := next_path(answers)) is not None:
        try:
            answers[path] = await ask(path)
        except FetchError as error:
            answers[path] = None
            fault = fault or error.kind
    found = judge(answers)
    return found if found.reached else replace(found, fault=fault)


def _recognised(answers: Answers) -> tuple[Engine | None, str]:
    """Return the engine that some answers tell, and by what."""
    for path in (_TRT_PAGE, "/v1/metrics", BLIND):
        if (page := _body(answers.get(path))) and (engine := recognise(page)):
            return engine, f"{path}: names of {engine}"
    owners = [owner for _, owner in _models(answers.get(_MODELS)) if owner in _OWNERS]
    if owners and not _may_be_nim(owners[0], answers):
        return _OWNERS[owners[0]], f"{_MODELS}: owned_by {owners[0]}"
    for path, field, engine in _FIELDS:
        if field in _object(answers.get(path)):
            return engine, f"{path}: {field}"
    if owners and "/v1/metrics" in answers:  # it is no NIM
        return _OWNERS[owners[0]], f"{_MODELS}: owned_by {owners[0]}"
    return None, "behind a key, and nothing else tells" if _is_guarded(answers) else "nothing tells"


_FIELDS = (
    (_INFO, "internal_states", Engine.SGLANG),
    ("/load", "server_load", Engine.VLLM),
    ("/info", "router", Engine.TGI),
    ("/props", "default_generation_settings", Engine.LLAMACPP),
    ("/v2", "extensions", Engine.TRITON),
)
"""Paths and what only one engine says there."""


def _may_be_nim(owner: str, answers: Answers) -> bool:
    """Whether a server that calls itself vLLM lacks vLLM's `/version`, as a NIM does, which runs one."""
    version = answers.get(_VERSION)
    return _OWNERS[owner] is Engine.VLLM and (version is None or version.status != _OK)


def _may_be_blind(answers: Answers) -> bool:
    """Whether nothing points to TensorRT-LLM, and the server itself said so."""
    told = [answers.get(path) for path in (_MODELS, _INFO, _TRT_PAGE)]
    return all(answer is not None and (answer.status in _OWN_NO or answer.status == _OK) for answer in told) and not (
        _body(answers.get(_TRT_PAGE)) or any(_OWNERS.get(o) is Engine.TRTLLM for _, o in _models(answers.get(_MODELS)))
    )


def _is_guarded(answers: Answers) -> bool:
    listed = answers.get(_MODELS)
    return listed is not None and listed.status in _REFUSED


def _where(engine: Engine | None, answers: Answers) -> str | None:
    """Return where the page was found, else where such an engine keeps it."""
    if engine is None:
        return None
    found = [path for path in (_TRT_PAGE, "/v1/metrics") if recognise(_body(answers.get(path))) is engine]
    return found[0] if found else METRICS_PATHS[engine]


def _version(answers: Answers) -> str:
    for path, field in (
        (_VERSION, "version"),
        (_INFO, "version"),
        ("/info", "version"),
        ("/props", "build_info"),
        ("/v2", "version"),
    ):
        found = _object(answers.get(path)).get(field)
        if isinstance(found, str) and len(found) <= NAME_CHARS_MAX:
            return found
    return ""


def _models(answer: Answer | None) -> list[tuple[str, str]]:
    """Return names and owners of the models."""
    entries = _object(answer).get("data")
    found = cast("list[object]", entries) if isinstance(entries, list) else []
    models = [cast("dict[str, object]", entry) for entry in found[:MODELS_MAX] if isinstance(entry, dict)]
    named = [(model.get("id"), model.get("owned_by")) for model in models]
    return [(name, str(owner)) for name, owner in named if isinstance(name, str) and len(name) <= NAME_CHARS_MAX]


def _object(answer: Answer | None) -> dict[str, object]:
    try:
        found: object = json.loads(_body(answer) or b"null")
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _body(answer: Answer | None) -> bytes:
    return answer.body if answer is not None and answer.status == _OK else b""
