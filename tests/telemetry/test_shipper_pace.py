"""How a shipper gives way to a store that has too many parts."""

from pathlib import Path
from random import Random

from telemetry.accounting import LaneCounters
from telemetry.backoff import Backoff
from telemetry.errors import StoreAmbiguousError
from telemetry.record import RequestBatch
from telemetry.shipper import TOO_MANY_PARTS, Cut, Shipper
from telemetry.spool import Spool
from telemetry.testing.memory_store import MemoryStore, sample_request

CUT_S = 0.005


class CrowdedStore(MemoryStore):
    """A store that has too many parts for the first three inserts."""

    def insert_requests(self, batch: RequestBatch, token: str) -> None:
        self.tokens.append(token)
        if len(self.tokens) <= 3:
            raise StoreAmbiguousError("Too many parts", TOO_MANY_PARTS)
        super().insert_requests(batch, token)


def test_too_many_parts_make_batches_rarer_until_the_store_takes_them_again(tmp_path: Path) -> None:
    spool, store = Spool(tmp_path, node="n1"), CrowdedStore()
    shipper = Shipper(spool, store, backoff=Backoff(Random(1), 0.001, 0.002), cut=Cut(cut_s=CUT_S))  # noqa: S311  # seeded on purpose
    spool.append_requests([sample_request(n) for n in range(10)])
    shipper.start()

    assert shipper.stop(10) == 0
    assert shipper.status().counts["too_many_parts"] == 3
    assert shipper.status().cut_s == CUT_S * 2**3 / 2  # doubled three times, halved once
    assert spool.counters()["requests"] == LaneCounters(accepted=10, stored=10)
    assert len(store.rows) == 10
    spool.close()
