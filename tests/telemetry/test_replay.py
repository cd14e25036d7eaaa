from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from telemetry.accounting import DLQ, Lane, LaneCounters
from telemetry.clock import wall_ms
from telemetry.dlq import DeadRow
from telemetry.record import RequestBatch
from telemetry.replay import replayed
from telemetry.samples import ProbeResult, SetAside
from telemetry.spool import Spool
from telemetry.testing.memory_store import Fault, MemoryStore, sample_request

NOW_MS = wall_ms()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """A spool both of whose rows are dead."""
    made = Spool(tmp_path, node="n1")
    made.append_requests([sample_request(n, NOW_MS) for n in range(2)])
    rows = made.reader().cut()
    made.dlq.add([DeadRow(row.seq, Lane.REQUESTS, "batch.1", 27, "cannot parse", row.payload, 0) for row in rows])
    made.settle(made.freeze(rows), DLQ)
    yield made
    made.close()


def offered(spool: Spool, store: MemoryStore) -> dict[int, str | None]:
    return replayed(spool.dlq, spool.dlq.rows(Lane.REQUESTS), spool.collector, store)


def test_what_the_store_takes_leaves_the_queue_and_counts_as_stored(spool: Spool) -> None:
    store = MemoryStore()

    assert offered(spool, store) == {1: None, 2: None}
    assert spool.counters()["requests"] == LaneCounters(accepted=2, stored=2)
    assert [(collector, seq) for collector, seq, _ in store.rows] == [(spool.collector, 1), (spool.collector, 2)]


def test_what_the_store_still_refuses_stays_with_its_words_and_its_attempts(spool: Spool) -> None:
    store = MemoryStore(poison=lambda record: record.record_id.int == 1)

    assert offered(spool, store) == {1: None, 2: "a row cannot be parsed"}
    assert [(row.seq, row.attempts) for row in spool.dlq.rows(Lane.REQUESTS)] == [(2, 1)]
    assert spool.counters()["requests"] == LaneCounters(accepted=2, stored=1, dlq=1)
    assert spool.counters()["requests"].holds()


def test_a_replay_that_died_before_its_note_does_not_store_twice(spool: Spool) -> None:
    store = MemoryStore(window=1)
    sent = RequestBatch(collector=spool.collector, seqs=(1,), records=(sample_request(0, NOW_MS),))
    store.insert_requests(sent, "batch.1-replay-1")
    store.insert_requests(RequestBatch(collector="other", seqs=(9,), records=(sample_request(9),)), "beyond the window")

    assert offered(spool, store) == {1: None, 2: None}
    assert sorted(seq for _, seq, _ in store.rows) == [1, 2, 9]


def test_a_lost_answer_is_answered_by_the_next_replay(spool: Spool) -> None:
    store = MemoryStore()
    store.plan([Fault.AMBIGUOUS_AFTER])

    assert offered(spool, store) == {1: "ambiguous_after", 2: None}
    assert offered(spool, store) == {1: None}
    assert sorted(seq for _, seq, _ in store.rows) == [1, 2]


def test_a_row_that_cannot_be_read_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path, node="n1")
    spool.dlq.add([DeadRow(7, Lane.REQUESTS, "batch", None, "unreadable", b"\xc0\xc0", 0)])

    assert offered(spool, MemoryStore()) == {
        7: "no request that this version can read: MessagePack data is malformed: trailing characters (byte 1)"
    }
    assert [row.attempts for row in spool.dlq.rows(Lane.REQUESTS)] == [1]
    spool.close()


def test_samples_are_offered_again_too_and_the_store_is_told(tmp_path: Path) -> None:
    with closing(Spool(tmp_path, node="n1")) as spool:
        spool.append_samples([ProbeResult(ts=NOW_MS, target="t", probe="p", outcome="ok", ok=1)])
        rows = spool.reader(Lane.PROBES).cut()
        spool.dlq.add([DeadRow(row.seq, Lane.PROBES, "batch.2", 27, "no", row.payload, 0) for row in rows])
        store = MemoryStore()
        said = replayed(spool.dlq, spool.dlq.rows(Lane.PROBES), spool.collector, store)
        result, index = store.samples

        assert said == {1: None}
        assert isinstance(result, ProbeResult)
        assert isinstance(index, SetAside)
        assert (index.state, index.lane, index.seq) == ("replayed", "probes", 1)
