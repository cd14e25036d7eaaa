"""An engine that hangs while its health check answers: its page, the prober, a spool, a store, and the rule."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from slo.alert_moves import AlertEvent
from slo.burn_catalogue import Severity
from slo.rules.engines import StalledEngineRule
from slo.rules.rule import Settings
from slo.rules.runner import Runner
from telemetry.clock import monotonic_ns, sleep, wall_ms
from telemetry.queries.engine_life import still
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

STILL_S = 6
"""Patience of the rule here; its own is half a minute, and the arithmetic is the same."""
EVERY_S = 30
RESTARTED_N = 3
"""Scrapes behind its restart that the engine answers: no more, so that no slow machine makes them a stall."""


@dataclass(slots=True, kw_only=True)
class Page:
    """What the engine says of itself.

    Attributes:
        tokens: Output tokens since it began.
        is_working: Whether each look at the page finds ten more.
        began_s: When its process began.
        looks: How often it still answers; None without end.
    """

    tokens: int = 0
    is_working: bool = True
    began_s: float = 1_700_000_000.0
    looks: int | None = None

    def text(self) -> str | None:
        if self.looks is not None:
            if not self.looks:
                return None
            self.looks -= 1
        if self.is_working:
            self.tokens += 10
        labels = '{engine="0",model_name="m"}'
        return "".join(
            f"# TYPE {name.removesuffix('_total')} {kind}\n{name} {value}\n"
            for kind, name, value in (
                ("gauge", f"vllm:num_requests_running{labels}", 4.0),
                ("counter", f"vllm:generation_tokens_total{labels}", float(self.tokens)),
                ("counter", f"vllm:prompt_tokens_total{labels}", 900.0),
                ("gauge", "process_start_time_seconds", self.began_s),
            )
        )


@contextmanager
def served(page: Page) -> Generator[str]:
    """An engine on a port, whose health check always answers."""
    told = {
        "/version": json.dumps({"version": "0.32.0"}),
        "/v1/models": json.dumps({"object": "list", "data": [{"id": "m", "owned_by": "vllm"}]}),
        "/health": "",
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = page.text() if self.path == "/metrics" else told.get(self.path)
            self.send_response(404 if text is None else 200)
            self.send_header("Content-Type", "text/plain" if self.path == "/metrics" else "application/json")
            self.send_header("Content-Length", str(len((text or "").encode())))
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def prober(store: StoreProcess, target: str, spool: Path) -> Generator[None]:
    config = {
        "node": "n", "endpoint": "chat", "target": target, "gpu": "never", "engine_interval_s": 0.5,
        "spool_dir": str(spool), "store_url": store.url, "store_user": "writer",
        "store_password_file": str(store.data / "secrets" / "store_writer"),
    }  # fmt: skip
    argv = [sys.executable, "-m", "inferometer.prober", "--config", json.dumps(config)]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            ended(process)


def ended(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and end it if it does not."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    finally:
        process.kill()


def until(holds: Callable[[], object], seconds: float = 30) -> bool:
    """Whether it came to hold; what it was at another look does not count."""
    end_ns = monotonic_ns() + round(seconds * 1e9)
    while monotonic_ns() < end_ns:
        if holds():
            return True
        sleep(0.2)
    return False


class Judge:
    """The rule, asked at one aligned instant after the other, each of them ahead."""

    def __init__(self, reader: Store) -> None:
        rule = StalledEngineRule(settings=Settings(threshold=STILL_S))
        self.reader, self.runner = reader, Runner(reader, [rule], lambda: monotonic_ns() / 1e9)
        self.at_s = 0

    def says(self, after_s: int = 0) -> AlertEvent:
        """What the next instant says of the page."""
        ahead_s = (wall_ms() // 1000 // EVERY_S + 1) * EVERY_S
        self.at_s = max(self.at_s + EVERY_S, ahead_s) + after_s
        [event] = [one.event for one in self.runner.watches(self.at_s, {}) if one.labels["severity"] == Severity.PAGE]
        return event

    def still(self) -> int:
        """At how many scrapes on end the engine made no token; no more than what the store knows by now."""
        rows = self.reader.query(still(wall_ms() + 1_000))
        return int(str(rows[0]["n_still"])) if rows else 0


def test_an_engine_that_hangs_is_found_while_its_health_check_answers(tmp_path: Path) -> None:
    page = Page()
    with (
        StoreProcess(tmp_path / "data") as store,
        served(page) as url,
        prober(store, url, tmp_path / "spool" / "n-probes"),
        closing(store.store("reader")) as reader,
    ):
        judge = Judge(reader)
        assert until(lambda: judge.still() == 1)
        assert AlertEvent.OK is judge.says()

        page.is_working = False
        assert until(lambda: judge.still() > 3 * STILL_S)
        assert 200 == httpx.get(f"{url}/health").status_code
        assert AlertEvent.BAD is judge.says()
        assert "made no token for" in judge.runner.last[0].found[0].words["summary"]

        page.looks = 0
        page.tokens, page.began_s = 0, page.began_s + 500  # a restart is no token, and no stall of its own yet
        page.looks = RESTARTED_N
        assert until(lambda: judge.still() == RESTARTED_N)
        assert AlertEvent.OK is judge.says()
        assert AlertEvent.BLIND is judge.says(after_s=120)
