"""Tests of slo.notice_log over a real store: no step is lost, none is there twice, whatever happens in between."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from copying import child, once, proxy, until
from notices import FIRING

from slo import notice_log as module
from slo.ledger import Ledger
from slo.notice_log import BATCH_STEPS_MAX, BATCHES_MAX, NoticeLog
from slo.notice_steps import Tried
from telemetry.clock import wall_ms
from telemetry.errors import StoreError
from telemetry.queries import Question
from telemetry.store import Store
from telemetry.testing.fault_proxy import Fault
from telemetry.testing.store_process import StoreProcess

NOW_MS = wall_ms()
BEGUN = Tried(at_ms=NOW_MS, group_key="g")
ROWS = (
    "SELECT toUnixTimestamp64Milli(at) AS at_ms, * EXCEPT at FROM inferometer.notification_log"
    " WHERE replica = {replica:String} ORDER BY at, attempt, fingerprint, state"
)


def rows(reader: Store, replica: str) -> list[dict[str, Any]]:
    return reader.query(Question(sql=ROWS, parameters={"replica": replica}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "slo.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """A ledger with five notices, none of them tried."""
    with closing(Ledger(path)) as ledger:
        ledger.save(60, [], {"c": [replace(FIRING, fingerprint=at) for at in range(5)]})
        yield ledger


def log(ledger: Ledger, writer: Store, replica: str) -> NoticeLog:
    return NoticeLog(ledger, writer, replica, lambda: uuid4().hex)


def begun(ledger: Ledger, n: int) -> None:
    ledger.begin(ledger.waiting("c", n), BEGUN)


def test_every_column_is_what_the_ledger_knows(ledger: Ledger, writer: Store, reader: Store) -> None:
    items = ledger.waiting("c", 1)
    ledger.begin(items, BEGUN)
    ledger.give_up(items, "answered 410", replace(BEGUN, at_ms=NOW_MS + 7, http_status=410, duration_us=1 << 40))
    copied_n, again_n = (log(ledger, writer, "columns").copy() for _ in range(2))
    intent, given_up = rows(reader, "columns")

    assert (copied_n, again_n) == (2, 0)
    assert intent == {
        "at_ms": NOW_MS, "channel": "c", "group_key": "g", "fingerprint": 0,
        "idempotency_key": items[0].notice.key, "attempt": 1, "state": "intent", "http_status": 0, "duration_us": None,
        "replica": "columns",
    }  # fmt: skip
    assert (given_up["at_ms"], given_up["state"], given_up["http_status"]) == (NOW_MS + 7, "given_up", 410)
    assert given_up["duration_us"] == (1 << 32) - 1


def test_the_attempts_of_a_day_are_counted_as_far_as_their_column_goes(
    ledger: Ledger, writer: Store, reader: Store
) -> None:
    items = ledger.waiting("c", 1)
    for n in range(300):
        ledger.begin(items, replace(BEGUN, at_ms=NOW_MS + n))
    log(ledger, writer, "many").copy()

    assert [row["attempt"] for row in rows(reader, "many")] == [*range(1, 255), *[255] * 46]


def test_what_waited_while_the_store_was_away_is_there_when_it_answers(
    ledger: Ledger, writer: Store, reader: Store
) -> None:
    away = Store("http://127.0.0.1:1", user="writer")
    for n in (2, 3):
        begun(ledger, n)
        with pytest.raises(StoreError):
            log(ledger, away, "away").copy()

    assert log(ledger, writer, "away").copy() == 5
    assert len(rows(reader, "away")) == 5


def test_more_than_goes_into_one_insert_goes_in_several(
    ledger: Ledger, writer: Store, reader: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (BATCH_STEPS_MAX, BATCHES_MAX) == (5_000, 4)
    monkeypatch.setattr(module, "BATCH_STEPS_MAX", 2)
    monkeypatch.setattr(module, "BATCHES_MAX", 2)
    begun(ledger, 5)
    copied = [log(ledger, writer, "parts").copy() for _ in range(3)]

    assert copied == [4, 1, 0]
    assert sorted(row["fingerprint"] for row in rows(reader, "parts")) == list(range(5))


SPOILT = [
    pytest.param(Fault.RESET_BEFORE, id="nothing of it arrived"),
    pytest.param(Fault.RESET_AFTER, id="it arrived and the answer did not"),
    pytest.param(Fault.ERROR_AFTER, id="it arrived and was said not to"),
]


@pytest.mark.parametrize("fault", SPOILT)
def test_a_batch_that_may_have_arrived_is_there_once_whatever_came_since(
    ledger: Ledger, process: StoreProcess, reader: Store, fault: Fault
) -> None:
    replica = f"spoilt {fault}"
    with (
        proxy(process, once(fault, "notification_log")) as between,
        closing(Store(between.url, user="writer", password=process.secret("writer"))) as store,
    ):
        begun(ledger, 2)
        with pytest.raises(StoreError):
            log(ledger, store, replica).copy()
        begun(ledger, 3)
        log(ledger, store, replica).copy()

    assert sorted(row["fingerprint"] for row in rows(reader, replica)) == list(range(5))


@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE, Fault.HANG_AFTER], ids=["untold", "told, and not known to be"])
def test_killed_between_the_ledger_and_the_store_it_copies_each_step_once(
    ledger: Ledger, path: Path, process: StoreProcess, reader: Store, fault: Fault
) -> None:
    replica = f"killed {fault}"
    begun(ledger, 2)
    with proxy(process, once(fault, "notification_log")) as between:
        with child(path, between.url, process, replica) as first:
            until(lambda: between.met[fault] == 1 and len(rows(reader, replica)) == 2 * (fault is Fault.HANG_AFTER))
            first.kill()
            first.wait()
        begun(ledger, 3)
        with child(path, between.url, process, replica) as second:
            assert second.stdout
            assert second.stdout.readline() == "5\n"

    assert sorted(row["fingerprint"] for row in rows(reader, replica)) == list(range(5))
    assert ledger.steps("none", 10)[1] == []
