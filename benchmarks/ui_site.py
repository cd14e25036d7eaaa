"""Knows how pages run over a fleet's store while the fleet goes on; refuses to know what is measured of them.

Store and `serve` are real processes. What happens in the fleet is stored once a second by a thread of this process.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from threading import Event, Thread
from uuid import UUID

import httpx
import msgspec

from benchmarks.store_records import records
from benchmarks.ui_world import FOLDER, MODELS, SAMPLE_S, Fleet, data
from telemetry.clock import monotonic_ns, sleep, wall_ms
from telemetry.outcome import Eligibility, Outcome
from telemetry.record import RequestBatch, RequestRecord
from telemetry.samples import EngineSample, GpuRow, Heartbeat, Sample
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

ROOT = Path(__file__).parent.parent
READY_S, CAUGHT_UP_S = 120.0, 3_600.0
"""Longest time until a server answers, and until it has counted the past and judged what it missed."""
LAG_S_MAX = 120
"""How far behind the present a server that has caught up is at most."""
_SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: chat-good}
spec:
  service: chat
  budgetingMethod: Occurrences
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{displayName: good, target: 0.97}]
  indicator:
    metadata: {name: chat-good-sli}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: inferometer, spec: {expr: "ok and ttft_s <= 2"}}}
        total: {metricSource: {type: inferometer, spec: {group_by: [endpoint]}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Pages that are served.

    Attributes:
        url: Of the server.
        pid: Of the server.
    """

    url: str
    pid: int

    def get(self, path: str, **asked: str) -> httpx.Response:
        """Ask the API."""
        return httpx.get(f"{self.url}{path}", params=asked, timeout=60)


@contextmanager
def store_of(fleet: Fleet) -> Generator[StoreProcess]:
    """Run a fleet's store and its present."""
    with StoreProcess(data(fleet)) as process, closing(process.store("writer")) as writer:
        present = _Present(writer, fleet)
        present.start()
        try:
            yield process
        finally:
            present.end()


@contextmanager
def sites(store: StoreProcess, *roots: Path) -> Generator[list[Site]]:
    """Serve pages over a store, once from each checkout of the project."""
    with ExitStack() as stack:
        yield [stack.enter_context(_site(store, at, root)) for at, root in enumerate(roots)]


@contextmanager
def _site(store: StoreProcess, at: int, root: Path) -> Generator[Site]:
    folder = FOLDER / f"serve-{at}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slo.yaml").write_text(_SLO)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = int(sock.getsockname()[1])
    secrets = store.data / "secrets"
    config = {
        "host": "127.0.0.1",
        "port": port,
        "objectives": [str(folder / "slo.yaml")],
        "ledger": str(folder / "slo.sqlite"),
        "replica": f"ui-{at}",
        "store_url": store.url,
        "reader": "reader",
        "reader_password_file": str(secrets / "store_reader"),
        "writer": "writer",
        "writer_password_file": str(secrets / "store_writer"),
    }
    argv = (sys.executable, "-m", "inferometer.serve", "--config", json.dumps(config))
    # The folder comes first on the way to modules, so each checkout serves its own.
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stderr=log)
    site = Site(url=f"http://127.0.0.1:{port}", pid=process.pid)
    try:
        for is_there, seconds in ((_answers, READY_S), (_has_caught_up, CAUGHT_UP_S)):
            end_ns = monotonic_ns() + round(seconds * 1e9)
            while not is_there(site):
                if monotonic_ns() > end_ns or process.poll() is not None:
                    raise SystemExit(f"ui: serve does not answer: {(folder / 'log').read_text()[-1000:]}")
                sleep(0.2)
        yield site
    finally:
        process.terminate()
        process.wait(30)


def _answers(site: Site) -> bool:
    with suppress(httpx.HTTPError, ValueError):
        return site.get("/v1/slos").json()["as_of"] is not None
    return False


def _has_caught_up(site: Site) -> bool:
    """Say whether nothing but the present is left to do: beside the past every figure would be of two things."""
    with suppress(httpx.HTTPError, ValueError):
        told = site.get("/v1/slos").json()
        behind_s = wall_ms() / 1000 - datetime.fromisoformat(told["as_of"]).timestamp()
        return behind_s < LAG_S_MAX and not any("counting history" in problem for problem in told["problems"])
    return False


class _Present(Thread):
    """What happens in a fleet, once a second."""

    def __init__(self, writer: Store, fleet: Fleet) -> None:
        super().__init__(daemon=True)
        self._writer, self._fleet, self._ended = writer, fleet, Event()
        self._random = Random(1)  # noqa: S311 -- no secret
        self._made = records(2_000, 0, self._random)
        self._owed = 0.0

    def run(self) -> None:
        boot = wall_ms()
        n = 0
        while not self._ended.wait(1.0):
            n, now_ms = n + 1, wall_ms()
            self._owed += self._fleet.rate_per_s
            some = [self._request(now_ms - 900 + self._random.randrange(800)) for _ in range(int(self._owed))]
            self._owed -= len(some)
            if some:
                some.sort(key=lambda one: one.ended_at)
                batch = RequestBatch(collector=f"now/{boot}", seqs=_seqs(n, len(some)), records=tuple(some))
                self._writer.insert_requests(batch, f"now-{boot}-{n}")
            self._writer.insert_samples([self._beat(at, now_ms) for at in range(self._fleet.endpoints)], f"b-{now_ms}")
            if n % SAMPLE_S == 0:
                for kind in (self._engine, self._gpu):
                    made: list[Sample] = [kind(at, now_ms) for at in range(self._fleet.endpoints)]
                    self._writer.insert_samples(made, f"{kind.__name__}-{now_ms}")

    def end(self) -> None:
        """Let nothing happen any more."""
        self._ended.set()
        self.join()

    def _request(self, ended_at: int) -> RequestRecord:
        """Return one that ended then; three of a hundred do not end well (benchmarks.ui_world)."""
        at = min(int(self._fleet.endpoints * self._random.random() ** 2), self._fleet.endpoints - 1)
        one = msgspec.structs.replace(
            self._random.choice(self._made),
            ended_at=ended_at,
            endpoint=_endpoint(at),
            model=f"model-{at % MODELS}",
            record_id=UUID(int=ended_at << 80 | 7 << 76 | 2 << 62 | self._random.getrandbits(62)),
        )
        if self._random.random() < 0.015:
            return msgspec.structs.replace(one, outcome=Outcome.SERVER_ERROR, eligible=Eligibility.BAD, e2e_us=None)
        return one

    def _beat(self, at: int, now_ms: int) -> Heartbeat:
        ends = [(one / self._fleet.endpoints) ** 0.5 for one in (at, at + 1)]
        total = int((now_ms - 1_700_000_000_000) / 1000 * self._fleet.rate_per_s * (ends[1] - ends[0]))
        return Heartbeat(
            ts=now_ms, collector=f"node-{at % 4}/00000001", endpoint=_endpoint(at), model=f"model-{at % MODELS}",
            workload_class="", boot=1, watermark=now_ms - 50, seq_last=total, accepted_total=total, stored_total=total,
            dlq_total=0, spooled=0, dropped_total={}, tee_frames_dropped_total=0, unparsed_conns_total=0,
            arrivals_total=total, first_outputs_total=total, tokens_out_total=200 * total, in_flight=4, waiting_first=1,
            waiting_age_h={}, in_flight_age_h={}, loop_lag_us_max=400, rss_bytes=64 << 20, cpu_us_total=1_000 * total,
            clock_offset_us=0,
        )  # fmt: skip

    def _engine(self, at: int, now_ms: int) -> EngineSample:
        n = now_ms // 1000 // SAMPLE_S
        return EngineSample(
            ts=now_ms, endpoint=_endpoint(at), model=f"model-{at % MODELS}", replica="10.0.0.1:8000", engine="vllm",
            up=1, scrape_us=2_000, running=8 + self._random.randrange(40), queued=self._random.randrange(6),
            kv_used_ratio=0.4, kv_used_ratio_max=0.5, prompt_tokens_total=30_000 * n, generation_tokens_total=4_000 * n,
            preemptions_total=n // 40, prefix_hits_total=9_000 * n, prefix_queries_total=30_000 * n,
        )  # fmt: skip

    def _gpu(self, at: int, now_ms: int) -> GpuRow:
        return GpuRow(
            ts=now_ms, node=f"node-{at % 4}", gpu_uuid=f"GPU-{at}", mig_uuid="", gpu_name="H100",
            endpoint=_endpoint(at), replica="10.0.0.1:8000", gpu_index=at % 8, gpu_util_ratio=0.98, sm_ratio=0.5,
            tensor_ratio=0.3, mem_used_bytes=70 << 30, mem_total_bytes=80 << 30, power_w=520.0, power_limit_w=700.0,
            sm_mhz=1_755, throttle_bits=0,
        )  # fmt: skip


def _endpoint(at: int) -> str:
    return f"endpoint-{at:02}"


def _seqs(n: int, count: int) -> tuple[int, ...]:
    return tuple(range(n * 100_000, n * 100_000 + count))
