"""A batch that is found stored is sent once more: a store that died in between may have left its views behind."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from telemetry.accounting import LaneCounters
from telemetry.backoff import Backoff
from telemetry.clock import wall_ms
from telemetry.record import RequestBatch
from telemetry.shipper import Cut, Shipper
from telemetry.shipping import Caution
from telemetry.spool import Spool
from telemetry.spool_format import Batch
from telemetry.testing.memory_store import Fault, MemoryStore, sample_request

RECORDS = tuple(sample_request(n, wall_ms()) for n in range(10))


def left_behind(directory: Path, store: MemoryStore) -> Batch:
    """Let a process store a batch under its token and die before it knew."""
    spool = Spool(directory, node="n1")
    spool.append_requests(RECORDS)
    rows = spool.reader().cut()
    batch = spool.freeze(rows)
    seqs = tuple(row.seq for row in rows)
    store.insert_requests(RequestBatch(collector=spool.collector, seqs=seqs, records=RECORDS), batch.batch_id)
    spool.close()
    return batch


@contextmanager
def shipping(directory: Path, store: MemoryStore, caution: Caution) -> Generator[tuple[Spool, Shipper]]:
    spool = Spool(directory, node="n1")
    backoff = Backoff(Random(1), 0.001, 0.002)  # noqa: S311  # seeded on purpose
    shipper = Shipper(spool, store, backoff=backoff, cut=Cut(cut_s=0.005), caution=caution)
    shipper.start()
    yield spool, shipper
    shipper.stop(0)
    spool.close()


def others(store: MemoryStore, n: int) -> None:
    for seq in range(n):
        store.insert_requests(
            RequestBatch(collector="other/0", seqs=(seq,), records=(sample_request(100 + seq),)), f"other {seq}"
        )


@pytest.mark.parametrize(("inserts", "renewed"), [(4, True), (5, False)], ids=["at the bound", "one insert more"])
def test_a_stored_batch_is_sent_again_while_its_token_is_known_for_certain(
    tmp_path: Path, inserts: int, renewed: bool
) -> None:
    store = MemoryStore()
    batch = left_behind(tmp_path, store)
    others(store, inserts)

    with shipping(tmp_path, store, Caution(renew_inserts_max=5)) as (spool, shipper):
        assert shipper.stop(10) == 0
        assert spool.counters()["requests"] == LaneCounters(accepted=10, stored=10)
        assert shipper.status().counts.get("renewed", 0) == renewed

    assert store.tokens.count(batch.batch_id) == 1 + renewed
    assert len(store.rows) == 10 + inserts


def test_a_view_that_keeps_failing_holds_a_renewed_batch_up_only_once(tmp_path: Path) -> None:
    store = MemoryStore()
    batch = left_behind(tmp_path, store)
    store.standing = Fault.AMBIGUOUS_AFTER

    with shipping(tmp_path, store, Caution()) as (spool, shipper):
        assert shipper.stop(10) == 0
        assert spool.counters()["requests"] == LaneCounters(accepted=10, stored=10)
        assert shipper.status().counts["asked"] == 2

    assert store.tokens == [batch.batch_id] * 2
    assert len(store.rows) == 10
