from math import inf
from pathlib import Path
from typing import cast
from uuid import UUID

import msgspec
import pytest

from telemetry.accounting import Lane
from telemetry.clock import monotonic_ns, sleep, wall_ms
from telemetry.delivery import (
    _ADOPTED_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    LANES,
    Delivery,
)
from telemetry.errors import SpoolOwnedError
from telemetry.queries import Question
from telemetry.samples import SAMPLES, ClockEvent, EngineHistogram, EngineSample, GpuRow, ProbeResult, Sample, SetAside
from telemetry.spool import Spool
from telemetry.store import Store
from telemetry.testing.memory_store import Fault, MemoryStore, sample_request


def left_behind(directory: Path, n: int) -> None:
    spool = Spool(directory, node="gone")
    spool.append_requests([sample_request(n)])
    spool.close()


def test_records_are_shipped_before_the_end(tmp_path: Path) -> None:
    store = MemoryStore()
    delivery = Delivery(tmp_path / "own", node="n", sink=store)
    delivery.append([sample_request(1), sample_request(2)])

    assert delivery.close(10) == 0
    assert len(store.rows) == 2
    assert store.closed_n == 2  # once by each of its threads, or their connections would stay
    assert delivery.shipping_events()["batches_stored"] == 1
    assert delivery.spool_events() == {}


def test_without_a_store_records_wait_in_the_spool(tmp_path: Path) -> None:
    delivery = Delivery(tmp_path / "own", node="n", sink=None)
    delivery.append([sample_request(1)])

    assert delivery.lanes()["requests"].spooled == 1
    assert delivery.shipping_events() == {}
    assert delivery.adopt() == 0
    assert delivery.close(10) == 1


def test_records_of_an_earlier_life_are_shipped_by_the_next(tmp_path: Path) -> None:
    left_behind(tmp_path / "own", 1)
    store = MemoryStore()

    assert Delivery(tmp_path / "own", node="n", sink=store).close(10) == 0
    assert len(store.rows) == 1


def test_spools_without_an_owner_are_drained_and_let_go(tmp_path: Path) -> None:
    for n in range(_ADOPTED_MAX + 1):
        left_behind(tmp_path / f"gone{n}", n)
    store = MemoryStore()
    delivery = Delivery(tmp_path / "own", node="n", sink=store)

    assert delivery.adopt() == _ADOPTED_MAX
    while delivery.adopt():
        store.wait_for(lambda _: False, 0.01)
    delivery.close(10)

    assert len(store.rows) == _ADOPTED_MAX + 1


def test_a_spool_that_is_being_drained_is_closed_with_the_rest(tmp_path: Path) -> None:
    left_behind(tmp_path / "gone", 1)
    delivery = Delivery(tmp_path / "own", node="n", sink=MemoryStore())
    delivery.adopt()
    delivery.close(10)

    Spool(tmp_path / "gone", node="n").close()  # Nobody owns it any more.


def test_a_spool_that_another_owns_is_refused_as_own_and_left_alone_as_orphan(tmp_path: Path) -> None:
    owned = Spool(tmp_path / "taken", node="n")
    owned.append_requests([sample_request(1)])
    with pytest.raises(SpoolOwnedError):
        Delivery(tmp_path / "taken", node="n", sink=None)
    delivery = Delivery(tmp_path / "own", node="n", sink=MemoryStore())

    assert delivery.adopt() == 0
    delivery.close(10)
    owned.close()


def test_beyond_its_quota_the_spool_drops_and_counts(tmp_path: Path) -> None:
    left_behind(tmp_path / "own", 1)
    delivery = Delivery(tmp_path / "own", node="n", sink=None, bytes_max=1)
    end_ns = monotonic_ns() + 10 * 10**9
    while not delivery.lanes()["requests"].dropped and monotonic_ns() < end_ns:
        sleep(0.05)
    lane = delivery.lanes()["requests"]
    delivery.close(0)

    assert (lane.accepted, lane.spooled, dict(lane.dropped)) == (1, 0, {"quota": 1})


def listed(value: object) -> object:
    """The value as the store gives it back."""
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def test_samples_of_every_lane_reach_a_real_store(tmp_path: Path, writer: Store, reader: Store) -> None:
    now_ms = wall_ms()
    delivery = Delivery(tmp_path / "own", node="n", sink=writer, lanes=LANES)
    samples: list[Sample] = [
        EngineSample(ts=now_ms, endpoint="e", replica="r", up=1, scrape_us=900, running=3, success_total={"stop": 2}),
        EngineHistogram(ts=now_ms, endpoint="e", replica="r", metric="ttft", le=(0.1, inf), cumulative=(1, 2), sum=0.5),
        GpuRow(
            ts=now_ms,
            node="n",
            gpu_uuid="u",
            mig_uuid="",
            gpu_name="H",
            endpoint="e",
            replica="r",
            gpu_index=0,
            power_w=70.5,
            missing=("xid: no_data",),
        ),
        ProbeResult(ts=now_ms, target="t", probe="p", outcome="ok", ok=1, record_id=UUID(int=7), detail={"a": "b"}),
    ]
    delivery.append_samples(samples)
    delivery.append([sample_request(1, now_ms)])

    assert delivery.close(30) == 0
    for sample in samples:
        table = SAMPLES[type(sample)].table.name
        (row,) = reader.query(Question(sql="SELECT * FROM {table:Identifier}", parameters={"table": table}))
        columns = {name: listed(value) for name, value in msgspec.structs.asdict(sample).items() if name != "ts"}

        assert columns == {name: row[name] for name in columns}


def test_a_step_of_the_clock_reaches_a_real_store(tmp_path: Path, writer: Store, reader: Store) -> None:
    delivery = Delivery(tmp_path / "own", node="stepped", sink=writer)
    now_ms = wall_ms()
    step = ClockEvent(
        ts=now_ms,
        collector=delivery.collector,
        step_us=-3_600_000_000,
        wall_before=now_ms + 3_600_000,
        wall_after=now_ms,
    )
    delivery.append_samples([step])
    columns = ", ".join(f"toUnixTimestamp64Milli({name}) AS {name}_ms" for name in ("ts", "wall_before", "wall_after"))
    asked = f"SELECT {columns}, step_us FROM clock_events WHERE collector = {{name:String}}"  # noqa: S608 -- our own names

    assert delivery.close(30) == 0
    assert reader.query(Question(sql=asked, parameters={"name": delivery.collector})) == [
        {"ts_ms": now_ms, "wall_before_ms": now_ms + 3_600_000, "wall_after_ms": now_ms, "step_us": -3_600_000_000}
    ]


def test_samples_that_may_be_stored_are_sent_again_under_their_token(tmp_path: Path) -> None:
    store = MemoryStore()
    store.plan([Fault.AMBIGUOUS_AFTER, Fault.AMBIGUOUS_BEFORE])
    delivery = Delivery(tmp_path / "own", node="n", sink=store, lanes=LANES)
    delivery.append_samples([ProbeResult(ts=wall_ms(), target="t", probe="p", outcome="ok", ok=1)])

    assert delivery.close(30) == 0
    assert len(store.samples) == 1
    assert len(set(store.tokens)) == 1
    assert len(store.tokens) > 1


def test_a_sample_that_cannot_be_read_is_buried_and_stops_nothing(tmp_path: Path) -> None:
    store, directory = MemoryStore(), tmp_path / "left"
    spool = Spool(directory, node="gone")
    spool.append(Lane.GPU, [b"rubbish"])
    spool.append_samples([ProbeResult(ts=wall_ms(), target="t", probe="p", outcome="ok", ok=1)])
    spool.close()
    delivery = Delivery(directory, node="n", sink=store, lanes=LANES)

    assert delivery.close(30) == 0
    assert delivery.shipping_events()["batches_dlq"] == 1
    results = [one for one in store.samples if isinstance(one, ProbeResult)]
    (index,) = (one for one in store.samples if isinstance(one, SetAside))
    assert len(results) == 1
    assert (index.lane, index.state, index.bytes, index.collector) == ("gpu", "new", 7, delivery.collector)
