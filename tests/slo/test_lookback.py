"""What the API asks the store for, over a real one."""

import json
from typing import Any

import pytest
from views import judged

from slo.lookback import PAGES_MAX, Lookback
from telemetry.clock import wall_ms
from telemetry.queries.spent import STEPS_MAX
from telemetry.schema.objectives import ALERT_ACKS, ALERT_EVENTS, SLO_MINUTES
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

NOW_S = wall_ms() // 1000 // 60 * 60 - 7_200
NAME = "look/back"
ONE = judged(NAME.replace("/", "-"), endpoint=NAME)
SLO = ONE.watched.objective.name


@pytest.fixture
def lookback(reader: Store) -> Lookback:
    return Lookback(reader)


def minute(at_s: int, good: int, bad: int, *, revision: int = 0, definition: int = 0) -> tuple[object, ...]:
    values: dict[str, Any] = {
        "t": at_s, "slo": SLO, "group_key": json.dumps({"endpoint": NAME}).replace("/", "\\/"),
        "definition_hash": definition or ONE.watched.definition_hash, "revision": revision, "eligible": good + bad,
        "good": good, "bad": {"server_error": bad} if bad else {}, "censored_bad": bad, "excluded": {"auth": 1},
        "n_null": {"ttft_us": 2}, "coverage": None, "computed_at": at_s * 1000,
    }  # fmt: skip
    return tuple(values[column.name] for column in SLO_MINUTES.insert_columns)


def event(at_s: int, before: str, after: str, fired_s: int | None) -> tuple[object, ...]:
    values: dict[str, Any] = {
        "at": at_s * 1000, "instant": at_s * 1000, "fingerprint": 11, "alertname": SLO, "slo": SLO, "severity": "page",
        "from_state": before, "to_state": after, "active_at": None, "clear_since": None, "resolved_at": None,
        "fired_at": None if fired_s is None else fired_s * 1000, "occurrence": 1, "definition_hash": 1,
        "labels": {"endpoint": NAME, "slo": SLO}, "annotations": {"summary": "s"}, "values": {}, "evaluator": "e",
    }  # fmt: skip
    return tuple(values[column.name] for column in ALERT_EVENTS.insert_columns)


@pytest.fixture(autouse=True, scope="module")
def rows(process: StoreProcess) -> None:
    """Ten minutes of requests, of which the fourth to the sixth were bad; a page from the fifth to the ninth."""
    writer = process.store("writer")
    minutes = [minute(NOW_S + n * 60, 0 if 3 <= n < 6 else 10, 10 if 3 <= n < 6 else 0) for n in range(10)]
    late = [minute(NOW_S, 20, 0, revision=NOW_S), minute(NOW_S + 30, 99, 0, definition=1)]
    writer.insert_rows(SLO_MINUTES, minutes + late, "lookback-minutes")
    changes = [
        event(NOW_S + 240, "unknown", "firing", NOW_S + 240),
        event(NOW_S + 480, "firing", "resolved", NOW_S + 240),
        event(NOW_S + 500, "unknown", "inactive", None),
    ]
    writer.insert_rows(ALERT_EVENTS, changes, "lookback-events")
    writer.insert_rows(ALERT_ACKS, [((NOW_S + 300) * 1000, 11, "ann", None)], "lookback-acks")
    writer.close()


def test_what_the_requests_were_is_told_by_the_last_revision(lookback: Lookback) -> None:
    row = lookback.spent(ONE, NOW_S, NOW_S + 600)

    assert (row["eligible"], row["good"], row["censored_bad"], row["buckets"]) == (110, 80, 30, 10)
    assert (row["bad"], row["excluded"], row["n_null"]) == ({"server_error": 30}, {"auth": 10}, {"ttft_us": 20})
    assert lookback.spent(judged(SLO, endpoint="other"), NOW_S, NOW_S + 600)["eligible"] == 0


def test_a_series_has_a_row_for_each_step_with_requests(lookback: Lookback) -> None:
    rows = lookback.series(ONE, NOW_S, NOW_S + 600, 300)

    assert [(row["t_unix_s"], row["eligible"], row["good"]) for row in rows] == [
        (NOW_S, 60, 40), (NOW_S + 300, 50, 40),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="allowed are 1 to"):
        lookback.series(ONE, 0, (STEPS_MAX + 1) * 30, 30)


def test_changes_are_newest_first_and_what_only_became_known_is_none(lookback: Lookback) -> None:
    rows = lookback.changes(NOW_S, NOW_S + 600, slo=SLO, severity="page", fingerprint=11)

    assert [(row["from_state"], row["to_state"]) for row in rows] == [("firing", "resolved"), ("unknown", "firing")]
    assert lookback.changes(NOW_S, NOW_S + 600, slo=SLO, severity="ticket") == []


def test_an_incident_lies_between_its_bad_minutes(lookback: Lookback) -> None:
    for _ in range(2):  # the second time what is over is remembered
        found = lookback.incidents([ONE.watched], NOW_S + 3_600)
        (one,) = [incident for incident in found.found if incident.service == NAME]

        assert (one.began_s, one.detected_s, one.ended_s) == (NOW_S + 180, NOW_S + 240, NOW_S + 360)
        assert (one.acked_s, one.is_open) == (NOW_S + 300, False)


def test_a_page_of_an_objective_that_is_gone_lasts_as_long_as_it_fired(lookback: Lookback) -> None:
    (one,) = [incident for incident in lookback.incidents([], NOW_S + 3_600).found if incident.service == NAME]

    assert (one.began_s, one.ended_s) == (NOW_S + 240, NOW_S + 480)


def test_of_many_pages_the_newest_are_looked_at(process: StoreProcess, reader: Store) -> None:
    at_s = NOW_S - 40 * 86_400
    writer = process.store("writer")
    column = [one.name for one in ALERT_EVENTS.insert_columns].index("occurrence")
    many = [event(at_s + n * 30, "pending", "firing", at_s + n * 30) for n in range(PAGES_MAX + 1)]
    writer.insert_rows(ALERT_EVENTS, [(*e[:column], n + 5, *e[column + 1 :]) for n, e in enumerate(many)], "many")
    writer.close()

    assert Lookback(reader).incidents([], NOW_S).is_cut


def test_what_was_written_down_comes_with_the_tokens_of_a_month(lookback: Lookback) -> None:
    found = lookback.operated(NOW_S)

    assert found.tokens_per_month >= 0
    assert isinstance(found.markers, list)
