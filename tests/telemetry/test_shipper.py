from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from telemetry.accounting import Lane, LaneCounters
from telemetry.backoff import Backoff
from telemetry.clock import wall_ms
from telemetry.record import RequestBatch, RequestRecord
from telemetry.shipper import ERROR_CHARS_MAX, NEWEST_EVERY, Cut, Shipper
from telemetry.shipping import Caution
from telemetry.spool import Spool, SpoolLimits
from telemetry.spool_record import RequestEncoder
from telemetry.testing.memory_store import Fault, MemoryStore, sample_request

QUICK = SpoolLimits(sync_s=0.01, cursor_s=0.01, retry_s=0.05)
DAY_MS = 86_400_000
NOW_MS = wall_ms()


def shipper_of(spool: Spool, store: MemoryStore, rows_max: int = 20_000, caution: Caution | None = None) -> Shipper:
    backoff = Backoff(Random(1), 0.001, 0.002)  # noqa: S311  # seeded on purpose
    return Shipper(spool, store, backoff=backoff, cut=Cut(cut_s=0.005, rows_max=rows_max), caution=caution)


@contextmanager
def shipping(
    directory: Path, store: MemoryStore, rows_max: int = 20_000, caution: Caution | None = None
) -> Generator[tuple[Spool, Shipper]]:
    spool = Spool(directory, node="n1", limits=QUICK)
    shipper = shipper_of(spool, store, rows_max, caution)
    shipper.start()
    yield spool, shipper
    shipper.stop(0)
    spool.close()


def numbers(store: MemoryStore) -> list[int]:
    return [record.record_id.int for _, _, record in store.rows]


def requests(first: int, n: int) -> list[RequestRecord]:
    return [sample_request(first + i, NOW_MS) for i in range(n)]


def payload_of(n: int) -> bytes:
    encoded = RequestEncoder().encode(sample_request(n), wall_ms())

    assert encoded is not None
    return encoded.payload


def unreadable(n: int) -> bytes:
    """Return a payload whose last column is a text where a number of the same length stood."""
    return payload_of(n)[:-3] + b"\xa2xx"


def counters(spool: Spool) -> LaneCounters:
    found = spool.counters()["requests"]

    assert found.holds()
    return found


def test_rows_reach_the_store_once_in_order(tmp_path: Path) -> None:
    store = MemoryStore()
    with shipping(tmp_path, store) as (spool, shipper):
        for n in range(20):
            spool.append_requests(requests(n * 5, 5))

        assert shipper.stop(10) == 0
        assert counters(spool) == LaneCounters(accepted=100, stored=100)
    assert numbers(store) == list(range(100))
    assert {collector for collector, _, _ in store.rows} == {spool.collector}


@pytest.mark.parametrize(
    ("fault", "asked"),
    [
        (Fault.UNREACHABLE, False),
        (Fault.BUSY, False),
        (Fault.DENIED, False),
        (Fault.DRIFT, False),
        (Fault.AMBIGUOUS_AFTER, False),
        (Fault.AMBIGUOUS_BEFORE, False),
        (Fault.VIEW_FAILED, True),
    ],
)
def test_after_any_fault_the_same_batch_goes_again_and_is_stored_once(
    tmp_path: Path, fault: Fault, asked: bool
) -> None:
    store = MemoryStore()
    store.plan([fault, fault])
    with shipping(tmp_path, store) as (spool, shipper):
        spool.append_requests(requests(0, 10))

        assert shipper.stop(10) == 0
        assert counters(spool) == LaneCounters(accepted=10, stored=10)
        assert ("asked" in shipper.status().counts) == asked
    assert numbers(store) == list(range(10))
    assert len(set(store.tokens)) == 1
    assert len(store.tokens) == 3


def test_a_failing_view_is_never_bisected_and_gets_its_rows_once_it_is_repaired(tmp_path: Path) -> None:
    store = MemoryStore()
    store.standing = Fault.VIEW_FAILED
    with shipping(tmp_path, store) as (spool, shipper):
        spool.append_requests(requests(0, 100))
        assert store.wait_for(lambda s: len(s.tokens) > 5, 10)
        assert counters(spool) == LaneCounters(accepted=100, spooled=100)
        store.repair()

        assert shipper.stop(10) == 0
        assert shipper.status().counts["views_failed"] > 0
        assert "splits" not in shipper.status().counts
        assert counters(spool) == LaneCounters(accepted=100, stored=100)
    assert numbers(store) == list(range(100))
    assert len(set(store.tokens)) == 1


def test_a_view_that_keeps_failing_holds_nothing_up_for_ever(tmp_path: Path) -> None:
    store = MemoryStore()
    store.standing = Fault.VIEW_FAILED
    with shipping(tmp_path, store, caution=Caution(young_s_max=0.0)) as (spool, shipper):
        spool.append_requests(requests(0, 100))

        assert shipper.stop(10) == 0
        assert "splits" not in shipper.status().counts
        assert counters(spool) == LaneCounters(accepted=100, stored=100)
    assert numbers(store) == list(range(100))


def test_one_poison_row_in_4096_is_found_and_buried(tmp_path: Path) -> None:
    store = MemoryStore(poison=lambda record: record.record_id.int == 1234)
    spool = Spool(tmp_path, node="n1", limits=QUICK)
    spool.append_requests(requests(0, 4096))
    shipper = shipper_of(spool, store)
    shipper.start()

    assert shipper.stop(30) == 0
    assert len(store.tokens) <= 25
    assert counters(spool) == LaneCounters(accepted=4096, stored=4095, dlq=1)
    assert [row.code for row in spool.dlq.rows(0)] == [27]
    spool.close()


def test_a_flood_of_poison_stops_instead_of_filling_the_queue(tmp_path: Path) -> None:
    store = MemoryStore(poison=lambda _: True)
    with shipping(tmp_path, store) as (spool, shipper):
        spool.append_requests(requests(0, 50))

        assert store.wait_for(lambda s: len(s.tokens) > 40, 10)
        status = shipper.status()
        assert (status.is_flooded, status.last_error) == (True, "StorePoisonError: a row cannot be parsed")
        assert counters(spool).dlq == 5
        store.repair()
        assert (shipper.stop(10), shipper.status().is_flooded) == (0, False)
        assert counters(spool) == LaneCounters(accepted=50, stored=45, dlq=5)


def test_a_batch_holds_one_day(tmp_path: Path) -> None:
    store = MemoryStore()
    spool = Spool(tmp_path, node="n1", limits=QUICK)
    midnight = 20_000 * DAY_MS
    spool.append_requests([sample_request(n, midnight + (n % 2) * 10 - 5) for n in range(20)])
    shipper = shipper_of(spool, store)
    shipper.start()

    assert shipper.stop(10) == 0
    assert len(set(store.tokens)) == 2
    assert sorted(numbers(store)) == list(range(20))
    assert numbers(store)[:10] == list(range(0, 20, 2))
    spool.close()


def test_a_batch_frozen_by_a_process_that_died_is_asked_for_and_sent_under_its_old_id(tmp_path: Path) -> None:
    before = Spool(tmp_path, node="n1", limits=QUICK)
    before.append_requests(requests(0, 10))
    before.append_requests(requests(10, 10))
    batch = before.freeze(before.reader().cut(10))
    before.close()
    store = MemoryStore()

    with shipping(tmp_path, store) as (spool, shipper):
        assert shipper.stop(10) == 0
        assert counters(spool) == LaneCounters(accepted=20, stored=20)
        assert shipper.status().counts["asked"] == 1

    assert store.tokens[0] == batch.batch_id
    assert numbers(store) == list(range(20))


def test_a_batch_that_was_stored_before_the_process_died_is_not_sent_again(tmp_path: Path) -> None:
    before = Spool(tmp_path, node="n1", limits=QUICK)
    before.append_requests(requests(0, 10))
    rows = before.reader().cut()
    before.freeze(rows)
    store = MemoryStore(window=1)
    sent = RequestBatch(collector=before.collector, seqs=tuple(row.seq for row in rows), records=tuple(requests(0, 10)))
    store.insert_requests(sent, "a token that the window has forgotten")
    before.close()

    with shipping(tmp_path, store, caution=Caution(renew_inserts_max=0)) as (spool, shipper):
        assert shipper.stop(10) == 0
        assert counters(spool) == LaneCounters(accepted=10, stored=10)

    assert len(store.tokens) == 1
    assert numbers(store) == list(range(10))


def test_a_partly_stored_batch_is_completed_without_duplicates(tmp_path: Path) -> None:
    before = Spool(tmp_path, node="n1", limits=QUICK)
    before.append_requests(requests(0, 40))
    rows = before.reader().cut()
    before.freeze(rows)
    store = MemoryStore()
    some = RequestBatch(
        collector=before.collector, seqs=tuple(row.seq for row in rows[10:23]), records=tuple(requests(10, 13))
    )
    store.insert_requests(some, "a part that should not be")
    before.close()

    with shipping(tmp_path, store) as (spool, shipper):
        assert shipper.stop(10) == 0
        assert counters(spool) == LaneCounters(accepted=40, stored=40)
        assert shipper.status().counts["partial"] > 0

    assert sorted(numbers(store)) == list(range(40))


def test_a_spool_that_nobody_appends_to_is_drained_from_disk(tmp_path: Path) -> None:
    limits = SpoolLimits(sync_s=0.01, segment_bytes_max=8 << 10, ring_bytes_max=4 << 10)
    before = Spool(tmp_path, node="n1", limits=limits)
    for n in range(50):
        before.append_requests(requests(n * 10, 10))
    before.close()
    store = MemoryStore()

    with shipping(tmp_path, store, rows_max=30) as (spool, shipper):
        assert shipper.stop(20) == 0
        assert counters(spool) == LaneCounters(accepted=500, stored=500)

    assert sorted(numbers(store)) == list(range(500))
    assert list(tmp_path.glob("0*.seg")) == []


def test_while_a_backlog_waits_the_newest_rows_get_their_share(tmp_path: Path) -> None:
    before = Spool(tmp_path, node="n1", limits=QUICK)
    before.append_requests(requests(0, 200))
    before.close()
    store = MemoryStore()
    spool = Spool(tmp_path, node="n1", limits=QUICK)
    spool.append_requests(requests(1000, 10))
    shipper = shipper_of(spool, store, rows_max=10)
    shipper.start()

    assert shipper.stop(20) == 0
    assert numbers(store).index(1000) <= 10 * NEWEST_EVERY
    assert sorted(numbers(store)) == [*range(200), *range(1000, 1010)]
    spool.close()


def test_a_long_outage_spills_to_disk_and_catches_up(tmp_path: Path) -> None:
    limits = SpoolLimits(sync_s=0.005, segment_bytes_max=8 << 10, ring_bytes_max=8 << 10, cursor_s=0.01)
    store = MemoryStore()
    store.standing = Fault.UNREACHABLE
    spool = Spool(tmp_path, node="n1", limits=limits)
    shipper = shipper_of(spool, store, rows_max=40)
    shipper.start()
    for n in range(200):
        spool.append_requests(requests(n * 5, 5))
        spool.wait_durable(5)
    assert spool.status().behind

    store.repair()

    assert shipper.stop(20) == 0
    assert counters(spool) == LaneCounters(accepted=1000, stored=1000)
    assert sorted(numbers(store)) == list(range(1000))
    spool.close()


def test_a_stop_past_its_deadline_says_how_much_is_left_and_the_next_start_ships_it(tmp_path: Path) -> None:
    store = MemoryStore()
    store.standing = Fault.UNREACHABLE
    with shipping(tmp_path, store) as (spool, shipper):
        spool.append_requests(requests(0, 10))
        assert store.wait_for(lambda s: len(s.tokens) > 2, 10)

        assert shipper.stop(0) == 10
    store.repair()

    with shipping(tmp_path, store) as (spool, shipper):
        assert shipper.stop(10) == 0
        assert counters(spool) == LaneCounters(accepted=10, stored=10)

    assert numbers(store) == list(range(10))
    assert len(set(store.tokens)) == 1


class BrokenSink(MemoryStore):
    """A sink that breaks its promise once: it raises what is no StoreError."""

    def insert_requests(self, batch: RequestBatch, token: str) -> None:
        super().insert_requests(batch, token)
        if len(self.tokens) == 1:
            raise ValueError("x" * (ERROR_CHARS_MAX + 1))


def test_a_sink_that_breaks_its_promise_counts_as_doubt(tmp_path: Path) -> None:
    store = BrokenSink()
    with shipping(tmp_path, store) as (spool, shipper):
        spool.append_requests(requests(0, 10))

        assert shipper.stop(10) == 0
        assert shipper.status().counts["errors_doubt"] == 1
        assert shipper.status().last_error is None
    assert numbers(store) == list(range(10))


def test_a_shipper_that_never_started_stops_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path, node="n1", limits=QUICK)
    spool.append_requests(requests(0, 3))

    assert shipper_of(spool, MemoryStore()).stop(0) == 3
    spool.close()


@pytest.mark.parametrize("left", [[], [1, 2]], ids=["alone", "among others"])
def test_a_row_that_is_no_request_is_buried_and_stops_nothing(tmp_path: Path, left: list[int]) -> None:
    store = MemoryStore()
    with shipping(tmp_path, store) as (spool, shipper):
        payloads = [payload_of(n) for n in left]
        spool.append(Lane.REQUESTS, [*payloads[:1], unreadable(0), *payloads[1:]])

        assert shipper.stop(10) == 0
        assert counters(spool) == LaneCounters(accepted=1 + len(left), stored=len(left), dlq=1)
        [dead] = spool.dlq.rows(Lane.REQUESTS)
        assert dead.code is None
        assert dead.error == "no request that this version can read: Expected `int`, got `str` - at `$[65]`"
    assert numbers(store) == left
    assert shipper.status().counts.get("asked") is None


def test_too_many_rows_that_are_no_requests_stop_the_shipping(tmp_path: Path) -> None:
    store = MemoryStore()
    with shipping(tmp_path, store) as (spool, shipper):
        spool.append(Lane.REQUESTS, [unreadable(n) for n in range(5)] + [payload_of(5)])

        assert (shipper.stop(0.3), shipper.status().is_flooded) == (2, True)
        assert counters(spool) == LaneCounters(accepted=6, stored=1, dlq=3, spooled=2)
    assert numbers(store) == [5]


def test_rows_of_a_frozen_batch_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    before = Spool(tmp_path, node="n1", limits=QUICK)
    for n in range(5):
        before.append_requests(requests(n, 1))
    before.freeze(before.reader().cut())
    before.close()
    (path,) = tmp_path.glob("0*.seg")
    data = bytearray(path.read_bytes())
    data[64 + 40] ^= 1
    path.write_bytes(bytes(data))
    store = MemoryStore()

    with shipping(tmp_path, store) as (spool, shipper):
        assert shipper.stop(10) == 0
        assert counters(spool) == LaneCounters(accepted=5, stored=4, dropped={"corrupt": 1})
    assert numbers(store) == [1, 2, 3, 4]


def test_rows_older_than_the_raw_table_keeps_are_sent_and_said_so(tmp_path: Path) -> None:
    store = MemoryStore()
    with shipping(tmp_path, store) as (spool, shipper):
        spool.append_requests([sample_request(1, NOW_MS), sample_request(2, NOW_MS - 15 * DAY_MS)])

        assert shipper.stop(10) == 0
        assert shipper.status().counts["rows_past_retention"] == 1
        assert counters(spool) == LaneCounters(accepted=2, stored=2)
    assert sorted(numbers(store)) == [1, 2]


def test_two_copies_of_a_spool_never_use_the_same_id(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Spool(tmp_path / name, node="n1", limits=QUICK).close()
    for name in ("cursor.a", "cursor.b"):  # the clone of a disk
        if (tmp_path / "a" / name).exists():
            (tmp_path / "b" / name).write_bytes((tmp_path / "a" / name).read_bytes())
    store = MemoryStore()
    for name, at in (("a", 0), ("b", 10)):
        with shipping(tmp_path / name, store) as (spool, shipper):
            spool.append_requests(requests(at, 10))
            assert shipper.stop(10) == 0

    assert len(set(store.tokens)) == 2
    assert sorted(numbers(store)) == list(range(20))
