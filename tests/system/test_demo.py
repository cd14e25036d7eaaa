"""The demo as a newcomer runs it: one frame and out, and a whole story."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest

from inferometer import ask
from inferometer import demo_story as story
from inferometer.address import target_address
from telemetry.clock import monotonic_ns, sleep, wall_ms

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]
STORY_WAIT_S = 120.0
"""Longest time until the first story: the start, and the edge of a bucket."""
TOLD_S = 45.0
"""How much later than an instant it may be told of on a busy machine."""


@dataclass(slots=True)
class Running:
    """A demo that runs, and what it said: (when, event)."""

    process: "subprocess.Popen[str]"
    said: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])

    def listen(self) -> None:
        for line in cast("Iterator[str]", self.process.stderr):
            now_s = monotonic_ns() / 1e9
            if line.startswith("{"):
                self.said.append((now_s, str(json.loads(line)["event"])))

    def when(self, words: str, wait_s: float, after_s: float = 0.0) -> float:
        """Wait until it says something, not before a time, and return when it did."""
        end_s = monotonic_ns() / 1e9 + wait_s
        while monotonic_ns() / 1e9 < end_s and self.process.poll() is None:
            for at_s, event in list(self.said):
                if words in event and at_s >= after_s:
                    return at_s
            sleep(0.1)
        raise AssertionError(f"not said within {wait_s:.0f} s: {words}; said: {[event for _, event in self.said]}")

    def pages(self) -> str:
        """Return the address of the pages, as the first step tells it."""
        told = next(event for _, event in self.said if event.startswith("demo, 0 s"))
        return told.rpartition("; see ")[2].removesuffix("/ui/")


@contextmanager
def demo(folder: Path, *words: str) -> Generator[Running]:
    argv = (sys.executable, "-m", "inferometer", "demo", *words)
    env = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env) as process:
        running = Running(process)
        listener = Thread(target=running.listen)
        listener.start()
        try:
            yield running
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            finally:
                process.kill()
            listener.join()


def asked(pages: str, path: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ask.get(target_address(pages), path).body)
    return told


def alert(pages: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = asked(pages, "/v1/alerts")["alerts"]
    (one,) = [one for one in found if one["alertname"] == story.OBJECTIVE]
    return one


def unix_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_the_demo_shows_simulated_traffic_and_leaves_nothing_behind(tmp_path: Path) -> None:
    words = ("demo", "--seconds", "2", "--json", "--seed", "3")
    argv = (sys.executable, "-m", "inferometer", *words)

    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)}
    )

    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert "simulated" in done.stderr.splitlines()[0]
    assert "engine_unknown" not in done.stderr
    assert {group["endpoint"] for group in told["groups"]} <= {story.ENDPOINT, None}
    assert told["telemetry"]["accepted"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_story_is_told_in_time_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """The instants are those of objectives and hints; that of telling is later by what the machine is busy with."""
    with demo(tmp_path, "--seed", "3") as running:
        begun_s = running.when("demo, 0 s", STORY_WAIT_S)
        begun_unix_s = wall_ms() / 1000 - (monotonic_ns() / 1e9 - begun_s)
        pages = running.pages()
        up_s = running.when(
            "the hint is scale_up", story.FIRING_BY_S + TOLD_S, begun_s
        )  # it may say so of the start, too
        asked_for = asked(pages, f"/v1/hints/{story.TARGET}")["replicas"]["desired"]
        fired_s = running.when("the alert is firing", story.FIRING_BY_S + TOLD_S)
        at_fault = alert(pages)
        resolved_s = running.when("the alert is resolved", story.RESOLVED_BY_S + TOLD_S)
        hold_s = running.when("the hint is hold", story.RESOLVED_BY_S, up_s)
        at_rest, last = alert(pages), asked(pages, f"/v1/hints/{story.TARGET}")
        endpoints = asked(pages, "/v1/slos")
        page = ask.get(target_address(pages), "/ui/")

    told = [at_s - begun_s for at_s in (fired_s, up_s, resolved_s, hold_s)]
    print("told at: fires {:.0f} s, scale_up {:.0f}, resolved {:.0f}, first hold behind it {:.0f}".format(*told))
    assert ("firing", "resolved", "hold") == (at_fault["state"], at_rest["state"], last["action"])
    assert story.FAULT_S < unix_s(at_fault["fired_at"]) - begun_unix_s <= story.FIRING_BY_S
    assert story.HEALED_S < unix_s(at_rest["resolved_at"]) - begun_unix_s <= story.RESOLVED_BY_S
    assert (True, True) == (story.FAULT_S < up_s - begun_s <= story.FIRING_BY_S, asked_for > story.REPLICAS)
    assert "simulated" in json.dumps(endpoints), "every page is badged by the name of the endpoint"
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert [f"demo, {step.at_s} s" for step in story.steps()[:3]] == [
        event.partition(":")[0] for _, event in running.said if event.startswith("demo, ")
    ]
    assert not any("engine_unknown" in event for _, event in running.said)
    assert (130, []) == (running.process.returncode, list(tmp_path.iterdir()))


def test_it_may_be_kept(tmp_path: Path) -> None:
    argv = (sys.executable, "-m", "inferometer", "demo", "--seconds", "1", "--json", "--keep")
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)}
    )

    assert 0 == done.returncode
    (kept,) = tmp_path.iterdir()
    assert (kept / "store").is_dir()
