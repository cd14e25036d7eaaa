"""A store with a past and a present, and `serve` over it: what the pages are looked at with."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import msgspec
import ui_rows
from one_slo import slo_file

from inferometer import ask, hints_file
from inferometer.address import Address
from slo.hints_target import Hinted
from telemetry.clock import monotonic_ns, sleep, wall_ms
from telemetry.record import RequestBatch, RequestRecord
from telemetry.samples import Sample
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

_READY_S = 60.0
_AT_ONCE = 20_000
TARGETS = """\
targets:
  - {name: chat-eu, endpoint: chat-eu, min_replicas: 1, max_replicas: 6, ttft_s: 2, queue_depth_hi: 4, slo: chat-good}
"""
GRAFANA = "https://grafana.example/g"
"""Where panels lead that stand in Grafana too."""
_SCRAPE_S = 15


class Present(Thread):
    """Goes on with what happens, once a second.

    Args:
        writer: The store.
        first: Number of the next request.
        ails: Whether the incident goes on.
    """

    def __init__(self, writer: Store, first: int, *, ails: bool) -> None:
        super().__init__(daemon=True)
        self._writer, self._first, self._ails, self._ended = writer, first, ails, Event()

    def run(self) -> None:
        n = 0
        while not self._ended.wait(1.0):
            n += 1
            end_ms = wall_ms()
            made = ui_rows.requests(end_ms, 1, self._first + 10 * n, ails=self._ails)
            self._writer.insert_requests(_batch(f"node-1/{n}", made), f"ui-now-{self._first}-{n}")
            self._writer.insert_samples(ui_rows.beats(end_ms, 0), f"ui-beats-{self._first}-{n}")
            if n % _SCRAPE_S == 0:
                _keep(self._writer, f"now-{n}", ui_rows.engines(end_ms, 0, ails=self._ails))

    def end(self) -> None:
        self._ended.set()
        self.join()


class Served:
    """A running `serve`.

    Args:
        store: Its store.
        folder: Where its own files are.
        port: Where it listens.
    """

    def __init__(self, store: StoreProcess, folder: Path, port: int) -> None:
        folder.mkdir(exist_ok=True)
        secrets = store.data / "secrets"
        self._at = Address(host="127.0.0.1", port=port)
        self.root = self._at.url
        self._config = json.dumps(
            {
                "host": "127.0.0.1",
                "port": port,
                "objectives": [str(slo_file(folder))],
                "ledger": str(folder / "slo.sqlite"),
                "replica": "ui",
                "store_url": store.url,
                "reader": "reader",
                "reader_password_file": str(secrets / "store_reader"),
                "writer": "writer",
                "writer_password_file": str(secrets / "store_writer"),
                "hints": msgspec.to_builtins(_targets(folder)),
                "grafana_url": GRAFANA,
            }
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pages(self) -> str:
        """Where the pages are."""
        return f"{self.root}/ui/"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        argv = (sys.executable, "-m", "inferometer.serve", "--config", self._config)
        said = None if os.environ.get("UI_RIG_LOUD") else subprocess.DEVNULL
        self._process = subprocess.Popen(argv, stderr=said)
        end_ns = monotonic_ns() + round(_READY_S * 1e9)
        while not self._answers():
            if monotonic_ns() > end_ns or self._process.poll() is not None:
                raise RuntimeError("serve does not answer")
            sleep(0.1)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)

    def _answers(self) -> bool:
        try:
            return json.loads(ask.get(self._at, "/v1/slos").body)["as_of"] is not None
        except (OSError, ValueError):
            return False


def _targets(folder: Path) -> Sequence[Hinted]:
    path = folder / "targets.yaml"
    path.write_text(TARGETS)
    return hints_file.targets(path)


def fill(writer: Store, *, ails: bool = True, is_wild: bool = True) -> int:
    """Store the last hour and a half; returns the number of the next request."""
    end_ms = wall_ms()
    made = ui_rows.requests(end_ms, ui_rows.HISTORY_S, 1, ails=ails)
    if is_wild:
        made += ui_rows.wild(end_ms, 900_000)
    for at in range(0, len(made), _AT_ONCE):
        part = made[at : at + _AT_ONCE]
        for day in sorted({one.ended_at // 86_400_000 for one in part}):
            of_day = [one for one in part if one.ended_at // 86_400_000 == day]
            writer.insert_requests(_batch("node-1/0", of_day), f"ui-{at}-{day}")
    _keep(writer, "beats", ui_rows.beats(end_ms, ui_rows.HISTORY_S))
    _keep(writer, "loads", ui_rows.loads(end_ms))
    _keep(writer, "engines", ui_rows.engines(end_ms, ui_rows.HISTORY_S, ails=ails))
    return 1_000_000


def _keep(writer: Store, name: str, samples: Iterable[Sample]) -> None:
    """Store samples, each kind under a token of its own."""
    made = list(samples)
    for kind in sorted({type(one) for one in made}, key=lambda one: one.__name__):
        writer.insert_samples([one for one in made if type(one) is kind], f"ui-{name}-{kind.__name__}")


def _batch(collector: str, made: list[RequestRecord]) -> RequestBatch:
    ordered = sorted(made, key=lambda one: one.ended_at)
    return RequestBatch(collector=collector, seqs=tuple(range(1, len(ordered) + 1)), records=tuple(ordered))


@contextmanager
def world(folder: Path, port: int, *, ails: bool = True, is_wild: bool = True) -> Generator[Served]:
    """Run store, present and pages."""
    with StoreProcess(folder / "store") as store:
        writer = store.store("writer")
        present = Present(writer, fill(writer, ails=ails, is_wild=is_wild), ails=ails)
        served = Served(store, folder / "serve", port)
        present.start()
        try:
            served.start()
            yield served
        finally:
            served.end()
            present.end()
            writer.close()
