from pathlib import Path

import pytest

from collector.delivery import (
    _ADOPTED_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    Delivery,
)
from telemetry.clock import monotonic_ns, sleep
from telemetry.errors import SpoolOwnedError
from telemetry.spool import Spool
from telemetry.testing.memory_store import MemoryStore, sample_request


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
