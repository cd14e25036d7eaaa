"""The whole product as processes: one `up` on a simulated engine, looked at by every verb, hurt, and ended."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, cast

import httpx
import pytest

from inferometer import data_directory, up
from inferometer.__main__ import outcome
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.defaults import SPOOL_BYTES_MAX
from inferometer.demo_traffic import draw, send
from inferometer.plan import Options, prepared
from inferometer.serve import ServeConfig
from slo.rules.rule import RuleId, Settings
from telemetry.handed import handed
from telemetry.testing.engine_bodies import MODEL

N = 3
STEP_8_MS = ("--alpha-s", "0.008", "--hidden-s", "0.008")


class Running:
    """A running `inferometer up`."""

    def __init__(self, process: subprocess.Popen[str], data: Path, ready: dict[str, Any]) -> None:
        self.process, self.data, self.ready = process, DataDirectory(root=data), ready

    def child(self, role: str) -> dict[str, Any]:
        children = cast("dict[str, dict[str, Any]]", data_directory.read_status(self.data)["children"])
        return children[role]


def free_ports(number: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(server.getsockname()[1]) for server in servers]
    for server in servers:
        server.close()
    return ports


@contextmanager
def ended(process: "subprocess.Popen[str]") -> Generator[None]:
    """Ask a process to end, whatever failed: nobody else would, and whoever waits for it would wait for ever."""
    try:
        yield
    finally:
        process.terminate()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("up")
    tee, serve, store = free_ports(3)
    file = root / "config.yaml"
    file.write_text(f"serve: {{port: {serve}}}\nstore: {{port: {store}}}\ntarget: {{endpoint: chat}}\n")
    engine_argv = (sys.executable, "-m", "loadtest.fleet.server", *STEP_8_MS, "--port", "0", "--fault-ratio", "0")
    with subprocess.Popen(engine_argv, stdout=subprocess.PIPE, text=True) as engine:
        target = cast("Any", engine.stdout).readline().strip()
        words = ("--target", f"http://{target}", "--data", str(root / "d"), "--port", str(tee), "--config", str(file))
        argv = (sys.executable, "-m", "inferometer", "up", *words, "--output", "json")
        with ended(engine), subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process, ended(process):
            ready = json.loads(cast("Any", process.stdout).readline())
            yield Running(process, root / "d", ready)


@pytest.fixture
def data(running: Running) -> list[str]:
    return ["--data", str(running.data.root)]


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert outcome(words) == 0
    return capsys.readouterr().out


def test_the_start_says_where_everything_is(running: Running) -> None:
    ports = cast("dict[str, int]", data_directory.read_status(running.data)["ports"])

    assert running.ready["tee"] == f"http://127.0.0.1:{ports['tee']}"
    assert running.ready["store"] == f"http://127.0.0.1:{ports['store']}"
    assert running.ready["metrics"] == f"http://127.0.0.1:{ports['serve']}/metrics"
    assert running.ready["ui"] == f"http://127.0.0.1:{ports['serve']}/ui/"
    assert "<title>inferometer" in httpx.get(running.ready["ui"]).text
    assert (running.ready["endpoint"], running.ready["engine"]["name"]) == ("chat", "vllm")
    assert (running.data.root.stat().st_mode & 0o777, running.data.secrets.stat().st_mode & 0o777) == (0o700, 0o700)


def test_nothing_recorded_says_so_and_names_the_port(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(printed(["report", "--output", "json", *data], capsys))

    assert told["groups"] == []
    assert told["note"].startswith("no requests recorded since 10m; is traffic going to port ")


async def test_requests_through_the_tee_are_reported(
    running: Running, data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    random = Random(7)  # noqa: S311  # a repeatable sequence
    calls = [draw(random, 5.0) for _ in range(N)]
    port = int(running.ready["tee"].rsplit(":", 1)[1])
    assert all([await send(port, call) for call in calls if call.patience_s is None])

    groups: list[dict[str, Any]] = []
    while sum(group["n"] for group in groups[:-1]) < N:  # rows are queryable about a second after the end
        groups = json.loads(printed(["report", "--output", "json", *data], capsys))["groups"]

    [one, everything] = groups
    assert (one["endpoint"], one["model"], one["n"], one["outcomes"]) == ("chat", MODEL, N, {"ok": N})
    assert (everything["endpoint"], everything["model"], everything["n"]) == (None, None, N)
    assert one["ttft_s"]["p50"] > 0
    assert one["ttft_s"]["refused"] == {"p95": f"n too small ({N} < 20)", "p99": f"n too small ({N} < 100)"}
    assert one["tokens_out"] == sum(call.tokens_max for call in calls)
    assert "chat" in printed(["report", *data], capsys)


def test_top_and_sql_and_doctor_look_at_it(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    frame = json.loads(printed(["top", "--once", "--json", *data], capsys))
    counted = json.loads(printed(["sql", "SELECT count() AS n FROM requests", "--output", "json", *data], capsys))
    findings = json.loads(printed(["doctor", "--output", "json", *data], capsys))

    assert (frame["telemetry"]["accepted"], frame["telemetry"]["stored"], frame["telemetry"]["residue"]) == (N, N, 0)
    assert counted == {"n": N}
    assert {row["level"] for row in findings if row["id"] in ("data.owner", "net.ports", "store.reach")} == {"ok"}


@pytest.mark.parametrize(
    "statement", ["SELECT nothing_like_it", "INSERT INTO requests VALUES (1)", "SELECT file('/x')"]
)
def test_a_statement_that_may_not_run_is_one_line(
    statement: str, data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(["sql", statement, *data]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def test_a_second_owner_is_refused_and_the_first_goes_on(
    running: Running, data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(["up", "--target", "http://127.0.0.1:9", *data]) == 2
    assert f"owned by process {running.process.pid} since" in capsys.readouterr().err
    assert running.process.poll() is None


async def test_a_killed_tee_refuses_nobody(running: Running) -> None:
    before = running.child("tee-0")
    os.kill(before["pid"], signal.SIGKILL)
    port = int(running.ready["tee"].rsplit(":", 1)[1])
    call = draw(Random(1), 5.0)  # noqa: S311  # a repeatable sequence

    assert await send(port, call) > 0
    assert running.child("tee-0")["restarts"] == before["restarts"] + 1


def test_ctrl_c_ends_everything_with_130(running: Running) -> None:
    pids = [int(running.child(role)["pid"]) for role in ("tee-0", "observer", "store")]
    ends = [os.pidfd_open(pid) for pid in pids]

    running.process.send_signal(signal.SIGINT)

    assert running.process.wait() == 130
    assert set(select.select(ends, [], [], 0)[0]) == set(ends)
    assert not running.data.status.exists()
    assert data_directory.owner_of(running.data) == {}
    for end in ends:
        os.close(end)


def elsewhere(root: Path, **store: str) -> Config:
    tee, serve, own = free_ports(3)
    keys = {"tee": {"port": tee}, "serve": {"port": serve}, "store": {"port": own, **store}}
    return Config.model_validate({"data": str(root / "d"), "target": {"url": "http://127.0.0.1:9"}, **keys})


def test_a_password_by_value_reaches_the_observer_only_as_a_file(tmp_path: Path) -> None:
    config = elsewhere(tmp_path, url="http://h:8123", user="u", password="by-value")  # noqa: S106  # a test's
    with prepared(config, Options(embedded=False)) as plan:
        told = up.observer_config(plan, [5])

    file = Path(str(told["store_password_file"]))
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("by-value", 0o600)
    assert "by-value" not in json.dumps(told)
    assert (told["store_url"], told["store_user"], told["channel_fds"]) == ("http://h:8123", "u", [5])
    assert told["spool_bytes_max"] == SPOOL_BYTES_MAX
    assert told["plugin_socket"] == ""


def test_the_observer_is_told_the_whole_path_of_the_plugins_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = elsewhere(tmp_path, url="http://h:8123").model_dump()
    with prepared(
        Config.model_validate(keys | {"tee": keys["tee"] | {"plugin_socket": "p.sock"}}), Options(embedded=False)
    ) as plan:
        assert up.observer_config(plan, [])["plugin_socket"] == str(tmp_path / "p.sock")


def test_the_observer_gets_the_key_of_workflows_only_where_a_header_names_them(tmp_path: Path) -> None:
    keys = elsewhere(tmp_path, url="http://h:8123").model_dump()
    asked = [{}, {"workflow_header": "x-flow"}, {"workflow_header": "x-flow", "workflow_key_file": str(tmp_path / "k")}]
    told: list[dict[str, object]] = []
    for target in asked:
        with prepared(
            Config.model_validate(keys | {"target": keys["target"] | target}), Options(embedded=False)
        ) as plan:
            told.append(up.observer_config(plan, []))

    assert [one["workflow_key_file"] for one in told] == [
        "",
        str(tmp_path / "d" / "secrets" / "flows"),
        str(tmp_path / "k"),
    ]
    assert [one["workflow_header"] for one in told] == ["", "x-flow", "x-flow"]


def test_the_control_plane_is_told_what_was_configured_of_built_in_rules(tmp_path: Path) -> None:
    rules = {"oom": {"threshold": 4}, "p99_drift": {"options": {"anchor_s": 2}}}
    keys = elsewhere(tmp_path, url="http://h:8123").model_dump()
    with prepared(Config.model_validate(keys | {"slo": {"rules": rules}}), Options(embedded=False)) as plan:
        told = handed(json.dumps(up.serve_config(plan)), ServeConfig)

    assert told.rules == {RuleId.OOM: Settings(threshold=4), RuleId.P99_DRIFT: Settings(options={"anchor_s": 2})}


def test_children_stop_tees_first_and_the_store_last(tmp_path: Path) -> None:
    config = elsewhere(tmp_path)
    with prepared(config, Options()) as plan:
        pairs = [socket.socketpair() for _ in range(2)]
        made = up.children(plan, pairs)
        for end in (end for pair in pairs for end in pair):
            end.close()

    assert ("--days", "{}") == made[-1].argv[-2:]
    assert [(child.role, child.stop_rank) for child in made] == [
        *[("tee-0", 0), ("tee-1", 0), ("observer", 1), ("prober", 1), ("serve", 1), ("store", 2)]
    ]
    tap = "--channel-fd"
    assert [(tap in child.argv, tap in (child.calm_argv or ())) for child in made[:2]] == [(True, False)] * 2
    assert made[0].stop_s_max > config.tee.drain_s_max
    assert up.READY_S_MAX >= 10
