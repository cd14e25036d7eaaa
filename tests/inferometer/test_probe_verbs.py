import json
from pathlib import Path

import pytest
from asking import good, refusal

from inferometer.__main__ import outcome
from inferometer.probe_verbs import COLUMNS
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, Send

CHAT = "- {kind: completion, target: t, name: %s, url: 'http://127.0.0.1:%d', engine: other, model: m, prompt: p%s}\n"


def file_of(tmp_path: Path, *probes: str) -> str:
    path = tmp_path / "probes.yaml"
    path.write_text("".join(probes))
    return str(path)


def test_all_is_as_it_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Endpoint([AwaitToken(b"}"), Send(good("canary-answer"))]) as endpoint:
        port = endpoint.address[1]
        probes = [CHAT % ("b", port, ""), CHAT % ("a", port, ", checks: {contains: canary}")]
        code = outcome(["probe", "once", file_of(tmp_path, *probes), "--output", "json"])
    out = capsys.readouterr().out
    first, second = map(json.loads, out.splitlines())

    assert 0 == code
    assert [("t", "a", "ok", 1), ("t", "b", "ok", 1)] == [
        (row["target"], row["probe"], row["outcome"], row["ok"]) for row in (first, second)
    ]
    assert list(COLUMNS) == list(first)
    assert first["value"] > 0
    assert {"kind": "completion", "usage": "final"}.items() <= first["detail"].items()
    assert "canary" not in out


@pytest.mark.parametrize("output", ["table", "csv", "markdown"])
def test_something_is_not_as_it_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str) -> None:
    with Endpoint([AwaitToken(b"}"), Send(refusal(503))]) as endpoint:
        endpoint.enqueue([AwaitToken(b"}"), Send(good("a"))])
        port = endpoint.address[1]
        file = file_of(tmp_path, CHAT % ("a", port, ""), CHAT % ("b", port, ""))
        code = outcome(["probe", "once", file, "--output", output])
    out = capsys.readouterr().out

    assert 3 == code
    assert "unavailable" in out
    assert ("queue_wait_us" in out) == (output == "csv")  # people see only the columns that hold something


def test_nothing_can_be_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Endpoint() as endpoint:
        port = endpoint.address[1]
    code = outcome(["probe", "once", file_of(tmp_path, CHAT % ("a", port, "")), "--output", "json"])

    assert 5 == code
    assert "connect_error" == json.loads(capsys.readouterr().out)["outcome"]


@pytest.mark.parametrize("verb", ["once", "run"])
def test_a_wrong_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    file = file_of(tmp_path, "- {kind: ping}\n")

    assert 2 == outcome(["probe", verb, file])
    told = capsys.readouterr()
    assert "" == told.out
    assert f"inferometer: {file}:1: probe 1.kind: found 'ping'; allowed: " in told.err
    assert 1 == told.err.count("\n")


def test_the_template_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == outcome(["probe", "template"])
    assert "kind: workflow" in capsys.readouterr().out
