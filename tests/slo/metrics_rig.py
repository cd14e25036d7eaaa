"""Rows of engines and GPUs, and a rule that is asked about them on a real store."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

import msgspec

from slo.rules.rule import Found, Rule
from telemetry.clock import wall_ms
from telemetry.record import RequestBatch, RequestRecord
from telemetry.samples import EngineSample, GpuRow, Heartbeat
from telemetry.schema.loads import SCALING_PROFILES
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request

NOW_S = wall_ms() // 3_600_000 * 3_600
"""A whole hour, from which the tests count back: all that they insert is kept."""


_NUMBERS = count(1_000_000)


def scrape(endpoint: str, replica: str, at_s: float, **known: object) -> EngineSample:
    plain = {"up": 1, "engine": "vllm", "model": "m", "running": 4}
    return EngineSample(
        ts=round(at_s * 1000), endpoint=endpoint, replica=replica, scrape_us=1, **plain | known  # type: ignore[arg-type]  # by name
    )  # fmt: skip


def gpu(endpoint: str, at_s: float, util: float | None, sm: float | None = None, index: int = 0) -> GpuRow:
    return GpuRow(
        ts=round(at_s * 1000), node="n1", gpu_uuid=f"GPU-{endpoint}-{index}", mig_uuid="", gpu_name="H100",
        endpoint=endpoint, replica="r0", gpu_index=index, gpu_util_ratio=util, sm_ratio=sm,
    )  # fmt: skip


def beat(collector: str, at_s: float, **known: object) -> Heartbeat:
    """A heartbeat of a collector that has lost nothing and is a second behind."""
    at_ms = round(at_s * 1000)
    plain: dict[str, object] = dict.fromkeys(Heartbeat.__struct_fields__, 0)
    plain |= {"ts": at_ms, "collector": collector, "endpoint": collector, "model": "", "workload_class": "", "boot": 1}
    plain |= {"watermark": at_ms - 1_000, "dropped_total": {}, "waiting_age_h": {}, "in_flight_age_h": {}}
    return Heartbeat(**plain | known)  # type: ignore[arg-type]  # by name


def request(endpoint: str, at_s: float, **known: object) -> RequestRecord:
    """A request that ended well, unlike any other of its endpoint."""
    at_ms, number = round(at_s * 1000), next(_NUMBERS)
    named = {"endpoint": endpoint, "record_id": UUID(int=number), "replica": "r0"}
    return msgspec.structs.replace(sample_request(number, at_ms), **named | known)


def send(writer: Store, records: Sequence[RequestRecord]) -> None:
    number = next(_NUMBERS)
    seqs = tuple(range(len(records)))
    writer.insert_requests(RequestBatch(collector=f"rig/{number}", seqs=seqs, records=tuple(records)), f"rig-{number}")


@dataclass(slots=True)
class World:
    """Rows of many endpoints, which go into the store together: an insert is on the disk before it returns."""

    requests: list[RequestRecord] = field(default_factory=list[RequestRecord])
    scrapes: list[EngineSample] = field(default_factory=list[EngineSample])
    gpus: list[GpuRow] = field(default_factory=list[GpuRow])
    profiles: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])

    def profile(self, target: str, mu_star_per_s: float | None, told: Mapping[str, object]) -> None:
        """Publish a scaling profile, for ever."""
        self.profiles.append((target, "", mu_star_per_s, 1_000, 4_102_444_800_000, json.dumps(told)))

    def insert(self, writer: Store) -> None:
        send(writer, self.requests)
        for rows in (self.scrapes, self.gpus):
            if rows:
                insert(writer, rows)
        if self.profiles:
            writer.insert_rows(SCALING_PROFILES, self.profiles, f"profiles-{next(_NUMBERS)}")


def insert(writer: Store, rows: Sequence[EngineSample] | Sequence[GpuRow] | Sequence[Heartbeat]) -> None:
    writer.insert_samples(rows, f"rig-{next(_NUMBERS)}")


def asked(reader: Store, rule: Rule, at_s: int) -> Sequence[Found]:
    return rule.judge(at_s, {name: reader.query(question) for name, question in rule.questions(at_s).items()})


def ask(reader: Store, rule: Rule, at_s: int, endpoint: str) -> dict[str, Found]:
    """What a rule finds of an endpoint, by replica."""
    found = [one for one in asked(reader, rule, at_s) if one.labels["endpoint"] == endpoint]
    return {one.labels.get("replica", ""): one for one in found}
