"""Knows how a real vLLM looks on its page while it is under load: `python -m benchmarks.ui --watch-vllm 300`.

`inferometer up` stands before vLLM, two clients a second ask for answers of 50 to 400 tokens, and a browser has the
page of the endpoint open. After a third of the time thirty clients hang up in the middle of their answers; after two
thirds the engine's core stops for eight seconds while six answers are under way. What is told: how long it takes until
the page shows each of them as a number, what everything costs, and for which part of the time the page was well.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from threading import Event, Thread

from playwright.sync_api import Page

from benchmarks import ui_browser, vllm_rig
from benchmarks.processes import cpu_s, descendants, held_still, rss_bytes, vllm_cores
from telemetry.clock import monotonic_ns, sleep
from telemetry.testing.client import request, talk
from telemetry.testing.steps import AwaitEnd, AwaitToken, Reset, Send
from telemetry.testing.wire import Script

RATE_PER_S = 2.0
SURGE, UNDER_WAY, HUNG_S, LONG = 30, 6, 8.0, 1_500
SEEN_S_MAX = 60.0
_ROWS = "[...document.querySelectorAll('[data-panel=\"{0}\"] tbody tr')]"
_CELLS = "[...row.cells].filter((one) => 'value' in one.dataset).map((one) => JSON.parse(one.dataset.value))"
_IS_LEFT = f"const [, word, n] = {_CELLS}; return word === 'client_cancelled' && n > 0;"
_LEFT = f"{_ROWS.format('ep.outcomes')}.some((row) => {{ {_IS_LEFT} }})"
_STALLED = f"{_ROWS.format('ep.stall')}.some((row) => ({_CELLS}).at(-1) > 0)"
_STATES = "[...document.querySelectorAll('[data-panel]')].map((one) => one.dataset.state)"
_ILL = frozenset({"error", "stale", "loading"})

Figures = list[tuple[str, float | None, str, str]]


def watch(seconds: float) -> Figures:
    """Watch for so long; returns name, value, unit and note of each figure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with vllm_rig.running(folder) as engine, _up(engine.url, folder) as (ui, tee, pid):
            _as_everybody()
            with ui_browser.browsing() as browser, ui_browser.opened(browser, "") as page, _load(tee) as answers:
                page.goto(f"{ui}endpoints/chat?from=now-5m&panel=ep.outcomes,ep.stall,ep.gave_up&view=table")
                return _watched(page, engine, tee, pid, answers, seconds)


def _watched(
    page: Page, engine: vllm_rig.Rig, tee: tuple[str, int], pid: int, answers: list[bool], seconds: float
) -> Figures:
    looks: list[bool] = []
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    _look(page, looks, 10)
    looks.clear()
    clock, before = ui_browser.Clock(), _cpu(pid)
    started_ns = monotonic_ns()
    _look(page, looks, seconds / 3)
    _play(tee, SURGE, [Send(_asked(LONG)), AwaitToken(b"data: "), Reset()])
    left_s = _seen_s(page, looks, _LEFT)
    _look(page, looks, seconds / 3 - (left_s or SEEN_S_MAX))
    _stall(engine, tee)
    stalled_s = _seen_s(page, looks, _STALLED)
    _look(page, looks, seconds / 3 - HUNG_S - (stalled_s or SEEN_S_MAX))
    elapsed_s = (monotonic_ns() - started_ns) / 1e9
    lived = clock.lived()
    found: Figures = [
        ("whole answers", float(sum(answers)), "answers", f"{elapsed_s:.0f} s, {len(answers) - sum(answers)} others"),
        ("page shows who hung up", left_s, "s", f"{SURGE} clients; from the last of them"),
        ("page shows the stall", stalled_s, "s", f"{HUNG_S:.0f} s without a token; from its end"),
        ("page well", sum(looks) / len(looks), "ratio", f"{len(looks)} looks; no panel waits, is old or failed"),
        ("errors on its console", float(len(said)), "errors", "; ".join(sorted(set(said)))[:200]),
        ("browser", lived.cores, "cores", f"{lived.mib:.0f} MiB"),
    ]
    after = _cpu(pid)
    for name, cpu in sorted(after.items()):
        found.append(
            (f"up: {name}", (cpu[0] - before.get(name, (0.0, 0.0))[0]) / elapsed_s, "cores", f"{cpu[1]:.0f} MiB")
        )
    return found


def _look(page: Page, looks: list[bool], seconds: float) -> None:
    """Look at the page once a second."""
    for _ in range(max(1, round(seconds))):
        page.wait_for_timeout(1_000)
        looks.append(not _ILL & set(page.evaluate(_STATES)))


def _seen_s(page: Page, looks: list[bool], holds: str) -> float | None:
    """Return after how long an expression holds on the page; None if it does not within a minute."""
    started_ns = monotonic_ns()
    while (spent_s := (monotonic_ns() - started_ns) / 1e9) < SEEN_S_MAX:
        if page.evaluate(holds):
            return spent_s
        _look(page, looks, 1)
    return None


def _stall(engine: vllm_rig.Rig, tee: tuple[str, int]) -> None:
    """Let answers be under way and the core stand still; what was under way then ends as it may."""
    thread = Thread(target=_play, args=(tee, UNDER_WAY, [Send(_asked(LONG)), AwaitEnd()]))
    thread.start()
    sleep(0.5)
    with held_still(vllm_cores(engine.pid)):
        sleep(HUNG_S)
    thread.join()


def _asked(tokens: int) -> bytes:
    words = {
        "model": vllm_rig.MODEL, "stream": True, "stream_options": {"include_usage": True}, "max_tokens": tokens,
        "ignore_eos": True, "messages": [{"role": "user", "content": "why is the sky blue"}],
    }  # fmt: skip
    head = ("Content-Type: application/json", "Connection: close")
    return request("POST", "/v1/chat/completions", json.dumps(words).encode(), *head)


def _play(tee: tuple[str, int], count: int, script: Script) -> None:
    """Let so many clients play a script, and wait for their ends."""

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(talk(tee, script, deadline_s=60))

    thread = Thread(target=lambda: asyncio.run(all_of_them()))  # this one has Playwright's own loop
    thread.start()
    thread.join()


@contextmanager
def _load(tee: tuple[str, int]) -> Generator[list[bool]]:
    """Ask at a steady rate; gives whether each answer was whole."""
    over, whole = Event(), list[bool]()
    random = Random(7)  # noqa: S311 -- no secret

    async def one() -> None:
        seen = await talk(tee, [Send(_asked(50 + random.randrange(350))), AwaitEnd()], deadline_s=60)
        whole.append(b"data: [DONE]" in seen.received)

    async def steady() -> None:
        async with asyncio.TaskGroup() as group:
            while not over.is_set():
                group.create_task(one())
                await asyncio.sleep(random.expovariate(RATE_PER_S))

    thread = Thread(target=asyncio.run, args=(steady(),))
    thread.start()
    try:
        yield whole
    finally:
        over.set()
        thread.join()


@contextmanager
def _up(target: str, folder: Path) -> Generator[tuple[str, tuple[str, int], int]]:
    """Run `up`; gives where its pages are, its tee, and its pid."""
    ports = _free_ports(3)
    (folder / "config.yaml").write_text(
        f"target: {{endpoint: chat}}\nprobe: {{gpu: never, engine_interval_s: 2}}\nserve: {{port: {ports[1]}}}\n"
        f"store: {{port: {ports[2]}}}\n"
    )
    words = ("--target", target, "--data", str(folder / "data"), "--port", str(ports[0]))
    argv = (sys.executable, "-m", "inferometer", "up", *words, "--config", str(folder / "config.yaml"))
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen([*argv, "--output", "json"], stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 -- it is a pipe
        told = json.loads(process.stdout.readline())
        yield told["ui"], ("127.0.0.1", ports[0]), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _free_ports(count: int) -> Sequence[int]:
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(sock.getsockname()[1]) for sock in socks]
    finally:
        for sock in socks:
            sock.close()


def _cpu(pid: int) -> dict[str, tuple[float, float]]:
    """Return processor time and memory of the processes that `up` started, by module."""
    found: dict[str, tuple[float, float]] = {}
    for one in (pid, *descendants(pid)):
        with suppress(OSError):
            words = Path(f"/proc/{one}/cmdline").read_bytes().decode(errors="replace").split("\0")
            name = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "-m"), words[0])
            cpu, mib = found.get(name, (0.0, 0.0))
            found[name] = (cpu + cpu_s(one), mib + rss_bytes(one) / (1 << 20))
    return found


def _as_everybody() -> None:
    """Run like any other program: the rig lets its caller run first, and what this one starts would do so too."""
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
