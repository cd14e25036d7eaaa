"""A store of its own with a past that is known: one endpoint, an hour of requests, heartbeats all the time."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import panel_past
from query_store import Stored

from dashboards.panels import PANELS
from slo.panel_asked import PanelAsked
from slo.panel_desk import PanelDesk
from slo.panel_documents import Documented
from slo.panel_shown import Answer
from telemetry.clock import wall_ms
from telemetry.ids import uuid7
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestBatch, RequestRecord
from telemetry.samples import Heartbeat
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

MINUTES = 60
PER_MINUTE = 60


def records(end_ms: int, endpoint: str = "chat", seed: int = 7) -> list[RequestRecord]:
    """Return requests of the hour before an instant: one a second, one in fifty fails."""
    random = Random(seed)  # noqa: S311 -- a past, no secret
    made: list[RequestRecord] = []
    for n in range(MINUTES * PER_MINUTE):
        ended_at = end_ms - (MINUTES * PER_MINUTE - n) * 1000 + 500
        ttft_us = int(random.lognormvariate(12, 0.6))
        one = msgspec.structs.replace(
            sample_request(n, ended_at), endpoint=endpoint, record_id=UUID(int=n + 1), ttft_us=ttft_us, ttfo_us=ttft_us,
            replica=f"10.0.0.{n % 3}:8000", elapsed_us=ttft_us + 400_000, e2e_us=ttft_us + 400_000,
        )  # fmt: skip
        if n % 50 == 0:
            one = msgspec.structs.replace(
                one,
                outcome=Outcome.STREAM_ERROR,
                eligible=Eligibility.BAD,
                phase=Phase.STREAMING,
                in_stream=1,
                e2e_us=None,
            )
        made.append(one)
    return made


def beats(end_ms: int, endpoint: str = "chat", collector: str = "node/1") -> list[Heartbeat]:
    """Return a heartbeat for every ten seconds of that hour."""
    return [
        Heartbeat(
            ts=at_ms, collector=collector, endpoint=endpoint, model="", workload_class="", boot=1,
            watermark=at_ms - 1_000, seq_last=1, accepted_total=n, stored_total=n, dlq_total=0, spooled=0,
            dropped_total={}, tee_frames_dropped_total=0, unparsed_conns_total=0, arrivals_total=10 * n,
            first_outputs_total=10 * n, tokens_out_total=0, in_flight=2, waiting_first=1, waiting_age_h={},
            in_flight_age_h={}, loop_lag_us_max=100, rss_bytes=50 << 20, cpu_us_total=1_000 * n, clock_offset_us=5,
        )
        for n, at_ms in enumerate(range(end_ms - 3_600_000, end_ms + 1, 10_000))
    ]  # fmt: skip


def fill(writer: Store, end_ms: int, endpoint: str = "chat") -> None:
    """Store the hour before an instant."""
    made = records(end_ms, endpoint)
    batch = RequestBatch(collector=f"node/{endpoint}", seqs=tuple(range(1, len(made) + 1)), records=tuple(made))
    writer.insert_requests(batch, f"panel-{endpoint}")
    writer.insert_samples(beats(end_ms, endpoint), f"panel-beats-{endpoint}")


END_MS = wall_ms() // 60_000 * 60_000 - 60_000
"""Where the hour ends: a whole minute, so that every roll-up fits."""
ENDPOINT = "chat"
FULL = "full"
"""An endpoint of which everything is known."""
Json = dict[str, Any]


class PanelRig:
    """A store with that hour, and what answers panels from it.

    Args:
        folder: Where the store's directory will be.
    """

    def __init__(self, folder: Path) -> None:
        self.process = StoreProcess(folder / "panels")
        self.reader, self.writer = self.process.store("reader"), self.process.store("writer")
        fill(self.writer, END_MS)
        fill(self.writer, END_MS, FULL)
        self.stored = Stored(records=(), reader=self.reader, writer=self.writer, process=self.process)
        panel_past.fill(self.stored, records(END_MS, FULL), END_MS, FULL)
        self.now_ms = END_MS
        self.desk = PanelDesk(PANELS, self.reader, lambda _document, _asked: Documented(), lambda: self.now_ms)

    def with_id(self) -> str:
        """Store a request whose id is one of ours, and return that."""
        found = uuid7(END_MS, 1)
        one = msgspec.structs.replace(records(END_MS, "one")[1], record_id=found, model="usual", ended_at=END_MS - 1)
        self.stored.insert("node/one", [one])
        return str(found)

    def ask(self, panel_id: str, **asked: Any) -> Answer:  # noqa: ANN401 -- what a panel may be asked
        """Return what a panel answers."""
        panel = self.desk.find(panel_id)
        assert panel is not None
        return self.desk.answer(self.desk.aim(panel, PanelAsked.model_validate(asked)))


@contextmanager
def panel_rig(folder: Path) -> Generator[PanelRig]:
    """Run one."""
    rig = PanelRig(folder)
    try:
        yield rig
    finally:
        rig.process.end()
