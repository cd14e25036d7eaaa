"""All checks together: side by side, within their time, and with the exit codes of the command line."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from exposed_engine import NOT_FOUND, engine, url

from inferometer.doctor import CANARY_S_MAX, LIMIT_S_MAX, Group, examine, run_all, tell
from inferometer.doctor_finding import Finding, Level, note, ok
from inferometer.doctor_privacy import ROWS_S_MAX
from inferometer.doctor_target import Looks
from inferometer.errors import ConfigurationError

QUICK = Looks(exposure=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    free: list[socket.socket] = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    tee, serve, store = (sock.getsockname()[1] for sock in free)
    for sock in free:
        sock.close()
    file = tmp_path / "c.yaml"
    file.write_text(f"data: {tmp_path}/d\ntee: {{port: {tee}}}\nserve: {{port: {serve}}}\nstore: {{port: {store}}}\n")
    return file


def levels(findings: list[Finding]) -> dict[str, set[str]]:
    return {one.id: {other.level for other in findings if other.id == one.id} for one in findings}


def test_a_machine_that_is_ready_has_no_error_and_nothing_is_written(file: Path, tmp_path: Path) -> None:
    findings = examine(file, {})

    found = levels(findings)
    assert (found["config.valid"], found["data.owner"], found["net.ports"]) == ({"ok"}, {"ok"}, {"ok"})
    assert (found["store.reach"], found["target.reach"]) == ({"note"}, {"note"})
    assert {"host.python", "host.limits", "host.packages", "spool.disk", "spool.sync", "gpu.nvml"} <= set(found)
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


def test_a_dead_target_or_store_is_exit_5_and_the_other_checks_are_done(file: Path) -> None:
    flags = {"target.url": ("--target", "http://127.0.0.1:1"), "store.url": ("--store-url", "http://127.0.0.1:1")}

    findings = examine(file, flags)

    assert levels(findings)["target.reach"] == {"error"}
    assert levels(findings)["store.reach"] == {"error"}
    assert levels(findings)["data.owner"] == {"ok"}
    assert tell(findings, "text") == 5


def test_a_secret_that_cannot_be_read_is_a_fault_of_the_configuration(file: Path) -> None:
    with engine({}, NOT_FOUND) as stub:
        flags = {"target.url": ("--target", url(stub)), "target.api_key_file": ("--key", "/no/such/file")}
        findings = examine(file, flags, QUICK)

    (found,) = (one for one in findings if one.id == "target.reach")
    assert (found.level, found.exit_code) == (Level.ERROR, 2)


def test_the_canary_is_sent_only_when_told(file: Path) -> None:
    (found,) = (one for one in examine(file, {}, Looks(privacy=True)) if one.id == "privacy.canary")

    assert (found.level, found.exit_code) == (Level.ERROR, 5)
    assert found.finding.startswith("no store runs on ")
    # Two answers of 30 s, then the rows, then the search.
    assert CANARY_S_MAX > 2 * 30 + ROWS_S_MAX


def test_a_warning_counts_only_where_it_is_said_to(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        findings = examine(file, {"tee.port": ("--port", taken.getsockname()[1])})

    assert levels(findings)["net.ports"] == {"ok", "warn"}
    assert (tell(findings, "text"), tell(findings, "text", strict=True)) == (0, 3)


def test_what_hangs_costs_its_own_findings_and_no_others() -> None:
    gate = threading.Event()

    def hang() -> Iterator[Finding]:
        yield ok("a.first", "done")
        gate.wait()

    late = note("a.late", "not done in time")
    found = run_all(
        [
            Group(run=hang, late=late, limit_s=0.1),
            Group(run=lambda: [ok("b.one", "done")], late=note("b.late", "")),
        ]
    )
    gate.set()

    assert [one.id for one in found] == ["a.first", "a.late", "b.one"]
    assert LIMIT_S_MAX < 15  # spec/ui.md 1: all of it in 15 s


def test_a_check_that_fails_is_told_and_leaves_the_others_alone() -> None:
    def wrong() -> Iterator[Finding]:
        yield ok("a.first", "done")
        raise ConfigurationError("that key")

    def broken() -> Iterator[Finding]:
        raise KeyError("x")

    late = note("c.late", "")
    found = run_all([Group(run=wrong, late=late), Group(run=broken, late=late), Group(run=lambda: [late], late=late)])

    assert [(one.id, one.level, one.exit_code) for one in found] == [
        ("a.first", Level.OK, 0),
        ("c.late", Level.ERROR, 2),
        ("c.late", Level.ERROR, 1),
        ("c.late", Level.NOTE, 0),
    ]
    assert found[2].finding == "this check failed: KeyError: 'x'"
