import pytest
from engine_pages import page
from engine_server import models, says

from probes.aliases import Engine
from probes.detect import (
    BLIND,
    METRICS_PATHS,
    MODELS_MAX,
    NAME_CHARS_MAX,
    SILENT_MAX,
    Answer,
    Detected,
    detect,
    judge,
    recognise,
)
from telemetry.fetch_error import Fault, FetchError

NOT_FOUND = Answer(status=404)
KEY = Answer(status=401)


def shows(name: str) -> Answer:
    return Answer(status=200, body=page(name))


async def asked(answers: dict[str, Answer | None], otherwise: Answer | None = NOT_FOUND) -> Detected:
    async def ask(path: str) -> Answer:
        answer = answers.get(path, otherwise)
        if answer is None:
            raise FetchError(Fault.TIMEOUT, path)
        return answer

    return await detect(ask)


VERSION, OK = says(version="9.9"), Answer(status=200)
ENGINES: dict[str, tuple[dict[str, Answer | None], Engine | None, str | None]] = {
    "vLLM": ({"/version": VERSION, "/v1/models": models("vllm")}, Engine.VLLM, "/metrics"),
    "vLLM behind a key": (
        {"/version": VERSION, "/v1/models": KEY, "/load": says(server_load=0)},
        Engine.VLLM,
        "/metrics",
    ),
    "SGLang": ({"/v1/models": models("sglang"), "/server_info": says(version="0.5")}, Engine.SGLANG, "/metrics"),
    "SGLang behind a renaming gateway": (
        {"/v1/models": models("us"), "/server_info": says(internal_states=[], version="0.5")},
        Engine.SGLANG,
        "/metrics",
    ),
    "TensorRT-LLM": ({"/version": VERSION, "/v1/models": models("tensorrt_llm")}, Engine.TRTLLM, "/prometheus/metrics"),
    "TensorRT-LLM behind a renaming gateway": (
        {"/v1/models": models("us"), "/prometheus/metrics": shows("trt-llm")},
        Engine.TRTLLM,
        "/prometheus/metrics",
    ),
    "LMDeploy": ({"/v1/models": models("lmdeploy")}, Engine.LMDEPLOY, "/metrics"),
    "llama.cpp": ({"/v1/models": models("llamacpp")}, Engine.LLAMACPP, "/metrics"),
    "llama.cpp by its properties": ({"/props": says(default_generation_settings={})}, Engine.LLAMACPP, "/metrics"),
    "TGI": ({"/v1/models": models("meta/x"), "/info": says(router="text-generation-router")}, Engine.TGI, "/metrics"),
    "Triton": ({"/v2": says(name="triton", extensions=[])}, Engine.TRITON, "/metrics"),
    "Triton's metrics port": ({"/metrics": shows("triton")}, Engine.TRITON, "/metrics"),
    "NIM": ({"/v1/models": models("vllm"), "/v1/metrics": shows("nim")}, Engine.NIM, "/v1/metrics"),
    "vLLM inside a NIM": ({"/v1/models": models("vllm"), "/v1/metrics": shows("vllm")}, Engine.VLLM, "/v1/metrics"),
    "vLLM without a version": ({"/v1/models": models("vllm")}, Engine.VLLM, "/metrics"),
    "somebody else": ({"/v1/models": models("us")}, None, None),
}


@pytest.mark.parametrize(("answers", "engine", "path"), ENGINES.values(), ids=ENGINES)
async def test_an_engine_is_known_by_its_answers(
    answers: dict[str, Answer | None], engine: Engine | None, path: str | None
) -> None:
    found = await asked(answers)

    assert (engine, path, True) == (found.engine, found.metrics_path, found.reached)
    assert found.evidence


CAREFUL: dict[str, dict[str, Answer | None]] = {
    "TensorRT-LLM": {"/version": VERSION, "/v1/models": models("tensorrt_llm")},
    "TensorRT-LLM without metrics": {"/v1/models": models("tensorrt_llm"), "/prometheus/metrics": NOT_FOUND},
    "models behind a key": {"/v1/models": KEY},
    "everything behind a key": dict.fromkeys(("/v1/models", "/server_info", "/prometheus/metrics"), KEY),
    "the page of TensorRT-LLM behind a key": {"/prometheus/metrics": KEY},
    "a server in trouble": {"/v1/models": Answer(status=500)},
    "a server that is not up yet": {"/v1/models": Answer(status=503)},
    "models that do not come": {"/version": VERSION, "/v1/models": None},
    "a server that redirects": {"/v1/models": Answer(status=307)},
    "something on TensorRT-LLM's path": {"/prometheus/metrics": Answer(status=200, body=b"<html>")},
}


@pytest.mark.parametrize("answers", CAREFUL.values(), ids=CAREFUL)
async def test_a_destructive_read_is_never_risked(answers: dict[str, Answer | None]) -> None:
    assert BLIND not in (await asked(answers)).asked


async def test_the_order_is_the_safe_one_and_the_blind_question_the_last() -> None:
    found = await asked({})

    assert ("/version", "/v1/models", "/server_info", "/prometheus/metrics", "/health") == found.asked[:5]
    assert BLIND == found.asked[-1]
    assert len(set(found.asked)) == len(found.asked)


async def test_what_is_known_is_asked_no_more_than_needed() -> None:
    found = await asked({"/version": VERSION, "/v1/models": models("vllm"), "/health": OK})

    assert ("/version", "/v1/models", "/health") == found.asked
    assert ("9.9", ("m",), True, False) == (found.version, found.models, found.healthy, found.guarded)


async def test_sglang_tells_its_version_elsewhere() -> None:
    found = await asked({"/v1/models": models("sglang"), "/server_info": says(version="0.5.23", internal_states=[])})

    assert "0.5.23" == found.version


async def test_nobody_at_home_is_asked_once() -> None:
    found = await asked({}, otherwise=None)

    assert (("/version",), False, Fault.TIMEOUT, None) == (found.asked, found.reached, found.fault, found.engine)


async def test_a_server_that_does_not_answer_is_asked_so_often() -> None:
    found = await asked({"/version": VERSION}, otherwise=None)

    assert SILENT_MAX == len(found.asked) - 1
    assert (True, None) == (found.reached, found.fault)


def test_health_is_unknown_where_there_is_no_such_path() -> None:
    told = [judge({"/health": answer}).healthy for answer in (OK, Answer(status=503), NOT_FOUND, None)]

    assert [True, False, None, None] == told


def test_a_key_is_seen() -> None:
    assert (True, "behind a key, and nothing else tells") == (
        judge({"/v1/models": KEY}).guarded,
        judge({"/v1/models": KEY}).evidence,
    )


def test_so_many_models_and_such_long_names_are_taken() -> None:
    many = judge({"/v1/models": models("vllm", *(f"m{at}" for at in range(MODELS_MAX + 1)))})
    long = judge({"/v1/models": models("vllm", "x" * NAME_CHARS_MAX, "y" * (NAME_CHARS_MAX + 1))})

    assert (MODELS_MAX, ("x" * NAME_CHARS_MAX,)) == (len(many.models), long.models)
    assert "" == judge({"/version": says(version="v" * (NAME_CHARS_MAX + 1))}).version


JUNK = (b"", b"[]", b"{", b'{"data": 1}', b'{"data": [1, {}, {"id": 2}]}', b"[" * 100_000, b"\xff", b'{"version": 3}')


@pytest.mark.parametrize("body", JUNK)
def test_junk_tells_nothing(body: bytes) -> None:
    found = judge(
        {path: Answer(status=200, body=body) for path in ("/version", "/v1/models", "/server_info", "/props")}
    )

    assert (None, (), "") == (found.engine, found.models, found.version)


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("vllm_ray", Engine.VLLM),
        ("vllm_kserve", Engine.VLLM),
        ("sglang", Engine.SGLANG),
        ("lmdeploy", Engine.LMDEPLOY),
        ("tgi", Engine.TGI),
        ("llama.cpp", Engine.LLAMACPP),
        ("nim", Engine.NIM),
    ],
)
def test_a_page_tells_whose_it_is(name: str, engine: Engine) -> None:
    assert engine is recognise(page(name))


def test_a_page_of_others_tells_nothing() -> None:
    assert None is recognise(b"# HELP vllm:x\nprocess_start_time_seconds 1\nmy_vllm:x 1\n")


def test_where_pages_are() -> None:
    assert set(Engine) == set(METRICS_PATHS)
