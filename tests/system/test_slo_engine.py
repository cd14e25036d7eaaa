"""The SLO engine over a real store through what befalls it: silence, outage of the store, late rows, two of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from engine_rig import DAY_S, Rig

from slo.alert_moves import AlertState
from slo.counting import LATE_EVERY_S, Counting
from slo.engine import Engine
from slo.evaluation import Evaluated
from slo.ledger import Ledger
from slo.objective import Rolling
from slo.reader import Reader
from slo.telemetry_state import BlindCause, State
from slo.watched import watched
from telemetry.clock import wall_ms
from telemetry.histogram import index
from telemetry.queries import Question
from telemetry.queries.asked import Dim
from telemetry.schema.objectives import SLO_MINUTES
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
NOW_S = wall_ms() // 1000 // 30 * 30 - 7_200

Made = Callable[..., Rig]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("slo") / "data") as running:
        yield running


@pytest.fixture
def writer(process: StoreProcess) -> Iterator[Store]:
    client = process.store("writer")
    yield client
    client.close()


@pytest.fixture
def reader(process: StoreProcess) -> Iterator[Store]:
    client = process.store("reader")
    yield client
    client.close()


@pytest.fixture
def rig(reader: Store, writer: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Made:
    name = request.node.name.replace("_", "-")[:60]

    def made(**changes: str | float) -> Rig:
        return Rig(reader, writer, tmp_path / "slo.sqlite", name, NOW_S, **changes)

    return made


def state(one: Rig, alertname: str, severity: str = "page") -> AlertState | None:
    found = [
        alert.record.state
        for alert in one.engine.view.alerts.values()
        if (alert.labels["alertname"], alert.labels["severity"]) == (alertname, severity)
    ]
    return found[0] if found else None


def found(one: Rig) -> Evaluated:
    """The only objective and group, as it was evaluated last."""
    (judged,) = one.engine.view.judged
    assert judged.found is not None
    return judged.found


def test_silence_of_the_telemetry_is_no_calm(rig: Made) -> None:
    """slo.md A6: heartbeats stop while the alert fires: it stands, and the blindness is told."""
    one = rig()
    one.live(20, 0, steps=2)
    one.live(0, 20, steps=4)
    for _ in range(12):
        one.go(30)

    assert state(one, one.name) is AlertState.FIRING
    assert state(one, "SLOBlind", "ticket") is AlertState.FIRING
    assert (one.name, "page", "resolved") not in one.said


def test_a_store_that_is_gone_blinds_and_its_return_heals(rig: Made, reader: Store) -> None:
    """slo.md A7: nothing is resolved, `SLOBlind` is told once."""
    one = rig()
    one.live(20, 0, steps=2)
    one.live(0, 20, steps=4)
    one.ledger.close()
    there, one.engine = one.engine, one.started(Store("http://127.0.0.1:1", request_s=1))
    for _ in range(6):
        one.go(30)

    assert one.engine.view.blind_cause == BlindCause.STORE
    assert one.said.count(("SLOBlind", "ticket", "firing")) == 1
    assert state(one, one.name) is AlertState.FIRING
    one.restart()
    one.live(200, 0, steps=30)
    assert (one.name, "page", "resolved") in one.said
    assert there is not one.engine
    told = Question(
        sql="SELECT alertname FROM inferometer.alert_events WHERE slo = {slo:String} AND to_state = 'firing'",
        parameters={"slo": one.name},
    )
    assert {"alertname": "SLOBlind"} in reader.query(told), "what could not be kept then is kept now"


def test_what_nobody_saw_is_listed_and_remembered_until_somebody_tells_of_it(rig: Made) -> None:
    """The store is gone for three minutes; the collector is heard all the time, and falls silent after that."""
    one = rig()
    one.live(20, 10, steps=3)
    judged, at_s = one.engine.view.judged, one.engine.view.at_s
    before = found(one)
    one.ledger.close()
    one.engine = one.started(Store("http://127.0.0.1:1", request_s=1))
    one.engine.view = replace(one.engine.view, judged=judged)
    for _ in range(6):
        one.now_s += 30
        one.beat()
        one.go(0)
    gone = found(one)
    one.restart()
    one.go(30)
    again = found(one)
    one.beat()
    one.go(3_900)
    late = found(one)

    assert (gone.as_of_s, gone.budget) == (before.as_of_s, before.budget)
    assert [(span.start_s, span.length_s, span.cause) for span in again.facts.blind] == [(at_s, 180, BlindCause.STORE)]
    assert again.blind_minutes == 3
    assert {span.cause for span in late.facts.blind} == {BlindCause.COLLECTOR}
    assert one.engine.view.problems == ("9 instants were missed, and are too old to be judged",)


def test_requests_that_hang_page_although_nothing_ends(rig: Made) -> None:
    """slo.md A5: 100 requests wait, nothing completes, heartbeats are fresh."""
    one = rig(expression="ok and ttft_s <= 2")
    one.live(20, 0, steps=2)
    for _ in range(6):
        one.now_s += 30
        one.beat({index(60_000_000): 100})
        one.engine.step(one.now_s, one.now_s)

    assert (one.name, "page", "firing") in one.said
    (judged,) = one.engine.view.judged
    assert judged.found is not None
    assert judged.found.budget.bad == 0, "the budget moves only when they end"


def test_no_traffic_is_not_nobody_there(rig: Made) -> None:
    one = rig()
    one.live(20, 0, steps=12)
    for _ in range(12):
        one.now_s += 30
        one.beat()
        one.engine.step(one.now_s, one.now_s)
    (judged,) = one.engine.view.judged
    assert judged.found is not None
    assert judged.found.known.state is State.NO_TRAFFIC
    for _ in range(4):
        one.now_s += 30
        one.beat()
        one.probe(ok=False)
        one.engine.step(one.now_s, one.now_s)

    assert one.said == [("EndpointDown", "page", "firing")]


def test_late_rows_change_the_buckets_that_they_belong_to(rig: Made, reader: Store) -> None:
    one = rig()
    one.live(20, 0, steps=6)
    one.requests(0, 30, at_s=one.now_s - 90)
    one.live(20, 0, steps=LATE_EVERY_S // 30 + 1)
    (judged,) = one.engine.view.judged

    assert judged.found is not None
    assert judged.found.budget.bad == 30
    rows = reader.query(
        Question(
            sql="SELECT max(revision) > 0 AS revised FROM inferometer.slo_minutes WHERE slo = {slo:String}",
            parameters={"slo": one.name},
        )
    )
    assert rows == [{"revised": 1}]


def test_two_replicas_count_every_bucket_once(rig: Made, reader: Store, writer: Store, tmp_path: Path) -> None:
    """slo.md A8: and write the same labels, words and times."""
    one = rig()
    other = Rig(reader, writer, tmp_path / "other.sqlite", one.name, NOW_S)
    for good, bad in ((20, 0), (20, 0), (0, 20), (0, 20), (0, 20)):
        one.live(good, bad)
        other.go(30)

    assert one.said == other.said == [(one.name, "page", "firing")]
    assert one.engine.view.alerts == other.engine.view.alerts
    (judged,) = other.engine.view.judged
    assert judged.found is not None
    assert judged.found.budget.judged == 80, "what ended in the last half minute is counted at the next instant"


def test_who_replays_sees_what_was_heard_then(rig: Made, reader: Store, writer: Store, tmp_path: Path) -> None:
    """The collector is silent for seven minutes; one engine lives through them, the other looks when all is well."""
    one = rig()
    other = Rig(reader, writer, tmp_path / "other.sqlite", one.name, NOW_S)
    one.live(20, 0)
    other.go(30)
    for _ in range(14):
        one.go(30)
    one.live(20, 0, steps=4)
    replayed = other.go(one.now_s - other.now_s)

    assert replayed == 18
    assert one.said == other.said == [("SLOBlind", "ticket", "firing")]
    assert one.engine.view.alerts == other.engine.view.alerts


def test_a_new_objective_pages_while_its_past_is_still_counted(rig: Made, reader: Store) -> None:
    one = rig()
    for hours in range(1, 73):
        one.requests(20, 0, at_s=one.now_s - hours * 3_600)
    new = watched(replace(one.watched[0].objective, name=f"{one.name}-new", window=Rolling(length_s=30 * DAY_S)))
    asks, ledger = Reader(reader, one.writer, [new], "r"), Ledger(one.path.with_name("new.sqlite"))
    one.engine = engine = Engine([new], asks, ledger, one.reach, (one.now_s, one.now_s))
    one.go(0)
    (judged,) = engine.view.judged
    assert judged.found is not None
    assert judged.found.blind_cause is BlindCause.COUNTING
    while engine.is_behind:
        assert one.go(0) == 0
    one.live(0, 20, steps=5)
    engine.step(one.now_s, one.now_s)

    assert one.said == [(new.objective.name, "page", "firing")]
    assert engine.has_more
    assert engine.view.history is not None
    assert {alert.record.state for alert in engine.view.alerts.values() if alert.labels["severity"] == "ticket"} <= {
        AlertState.UNKNOWN,
        AlertState.INACTIVE,
    }
    while engine.has_more:
        one.go(0)
    one.live(0, 20)
    assert engine.view.history is None
    assert state(one, new.objective.name, "ticket") is AlertState.FIRING
    ledger.close()


def test_counts_that_cannot_be_are_a_page_of_their_own_objective_alone(rig: Made) -> None:
    one = rig()
    plain = one.watched[0].objective
    one.watched = [watched(replace(plain, name=name)) for name in (f"{one.name}-odd", f"{one.name}-well")]
    one.ledger.close()
    one.path = one.path.with_name("two.sqlite")
    one.engine = one.started()
    one.live(20, 0, steps=2)
    odd = watched(replace(plain, name=f"{one.name}-odd"))
    row: dict[str, object] = {
        "slo": odd.objective.name,
        "group_key": f'{{"endpoint":"{one.name}"}}',
        "definition_hash": odd.definition_hash,
        "t": int(one.now_s) - 60,
        "revision": 99,
        "eligible": 1,
        "good": 10**6,
        "censored_bad": 0,
        "coverage": None,
        "computed_at": int(one.now_s) * 1000,
    }
    columns = SLO_MINUTES.insert_columns
    one.writer.insert_rows(SLO_MINUTES, [tuple(row.get(column.name, {}) for column in columns)], f"{one.name}-odd")
    one.live(20, 0)

    assert one.said == [("SLIInvalid", "page", "firing")]
    assert [judged.found is None for judged in one.engine.view.judged] == [True, False]


def test_models_of_few_requests_each_page_together(rig: Made) -> None:
    """Thirty models that two requests fail on: none has the ten events that a rule asks for, their endpoint has."""
    one = rig()
    indicator = replace(one.watched[0].objective.indicator, group_by=(Dim.ENDPOINT, Dim.MODEL))
    one.watched = [watched(replace(one.watched[0].objective, name=f"{one.name}-models", indicator=indicator))]
    one.ledger.close()
    one.path = one.path.with_name("models.sqlite")
    one.engine = one.started()
    one.requests(0, 60, models=30)
    one.live(0, 0, steps=2)

    assert one.said == [(f"{one.name}-models", "page", "firing")]
    (page,) = (alert for alert in one.engine.view.standing if alert.labels["severity"] == "page")
    assert (page.labels["endpoint"], page.labels.get("model")) == (one.name, None)
    assert sum(judged.is_wider for judged in one.engine.view.judged) == 1
    assert len(one.engine.view.judged) == 31
    for _ in range(16):
        one.requests(400, 0, models=2)
        one.live(0, 0)
    assert one.said[1] == (f"{one.name}-models", "page", "resolved")


def test_who_lost_its_ledger_goes_on_as_the_others_do(rig: Made, reader: Store, writer: Store, tmp_path: Path) -> None:
    """One fires for eight minutes; another begins with an empty ledger, and knows since when, and how many times."""
    one = rig()
    one.live(20, 0, steps=2)
    one.live(0, 20, steps=16)
    other = Rig(reader, writer, tmp_path / "other.sqlite", one.name, int(one.now_s) - 30)
    other.go(30)
    said = len(one.said)
    for _ in range(15):
        one.live(200, 0)
        other.go(30)

    both = [{key: alert.record.occurrence for key, alert in each.engine.view.alerts.items()} for each in (one, other)]
    assert both[0] == both[1]
    assert other.said == one.said[said:]
    assert (one.name, "page", "resolved") in other.said


def test_two_that_count_the_same_past_at_once_count_it_once(rig: Made, process: StoreProcess) -> None:
    one = rig()
    for hours in range(1, 25):
        one.requests(5, 2, at_s=NOW_S - hours * 3_600)
    new = watched(replace(one.watched[0].objective, name=f"{one.name}-new", window=Rolling(length_s=30 * DAY_S)))
    together = Barrier(2)

    def count(replica: str) -> None:
        reader, writer, ledger = process.store("reader"), process.store("writer"), Ledger(one.path.with_name(replica))
        counting = Counting([new], Reader(reader, writer, [new], replica), ledger)
        counting.reach(NOW_S, NOW_S * 1000)
        together.wait(30)
        while counting.more(NOW_S, NOW_S * 1000):
            pass
        for opened in (reader, writer, ledger):
            opened.close()

    with ThreadPoolExecutor() as pool:
        list(pool.map(count, ("one", "other")))
    windows = Reader(one.reader, one.writer, [new], "r").windows(NOW_S, (2 * DAY_S,))

    assert [of[2 * DAY_S].eligible for of in windows.values()] == [24 * 7]


def test_a_service_that_fails_pages_and_resolves_once_it_is_well(rig: Made, reader: Store) -> None:
    one = rig()
    one.live(20, 0, steps=4)
    assert one.said == []
    one.live(0, 20, steps=4)
    assert one.said == [(one.name, "page", "firing")]
    one.live(200, 0, steps=15)

    assert one.said[:2] == [(one.name, "page", "firing"), (one.name, "page", "resolved")]
    (judged,) = one.engine.view.judged
    assert judged.group == {"endpoint": one.name}
    assert judged.found is not None
    assert judged.found.budget.judged == 160 + 14 * 200, "what ended last is counted at the next instant"
    rows = reader.query(
        Question(
            sql="SELECT from_state, to_state, severity FROM inferometer.alert_events WHERE slo = {slo:String}",
            parameters={"slo": one.name},
        )
    )
    assert ("firing", "resolved", "page") in [tuple(row.values()) for row in rows]


def test_after_a_restart_nothing_is_said_twice_and_the_missed_is_made_up_for(rig: Made) -> None:
    one = rig()
    one.live(20, 0, steps=2)
    one.live(0, 20, steps=4)
    for _ in range(4):
        one.now_s += 30
        one.requests(0, 20)
        one.beat()
    one.restart()
    evaluated = one.go(0)

    assert evaluated == 4
    assert one.said == [(one.name, "page", "firing")]
    assert state(one, one.name) is AlertState.FIRING
