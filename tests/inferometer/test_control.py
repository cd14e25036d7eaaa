"""Tests of inferometer.control: what files become, and what a reload is."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from notices import FIRING
from one_slo import slo_file

from inferometer.control import Control, Settings, objectives
from inferometer.errors import ConfigurationError
from inferometer.supervisor import Log
from slo.alert_moves import AlertEvent
from slo.budget import BlindPolicy
from slo.notice_steps import Tried
from telemetry.clock import monotonic_ns, sleep, wall_ms
from telemetry.queries import Question
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    """One without rows: an engine first counts all that is kept, and other tests keep rows of days ago."""
    with StoreProcess(tmp_path_factory.mktemp("control") / "data") as running:
        yield running


def test_files_become_objectives_with_rules(tmp_path: Path) -> None:
    slo_file(tmp_path, name="one")
    slo_file(tmp_path, name="two")

    assert [watched.objective.name for watched in objectives([tmp_path])] == ["one", "two"]


def test_without_files_there_are_built_in_rules_alone() -> None:
    assert objectives([]) == []


@pytest.mark.parametrize(
    ("target", "type_", "said"),
    [
        pytest.param(0.5, "inferometer", r"chat-good.yaml:8: .*it can never fire", id="loose"),
        pytest.param(0.99, "prometheus", "hold no objective that is counted here", id="of another system"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(tmp_path: Path, target: float, type_: str, said: str) -> None:
    slo_file(tmp_path, target=target, type_=type_)

    with pytest.raises(ConfigurationError, match=said):
        objectives([tmp_path])


def settings_of(path: Path, folder: Path, replica: str) -> Settings:
    return Settings(
        objectives=(path,),
        channels=None,
        ledger=folder / f"{replica}.sqlite",
        replica=replica,
        base_url="http://127.0.0.1:1",
        look_s=0.05,
    )


def log_into(said: list[str]) -> Log:
    def log(event: str, /, **fields: object) -> None:
        said.append(f"{event} {fields}")

    return log


def until(holds: Callable[[], object]) -> bool:
    end_ns = monotonic_ns() + 30 * 10**9
    while not holds() and monotonic_ns() < end_ns:
        sleep(0.1)
    return bool(holds())


def test_a_reload_that_is_refused_changes_nothing_and_is_told(tmp_path: Path, process: StoreProcess) -> None:
    path, said = slo_file(tmp_path), list[str]()
    settings = settings_of(path, tmp_path, "r")
    reader, writer = process.store("reader"), process.store("writer")
    control = Control(settings, reader, writer, log_into(said))
    control.start()
    evaluated = until(lambda: control.view.at_s and not control.view.problems)  # the past is counted
    path.write_text("kind: SLO\n")
    control.reload()
    refused = until(lambda: control.view.problems)
    problems, told = control.view.problems, control.others(60, {})
    slo_file(tmp_path, name="chat-good", target=0.9999)
    control.reload()
    taken = until(lambda: not control.view.problems)
    (watched,), later = control.view.watched, control.others(60, {})
    control.stop()

    assert evaluated
    assert refused
    assert problems[0].startswith(f"ConfigRejected: {path}:1")
    assert [one.labels["alertname"] for one in told if one.event is AlertEvent.BAD] == ["ConfigRejected"]
    assert taken
    assert not [one for one in later if one.event is AlertEvent.BAD]
    assert watched.objective.target == 0.9999
    assert any("refused" in line for line in said)
    reader.close()
    writer.close()


HELD = (
    "SELECT revision, active, position(source_yaml, 'target: 0.99\\n') > 0 AS is_first FROM inferometer.slo_definitions"
    " WHERE slo = {slo:String} ORDER BY revision"
)


def held(reader: Store, name: str) -> list[tuple[object, ...]]:
    rows = reader.query(Question(sql=HELD, parameters={"slo": name}))
    return [(row["revision"], row["active"], row["is_first"]) for row in rows]


def test_the_store_is_told_of_objectives_that_begin_to_hold_change_and_stop(
    tmp_path: Path, process: StoreProcess
) -> None:
    """Two replicas over the same files, each of which is started, and started again, after every change."""
    reader, writer = process.store("reader"), process.store("writer")
    path, folder = slo_file(tmp_path, name="held"), tmp_path / "ledgers"
    slo_file(tmp_path, name="stays")
    seen: list[list[tuple[object, ...]]] = []
    changes: list[Callable[[], object]] = [
        lambda: None, lambda: slo_file(tmp_path, name="held", target=0.999), path.unlink,
    ]  # fmt: skip
    for n, change in enumerate(changes, 1):
        change()
        for replica in ("one", "other", "one"):
            control = Control(settings_of(tmp_path, folder, replica), reader, writer, log_into([]))
            control.start()
            assert until(lambda n=n: len(held(reader, "held")) == n)
            control.stop()
        seen.append(held(reader, "held"))

    assert seen == [[(1, 1, 1)], [(1, 1, 1), (2, 1, 0)], [(1, 1, 1), (2, 1, 0), (3, 0, 0)]]
    assert held(reader, "stays") == [(1, 1, 1)]
    reader.close()
    writer.close()


def test_what_changes_at_a_reload_and_what_is_said_reach_the_store(tmp_path: Path, process: StoreProcess) -> None:
    reader, writer = process.store("reader"), process.store("writer")
    slo_file(tmp_path, name="reloaded")
    control = Control(settings_of(tmp_path, tmp_path / "ledgers", "reloading"), reader, writer, log_into([]))
    control.ledger.save(60, [], {"c": [FIRING]})
    control.ledger.begin(control.ledger.waiting("c", 1), Tried(at_ms=wall_ms()))
    steps = Question(sql="SELECT state FROM inferometer.notification_log WHERE replica = 'reloading'", parameters={})
    control.start()
    begun = until(lambda: held(reader, "reloaded") == [(1, 1, 1)])
    said = until(lambda: reader.query(steps) == [{"state": "intent"}])
    slo_file(tmp_path, name="reloaded", target=0.999)
    control.reload()
    changed = until(lambda: held(reader, "reloaded") == [(1, 1, 1), (2, 1, 0)])
    control.stop()

    assert (begun, said, changed) == (True, True, True)
    reader.close()
    writer.close()


class Odd:
    """A store that answers as no store does when it is asked for adjustments."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def query(self, question: Question) -> Any:  # noqa: ANN401 -- as the store's
        if "percent_excluded" in question.sql:
            raise ValueError("odd")
        return self._store.query(question)


def test_an_instant_that_failed_is_told_until_another_does_not(tmp_path: Path, process: StoreProcess) -> None:
    reader, writer = process.store("reader"), process.store("writer")
    settings = settings_of(slo_file(tmp_path), tmp_path, "r")
    control = Control(settings, Odd(reader), writer, log_into([]))  # type: ignore[arg-type]  # it asks, and no more
    told = "the last instant failed: ValueError"
    control.start()
    failed = until(lambda: told in control.view.problems)
    seen: list[bool] = []
    for _ in range(5):  # each time, several looks at the clock later
        sleep(0.2)
        seen.append(told in control.view.problems)
    control.stop()

    assert failed
    assert seen == [True] * 5
    reader.close()
    writer.close()


def test_a_reload_that_fails_for_no_fault_of_the_files_is_made_up_for(tmp_path: Path, process: StoreProcess) -> None:
    """The ledger cannot be read for a while."""
    path, said = slo_file(tmp_path), list[str]()
    settings = settings_of(path, tmp_path, "r")
    reader, writer = process.store("reader"), process.store("writer")
    control = Control(settings, reader, writer, log_into(said))
    control.start()
    evaluated = until(lambda: control.view.at_s)
    with closing(sqlite3.connect(settings.ledger)) as ledger:
        ledger.execute("ALTER TABLE alert RENAME TO away")
        slo_file(tmp_path, target=0.9999)
        control.reload()
        failed = until(lambda: sum("cannot keep" in line for line in said) > 2)  # tried again and again
        ledger.execute("ALTER TABLE away RENAME TO alert")
    taken = until(lambda: control.view.watched[0].objective.target == 0.9999)
    control.stop()

    assert (bool(evaluated), failed, taken) == (True, True, True)
    reader.close()
    writer.close()


def test_a_lease_in_the_replicas_own_ledger_is_refused(tmp_path: Path, process: StoreProcess) -> None:
    settings = settings_of(slo_file(tmp_path), tmp_path, "r")
    reader, writer = process.store("reader"), process.store("writer")
    link = tmp_path / "lease.sqlite"
    link.symlink_to(settings.ledger)

    for lease in (settings.ledger, tmp_path / ".." / tmp_path.name / settings.ledger.name, link):
        with pytest.raises(ConfigurationError, match=r"slo\.lease: found"):
            Control(replace(settings, lease=lease), reader, writer, log_into([]))
    reader.close()
    writer.close()


def test_two_that_share_a_lease_are_made_of_their_own_ledgers(tmp_path: Path, process: StoreProcess) -> None:
    path, shared = slo_file(tmp_path), tmp_path / "lease.sqlite"
    reader, writer = process.store("reader"), process.store("writer")
    settings = [
        replace(settings_of(path, tmp_path, name), lease=shared, blind_policy=BlindPolicy.COUNT_BAD)
        for name in ("one", "other")
    ]
    both = [Control(each, reader, writer, log_into([])) for each in settings]
    for one in both:
        one.start()
    policies = {one.view.watched[0].objective.blind_policy for one in both}
    for one in both:
        one.stop()

    assert policies == {BlindPolicy.COUNT_BAD}
    assert shared.exists()
    reader.close()
    writer.close()
