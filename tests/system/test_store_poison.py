"""Shows that a record which no store can take costs only itself, and comes back after the repair.

Source: spec/store.md 10.8, 11.6, 11.7, 15 (cases 10, 14).
"""

from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from uuid import UUID

import msgspec
import pytest
from bare_store import bare_store, client, count

from inferometer import dead_letters
from inferometer.data_directory import DataDirectory
from telemetry.accounting import Lane, LaneCounters
from telemetry.backoff import Backoff
from telemetry.clock import wall_ms
from telemetry.queries import Question
from telemetry.record import RequestRecord
from telemetry.shipper import Cut, Shipper
from telemetry.spool import Spool
from telemetry.spool_record import FUTURE_MS_MAX, LABEL_BYTES_MAX, RequestEncoder
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

INSERTS_MAX = 25
"""For one bad row in 4096: spec/store.md 15, case 10."""
YEAR_2106_MS = 4_295_000_000_000


@contextmanager
def shipping(directory: Path, store: Store) -> Generator[tuple[Spool, Shipper]]:
    spool = Spool(directory, node="n1")
    shipper = Shipper(spool, store, backoff=Backoff(Random(1), 0.001, 0.01), cut=Cut(cut_s=0.01))  # noqa: S311  # seeded on purpose
    try:
        yield spool, shipper
    finally:
        shipper.stop(0)
        spool.close()


def row(n: int, **changes: object) -> RequestRecord:
    fields = {"finish_reason": "7", **changes}
    return msgspec.structs.replace(sample_request(n, wall_ms() - 1000), **fields)


def encoded(record: RequestRecord, now_ms: int) -> bytes:
    found = RequestEncoder().encode(record, now_ms)

    assert found is not None
    return found.payload


def test_one_poison_row_in_4096_is_found_and_comes_back_after_the_repair(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path / "data")
    # A column whose default fails for one row: error 6, before anything is stored.
    poisoned = "ALTER TABLE inferometer.requests ADD COLUMN n UInt64 DEFAULT toUInt64(toString(finish_reason))"
    with bare_store(data.root, poisoned) as (url, _), closing(client(url, data.root, "writer")) as writer:
        with shipping(data.spool / "n1", writer) as (spool, shipper):
            spool.append_requests([row(n, finish_reason="stop" if n == 1234 else "7") for n in range(4096)])
            shipper.start()

            assert shipper.stop(60) == 0
            assert shipper.status().counts["sends"] <= INSERTS_MAX
            assert spool.counters()["requests"] == LaneCounters(accepted=4096, stored=4095, dlq=1)
        assert count(url, data.root, "requests") == 4095
        [letter] = dead_letters.listed(data)
        assert letter.code == 6
        assert dead_letters.replay(data, writer).stored == ()

    repaired = "ALTER TABLE inferometer.requests DROP COLUMN n"
    with bare_store(data.root, repaired) as (url, _), closing(client(url, data.root, "writer")) as writer:
        assert dead_letters.replay(data, writer).stored == (letter.id,)
        assert count(url, data.root, "requests") == 4096
        assert count(url, data.root, "(SELECT DISTINCT collector, seq FROM requests)") == 4096
        spool = Spool(data.spool / "n1", node="n1")
        spool.recover()
        assert spool.counters()["requests"] == LaneCounters(accepted=4096, stored=4096)
        spool.close()


def poison() -> dict[str, bytes]:
    """Payloads as a faulty version could have left them in the spool."""
    good = encoded(row(5000), wall_ms())
    model = row(0).model.encode()
    return {
        "a lone surrogate": good.replace(model, b"\xed\xa0\x80".ljust(len(model), b"x")),
        "the year 2106": encoded(row(0, ended_at=YEAR_2106_MS), YEAR_2106_MS),
        "a text for a number": good[:-3] + b"\xa2xx",
        "a short trace id": good.replace(b"\xc4\x10" + bytes(16), b"\xc4\x0e" + bytes(14)),
        "no number for a number": good[:-3] + b"\xca\x7f\xc0\x00\x00",
    }


def test_poison_that_is_in_the_spool_is_buried_with_its_reason_and_its_neighbours_are_stored(tmp_path: Path) -> None:
    bad = poison()
    with StoreProcess(tmp_path / "data") as process, closing(process.store("writer")) as writer:
        with shipping(tmp_path / "data" / "spool" / "n1", writer) as (spool, shipper):
            spool.append(Lane.REQUESTS, [encoded(row(n), wall_ms()) for n in range(500)])
            spool.append(Lane.REQUESTS, list(bad.values()))
            spool.append(Lane.REQUESTS, [encoded(row(n), wall_ms()) for n in range(500, 1000)])
            shipper.start()

            assert shipper.stop(60) == 0
            reasons = {name: letter.error for name, letter in zip(bad, spool.dlq.rows(Lane.REQUESTS), strict=True)}
            print(reasons)
            assert spool.counters()["requests"] == LaneCounters(accepted=1000 + len(bad), stored=1000, dlq=len(bad))
        assert count(process.url, process.data, "requests") == 1000
    assert all(reasons.values())


def test_at_the_edge_hostile_records_are_repaired_counted_and_found_by_parameter(tmp_path: Path) -> None:
    names = ["a\ud800b", "nul\x00", "' OR 1=1 --", "\u202egnp.exe", "x" * 10_000_000]
    clean = ["a?b", "nul?", "' OR 1=1 --", "?gnp.exe", "x" * LABEL_BYTES_MAX]
    with StoreProcess(tmp_path / "data") as process, closing(process.store("writer")) as writer:
        with shipping(tmp_path / "spool", writer) as (spool, shipper):
            spool.append_requests([row(n, model=name) for n, name in enumerate(names)])
            spool.append_requests([row(10, ttft_us=float("nan")), row(11, ended_at=wall_ms() + FUTURE_MS_MAX * 2)])
            spool.append_requests([row(12, ended_at=YEAR_2106_MS), row(13, elapsed_us="soon")])
            shipper.start()

            assert shipper.stop(60) == 0
            assert spool.status().faults["repaired"] == 7  # all but the quotes and the one that was refused
            assert spool.counters()["requests"] == LaneCounters(accepted=9, stored=8, dropped={"invalid": 1})
        with closing(process.store("reader")) as reader:
            found = [reader.query(Question(sql=BY_MODEL, parameters={"model": name})) for name in clean]
            flags = reader.query(Question(sql=FLAGS))

    assert [[{"n": 1}]] * len(clean) == found
    assert [{"record_id": UUID(int=11)}, {"record_id": UUID(int=12)}] == flags


BY_MODEL = "SELECT count() AS n FROM inferometer.requests WHERE model = {model:String}"
FLAGS = "SELECT record_id FROM inferometer.requests WHERE bitTest(flags, 2) AND ended_at <= now64(3) ORDER BY record_id"
