"""What a pipeline gets from the gate, over a real socket."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import uvicorn
from views import Told, judged, seen

from inferometer.__main__ import outcome
from inferometer.address import Address
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.slo_gate import GateQuestion, asked, github, junit
from slo.api_guard import Guard
from slo.telemetry_state import BlindCause
from telemetry.clock import sleep

HOSTILE = "\x1b[2J<a b='&'>%0A::error::\n"


class Served:
    """An API on a port of its own, until it is closed.

    Args:
        told: What it tells.
    """

    def __init__(self, told: Told) -> None:
        self.told = told
        config = uvicorn.Config(
            self._app, host="127.0.0.1", port=0, interface="asgi3", log_level="error", lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            sleep(0.005)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI
        if scope["type"] == "http":  # the port is known only now, and the API goes by the one of its tests
            host = (b"host", b"127.0.0.1:8200")
            scope["headers"] = [host, *(one for one in scope["headers"] if one[0] != b"host")]
        await self.told.app(scope, receive, send)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(Told(tmp_path_factory.mktemp("gate"), seen(judged())))
    yield running
    running.close()


@pytest.mark.parametrize(
    ("bad", "good", "code", "word"),
    [
        pytest.param(0, 1_000, 0, "pass", id="all is well"),
        pytest.param(1_000, 1_000, 3, "fail", id="a page fires"),
        pytest.param(0, 1, 4, "inconclusive", id="too few requests"),
    ],
)
def test_the_exit_code_is_the_verdict(
    served: Served, capsys: pytest.CaptureFixture[str], bad: int, good: int, code: int, word: str
) -> None:
    served.told.view = seen(judged(good=good, bad=bad))
    found = outcome(["slo", "gate", "--url", served.url, "--output", "json", "--slo", "chat", "--version", "v7"])
    answer = json.loads(capsys.readouterr().out)

    assert (found, answer["exit_code"], answer["verdict"], answer["version"]) == (code, code, word, "v7")


def test_every_format_says_why(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    served.told.view = seen(judged(bad=1_000, endpoint=HOSTILE))
    said: dict[str, str] = {}
    for form in ("table", "junit", "github"):
        assert outcome(["slo", "gate", "--url", served.url, "--output", form]) == 3
        said[form] = capsys.readouterr().out

    assert "BUDGET_LOW" in said["table"]
    assert "\x1b[2J" not in "".join(said.values())
    (case,) = ET.fromstring(said["junit"])  # noqa: S314 -- our own text
    assert (case[0].tag, case[0].attrib["message"]) == ("failure", "fail")
    assert (case[0].text or "").startswith("PAGE_FIRING: chat: ")
    assert [
        line.partition("::error title=slo gate ")[2].partition("::")[0] for line in said["github"].splitlines()
    ] == [
        "PAGE_FIRING",
        "BUDGET_LOW",
    ]


def test_what_is_asked_wrongly_exits_2(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    for more in (["--slo", "no"], ["--min-remaining", "2"], ["--min-remaining", "nan"], ["--output", "yaml"]):
        assert outcome(["slo", "gate", "--url", served.url, *more]) == 2
    assert outcome(["slo", "gate", "--url", "ftp://x"]) == 2
    assert "there is no objective of that name and service" in capsys.readouterr().err


def test_nobody_who_knows_exits_5(served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """slo.md A7: the store is gone: 503, exit 5; and so if nobody answers at all."""
    served.told.view = seen(judged(), blind_cause=BlindCause.STORE)
    assert outcome(["slo", "gate", "--url", served.url]) == 5
    assert "the store does not answer" in capsys.readouterr().err
    assert outcome(["slo", "gate", "--url", "http://127.0.0.1:1"]) == 5
    config = tmp_path / "c.yaml"
    config.write_text("serve: {port: 1}\n")
    assert outcome(["slo", "gate", "--data", str(tmp_path), "--config", str(config)]) == 5
    assert "http://127.0.0.1:1 does not answer" in capsys.readouterr().err


def test_a_host_that_the_server_does_not_go_by_is_a_mistake(served: Served) -> None:
    guarded, served.told.app = served.told.app, Guard(served.told.app, frozenset({"other"}))  # type: ignore[assignment, arg-type]  # any ASGI application
    try:
        with pytest.raises(ConfigurationError, match="does not go by that name"):
            asked(Address(host="127.0.0.1", port=served.port), GateQuestion())
    finally:
        served.told.app = guarded


async def _page(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"<html>"})


def test_another_server_is_nobody_who_knows(served: Served) -> None:
    api, served.told.app = served.told.app, _page  # type: ignore[assignment]  # another program
    try:
        with pytest.raises(UnreachableError, match="cannot say: status 200"):
            asked(Address(host="127.0.0.1", port=served.port), GateQuestion())
    finally:
        served.told.app = api


def test_a_pass_is_said_in_every_format() -> None:
    answer: dict[str, Any] = {"verdict": "pass", "exit_code": 0, "reasons": [], "slos": []}

    assert github(answer) == "::notice title=slo gate PASS::a release may go on\n"
    assert len(ET.fromstring(junit(answer))[0]) == 0  # noqa: S314 -- our own text
    open_question = {**answer, "verdict": "inconclusive", "reasons": [{"code": "A:B,C", "text": "50%\n"}]}
    assert github(open_question) == "::warning title=slo gate A%3AB%2CC::50%25?\n"
    assert ET.fromstring(junit(open_question))[0][0].tag == "error"  # noqa: S314 -- our own text
