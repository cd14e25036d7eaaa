"""Targets over a real store, whose clock, replicas and traffic a test makes, and the loop that follows them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

import msgspec
from scaling_rig import SETTINGS

from slo.hints_acts import HintActs
from slo.hints_book import HintBook
from slo.hints_loop import LAG_S, HintLoop
from slo.hints_published import Published
from slo.hints_reader import HintReader
from slo.hints_starts import HintStarts
from slo.hints_target import Hinted
from slo.ledger import Ledger
from slo.scaling.fold import instant_s
from slo.scaling.hint import Hint
from telemetry.errors import StoreUnreachableError
from telemetry.queries.question import Question
from telemetry.record import RequestBatch, RequestRecord
from telemetry.samples import EngineSample, GpuRow, Heartbeat
from telemetry.schema.loads import SCALING_PROFILES
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request

PROFILE = {
    "run_ids": ["run_0193"], "gpus_per_replica": 4, "goodput_rps": 2.6, "prefill_tokens_per_s": 9_000,
    "step_alpha_us": 29_000, "step_beta_us": 250, "kv_capacity_tokens": 120_000, "max_num_seqs": 256,
    "mix": {"in_mean": 1_020, "out_mean": 129}, "cold_start_s": {"p50": 300, "p90": 540, "n": 5},
}  # fmt: skip


def target(name: str, endpoint: str = "") -> Hinted:
    """Return a target whose rows are those of an endpoint, by default that of its name."""
    settings = replace(SETTINGS, target=replace(SETTINGS.target, name=name))
    return Hinted(settings=settings, endpoint=endpoint or name)


class World:
    """What is seen of one target; rows are made first and inserted together, since a question sees no later ones.

    Attributes:
        name: Of target and endpoint.
        now_s: Up to where rows are made.
        up: Replicas that answer.
        down: Replicas that are asked and do not.
        rps: Arrivals.
        collects: Whether a collector is heard.
        busy: Of each GPU.
        phantom: Requests that clients gave up, which the collector still counts as waiting.
    """

    def __init__(self, name: str, at_s: int) -> None:
        self.name, self.now_s = name, at_s
        self.up, self.down, self.rps = ["r0", "r1", "r2", "r3"], list[str](), 5.0
        self.collects, self.busy, self.phantom = True, 0.6, 0
        self.scrapes, self.gpus = list[EngineSample](), list[GpuRow]()
        self.beats, self.records = list[Heartbeat](), list[RequestRecord]()
        self._total = 0

    def live(self, seconds: int) -> int:
        """Let time pass, in steps of five seconds; returns when it is."""
        for _ in range(0, seconds, 5):
            self.now_s += 5
            self._scrape(self.now_s * 1000)
            if self.collects:
                self._collect(self.now_s * 1000)
        return self.now_s

    def _scrape(self, ts: int) -> None:
        of: dict[str, Any] = {"ts": ts, "endpoint": self.name, "model": "m", "scrape_us": 1}
        at_work: dict[str, Any] = {
            "running": 8, "queued": 0, "kv_used_ratio_max": 0.3, "prefix_hits_total": 0, "prefix_queries_total": 0,
        }  # fmt: skip
        self.scrapes += [EngineSample(replica=one, up=1, **of, **at_work) for one in self.up]
        self.scrapes += [EngineSample(replica=one, up=0, **of) for one in self.down]
        self.gpus += [
            GpuRow(
                ts=ts, node="n", gpu_uuid=f"{self.name}-{one}", mig_uuid="", gpu_name="g", endpoint=self.name,
                replica=one, gpu_index=0, gpu_util_ratio=self.busy,
            )
            for one in self.up
        ]  # fmt: skip

    def _collect(self, ts: int) -> None:
        self._total += round(self.rps * 5)
        self.beats.append(
            Heartbeat(
                ts=ts,
                collector=f"rig/{self.name}",
                endpoint=self.name,
                model="m",
                workload_class="",
                boot=1,
                watermark=ts,
                seq_last=0,
                accepted_total=0,
                stored_total=0,
                dlq_total=0,
                spooled=0,
                dropped_total={},
                tee_frames_dropped_total=0,
                unparsed_conns_total=0,
                arrivals_total=self._total,
                first_outputs_total=0,
                tokens_out_total=0,
                in_flight=self.phantom,
                waiting_first=self.phantom,
                waiting_age_h={},
                in_flight_age_h={},
                loop_lag_us_max=0,
                rss_bytes=1,
                cpu_us_total=1,
                clock_offset_us=0,
            )
        )
        self.records.append(
            msgspec.structs.replace(
                sample_request(1, ts - 1),
                endpoint=self.name,
                model="m",
                record_id=uuid5(NAMESPACE_URL, f"{self.name}-{ts}"),
                tokens_in=1_020,
                tokens_out=129,
                ttft_us=400_000,
                tpot_us=10_000,
            )
        )


def inserted(writer: Store, worlds: Sequence[World]) -> None:
    """Insert what is seen of targets, and what a load test found of each."""
    token = f"worlds-{worlds[0].name}-{len(worlds)}"
    for number, rows in enumerate(
        (
            [row for one in worlds for row in one.scrapes],
            [row for one in worlds for row in one.gpus],
            [row for one in worlds for row in one.beats],
        )
    ):
        writer.insert_samples(rows, f"{token}-{number}")
    records = tuple(row for one in worlds for row in one.records)
    batch = RequestBatch(collector=f"rig/{token}", seqs=tuple(range(len(records))), records=records)
    writer.insert_requests(batch, token)
    at_ms = worlds[0].now_s * 1000
    profiles = [
        (one.name, "b", 2.6, at_ms - 3 * 86_400_000, at_ms + 20 * 86_400_000, json.dumps(PROFILE)) for one in worlds
    ]
    writer.insert_rows(SCALING_PROFILES, profiles, f"{token}-profiles")


class Clock:
    """A wall clock, and one that never steps, that a test moves."""

    def __init__(self, at_s: float) -> None:
        self.wall_s, self.elapsed_s = float(at_s), 0.0

    def to(self, at_s: float) -> None:
        """Let time pass."""
        self.elapsed_s += max(0.0, at_s - self.wall_s)
        self.wall_s = float(at_s)


class Serving:
    """One replica of the service that follows targets, with a file of its own."""

    def __init__(
        self, reader: Store, writer: Store, path: Path, targets: Sequence[Hinted], clock: Clock
    ) -> None:  # fmt: skip
        self.clock = clock
        self.ledger = Ledger(path)
        self.book = HintBook(reader, writer, [one.name for one in targets])
        self.acts = HintActs(self.ledger, self.book)
        self.starts = HintStarts(reader, writer, targets)
        self.published = Published(targets, lambda: (self.clock.wall_s, self.clock.elapsed_s))
        self.loop = HintLoop(
            targets, reader=HintReader(reader, targets), book=self.book, acts=self.acts, starts=self.starts,
            ledger=self.ledger, published=self.published,
        )  # fmt: skip

    def at(self, at_s: float) -> "Serving":
        """Let it be a time, and look at the clock, as the service does every few seconds."""
        self.clock.to(at_s)
        self.step()
        return self

    def step(self) -> bool:
        """Look at the clock; returns whether an instant was due."""
        return self.loop.step(self.clock.wall_s + LAG_S)

    def hint(self, name: str) -> Hint:
        """Return what is served now."""
        served = self.published.served(name, self.clock.wall_s)
        assert served is not None
        return served.hint

    def body(self, name: str) -> bytes:
        """Return the bytes that are served now."""
        served = self.published.served(name, self.clock.wall_s)
        assert served is not None
        return served.body


class Unreachable:
    """A store that does not answer while it is told not to."""

    def __init__(self, store: Store) -> None:
        self.store, self.is_gone = store, False

    def query(self, question: Question) -> object:
        self._look()
        return self.store.query(question)

    def insert_rows(self, *told: object) -> None:
        self._look()
        self.store.insert_rows(*told)  # type: ignore[arg-type]  # as they came

    def _look(self) -> None:
        if self.is_gone:
            raise StoreUnreachableError("gone")


def unreachable(store: Store) -> tuple[Unreachable, Store]:
    """Return a store that may be told to be gone, twice: as itself, and as what the service takes it for."""
    made = Unreachable(store)
    return made, cast("Store", made)


def aligned(unix_s: float) -> int:
    """Return a whole minute at or before a time."""
    return instant_s(unix_s) // 60 * 60
