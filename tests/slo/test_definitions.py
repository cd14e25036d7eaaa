"""Tests of slo.definitions over a real store: one row for each revision, over restarts, replicas and kills."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from copying import child, once, proxy, until

from slo import definitions as module
from slo.definitions import OBJECTIVES_MAX, WAITING_MAX, Definition, Definitions
from slo.ledger import Ledger
from telemetry.clock import wall_ms
from telemetry.errors import StoreError
from telemetry.queries import Question
from telemetry.store import Store
from telemetry.testing.fault_proxy import Fault
from telemetry.testing.store_process import StoreProcess

NOW_MS = wall_ms()
ROWS = (
    "SELECT revision, definition_hash, toUnixTimestamp64Milli(effective_at) AS at_ms, active, source_yaml"
    " FROM inferometer.slo_definitions WHERE slo = {slo:String} ORDER BY revision, at_ms"
)


def told(reader: Store, slo: str) -> list[tuple[Any, ...]]:
    """Revision, text and whether it is active of every row."""
    return [
        (row["revision"], row["source_yaml"], row["active"])
        for row in reader.query(Question(sql=ROWS, parameters={"slo": slo}))
    ]


def defined(slo: str, text: str, definition_hash: int = 2**64 - 1) -> Definition:
    return Definition(slo=slo, definition_hash=definition_hash, source_yaml=text)


class Replica:
    """An engine's definitions, that may be started again."""

    def __init__(self, path: Path, reader: Store, writer: Store) -> None:
        self._path, self._stores, self._n = path, (reader, writer), 0
        self.ledger = Ledger(path)
        self.definitions = Definitions(self.ledger, reader, writer)

    def restart(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self._path)
        self.definitions = Definitions(self.ledger, *self._stores)

    def hold(self, *held: Definition, copy: bool = True) -> int:
        self._n += 1
        lost = self.definitions.hold(held, NOW_MS + self._n)
        if copy:
            self.definitions.copy()
        return lost


@pytest.fixture
def one(tmp_path: Path, reader: Store, writer: Store) -> Iterator[Replica]:
    made = Replica(tmp_path / "one.sqlite", reader, writer)
    yield made
    made.ledger.close()


@pytest.fixture
def other(tmp_path: Path, reader: Store, writer: Store) -> Iterator[Replica]:
    made = Replica(tmp_path / "other.sqlite", reader, writer)
    yield made
    made.ledger.close()


def test_an_objective_begins_changes_stops_and_begins_again(one: Replica, reader: Store) -> None:
    for text in ("a", "b"):
        one.hold(defined("life", text))
    one.hold()
    one.hold(defined("life", "b"))
    rows = reader.query(Question(sql=ROWS, parameters={"slo": "life"}))

    assert told(reader, "life") == [(1, "a", 1), (2, "b", 1), (3, "b", 0), (4, "b", 1)]
    assert [row["at_ms"] for row in rows] == [NOW_MS + after for after in (1, 2, 3, 4)]
    assert {row["definition_hash"] for row in rows} == {2**64 - 1}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(defined("what", "a", 2), id="what counts"),
        pytest.param(defined("what", "b", 1), id="what is said of it"),
    ],
)
def test_a_revision_is_a_change_of_what_counts_or_of_what_is_said(
    one: Replica, reader: Store, changed: Definition
) -> None:
    slo = f"what {changed.source_yaml}"
    first, then = (
        Definition(slo=slo, definition_hash=each.definition_hash, source_yaml=each.source_yaml)
        for each in (defined("what", "a", 1), changed)
    )
    for each in (first, first, then, then):
        one.hold(each)

    assert told(reader, slo) == [(1, "a", 1), (2, changed.source_yaml, 1)]


def test_a_restart_writes_nothing_and_what_went_meanwhile_has_stopped(one: Replica, reader: Store) -> None:
    both = defined("stays", "a"), defined("goes", "a")
    one.hold(*both)
    one.restart()
    one.hold(*both)
    one.restart()
    one.hold(both[0])

    assert told(reader, "stays") == [(1, "a", 1)]
    assert told(reader, "goes") == [(1, "a", 1), (2, "a", 0)]


def test_replicas_write_one_row_between_them_however_late_one_is(one: Replica, other: Replica, reader: Store) -> None:
    one.hold(defined("shared", "a"))
    other.hold(defined("shared", "a"))
    for text in ("b", "c"):
        one.hold(defined("shared", text))
    for text in ("b", "c"):
        other.hold(defined("shared", text), copy=False)
    other.definitions.copy()
    one.hold()
    other.hold()

    assert told(reader, "shared") == [(1, "a", 1), (2, "b", 1), (3, "c", 1), (4, "c", 0)]


def test_replicas_that_write_at_once_write_one_row(one: Replica, reader: Store, writer: Store, other: Replica) -> None:
    """Each has asked before any of them has written."""

    class Asked:
        def __init__(self) -> None:
            self.answer: list[dict[str, object]] = []

        def query(self, _: Question) -> list[dict[str, object]]:
            return self.answer

    for replica, at in ((one, 1), (other, 2)):
        made = Definitions(replica.ledger, Asked(), writer)  # type: ignore[arg-type]  # an answer that is old by now
        made.hold([defined("at once", "a")], NOW_MS + at)
        made.copy()

    assert told(reader, "at once") == [(1, "a", 1)]


def test_who_goes_back_to_what_held_before_says_so(one: Replica, other: Replica, reader: Store) -> None:
    one.hold(defined("back", "a"))
    one.hold(defined("back", "b"))
    other.hold(defined("back", "a"))  # its ledger is new, so it begins with what it is given
    other.hold(defined("back", "b"))

    assert told(reader, "back") == [(1, "a", 1), (2, "b", 1), (3, "a", 1), (4, "b", 1)]


def test_every_change_waits_while_the_store_is_away(tmp_path: Path, reader: Store, writer: Store) -> None:
    away = Store("http://127.0.0.1:1")
    with closing(Ledger(tmp_path / "slo.sqlite")) as ledger:
        alone = Definitions(ledger, away, away)
        for at, held in enumerate([["a"], ["b"], [], ["a"]]):
            alone.hold([defined("away", text) for text in held], NOW_MS + at)
            with pytest.raises(StoreError):
                alone.copy()
        Definitions(ledger, reader, writer).copy()

    assert told(reader, "away") == [(1, "a", 1), (2, "b", 1), (3, "b", 0), (4, "a", 1)]


def test_many_are_copied_in_turns_and_what_is_over_is_forgotten(
    one: Replica, reader: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert OBJECTIVES_MAX == 50
    monkeypatch.setattr(module, "OBJECTIVES_MAX", 2)
    many = [defined(f"many-{n}", "a") for n in range(5)]
    one.hold(*many)
    first = sum(bool(told(reader, each.slo)) for each in many)
    for _ in range(2):
        one.definitions.copy()
    kept = len(one.ledger.notes("definition"))
    for _ in range(2):
        one.hold(many[0])
        one.definitions.copy()

    assert (first, kept) == (2, 5)
    assert [told(reader, each.slo) for each in many] == [[(1, "a", 1)], *[[(1, "a", 1), (2, "a", 0)]] * 4]
    assert len(one.ledger.notes("definition")) == 1


@pytest.mark.parametrize("beyond", [0, 1])
def test_beyond_its_bound_the_oldest_changes_are_given_up(
    one: Replica, reader: Store, beyond: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert WAITING_MAX == 10_000
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    slo = f"bound-{beyond}"
    lost = [one.hold(defined(slo, f"{n}"), copy=False) for n in range(3 + beyond)]
    one.definitions.copy()

    assert sum(lost) == beyond
    assert [text for _, text, _ in told(reader, slo)] == [f"{n + beyond}" for n in range(3)]


@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE, Fault.HANG_AFTER], ids=["untold", "told, and not known to be"])
def test_killed_between_the_ledger_and_the_store_it_writes_each_revision_once(
    one: Replica, tmp_path: Path, process: StoreProcess, reader: Store, fault: Fault
) -> None:
    slo = f"killed {fault}"
    for text in ("a", "b"):
        one.hold(defined(slo, text), copy=False)
    one.ledger.close()
    path = tmp_path / "one.sqlite"
    with proxy(process, once(fault, "slo_definitions")) as between:
        with child(path, between.url, process, "r") as first:
            until(lambda: between.met[fault] == 1 and len(told(reader, slo)) == int(fault is Fault.HANG_AFTER))
            first.kill()
            first.wait()
        with child(path, between.url, process, "r") as second:
            assert second.stdout
            assert second.stdout.readline() == "0\n"

    assert told(reader, slo) == [(1, "a", 1), (2, "b", 1)]
