"""What the store remembers of an objective: every revision, who was heard, and what waited."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from inferometer import slo_history
from inferometer.errors import ConfigurationError
from inferometer.reading import Source
from inferometer.slo_history import History
from slo.expression import parse
from slo.heard_past import EXPECTED_S
from slo.objective import Indicator, Objective, Rolling
from slo.past import Gap, Known
from slo.watched import watched
from telemetry.clock import wall_ms
from telemetry.histogram import index
from telemetry.queries import Question
from telemetry.queries.heard import heard
from telemetry.schema.objectives import SLO_MINUTES
from telemetry.schema.pipeline import HEARTBEATS
from telemetry.testing.store_process import StoreProcess

AT_S = wall_ms() // 30_000 * 30 - 3_600
ONE = watched(
    Objective(
        name="history",
        service="chat",
        target=0.99,
        window=Rolling(length_s=86_400),
        indicator=Indicator(good=parse("ttft_s <= 1")),
    )
)
OLD = index(5_000_000)


def minute(of: int, t: int, eligible: int, good: int, revision: int = 0) -> tuple[object, ...]:
    values: dict[str, object] = {
        "t": t, "slo": "history", "group_key": '{"endpoint":"history"}', "definition_hash": of, "revision": revision,
        "eligible": eligible, "good": good, "bad": {}, "censored_bad": 0, "excluded": {}, "n_null": {},
        "coverage": None, "computed_at": wall_ms(),
    }  # fmt: skip
    return tuple(values[column.name] for column in SLO_MINUTES.insert_columns)


def beat(ts_ms: int, ages: dict[int, int]) -> tuple[object, ...]:
    values: dict[str, object] = {
        column.name: 0 if column.type.startswith(("U", "I")) else "" for column in HEARTBEATS.insert_columns
    }
    values |= {
        "ts": ts_ms, "watermark": ts_ms, "collector": "n/history", "endpoint": "history", "dropped_total": {},
        "waiting_age_h": ages, "in_flight_age_h": ages,
    }  # fmt: skip
    return tuple(values[column.name] for column in HEARTBEATS.insert_columns)


@pytest.fixture(scope="module")
def where(process: StoreProcess) -> Iterator[Source]:
    own = ONE.definition_hash
    rows = [
        minute(own, AT_S, 10, 9),
        minute(own, AT_S, 12, 9, revision=AT_S + 120),
        minute(own, AT_S + 30, 10, 8, revision=3),
        minute(7, AT_S + 600, 1, 1),
    ]
    silent = range(AT_S + 300, AT_S + 600)
    beats = [
        beat(s * 1000, {OLD: 4} if s == AT_S + 60 else {}) for s in range(AT_S - 60, AT_S + 901, 5) if s not in silent
    ]
    writer, reader = process.store("writer"), process.store("reader")
    writer.insert_rows(SLO_MINUTES, rows, "history")
    writer.insert_rows(HEARTBEATS, beats, "history-beats")
    yield Source(store=reader, url=process.url, observing_since_ms=None, metrics_url=None, tee_port=None)
    writer.close()
    reader.close()


def test_every_revision_counts_from_its_instant_on(where: Source) -> None:
    history = History(where, AT_S, AT_S + 900)
    (past,) = history.pasts(ONE)

    assert past.group == {"endpoint": "history"}
    assert past.counted == [
        Known(start_s=AT_S, eligible=10, bad=1, known_s=AT_S + 30),
        Known(start_s=AT_S + 30, eligible=10, bad=2, known_s=AT_S + 60),
        Known(start_s=AT_S, eligible=12, bad=3, known_s=AT_S + 120),
    ]
    assert history.notes == []


def test_who_was_not_heard_and_what_waited_is_remembered(where: Source) -> None:
    (past,) = History(where, AT_S, AT_S + 900).pasts(ONE)

    # The last heartbeat is at 295 s: stale from 415 s on.
    assert past.gaps == [Gap(start_s=AT_S + 420, end_s=AT_S + 570)]
    assert past.overdue == {AT_S + 60: 4}


class Noted:
    """What answers, and notes what it was asked for."""

    def __init__(self, where: Source) -> None:
        self._where, self.asked = where, list[str]()

    def rows(self, question: Question) -> list[dict[str, object]]:
        self.asked.append(question.sql)
        return self._where.rows(question)


OTHER = watched(replace(ONE.objective, name="history-other"))


@pytest.mark.parametrize(
    ("most", "said"),
    [
        pytest.param({"BUCKETS_MAX": 5}, "more than 5 stored counts", id="counts"),
        pytest.param({"instants_max": 59}, "60 instants; allowed: 59", id="instants"),
    ],
)
def test_what_is_too_much_is_refused_before_any_of_it_is_read(
    where: Source, monkeypatch: pytest.MonkeyPatch, most: dict[str, int], said: str
) -> None:
    """Three counts of each of two: the objective twice, as no other is stored."""
    noted, instants = Noted(where), most.get("instants_max")
    monkeypatch.setattr(slo_history, "BUCKETS_MAX", most.get("BUCKETS_MAX", 6))
    with pytest.raises(ConfigurationError, match=said):
        History(noted, AT_S, AT_S + 900, instants).pasts(ONE, OTHER, ONE)
    assert len(noted.asked) == 3, "what there is of each, and no more"

    monkeypatch.setattr(slo_history, "BUCKETS_MAX", 6)
    assert len(History(where, AT_S, AT_S + 900, 60).pasts(ONE, OTHER, ONE)) == 2


def test_heartbeats_are_read_up_to_a_limit(where: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    n = len(where.rows(heard(AT_S - EXPECTED_S, AT_S + 900)))
    monkeypatch.setattr(slo_history, "BEATS_MAX", n)
    assert History(where, AT_S, AT_S + 900).pasts(ONE)
    monkeypatch.setattr(slo_history, "BEATS_MAX", n - 1)
    with pytest.raises(ConfigurationError, match="heartbeats"):
        History(where, AT_S, AT_S + 900).pasts(ONE)


def test_what_was_never_counted_is_a_note(where: Source) -> None:
    history = History(where, AT_S - 7_200, AT_S - 3_600)

    assert history.pasts(ONE) == []
    assert history.notes == ["history: nothing was counted"]
