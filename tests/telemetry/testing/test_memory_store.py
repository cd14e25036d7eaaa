import pytest

from telemetry.errors import StoreAmbiguousError, StoreError, StorePoisonError, StoreUnreachableError
from telemetry.record import RequestBatch
from telemetry.testing.memory_store import Fault, MemoryStore, sample_request


def batch(*numbers: int) -> RequestBatch:
    return RequestBatch(collector="n1/00", seqs=numbers, records=tuple(sample_request(n) for n in numbers))


def test_a_token_that_was_seen_changes_nothing() -> None:
    store = MemoryStore()

    store.insert_requests(batch(1, 2), "a")
    store.insert_requests(batch(1, 2), "a")
    store.insert_requests(batch(1, 2), "b")

    assert [seq for _, seq, _ in store.rows] == [1, 2, 1, 2]
    assert store.tokens == ["a", "a", "b"]


def test_tokens_are_forgotten_beyond_the_window() -> None:
    store = MemoryStore(window=2)
    for token in ("a", "b", "c", "a"):
        store.insert_requests(batch(1), token)

    assert store.count_requests(batch(1)) == 4


@pytest.mark.parametrize(
    ("fault", "error", "stored"),
    [
        (Fault.UNREACHABLE, StoreUnreachableError, 0),
        (Fault.AMBIGUOUS_AFTER, StoreAmbiguousError, 1),
        (Fault.AMBIGUOUS_BEFORE, StoreAmbiguousError, 0),
        (Fault.VIEW_FAILED, StorePoisonError, 1),
    ],
)
def test_a_planned_fault_strikes_once(fault: Fault, error: type[StoreError], stored: int) -> None:
    store = MemoryStore()
    store.plan([fault])

    with pytest.raises(error):
        store.insert_requests(batch(1), "a")
    assert store.count_requests(batch(1)) == stored
    store.insert_requests(batch(1), "a")
    assert store.count_requests(batch(1)) == 1


def test_a_standing_fault_strikes_until_repair() -> None:
    store = MemoryStore()
    store.standing = Fault.BUSY
    for _ in range(2):
        with pytest.raises(StoreError):
            store.insert_requests(batch(1), "a")

    store.repair()

    store.insert_requests(batch(1), "a")
    assert store.wait_for(lambda s: len(s.rows) == 1, 0)


def test_a_poison_row_refuses_its_batch_whole() -> None:
    store = MemoryStore(poison=lambda record: record.record_id.int == 2)

    with pytest.raises(StorePoisonError):
        store.insert_requests(batch(1, 2, 3), "a")
    assert store.rows == []
    store.insert_requests(batch(1, 3), "b")
    assert store.count_requests(batch(1, 2, 3)) == 2


def test_inserts_are_counted_from_that_of_a_batch_on() -> None:
    store = MemoryStore()
    for n in range(1, 4):
        store.insert_requests(batch(n), f"token {n}")
    store.insert_requests(batch(1), "token 1")

    assert [store.inserts_since(batch(n)) for n in range(1, 5)] == [3, 2, 1, 0]
