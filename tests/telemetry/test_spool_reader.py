from pathlib import Path

from telemetry.accounting import LaneCounters, SeqSet
from telemetry.spool import Spool, SpoolLimits
from telemetry.spool_reader import BATCH_BYTES_MAX, HELD_ROWS_MAX, ROWS_MAX
from telemetry.testing.memory_store import sample_request

QUICK = SpoolLimits(sync_s=0.005, cursor_s=0.01)
SMALL = SpoolLimits(sync_s=0.005, cursor_s=0.01, segment_bytes_max=4096, ring_bytes_max=4096)
DAY_MS = 86_400_000


def seqs(rows: list[object]) -> list[int]:
    return [getattr(row, "seq") for row in rows]  # noqa: B009  # a row of any source


def spool_with(directory: Path, n: int, limits: SpoolLimits = QUICK) -> Spool:
    spool = Spool(directory, node="n1", limits=limits)
    spool.recover()
    for i in range(0, n, 10):
        spool.append_requests([sample_request(i + j) for j in range(min(10, n - i))])
        assert spool.wait_durable(5)
    return spool


def test_memory_gives_rows_up_to_the_bound_and_not_twice(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 25)
    reader = spool.reader()

    first = reader.cut(10)
    spool.freeze(first)
    second = reader.cut(100)

    assert [row.seq for row in first] == list(range(1, 11))
    assert [row.seq for row in second] == list(range(11, 26))
    spool.freeze(second)
    assert reader.cut() == []
    spool.close()


def test_the_newest_rows_come_first_when_they_are_asked_for(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 30)

    assert [row.seq for row in spool.reader().cut(10, newest=True)] == list(range(21, 31))
    spool.close()


def test_disk_gives_what_memory_let_go_in_order_and_hands_over_to_memory(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 200, SMALL)
    assert spool.status().behind
    reader = spool.reader()
    found: list[int] = []

    while rows := reader.cut(30):
        found += [row.seq for row in rows]
        spool.freeze(rows)

    assert found == list(range(1, 201))
    assert not spool.status().behind
    spool.append_requests([sample_request(999)])
    assert [row.seq for row in reader.cut()] == [201]
    spool.close()


def test_rows_of_other_days_wait_for_their_own_batch(tmp_path: Path) -> None:
    spool = Spool(tmp_path, node="n1", limits=SMALL)
    spool.recover()
    for n in range(60):
        spool.append_requests([sample_request(n, 20_000 * DAY_MS + (n % 3) * DAY_MS)])
        assert spool.wait_durable(5)
    reader = spool.reader()
    batches: list[list[int]] = []
    while rows := reader.cut():
        batches.append([row.seq for row in rows])
        spool.freeze(rows)

    assert sorted(seq for batch in batches for seq in batch) == list(range(1, 61))
    assert all(len({seq % 3 for seq in batch}) == 1 for batch in batches)
    assert HELD_ROWS_MAX > ROWS_MAX
    spool.close()


def test_a_batch_ends_before_it_passes_its_bytes(tmp_path: Path) -> None:
    spool = Spool(tmp_path, node="n1", limits=QUICK)
    payload = spool_payload(tmp_path / "other", bytes_n=BATCH_BYTES_MAX // 5)
    spool.append(0, [payload] * 7)  # type: ignore[arg-type]  # Lane.REQUESTS by its number
    reader = spool.reader()

    rows = reader.cut()

    assert len(rows) in (4, 5)
    assert sum(len(row.payload) for row in rows) <= BATCH_BYTES_MAX
    spool.freeze(rows)
    assert len(reader.cut()) == 7 - len(rows)
    spool.close()


def spool_payload(directory: Path, bytes_n: int) -> bytes:
    spool = Spool(directory, node="n1", limits=QUICK)
    spool.append_requests([sample_request(1)])
    payload = spool.reader().cut()[0].payload
    spool.close()
    return payload + bytes(bytes_n - len(payload))


def test_find_reads_given_rows_from_disk(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 100, SMALL)

    rows = spool.reader().find(SeqSet([(3, 5), (70, 71), (500, 501)]))

    assert [row.seq for row in rows] == [3, 4, 5, 70, 71]
    assert spool.reader().find(SeqSet()) == []
    spool.close()


def test_what_is_nowhere_is_counted_at_the_end_of_a_pass(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 100, SMALL)
    second = sorted(tmp_path.glob("0*.seg"))[1]
    second.write_bytes(b"")
    reader = spool.reader()
    n = 0
    while rows := reader.cut():
        n += len(rows)
        spool.freeze(rows)

    found = spool.counters()["requests"]
    assert found.dropped == {"corrupt": 100 - n}
    assert n < 100
    assert found == LaneCounters(accepted=100, spooled=n, dropped={"corrupt": 100 - n})
    spool.close()
