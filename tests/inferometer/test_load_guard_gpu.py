"""GPUs of this machine beside a run: real processes, the fake driver."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fake_gpus import FakeDriver

from inferometer.load_guard_gpu import FIRST_S_MAX, INTERVAL_S, GpuEye, engine_pids
from inferometer.load_guard_lines import Lines
from inferometer.load_key import Engine
from loadtest.environment import State


def test_gpus_are_read_before_and_during_a_run(
    driver_elsewhere: FakeDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in driver_elsewhere.environment.items():
        monkeypatch.setenv(name, value)
    driver_elsewhere.does("throttle=0", gpus=2)
    eye, mine = GpuEye(0.1), frozenset({4242})
    before = {one.name: one.state for one in eye.before(mine)}
    driver_elsewhere.does("throttle=64", gpus=2)
    lines = Lines(tmp_path / "gpu.jsonl", 0)
    eye.began(lines)
    seen = threading.Event()
    while not (tmp_path / "gpu.jsonl").exists():
        seen.wait(0.01)
    eye.stop()
    lines.close()

    assert {State.OK} == set(before.values())
    assert State.UNFIT is {one.name: one.state for one in eye.findings()}["throttle"]
    assert Engine(gpu_model="Fake H100", gpus=2, power_limit_watts=700) == eye.facts()
    assert 64 == json.loads((tmp_path / "gpu.jsonl").read_text().splitlines()[0])["throttle_bits"]


def test_gpus_of_others_are_left_out_where_those_of_the_engine_are_known(
    driver_elsewhere: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each GPU of the fake driver has a process of its own: 100, 101 and so on."""
    for name, value in driver_elsewhere.environment.items():
        monkeypatch.setenv(name, value)
    driver_elsewhere.does("throttle=0", "pidof=100", gpus=3)
    found: list[tuple[int | None, State]] = []
    for engine in (frozenset({1, 101}), frozenset({1}), None):
        eye = GpuEye(0.1)
        told = {one.name: one.state for one in eye.before(engine)}
        eye.stop()
        found.append((eye.facts().gpus, told["gpu_processes"]))

    assert [(1, State.OK), (None, State.UNKNOWN), (None, State.UNKNOWN)] == found


def test_where_there_is_no_driver_that_is_said_once() -> None:
    eye = GpuEye()
    (told,) = eye.before(None)
    eye.began(Lines(Path("none"), 0))
    eye.stop()

    assert ("gpu", State.UNKNOWN, True) == (told.name, told.state, "library_not_found" in told.found)
    assert ([], Engine()) == (eye.findings(), eye.facts())
    assert (1.0, 10.0) == (INTERVAL_S, FIRST_S_MAX)


def test_the_processes_of_an_engine_are_who_listens_and_all_below() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            found = engine_pids(port) or frozenset()
            child.communicate()

    assert {os.getpid(), child.pid} <= found
    assert engine_pids(port) is None


def test_a_process_that_ends_meanwhile_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    line = "   0: 0100007F:1FA4 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 777 1 0 100 0 0 10 0\n"
    (tmp_path / "net" / "tcp").write_text("head\n" + line)
    (tmp_path / "12" / "fd").mkdir(parents=True)
    (tmp_path / "12" / "fd" / "3").symlink_to("socket:[777]")
    (tmp_path / "13").mkdir()
    (tmp_path / "13" / "stat").write_bytes(b"13 (a b caf\xc3) S 12 1 1")  # a name need not be UTF-8
    (tmp_path / "14").mkdir()
    (tmp_path / "14" / "stat").mkdir()  # cannot be read

    assert frozenset({12, 13}) == engine_pids(0x1FA4, tmp_path)
