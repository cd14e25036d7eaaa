"""Shows what is left to chance elsewhere: a view that fails behind its table, and a token that the store forgot.

Source: spec/store.md 4.1 (a failing view does not undo the insert), 10.5, 10.6, 10.8, 15 (case 9).
"""

import os
import signal
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random

import pytest
from bare_store import bare_store, client, count, port_of

from telemetry.accounting import LaneCounters
from telemetry.backoff import Backoff
from telemetry.clock import sleep, wall_ms
from telemetry.record import RequestBatch
from telemetry.shipper import Cut, Shipper
from telemetry.shipping import Caution
from telemetry.spool import Spool
from telemetry.store import Store
from telemetry.testing.fault_proxy import Fault, FaultProxy
from telemetry.testing.memory_store import sample_request

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

WINDOW = 5
OTHERS = WINDOW + 3
"""Inserts after which a token is forgotten for certain."""
CAREFUL = Caution(young_s_max=0.0, renew_inserts_max=WINDOW // 2)


@contextmanager
def shipping(directory: Path, store: Store, caution: Caution | None = None) -> Generator[tuple[Spool, Shipper]]:
    spool = Spool(directory, node="n1")
    backoff = Backoff(Random(1), 0.05, 0.1)  # noqa: S311  # seeded on purpose
    shipper = Shipper(spool, store, backoff=backoff, cut=Cut(cut_s=0.01), caution=caution)
    try:
        yield spool, shipper
    finally:
        shipper.stop(0)
        spool.close()


def wait_for(holds: Callable[[], bool]) -> None:
    for _ in range(400):
        if holds():
            return
        sleep(0.05)
    raise AssertionError("it did not come")


TARGET = (
    "CREATE TABLE IF NOT EXISTS inferometer.seen (n UInt64) ENGINE = MergeTree ORDER BY n "
    "SETTINGS non_replicated_deduplication_window = 100"
)
FAILING = {
    # toUInt64 of a model's name is error 6, one of those that look like a poison row; throwIf is error 395.
    "as a poison row does": "SELECT toUInt64(toString(model)) AS n FROM inferometer.requests",
    "in its own way": "SELECT throwIf(elapsed_us > 0) AS n FROM inferometer.requests",
}
REPAIRED = "ALTER TABLE inferometer.seen_from_requests MODIFY QUERY SELECT elapsed_us AS n FROM inferometer.requests"


@pytest.mark.parametrize("query", FAILING.values(), ids=FAILING)
def test_a_view_that_fails_gets_its_rows_once_when_it_is_repaired(tmp_path: Path, query: str) -> None:
    data = tmp_path / "data"
    view = "CREATE MATERIALIZED VIEW inferometer.seen_from_requests TO inferometer.seen AS " + query
    with ExitStack() as held:
        with bare_store(data, TARGET, view) as (url, _):
            writer = held.enter_context(closing(client(url, data, "writer")))
            spool, shipper = held.enter_context(shipping(tmp_path / "spool", writer))
            spool.append_requests([sample_request(n, wall_ms()) for n in range(100)])
            shipper.start()
            wait_for(lambda: shipper.status().counts.get("sends", 0) > 3)

            assert (count(url, data, "requests"), count(url, data, "seen")) == (100, 0)
            assert "splits" not in shipper.status().counts
            assert spool.counters()["requests"] == LaneCounters(accepted=100, spooled=100)

        with bare_store(data, REPAIRED, port=port_of(url)):
            assert shipper.stop(20) == 0
            assert spool.counters()["requests"] == LaneCounters(accepted=100, stored=100)
            assert (count(url, data, "requests"), count(url, data, "seen")) == (100, 100)


SLOW = "SELECT elapsed_us + sleep(3) AS n FROM inferometer.requests"


def test_rows_that_a_killed_store_kept_from_its_views_reach_them_after_all(tmp_path: Path) -> None:
    data = tmp_path / "data"
    view = "CREATE MATERIALIZED VIEW inferometer.seen_from_requests TO inferometer.seen AS " + SLOW
    with (
        bare_store(data, TARGET, view) as (url, pid),
        closing(client(url, data, "writer")) as writer,
        shipping(tmp_path / "spool", writer) as (spool, shipper),
    ):
        spool.append_requests([sample_request(n, wall_ms()) for n in range(100)])
        shipper.start()
        wait_for(lambda: count(url, data, "requests") == 100)
        os.kill(pid, signal.SIGKILL)

    with bare_store(data, REPAIRED) as (url, _), closing(client(url, data, "writer")) as writer:
        assert (count(url, data, "requests"), count(url, data, "seen")) == (100, 0)
        with shipping(tmp_path / "spool", writer) as (spool, shipper):
            shipper.start()

            assert shipper.stop(20) == 0
            assert shipper.status().counts["renewed"] == 1
            assert spool.counters()["requests"] == LaneCounters(accepted=100, stored=100)
        assert (count(url, data, "requests"), count(url, data, "seen")) == (100, 100)


SMALL_WINDOW = f"ALTER TABLE inferometer.requests MODIFY SETTING non_replicated_deduplication_window = {WINDOW}"


def batch(first: int, n: int = 1) -> RequestBatch:
    records = tuple(sample_request(1000 + first + at, wall_ms()) for at in range(n))
    return RequestBatch(collector="other/00000000", seqs=tuple(range(first, first + n)), records=records)


def test_a_token_that_was_forgotten_is_asked_for_and_not_stored_twice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with bare_store(data, SMALL_WINDOW) as (url, _), closing(client(url, data, "writer")) as others:
        again = batch(1)

        def others_insert(first: int) -> None:
            for seq in range(first, first + OTHERS):
                others.insert_requests(batch(seq), f"other-{seq}")

        others.insert_requests(again, "forgotten")
        others_insert(100)
        others.insert_requests(again, "forgotten")
        assert others.count_requests(again) == 2, "the window holds more than it should, so nothing is shown here"

        seen: list[bytes] = []

        def choice(request: bytes) -> Fault:
            if b"INSERT" in request:
                seen.append(request)
                return Fault.RESET_AFTER if len(seen) == 1 else Fault.NONE
            if b"arrayExists" in request:  # the question: the token has been pushed out by now
                others_insert(200)
            return Fault.NONE

        address = ("127.0.0.1", port_of(url))
        with (
            FaultProxy(address, choice) as proxy,
            closing(client(proxy.url, data, "writer")) as writer,
            shipping(tmp_path / "spool", writer, Caution(young_s_max=0.0, renew_inserts_max=WINDOW // 2)) as (
                spool,
                shipper,
            ),
        ):
            spool.append_requests([sample_request(n, wall_ms()) for n in range(100)])
            shipper.start()

            assert shipper.stop(20) == 0
            assert (shipper.status().counts["sends"], shipper.status().counts["asked"]) == (1, 1)
            assert spool.counters()["requests"] == LaneCounters(accepted=100, stored=100)
        assert count(url, data, "requests WHERE collector LIKE 'n1/%'") == 100
