"""Dead letters of a data directory: who is in them, and a replay beside the collector that owns the spool."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from inferometer import dead_letters, store_lock
from inferometer.config_schema import Config, StoreKeys
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, UnreachableError
from telemetry.accounting import DLQ, Lane, LaneCounters
from telemetry.dlq import DeadRow
from telemetry.spool import Spool
from telemetry.testing.memory_store import Fault, MemoryStore, sample_request
from telemetry.testing.store_process import StoreProcess

AT_MS = 1_790_000_000_000


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    made = DataDirectory(root=tmp_path)
    made.spool.mkdir()
    return made


@pytest.fixture
def spools(data: DataDirectory) -> Iterator[list[Spool]]:
    """Two running collectors with one dead letter each, row 2 of two."""
    made = [Spool(data.spool / name, node=name) for name in ("a", "b")]
    for name, spool in zip("ab", made, strict=True):
        spool.append_requests([sample_request(n) for n in range(2)])
        _, bad = spool.reader().cut()
        spool.dlq.add([DeadRow(bad.seq, Lane.REQUESTS, f"{name}-1.1", 27, "cannot parse", bad.payload, AT_MS)])
        spool.settle(spool.freeze([bad]), DLQ)
    yield made
    for spool in made:
        spool.close()


def counters(spool: Spool) -> LaneCounters:
    found = spool.counters()["requests"]

    assert found.holds()
    return found


@pytest.mark.usefixtures("spools")
def test_dead_letters_are_listed_with_their_reason(data: DataDirectory) -> None:
    first, second = dead_letters.listed(data)

    assert (first.id, second.id) == ("a:2", "b:2")
    assert (first.lane, first.code, first.error, first.attempts) == ("requests", 27, "cannot parse", 0)
    assert first.created_unix_ms == AT_MS
    assert first.bytes_n > 100


def test_a_data_directory_without_spools_has_none(tmp_path: Path) -> None:
    assert dead_letters.listed(DataDirectory(root=tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_replay_beside_the_collector_counts_as_stored(data: DataDirectory, spools: list[Spool]) -> None:
    store = MemoryStore()

    assert dead_letters.replay(data, store) == dead_letters.Replay(stored=("a:2", "b:2"))
    assert dead_letters.listed(data) == []
    assert [(collector, seq) for collector, seq, _ in store.rows] == [(spool.collector, 2) for spool in spools]
    assert [counters(spool) for spool in spools] == [LaneCounters(accepted=2, stored=1, spooled=1)] * 2


def test_only_those_asked_for_are_replayed(data: DataDirectory, spools: list[Spool]) -> None:
    assert dead_letters.replay(data, MemoryStore(), ["b:2"]).stored == ("b:2",)
    assert [letter.id for letter in dead_letters.listed(data)] == ["a:2"]
    assert [counters(spool).dlq for spool in spools] == [1, 0]


def test_an_id_that_names_nothing_is_refused_before_anything_is_sent(data: DataDirectory, spools: list[Spool]) -> None:
    store = MemoryStore()

    with pytest.raises(ConfigurationError, match="no dead letter a:7; inferometer store dlq list names them"):
        dead_letters.replay(data, store, ["a:2", "a:7"])
    assert store.tokens == []
    assert counters(spools[0]).dlq == 1


@pytest.mark.usefixtures("spools")
def test_what_is_still_refused_stays_and_says_why(data: DataDirectory) -> None:
    store = MemoryStore()
    store.standing = Fault.UNREACHABLE

    found = dead_letters.replay(data, store, ["a:2"])

    assert (found.stored, found.refused) == ((), {"a:2": "unreachable"})
    assert [letter.attempts for letter in dead_letters.listed(data)] == [1, 0]


def test_a_queue_without_its_spool_is_named_and_kept(data: DataDirectory, spools: list[Spool]) -> None:
    spools[0].close()
    for path in (data.spool / "a").glob("cursor.*"):
        path.unlink()

    found = dead_letters.replay(data, MemoryStore())

    assert found.stored == ("b:2",)
    assert "has no cursor" in found.refused["a:2"]


def test_a_queue_that_cannot_be_read_is_named(data: DataDirectory) -> None:
    (data.spool / "c").mkdir()
    (data.spool / "c" / "dlq.sqlite").mkdir()

    with pytest.raises(ConfigurationError, match=r"dead letter queue .*c/dlq\.sqlite"):
        dead_letters.listed(data)


def test_the_writer_of_a_running_store_is_found_by_its_lock(process: StoreProcess, data: DataDirectory) -> None:
    with closing(dead_letters.writer(Config(data=str(process.data)))) as store:
        store.ping()
    with closing(dead_letters.writer(Config(store=StoreKeys(url=process.url, user="nobody")))) as store:
        assert store is not None
    with pytest.raises(UnreachableError, match="no store runs on"):
        dead_letters.writer(Config(data=str(data.root)))


def test_a_secret_that_cannot_be_read_is_named(data: DataDirectory) -> None:
    said = pytest.raises(UnreachableError, match=r"secrets/store_writer: cannot be read: No such file")
    with store_lock.own(data.root, "http://127.0.0.1:1", "0"), said:
        dead_letters.writer(Config(data=str(data.root)))
