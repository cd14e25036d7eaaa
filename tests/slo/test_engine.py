"""The engine over a real store: what it counts, judges, keeps and says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from engine_rig import Refusing, Rig

from slo.alarms import Judged
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Record, Transition
from slo.budget import Budget, occurrences
from slo.engine import ADJUSTED_S_MAX, Reach
from slo.reader import Reader
from slo.rules.rule import RuleId
from slo.sight import Key, Sight
from slo.telemetry_state import BlindCause
from slo.watch import Watch
from slo.watched import watched
from telemetry.clock import wall_ms
from telemetry.errors import StoreError, StoreUnreachableError
from telemetry.queries import Question
from telemetry.schema import Table
from telemetry.schema.objectives import ALERT_EVENTS
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

NOW_S = wall_ms() // 1000 // 30 * 30 - 7_200

Made = Callable[..., Rig]


@pytest.fixture
def rig(reader: Store, writer: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Made:
    name = request.node.name.replace("_", "-")[:60]

    def made(**changes: str | float) -> Rig:
        return Rig(reader, writer, tmp_path / "slo.sqlite", name, NOW_S, **changes)

    return made


def test_a_service_that_fails_pages_and_says_why(rig: Made) -> None:
    """The other tests of the engine take longer: tests/system/test_slo_engine.py."""
    one = rig()
    asked: list[str] = []

    def explain(_judged: Judged, alert: Alert) -> dict[str, str]:
        asked.append(alert.labels["severity"])
        return {"top_contributors": "replica a"}

    one.reach = Reach(channels=one.hear, explain=explain)
    one.restart()
    one.live(20, 0)
    one.live(0, 20, steps=3)

    assert one.said == [(one.name, "page", "firing")]
    assert sorted(asked) == ["page", "ticket"]
    own = [alert for alert in one.engine.view.alerts.values() if alert.labels["alertname"] == one.name]
    (page,) = (alert for alert in own if alert.labels["severity"] == "page")
    assert page.notice().annotations["top_contributors"] == "replica a"
    assert [item.notice.key for item in one.ledger.waiting("channel", 10)] == [page.notice().key]


def test_who_is_told_to_end_leaves_the_instants_that_are_still_due_to_the_next(rig: Made) -> None:
    one = rig()
    seen: list[int] = []

    def others(at_s: int, _before: Mapping[int, Alert]) -> list[Watch]:
        seen.append(at_s)
        return []

    one.reach = Reach(others=others, is_over=lambda: len(seen) >= 3)
    one.restart()
    first_s = one.engine.view.at_s or 0
    seen.clear()

    assert 3 == one.go(300)
    assert [first_s + 30, first_s + 60, first_s + 90] == seen
    one.reach = Reach(others=others)
    one.restart()
    assert 7 == one.go(0)
    assert [first_s + 30 * n for n in range(1, 11)] == seen


@pytest.mark.system
def test_what_happens_to_the_clock_is_said_and_blinds(rig: Made) -> None:
    """It is set back by two minutes and goes on from there."""
    one = rig()
    one.go(30)
    steady_s, at_s = one.now_s, one.engine.view.at_s
    assert one.engine.step(one.now_s - 120, steady_s) == 0
    assert (one.engine.view.blind_cause, one.engine.view.at_s) == (BlindCause.CLOCK, at_s)
    assert one.engine.view.problems == ("the wall clock was set by -120 s",)
    assert one.engine.step(one.now_s + 30, steady_s + 150) == 1
    assert one.engine.view.blind_cause == ""


@pytest.mark.system
def test_an_objective_that_is_refused_blinds_itself_alone_and_is_told_of(rig: Made, process: StoreProcess) -> None:
    one = rig()
    other = replace(one.watched[0].objective, name=f"{one.name}-other")
    one.watched.append(watched(other))
    one.ledger.close()
    store = Refusing(process)
    one.engine = one.started(store)
    one.live(5, 0)
    store.names = frozenset([other.name])
    one.live(0, 20, steps=3)
    store.close()
    states = {
        judged.watched.objective.name: judged.found.known.is_blind for judged in one.engine.view.judged if judged.found
    }

    assert states == {one.name: False, other.name: True}
    assert (one.name, "page", "firing") in one.said
    assert one.engine.view.problems == (f"{other.name} is not counted: memory limit exceeded",)


@pytest.mark.system
def test_budgets_that_cannot_be_asked_for_blind_nobody_and_stay_for_a_while(rig: Made) -> None:
    one = rig()
    last_s = NOW_S + 30

    def adjust(seen: Sight) -> dict[Key, Budget]:
        if seen.at_s > last_s:
            raise StoreError("memory limit", 241)
        return dict.fromkeys(seen.windows, occurrences(10, 1, 0.5))

    def adjusted() -> list[Budget | None]:
        return [judged.found.facts.adjusted for judged in one.engine.view.judged if judged.found]

    one.reach = Reach(channels=one.hear, adjust=adjust)
    one.restart()
    one.live(5, 0, steps=3)
    assert one.engine.view.at_s is not None
    assert one.engine.view.at_s > last_s
    assert (one.engine.view.blind_cause, adjusted()) == ("", [occurrences(10, 1, 0.5)])

    one.now_s = last_s + ADJUSTED_S_MAX  # an instant is half a minute behind the clock
    one.live(5, 0)
    assert one.engine.view.at_s == last_s + ADJUSTED_S_MAX
    assert adjusted() == [occurrences(10, 1, 0.5)]
    one.live(5, 0)
    assert (one.engine.view.blind_cause, adjusted()) == ("", [None])


def test_alerts_that_rest_for_long_are_forgotten(rig: Made) -> None:
    one = rig()
    resting, firing = (
        Alert(
            record=Record(fingerprint=n, definition_hash=0, state=state, at_s=NOW_S),
            labels={"alertname": "x", "severity": "page"},
            annotations={},
        )
        for n, state in ((1, AlertState.INACTIVE), (2, AlertState.FIRING))
    )
    one.ledger.save(NOW_S, [resting, firing])
    one.restart()
    others = {*one.engine.view.alerts} - {1, 2}  # collectors of other tests that are silent by now
    one.engine.forget(NOW_S)
    both = set(one.engine.view.alerts)
    one.engine.forget(NOW_S + 1)

    assert both - others == {1, 2}
    assert ({*one.engine.view.alerts} - others, {*one.ledger.alerts()} - others) == ({2}, {2})


def test_who_lost_its_ledger_knows_alerts_of_rules_and_none_of_strangers(
    rig: Made, reader: Store, writer: Store
) -> None:
    one = rig()
    fires = Transition(
        at_s=NOW_S - 60, before=AlertState.PENDING, after=AlertState.FIRING, occurrence=3, ends=False,
        begins_to_flap=False,
    )  # fmt: skip
    every = [
        {"alertname": RuleId.STALLED_ENGINE.value, "severity": "page"},
        {"alertname": "x", "severity": "info"},
        {"alertname": "x", "severity": "page"},
        {"alertname": RuleId.OOM.value, "severity": "page", "slo": "of another"},
    ]
    alerts = [
        Alert(record=Record(fingerprint=n, definition_hash=0, state=fires.after), labels=labels, annotations={})
        for n, labels in enumerate(every, 71)
    ]
    Reader(reader, writer, one.watched, "other").keep_transitions([(alert, fires) for alert in alerts])
    heard: list[dict[int, int]] = []

    def others(_at_s: int, before: Mapping[int, Alert]) -> list[Watch]:
        heard.append({key: alert.record.occurrence for key, alert in before.items() if 71 <= key <= 74})
        return []

    one.reach, one.path = Reach(others=others), one.path.with_name("new.sqlite")
    one.restart()

    assert heard[0] == {71: 3}


class Shut(Store):
    """A store that takes no alerts for a while."""

    is_shut = True

    def insert_rows(self, table: Table, rows: Sequence[Sequence[object]], token: str) -> None:
        if self.is_shut and table is ALERT_EVENTS:
            raise StoreUnreachableError("no answer")
        super().insert_rows(table, rows, token)


@pytest.mark.system
def test_what_the_store_has_not_heard_is_told_by_who_takes_the_engines_place(rig: Made, process: StoreProcess) -> None:
    one = rig()
    one.writer = shut = Shut(process.url, user="writer", password=process.secret("writer"))
    one.restart()
    one.live(20, 0)
    one.live(0, 20, steps=3)
    before = one.engine
    one.restart()
    one.engine.unkept = before.unkept
    shut.is_shut = False
    one.live(20, 0)
    shut.close()
    question = Question(
        sql="SELECT count() AS n FROM inferometer.alert_events WHERE slo = {slo:String} AND to_state = 'firing'",
        parameters={"slo": one.name},
    )

    assert {transition.after for _, transition in before.unkept} >= {AlertState.FIRING}
    assert (one.engine.unkept, one.reader.query(question)) == ((), [{"n": 2}])
