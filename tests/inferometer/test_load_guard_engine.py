"""What an engine shows before, during and behind a run; the system tests have it under load."""

import json
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_server import NOT_FOUND, body

from inferometer.load_guard_engine import LOOK_S, SETTLE_S_MAX, EngineEye
from inferometer.load_guard_lines import Lines
from inferometer.load_key import Engine
from loadtest.environment import OPAQUE, State, When
from loadtest.environment_engine import Own
from loadtest.fleet.engine import Engine as Simulated
from loadtest.fleet.page import Counts, page
from loadtest.fleet.replica import Load
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, ByRequestLine, HalfClose, Send

OTHERS = ("waiting", "waiting_prompt_tokens", "kv_used_ratio", "busy_s", "preemptions", "prompt_tokens", "hit_tokens")
OWN = Own(answered=0, sent=0, hit_ratio=0.0)
VERSION = b'{"version": "0.32.0"}'
MODELS = b'{"object": "list", "data": [{"id": "m", "owned_by": "vllm", "max_model_len": 4096}]}'
INFO = json.dumps({"vllm_config": {"parallel_config": {"tensor_parallel_size": 2}}}).encode()


class Served:
    """An engine of some pages, which may become others."""

    def __init__(self, told: dict[str, bytes]) -> None:
        self._scripts: dict[bytes, Any] = {}
        self.endpoint = Endpoint([ByRequestLine(self._scripts, [AwaitToken(), Send(NOT_FOUND), HalfClose()])])
        self.url = "http://{}:{}".format(*self.endpoint.address)
        self.says(told)

    def says(self, told: dict[str, bytes]) -> None:
        self._scripts |= {f"GET {path} HTTP/1.1".encode(): body(data) for path, data in told.items()}


@contextmanager
def engine(told: dict[str, bytes]) -> Generator[Served]:
    served = Served(told)
    with served.endpoint:
        yield served


def pages(running: int = 0) -> dict[str, bytes]:
    made = Simulated(alpha_s=0.01, beta_s=0.0, gamma_s=0.0, prefill_s=0.0, kv_blocks=2048)
    idle = Load(running=running, **dict.fromkeys(OTHERS, 0))
    text = page("m", [(Counts(success=Counter(length=5)), made, idle)], 100.0)
    return {"/version": VERSION, "/v1/models": MODELS, "/metrics": text}


def test_an_idle_engine_is_looked_at_and_says_what_it_is(tmp_path: Path) -> None:
    with engine(pages()) as served:
        eye = EngineEye(served.url, {}, look_s=0.01)
        queue = eye.before(5.0)
        lines = Lines(tmp_path / "engine.jsonl", 0)
        eye.began(lines)
        seen = threading.Event()
        while not (tmp_path / "engine.jsonl").exists():
            seen.wait(0.01)
        eye.ended()
        lines.close()

    assert ("queue", State.OK, True) == (queue.name, queue.state, eye.is_local)
    flags: dict[str, Any] = {"block_size": "16", "cache_dtype": "auto", "enable_prefix_caching": "False"}
    flags |= {"max_model_len": 4096}
    assert Engine(engine="vllm", engine_version="0.32.0", kv_dtype="auto", flags=flags, partial=True) == eye.facts
    told = {one.name: one.state for one in eye.findings(OWN)}
    assert (State.OK, State.OK, State.UNKNOWN) == (told["restart"], told["configuration"], told["foreign"])
    assert json.loads((tmp_path / "engine.jsonl").read_text().splitlines()[0])["requests"] == 5
    assert (1.0, 5.0) == (LOOK_S, SETTLE_S_MAX)


def test_a_busy_engine_is_waited_for_no_longer_than_that() -> None:
    with engine(pages(running=2)) as served:
        queue = EngineEye(served.url, {}, look_s=0.01).before(0.03)

    assert (State.UNFIT, True) == (queue.state, queue.found.startswith("2 running"))


def test_all_flags_are_taken_where_the_engine_tells_them() -> None:
    with engine(pages() | {"/server_info?config_format=json": INFO}) as served:
        eye = EngineEye(served.url, {}, look_s=0.01)
        eye.before(1.0)

    assert (2, False, None) == (eye.facts.tensor_parallel, eye.facts.partial, (eye.facts.flags or {}).get("block_size"))


def test_an_engine_without_a_page_is_left_alone() -> None:
    with engine({"/v1/models": MODELS.replace(b"vllm", b"me")}) as served:
        eye = EngineEye(served.url, {}, look_s=0.01)
        told = eye.before(60.0)
        eye.ended()

    assert ("engine", When.BEFORE, State.UNKNOWN) == (told.name, told.when, told.state)
    assert ([], Engine()) == (eye.findings(OWN), eye.facts)


def test_a_hosted_endpoint_is_opaque(monkeypatch: pytest.MonkeyPatch) -> None:
    with engine({}) as served:
        eye = EngineEye(served.url, {})
        monkeypatch.setattr(eye, "_is_hosted", True)

        assert OPAQUE == eye.before(1.0)


def test_an_engine_that_was_exchanged_is_named() -> None:
    with engine(pages()) as served:
        eye = EngineEye(served.url, {}, look_s=0.01)
        eye.before(1.0)
        served.says({"/version": b'{"version": "0.33.0"}'})
        eye.ended()

    (found,) = [one for one in eye.findings(OWN) if one.name == "configuration"]
    assert (State.UNFIT, "engine_version changed") == (found.state, found.found)
