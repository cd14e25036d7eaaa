"""Load tests in surroundings that spoil them: other clients, a restart, hot GPUs, clocks, objectives that burn."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from fake_gpus import FakeDriver
from load import load as clients
from load_rig import QUESTIONS, a_run, null_server
from one_slo import slo_file
from rig import INFEROMETER, free_port, process, wait_until

from inferometer import ask
from inferometer.address import target_address
from loadtest.conductor import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_OK, EXIT_USAGE
from loadtest.planner import build
from loadtest.run_spec import encoded
from telemetry.testing.client import request, talk
from telemetry.testing.engine_bodies import MODEL
from telemetry.testing.steps import AwaitEnd, Send

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]

ROOT = Path(__file__).parents[2]
PLAN = ("--rate", "20", "--tokens-in", "16", "--tokens-out", "8", "--start-delay", "1", "--workers", "1")


@dataclass(slots=True)
class Simulated:
    """A simulated engine with a page, which can be started again on its port."""

    port: int
    process: "subprocess.Popen[str] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        words = ("--port", str(self.port), "--alpha-s", "0.002", "--beta-s", "0", "--hidden-s", "0")
        argv = (sys.executable, "-m", "loadtest.fleet.server", *words)
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        cast("Any", self.process.stdout).readline()

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def served(self) -> int:
        found = json.loads(ask.get(target_address(self.url), "/simulator").body)
        return int(found.get("requests", 0))


@pytest.fixture
def engine() -> Generator[Simulated]:
    made = Simulated(free_port())
    made.start()
    yield made
    made.stop()


@dataclass(frozen=True, slots=True)
class Ran:
    """What a verb came to."""

    code: int
    report: dict[str, Any]
    said: str
    directory: Path

    def of(self, name: str, when: str) -> dict[str, Any]:
        (found,) = [one for one in self.report["environment"] if (one["name"], one["when"]) == (name, when)]
        return cast("dict[str, Any]", found)

    @property
    def unfit(self) -> set[str]:
        return {one["name"] for one in self.report["environment"] if one["state"] == "unfit"}


def ran(url: str, folder: Path, *words: str, env: dict[str, str] | None = None) -> Ran:
    command = [sys.executable, "-m", "inferometer", "load", "run", url, "--output", "json", *PLAN, *words]
    done = subprocess.run(
        [*command, "--runs", str(folder / "runs"), "--data", str(folder / "none")],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
        env=os.environ | (env or {}),
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    return Ran(done.returncode, report, done.stderr, folder / "runs" / report["run_id"])


@contextmanager
def meanwhile(begun: Callable[[], bool], act: Callable[[], object]) -> Generator[None]:
    """Do something beside a run, as soon as it has begun."""
    over = threading.Event()

    def wait() -> None:
        while not over.wait(0.05):
            if begun():
                act()
                return

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_quiet_engine_is_watched_and_the_run_keeps_what_it_showed(engine: Simulated, tmp_path: Path) -> None:
    done = ran(engine.url, tmp_path, "--seconds", "3", "--tokens-out", "128")  # five answers at a time, whoever looks

    assert set() == done.unfit
    assert {"ok"} == {done.of(*name)["state"] for name in (("queue", "before"), ("foreign", "during"))}
    assert {"ok"} == {done.of(name, "during")["state"] for name in ("restart", "configuration", "sleep")}
    assert "flag" == done.of("cold", "before")["state"]  # it has just started, and is said to be cold
    assert "flags: " in done.said.splitlines()[0]
    assert done.report["key"]["flags_hash"].startswith("partial:")
    assert ("vllm", "0.32.0+simulated", "auto") == tuple(
        done.report["key"][name] for name in ("engine", "engine_version", "kv_dtype")
    )
    assert 16 == int(done.report["receipt"]["engine"]["flags"]["block_size"])
    looks = [json.loads(line) for line in (done.directory / "engine.jsonl").read_text().splitlines()]
    assert len(looks) >= 3
    assert [one["at_s"] for one in looks] == sorted(one["at_s"] for one in looks)
    assert looks[-1]["requests"] == QUESTIONS + done.report["client"]["sent"]
    assert max(one["running"] for one in looks) > 0


def test_another_client_at_five_percent_voids_a_run(engine: Simulated, tmp_path: Path) -> None:
    def foreign() -> None:
        body = b'{"model":"%b","max_tokens":4,"messages":[{"role":"user","content":"hi"}]}' % MODEL.encode()
        data = request("POST", "/v1/chat/completions", body, "Connection: close")
        for _ in range(7):
            asyncio.run(talk(("127.0.0.1", engine.port), [Send(data), AwaitEnd()]))

    with meanwhile(lambda: engine.served() > QUESTIONS, foreign):
        done = ran(engine.url, tmp_path, "--seconds", "6")

    share = done.of("foreign", "during")["found"]
    print("foreign:", share)
    assert (EXIT_INCONCLUSIVE, "void", {"foreign"}) == (done.code, done.report["fit"]["state"], done.unfit)
    assert share.startswith("7 of ")
    assert "environment: foreign during the run" in done.said.splitlines()[0]


def test_an_engine_that_restarts_voids_a_run(engine: Simulated, tmp_path: Path) -> None:
    def restart() -> None:
        engine.stop()
        engine.start()

    with meanwhile(lambda: engine.served() > 10, restart):
        done = ran(engine.url, tmp_path, "--seconds", "4")

    assert (EXIT_INCONCLUSIVE, "void") == (done.code, done.report["fit"]["state"])
    assert "restart" in done.unfit
    assert "unknown" == done.of("foreign", "during")["state"]


@pytest.mark.parametrize("slow_s", [None, 3.0])
def test_an_engine_that_is_busy_is_waited_for(engine: Simulated, tmp_path: Path, slow_s: float | None) -> None:
    """One client holds the engine for good, or for a while."""
    over = threading.Event()

    def hold() -> None:
        with clients(("127.0.0.1", engine.port), n_clients=1, n_tokens=400):
            over.wait(slow_s or 60.0)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        wait_until(lambda: engine.served() > 0, "a foreign client")
        done = ran(engine.url, tmp_path, "--seconds", "1", "--idle-wait", "2" if slow_s is None else "30")
    finally:
        over.set()
        thread.join()

    queue = done.of("queue", "before")
    print(slow_s, queue["found"])
    if slow_s is None:
        assert (EXIT_INCONCLUSIVE, "void", {"queue"}) == (done.code, done.report["fit"]["state"], done.unfit)
        assert (0, "environment") == (done.report["client"]["sent"], done.report["verdict"]["halt"])
    else:
        assert ("ok", True) == (queue["state"], done.report["client"]["sent"] > 0)


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_gpu_that_is_throttled_voids_a_run(tmp_path: Path, driver_elsewhere: FakeDriver, when: str) -> None:
    hot = ("throttle=64", "pid=77")
    driver_elsewhere.does(*(hot if when == "before" else ("throttle=0",)))
    with (
        null_server("ttft_s=0.05", "itl_s=0.01") as server,
        meanwhile(lambda: _requests(server.url) > QUESTIONS, lambda: driver_elsewhere.does(*hot)),
    ):
        done = ran(server.url, tmp_path, "--seconds", "3", env=driver_elsewhere.environment)

    assert (EXIT_INCONCLUSIVE, "void") == (done.code, done.report["fit"]["state"])
    assert "unfit" == done.of("throttle", when)["state"]
    assert (when == "during") == bool(done.report["client"]["sent"])
    if when == "during":
        assert "unfit" == done.of("gpu_processes", "during")["state"]  # process 77 came
        assert (done.directory / "gpu.jsonl").read_text()
    assert ("Fake H100", 700) == (done.report["key"]["gpu_model"], done.report["key"]["power_limit_watts"])


def test_where_nobody_can_look_that_is_said_and_there_is_a_verdict(tmp_path: Path) -> None:
    with null_server("ttft_s=0.05", "itl_s=0.01") as server:
        done = ran(server.url, tmp_path, "--seconds", "2", "--ttft-max", "2", "--goodput", "0.5")

    assert {"unknown"} == {done.of(name, "before")["state"] for name in ("gpu", "engine")}
    assert done.report["fit"]["state"] in {"fit", "unproven", "unfit"}
    assert "pass" == done.report["attainment"]["verdict"]
    assert done.report["fit"]["state"] == "unfit" or done.code == EXIT_OK
    assert not (done.directory / "engine.jsonl").exists()


def test_a_cost_above_its_ceiling_ends_a_run(tmp_path: Path) -> None:
    """The plan asks for 8 tokens an answer; the server gives 64."""
    prices = {"INFEROMETER_LOAD__USD_PER_MTOK_IN": "1", "INFEROMETER_LOAD__USD_PER_MTOK_OUT": "10"}
    with null_server("ttft_s=0.02", "itl_s=0.001", "tokens=64") as server:
        done = ran(server.url, tmp_path, "--seconds", "20", env={"INFEROMETER_LOAD__COST_USD_MAX": "0.05"} | prices)

    client, told = done.report["client"], done.report["verdict"]
    print(client["tokens_in"] + client["tokens_out"], "tokens,", done.report["cost_usd"], "USD of 0.05")
    assert (EXIT_INCONCLUSIVE, "ceiling") == (done.code, told["halt"])
    assert "above load.cost_usd_max of 0.05" in told["message"] or done.report["fit"]["state"] == "unfit"
    assert client["sent"] < done.report["plan"]["arrivals"]


def test_a_cost_of_unknown_price_is_refused(tmp_path: Path) -> None:
    with null_server() as server:
        command = [sys.executable, "-m", "inferometer", "load", "run", server.url, "--data", str(tmp_path)]
        env = os.environ | {"INFEROMETER_LOAD__COST_USD_MAX": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)

    assert (EXIT_USAGE, 1) == (done.returncode, done.stderr.count("\n"))
    assert "load.usd_per_mtok_in" in done.stderr


def test_a_run_ends_when_live_objectives_burn_and_none_begins_then(tmp_path: Path) -> None:
    """Half of the live traffic fails; the load goes to a server of its own."""
    tee, serve, store, port = (free_port() for _ in range(4))
    config = tmp_path / "config.yaml"
    config.write_text(
        f"slo: {{objectives: [{slo_file(tmp_path)}]}}\nserve: {{port: {serve}}}\nstore: {{port: {store}}}\n"
        "target: {endpoint: chat}\nprobe: {gpu: never, engine_interval_s: 0}\n"
    )
    engine = (sys.executable, "-m", "loadtest.fleet.server", "--port", str(port), "--fault-ratio", "0.5")
    words = ("--target", f"http://127.0.0.1:{port}", "--data", str(tmp_path / "d"), "--config", str(config))
    watched = ("--abort-on-burn", "--burn-from", f"http://127.0.0.1:{serve}")
    with (
        process(*engine, log=tmp_path / "engine.log"),
        process(*INFEROMETER, "up", "--port", str(tee), *words, log=tmp_path / "up.log"),
        null_server("ttft_s=0.05", "itl_s=0.01") as server,
    ):
        url = f"http://127.0.0.1:{serve}"
        wait_until(lambda: _states(url) not in ([], ["unknown"], ["blind"]), "an evaluation", 100.0)
        with meanwhile(lambda: _requests(server.url) > QUESTIONS, lambda: _bad_traffic(tee)):
            ended = ran(server.url, tmp_path, "--seconds", "120", *watched)
        begun = ran(server.url, tmp_path, "--seconds", "1", *watched)

    told = ended.report["verdict"]
    print(told["message"], ended.report["client"]["sent"], "of", ended.report["plan"]["arrivals"], "sent")
    assert ("burn", True) == (told["halt"], "objective chat-good burns" in told["message"])
    assert ended.code == (EXIT_INCONCLUSIVE if ended.report["fit"]["state"] == "unfit" else EXIT_FAILED)
    assert 0 < ended.report["client"]["sent"] < ended.report["plan"]["arrivals"]
    assert (EXIT_INCONCLUSIVE, "burn", 0) == (
        *(begun.code, begun.report["verdict"]["halt"], begun.report["client"]["sent"]),
    )


def _told(url: str, path: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(ask.get(target_address(url), path).body)
    except (OSError, ValueError):
        return {}
    return found


def _states(url: str) -> list[str]:
    return [one["state"] for one in _told(url, "/v1/slos").get("slos", [])]


def _requests(url: str) -> int:
    return int(_told(url, "/null").get("requests", 0))


def _bad_traffic(tee: int) -> None:
    with clients(("127.0.0.1", tee), n_clients=8, n_tokens=4):
        threading.Event().wait(10.0)


@pytest.mark.parametrize("shift_ms", [0, 250])
def test_workers_of_several_hosts_must_have_one_time(tmp_path: Path, shifted_clock: Path, shift_ms: int) -> None:
    with null_server("ttft_s=0.05", "itl_s=0.01") as server:
        run = a_run(tmp_path, server.url, seconds=1.0)
        (tmp_path / "run.json").write_bytes(encoded(run))
        code, said, ending = led(tmp_path / "run.json", {"LD_PRELOAD": str(shifted_clock), "SHIFT_MS": str(shift_ms)})

    offsets: list[float] = sorted(round(clock["offset_ms"], 2) for clock in ending["clocks"])
    print(f"shifted by {shift_ms} ms: offsets {offsets} ms, round trips {[c['rtt_ms'] for c in ending['clocks']]} ms")
    assert all(clock["pings"] >= 10 for clock in ending["clocks"])
    if shift_ms:
        assert (EXIT_INCONCLUSIVE, "aborted", 0) == (code, ending["halt"], ending["whole"]["sent"])
        assert abs(offsets[-1] - shift_ms) < 5
        assert "from the master's" in said
    else:
        assert len(build(run.plan)) == ending["whole"]["sent"]
        assert max(map(abs, offsets)) < 5


def led(run: Path, shifted: dict[str, str]) -> tuple[int, str, dict[str, Any]]:
    """Carry a run out by a master and two workers that are started apart, as on three hosts; one has another time."""
    port, (events_r, events_w) = str(free_port()), os.pipe()
    base = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtest" / "locustfile.py"), "--headless"]
    base += ["--load-run", str(run)]
    lead = ["--master", "--master-bind-port", port, "--expect-workers", "2", "-u", "2", "-r", "2"]
    follow = ["--worker", "--master-host", "127.0.0.1", "--master-port", port]
    env = os.environ | {"INFEROMETER_LOAD_EVENTS": str(events_w)}
    processes = [subprocess.Popen([*base, *lead], env=env, pass_fds=(events_w,), stderr=subprocess.PIPE)]
    os.close(events_w)
    processes += [
        subprocess.Popen([*base, *follow], env=os.environ | more, stderr=subprocess.PIPE) for more in ({}, shifted)
    ]
    try:
        _, said = processes[0].communicate(timeout=60)
    finally:
        for one in processes:
            one.kill()
            one.communicate()
    with os.fdopen(events_r, "rb") as file:
        told = [json.loads(line) for line in file]
    (ending,) = [event["ending"] for event in told if event["event"] == "ending"]
    return processes[0].returncode, said.decode(), ending
