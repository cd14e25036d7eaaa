"""A load test on real processes: a null server, Locust with its workers, and what can be done to them meanwhile."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from inferometer import load_files
from inferometer.load_run import carry_out
from loadtest.conductor import Ending
from loadtest.plan_spec import Fixed, PlanSpec, RateCurve, Separate, WorkloadClass
from loadtest.planner import build
from loadtest.rows import Row
from loadtest.run_spec import RunSpec

QUESTIONS = 2
"""Requests that a verb sends before its plan: what a word of ours is in tokens."""
LENGTHS = Separate(tokens_in=Fixed(tokens=16), tokens_out=Fixed(tokens=20))


@dataclass(frozen=True, slots=True)
class NullServer:
    """A null server of a test."""

    url: str
    process: "subprocess.Popen[str]"


@contextmanager
def null_server(*words: str) -> Generator[NullServer]:
    command = [sys.executable, "-m", "loadtest.nullserver", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield NullServer(process.stdout.readline().strip(), process)
        finally:
            process.kill()


def a_run(directory: Path, url: str, *, rate: float = 40.0, seconds: float = 3.0, **changes: Any) -> RunSpec:  # noqa: ANN401
    plan = PlanSpec(
        seed=7,
        rate=RateCurve(points=((0.0, rate),)),
        duration_s=seconds,
        classes=(WorkloadClass(lengths=LENGTHS),),
    )
    usual = RunSpec(
        run_id="r",
        targets=(url,),
        plan=plan,
        directory=str(directory / "run"),
        model="null",
        start_delay_s=0.5,
        drain_s=30.0,
        truth=True,
    )
    return msgspec.structs.replace(usual, **changes)


def carried_out(run: RunSpec, workers: int, *meanwhile: tuple[float, Callable[[], object]]) -> tuple[Ending, list[Row]]:
    """Carry a run out.

    Args:
        run: The run.
        workers: Load processes.
        meanwhile: What happens, and how long after the first progress of the started plan; nothing that is late.
    """
    timers: list[threading.Timer] = []

    def shown(line: str) -> None:
        if not timers and re.search(r" [1-9]\d*/", line):
            timers.extend(threading.Timer(after_s, _done, (act,)) for after_s, act in meanwhile)
            for timer in timers:
                timer.start()

    try:
        carried = carry_out(run, build(run.plan), workers, shown)
    finally:
        for timer in timers:
            timer.cancel()
            timer.join()
    return carried.ending, list(load_files.rows(carried.directory))


def worker_pids() -> list[int]:
    """Return the load workers below this process, as long as there are any."""
    return [worker for master in _children(os.getpid(), "locust") for worker in _children(master, "locust")]


def master_pid(verb: "subprocess.Popen[bytes]") -> int:
    """Return Locust's master below a verb, once there is one."""
    while_it_runs(verb, lambda: bool(_children(verb.pid, "locust")))
    return _children(verb.pid, "locust")[0]


def while_it_runs(verb: "subprocess.Popen[bytes]", holds: Callable[[], bool], wait_s: float = 60.0) -> None:
    """Wait until something holds that a running process brings about."""
    until = time.monotonic() + wait_s  # noqa: TID251 -- a test's own clock
    while not holds():
        assert verb.poll() is None
        assert time.monotonic() < until  # noqa: TID251
        time.sleep(0.05)  # noqa: TID251


def families(master: int) -> list[int]:
    """Return a master and its workers."""
    return [master, *_children(master, "locust")]


def all_gone(pids: list[int], wait_s: float) -> bool:
    """Wait until no process of these runs; a zombie does not."""
    until = time.monotonic() + wait_s  # noqa: TID251
    while time.monotonic() < until:  # noqa: TID251
        if not any(_runs(pid) for pid in pids):
            return True
        time.sleep(0.1)  # noqa: TID251
    return False


def _done(act: Callable[[], object]) -> None:
    with suppress(ProcessLookupError, IndexError):  # nobody is there any more, and the run says so
        act()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def interrupt() -> None:
    """Press Ctrl-C, if a run hears it; else it would end the tests."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        os.kill(os.getpid(), signal.SIGINT)


def send(number: signal.Signals, *, to: Callable[[], int]) -> Callable[[], object]:
    """Return what sends a signal to a process that is only known then."""
    return lambda: os.kill(to(), number)


def stutter(pid: int, seconds: float) -> None:
    """Let a process run 5 ms of each 35 ms only, as one that is starved of CPU."""
    until = time.monotonic() + seconds  # noqa: TID251 -- a test's own clock
    while time.monotonic() < until:  # noqa: TID251
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.03)  # noqa: TID251
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.005)  # noqa: TID251


def _children(parent: int, word: str) -> list[int]:
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            line = path.with_name("cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == parent and word in line:
            found.append(int(path.parent.name))
    return sorted(found)
