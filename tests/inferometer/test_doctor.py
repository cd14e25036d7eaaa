"""What doctor finds, its exit codes, and the paths that it asks an engine for."""

import json
import socket
from pathlib import Path

import pytest

from inferometer import data_directory
from inferometer.data_directory import DataDirectory
from inferometer.doctor import CLOCK_S_MAX, Finding, examine, tell
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, HalfClose, Send
from telemetry.testing.wire import Script


def config(root: Path) -> Path:
    free: list[socket.socket] = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    tee, serve, store = (sock.getsockname()[1] for sock in free)
    for sock in free:
        sock.close()
    file = root / "c.yaml"
    file.write_text(f"data: {root}/d\ntee: {{port: {tee}}}\nserve: {{port: {serve}}}\nstore: {{port: {store}}}\n")
    return file


def levels(findings: list[Finding]) -> dict[str, set[str]]:
    return {one.id: {other.level for other in findings if other.id == one.id} for one in findings}


def saying(body: bytes, status: bytes = b"200 OK", date: bytes = b"") -> Script:
    head = b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, date, len(body), body)
    return [AwaitToken(), Send(head), HalfClose()]


def test_a_machine_that_is_ready_has_no_error_and_nothing_is_written(tmp_path: Path) -> None:
    findings = examine(config(tmp_path), {})

    found = levels(findings)
    assert (found["config.valid"], found["data.owner"], found["net.ports"]) == ({"ok"}, {"ok"}, {"ok"})
    assert (found["store.reach"], found["target.reach"]) == ({"note"}, {"note"})
    assert tell(findings, "text") == 0
    assert not (tmp_path / "d").exists()


def test_a_bad_configuration_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("tee: {prot: 1}")

    assert tell(examine(file, {}), "json") == 2
    wrong = [row for row in json.loads(capsys.readouterr().out) if row["level"] == "error"]
    assert [(row["id"], row["finding"].split("; ")[0]) for row in wrong] == [
        ("config.valid", f"{file}:1: tee.prot: unknown key, nearest is tee.port")
    ]


def test_a_dead_target_or_store_is_exit_5(tmp_path: Path) -> None:
    flags = {"target.url": ("--target", "http://127.0.0.1:1"), "store.url": ("--store-url", "http://127.0.0.1:1")}

    findings = examine(config(tmp_path), flags)

    assert levels(findings)["target.reach"] == {"error"}
    assert levels(findings)["store.reach"] == {"error"}
    assert tell(findings, "text") == 5


def test_an_engine_is_recognised_without_its_metrics_page(tmp_path: Path) -> None:
    models = b'{"data": [{"id": "tiny", "owned_by": "vllm"}]}'
    date = b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    with Endpoint() as endpoint:
        scripts = (saying(b'{"version": "0.32.0"}'), saying(b""), saying(models), saying(b"", date=date))
        for script in scripts:
            endpoint.enqueue(script)
        host, port = endpoint.address
        findings = examine(config(tmp_path), {"target.url": ("--target", f"http://{host}:{port}")})
        asked = [b"".join(chunk.data for chunk in seen.chunks).split(b" ")[1] for seen in endpoint.transcripts(4)]

    told = {one.id: one for one in findings}
    assert told["target.engine"].finding == "vllm 0.32.0 (/v1/models owned_by=vllm), models: tiny"
    assert told["target.reach"].level == "ok"
    # The stub's date is 1970, which is further off than any clock may be.
    assert (told["clock.sync"].level, CLOCK_S_MAX) == ("warn", 2)
    assert asked == [b"/version", b"/health", b"/v1/models", b"/health"]


def test_an_engine_that_is_not_well_or_asks_for_a_key_is_told(tmp_path: Path) -> None:
    with Endpoint() as endpoint:
        scripts = (saying(b"", b"404 No"), saying(b"", b"503 No"), saying(b"", b"401 No"), saying(b""))
        for script in scripts:
            endpoint.enqueue(script)
        host, port = endpoint.address
        findings = examine(config(tmp_path), {"target.url": ("--target", f"http://{host}:{port}")})

    told = {one.id: one for one in findings}
    assert told["target.reach"].exit_code == 5
    assert "target.api_key_file" in told["target.engine"].fix
    assert told["clock.sync"].level == "note"


def test_what_runs_already_is_no_fault(tmp_path: Path) -> None:
    file = config(tmp_path)
    lock = data_directory.own(DataDirectory(root=tmp_path / "d"), started_at="then")

    found = levels(examine(file, {}))

    assert (found["data.owner"], found["net.ports"]) == ({"ok"}, {"ok"})
    lock.close()


def test_a_taken_port_and_an_unusable_directory_are_told(tmp_path: Path) -> None:
    file = config(tmp_path)
    (tmp_path / "d").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        findings = examine(file, {"tee.port": ("--port", taken.getsockname()[1])})

    assert levels(findings)["net.ports"] == {"ok", "warn"}
    assert tell(findings, "text") == 5
