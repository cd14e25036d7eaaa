"""The sampler process, read as its parent reads it: lines on a pipe."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_gpus import FakeDriver

from probes.nvml_board import Board
from probes.nvml_sample import Place
from probes.nvml_watch import SamplerConfig

LINES_MAX = 200


class Running:
    def __init__(self, driver: FakeDriver, board: Board) -> None:
        self.driver, self._board = driver, board
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, resting_s: dict[int, float] | None = None) -> subprocess.Popen[bytes]:
        config = SamplerConfig(
            place=Place(node="n1"), interval_s=0.05, board_fd=self._board.fd, resting_s=resting_s or {}
        )
        argv = (sys.executable, "-m", "probes.nvml_sampler", "--config", config.text())
        env = os.environ | self.driver.environment
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, bufsize=0, pass_fds=(self._board.fd,), env=env)
        self._started.append(process)
        return process

    def stop(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


@pytest.fixture
def running(driver_elsewhere: FakeDriver) -> Iterator[Running]:
    board = Board.create()
    running = Running(driver_elsewhere, board)
    yield running
    running.stop()
    board.close()


def told(process: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    """The next line; None for the end of a round."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 20)[0]
    line = process.stdout.readline()
    assert line.endswith(b"\n")
    return json.loads(line) if line.strip() else None


def first(process: subprocess.Popen[bytes], holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first line of which it holds."""
    for _ in range(LINES_MAX):
        if (line := told(process)) and holds(line):
            return line
    raise AssertionError("so many lines and none of them is it")


def test_a_round_is_one_line_a_gpu_and_then_an_empty_one(running: Running) -> None:
    running.driver.does(gpus=2)
    process = running.start()

    lines = [told(process) for _ in range(6)]

    assert [line and line["gpu_index"] for line in lines] == [0, 1, None, 0, 1, None]


def test_a_gpu_that_rests_is_not_touched_until_its_time(running: Running) -> None:
    running.driver.does("lost=1", gpus=2)
    process = running.start(resting_s={1: 0.5})

    lines = [told(process) for _ in range(4)]
    running.driver.does(gpus=2)
    first(process, lambda line: line["gpu_index"] == 1)

    assert [line and line["gpu_index"] for line in lines] == [0, None, 0, None]


def test_a_lost_gpu_is_told_after_the_others_were_read_and_ends_the_process(running: Running) -> None:
    running.driver.does("lost=0", gpus=2)
    process = running.start()

    lines = [told(process) for _ in range(3)]

    assert lines[0] == {"lost": 0, "reason": "gpu_lost", "call": "nvmlDeviceGetHandleByIndex"}
    assert lines[1] is not None
    assert (lines[1]["gpu_index"], lines[2]) == (1, None)
    assert process.wait(20) == 0


def test_a_lost_driver_is_told_and_ends_the_process(running: Running) -> None:
    process = running.start()
    told(process)
    running.driver.does("epoch=1")

    end = first(process, lambda line: "lost" in line)

    assert (end["lost"], end["reason"]) == (None, "uninitialized")
    assert process.wait(20) == 0


def test_a_library_that_cannot_be_opened_is_told(running: Running) -> None:
    running.driver.does("gone=9")
    process = running.start()

    assert told(process) == {"lost": None, "reason": "driver_not_loaded", "call": "nvmlInitWithFlags"}
    assert process.wait(20) == 0


def test_it_ends_in_order_on_sigterm(running: Running) -> None:
    process = running.start()
    told(process)
    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0


def test_it_ends_when_its_reader_is_gone(running: Running) -> None:
    process = running.start()
    told(process)
    assert process.stdout is not None
    process.stdout.close()

    assert process.wait(20) == 0
