"""What engine, store and ledger say together, over a real engine and a real store."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from api_rig import ApiRig
from views import judged, seen

from slo.alert_moves import AlertState
from slo.alertmanager_body import rfc3339
from slo.errors import LedgerError
from slo.expression import parse
from slo.ledger import Step
from slo.lookback import Incidents, Lookback
from slo.panel_asked import PanelAsked
from slo.panel_documents import Documented
from slo.panel_past import AHEAD_POINTS, KEPT_MAX, POINTS, Documents, Said
from slo.shown import hexadecimal
from slo.stages import Stage
from slo.target import Target
from slo.watched import Watched
from slo.wholes import Flow
from telemetry.clock import wall_ms
from telemetry.panel import Document
from telemetry.record import RequestBatch
from telemetry.schema.objectives import ALERT_EVENTS
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request

NOW_S = wall_ms() // 1000 // 60 * 60 - 7_200
PLACE = "panel/past"
RECOVERED_MIN = (3, 4, 4, 6, 20)
"""Minutes to recover: mean 7.4, median 4 (spec/slo.md A16)."""


def rig_of(reader: Store, writer: Store, folder: Path, name: str) -> ApiRig:
    return ApiRig(reader, writer, folder, name, NOW_S)


class Counting(Lookback):
    """Counts how often it is asked for incidents."""

    n = 0

    def incidents(self, watched: Sequence[Watched], now_s: int) -> Incidents:
        self.n += 1
        return super().incidents(watched, now_s)


def documents(rig: ApiRig, said: Said | None = None) -> Documents:
    return Documents(lambda: rig.view, Lookback(rig.reader), lambda: said or Said(), lambda: int(rig.rig.now_s))


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def column(answer: Mapping[str, Any], name: str) -> list[Any]:
    place = [one["name"] for one in answer["columns"]].index(name)
    return [row[place] for row in answer["rows"]]


async def test_the_budget_ends_where_the_objective_stands(reader: Store, writer: Store, tmp_path: Path) -> None:
    rig = rig_of(reader, writer, tmp_path, "past-spent")
    rig.live(60, 0, steps=4)
    rig.live(0, 60, steps=3)
    one = await rig.get("/v1/slos/past-spent")
    answer = await rig.get("/v1/panels/slo.budget.json?slo=past-spent&from=now-1m")

    assert ("ok", 30, "engine:budget") == (answer["state"], answer["step_s"], answer["provenance"]["table"])
    left = [one for one in column(answer, "budget_left") if one is not None]
    assert (1.0, one["remaining"]) == (left[0], left[-1])
    assert left == sorted(left, reverse=True)
    assert column(answer, "t")[-1] == rig.view.at_s
    assert {None} == set(column(answer, "projected")), "what is spent is not projected"


async def test_the_budget_goes_on_at_the_burn_of_the_last_hour(reader: Store, writer: Store, tmp_path: Path) -> None:
    """One of 301 is bad, of 3 that may be: a third of the budget burns in the period."""
    rig = rig_of(reader, writer, tmp_path, "past-burns")
    rig.live(300, 1, steps=8)
    answer = await rig.get("/v1/panels/slo.budget.json?slo=past-burns")
    at = column(answer, "t").index(rig.view.at_s)
    now, middle = column(answer, "budget_left")[at], column(answer, "projected")

    assert pytest.approx(1 - 1 / 301 / 0.01) == now == middle[at]
    assert 0 < len(middle[at + 1 :]) <= AHEAD_POINTS
    assert [None] * len(middle[at + 1 :]) == column(answer, "budget_left")[at + 1 :]
    for low, between, high in zip(
        column(answer, "projected_low")[at:], middle[at:], column(answer, "projected_high")[at:], strict=True
    ):
        assert low <= between <= high
    assert pytest.approx(now) == middle[-1], "it burns as it has burnt"


async def test_what_people_took_out_is_told_and_leaves_the_line(reader: Store, writer: Store, tmp_path: Path) -> None:
    """60 of 240 were bad in what was agreed to be a maintenance, and 1 of 120 after it, of 1.2 that may be."""
    rig = rig_of(reader, writer, tmp_path, "past-agreed")
    rig.live(90, 30, steps=2)
    end_s = int(rig.rig.now_s)
    rig.live(60, 0)
    rig.live(59, 1)
    path = "/v1/panels/slo.budget.json?slo=past-agreed"
    before = await rig.get(path)
    await rig.post(
        "/v1/adjustments",
        {
            "selector": [{"name": "slo", "value": "past-agreed"}],
            "start": rfc3339(end_s - 3_600), "end": rfc3339(end_s),
            "reason": "moved to another rack", "author": "ann", "percent_excluded": 100,
        },
    )  # fmt: skip
    rig.live(0, 0, steps=2)
    answer, one = await rig.get(path), await rig.get("/v1/slos/past-agreed")
    began_s = seconds(before["from"])
    left = [each for each in column(answer, "budget_left") if each is not None]

    assert ([], [{"start": began_s, "end": end_s, "percent": 100}]) == (before["adjusted"], answer["adjusted"])
    assert min(each for each in column(before, "budget_left") if each is not None) < 0 <= min(left)
    assert one["remaining"] == left[-1] == pytest.approx(1 - 1 / 1.2)
    assert one["unadjusted"]["remaining"] < 0


async def test_without_a_name_the_worst_objective_is_meant(reader: Store, writer: Store, tmp_path: Path) -> None:
    rig = rig_of(reader, writer, tmp_path, "past-worst")
    rig.live(20, 1, steps=2)
    named, worst = [await rig.get(f"/v1/panels/slo.budget.json{of}") for of in ("?slo=past-worst", "")]

    assert named["rows"] == worst["rows"] != []
    assert 400 == (await rig.ask("GET", "/v1/panels/slo.budget.json?slo=nobody")).status_code
    assert 400 == (await rig.ask("GET", "/v1/panels/alert.signal.json?alert=" + "0" * 16)).status_code


def test_before_anything_is_judged_nothing_is_known() -> None:
    view = seen(judged(bad=1))
    gone = Lookback(Store("http://127.0.0.1:1", request_s=1))

    rows = Documents(lambda: view, gone, Said, lambda: NOW_S)(Document.SLOS, PanelAsked()).rows
    assert 1 == len(rows), "what the engine alone knows needs no store"
    assert not Documents(seen, gone, Said, lambda: NOW_S)(Document.BUDGET, PanelAsked()).rows
    assert not Documents(seen, gone, Said, lambda: NOW_S)(Document.PROPOSALS, PanelAsked()).rows


async def test_a_panel_of_an_alert_is_of_its_objective(reader: Store, writer: Store, tmp_path: Path) -> None:
    rig = rig_of(reader, writer, tmp_path, "past-alert")
    rig.live(50, 0, steps=6)
    rig.live(0, 50, steps=12)
    key = next(key for key, one in rig.view.alerts.items() if one.record.state is AlertState.FIRING)
    answer = await rig.get(f"/v1/panels/alert.signal.json?alert={hexadecimal(key)}&from={NOW_S - 600}&to={NOW_S + 600}")

    assert {1.0, 0.0} <= set(column(answer, "sli"))
    assert pytest.approx(100.0) == max(one for one in column(answer, "burn") if one is not None)
    assert "slo_minutes" == answer["provenance"]["table"]


def test_whoever_looks_for_schedules_is_asked_for_them() -> None:
    def suggested(asked: PanelAsked) -> Documented:
        return Documented(rows=[{"target": name} for name in asked.endpoint])

    gone = Lookback(Store("http://127.0.0.1:1", request_s=1))
    looked = Documents(seen, gone, Said, lambda: NOW_S, suggested=suggested)

    assert [{"target": "chat"}] == looked(Document.PROPOSALS, PanelAsked(endpoint=["chat"])).rows


def test_what_was_said_is_told_with_the_next_try(reader: Store, writer: Store, tmp_path: Path) -> None:
    rig = rig_of(reader, writer, tmp_path, "past-said")
    rig.live(50, 0, steps=2)
    rig.live(0, 50, steps=4)
    items = rig.rig.ledger.log()
    (first, *_) = items
    rig.rig.ledger.begin([first])
    rig.rig.ledger.retry([first], "503")
    said = Said(items=rig.rig.ledger.log(), waits_s={"channel": 20.4}, told_again=[Target(channel="am", sent_n=2)])
    asked = PanelAsked(alert=hexadecimal(first.notice.fingerprint))
    again, *rows = documents(rig, said)(Document.NOTICES, asked).rows

    (row,) = [row for row in rows if row["attempts"]]
    expected = ("channel", "waiting", 1, int(rig.rig.now_s) + 20, "503", "firing")
    assert expected == tuple(row[name] for name in ("receiver", "status", "attempts", "next_try", "why", "said"))
    assert ("am", "sent", 2) == tuple(again[name] for name in ("receiver", "status", "attempts"))
    assert [] == documents(rig, said)(Document.NOTICES, PanelAsked(alert="1" * 16)).rows
    rig.rig.ledger.sent([first])
    settled = documents(rig, Said(items=rig.rig.ledger.log()))(Document.NOTICES, asked).rows
    assert {(Step.SENT.value, None)} == {(row["status"], row["next_try"]) for row in settled if row["attempts"]}


def test_a_ledger_that_cannot_be_read_is_no_silence(reader: Store, writer: Store, tmp_path: Path) -> None:
    rig = rig_of(reader, writer, tmp_path, "past-lost")

    def lost() -> Said:
        raise LedgerError("gone")

    assert Documents(lambda: rig.view, Lookback(reader), lost, lambda: NOW_S)(Document.NOTICES, PanelAsked()).is_blind


def event(at_s: int, before: str, after: str, fired_s: int) -> tuple[object, ...]:
    values: dict[str, Any] = {
        "at": at_s * 1000, "instant": at_s * 1000, "fingerprint": 4711, "alertname": "past", "slo": "past",
        "severity": "page", "from_state": before, "to_state": after, "active_at": None, "clear_since": None,
        "resolved_at": None, "fired_at": fired_s * 1000, "occurrence": fired_s % 1000 + 1, "definition_hash": 1,
        "labels": {"endpoint": PLACE, "slo": "past"}, "annotations": {}, "values": {}, "evaluator": "e",
    }  # fmt: skip
    return tuple(values[one.name] for one in ALERT_EVENTS.insert_columns)


def test_five_incidents_are_enough_and_four_are_not(reader: Store, writer: Store, tmp_path: Path) -> None:
    rig = rig_of(reader, writer, tmp_path, "past-incidents")
    known = [NOW_S - (n + 1) * 7_201 for n in range(len(RECOVERED_MIN))]
    few: Sequence[Mapping[str, object]] = ()
    for fired_s, minutes in zip(known, RECOVERED_MIN, strict=True):
        if fired_s == known[-1]:
            few = documents(rig)(Document.INCIDENTS, PanelAsked(endpoint=[PLACE])).rows
        ended_s = fired_s + minutes * 60
        changes = [event(fired_s, "pending", "firing", fired_s), event(ended_s, "firing", "resolved", fired_s)]
        writer.insert_rows(ALERT_EVENTS, changes, f"past-{fired_s}")
    found = documents(rig)(Document.INCIDENTS, PanelAsked(endpoint=[PLACE])).rows
    of = {row["time"]: row for row in found if row["endpoint"] == PLACE}
    before = {row["time"]: row for row in few if row["endpoint"] == PLACE}

    assert ("insufficient: 4 of 5 incidents", None) == (before["MTTR"]["note"], before["MTTR"]["median"])
    times = tuple(of["MTTR"][name] for name in ("median", "mean", "p90", "incidents"))
    assert pytest.approx((240.0, 444.0, 1_200.0, 5)) == times
    assert "insufficient: 0 of 5 incidents" == of["MTTA"]["note"], "nobody took one on"
    assert {"all", PLACE} == {row["endpoint"] for row in found}


def test_stages_share_the_time_of_their_flows(reader: Store, writer: Store) -> None:
    """One flow of 45 s: its first stage took 5 s and may take 4, its last took 5 s and may take 9."""
    name = "past-stages"
    rows = [
        msgspec.structs.replace(
            sample_request(n, (NOW_S + end_s) * 1000), record_id=UUID(int=n), endpoint=name, model=model,
            elapsed_us=5_000_000, flow_id=1,
        )
        for n, (end_s, model) in enumerate(((10, "first"), (50, "last")), 1)
    ]  # fmt: skip
    writer.insert_requests(RequestBatch(collector=name, seqs=(1, 2), records=tuple(rows)), name)
    stages = tuple(Stage(name=model, match=f"model == '{model}'", budget_s=budget) for model, budget in _BUDGETS_S)
    plain = judged(name, endpoint=name)
    whole = Flow(last=parse("model == 'last'"), budget_s=60, stages=stages)
    one = replace(plain, watched=replace(plain.watched, objective=replace(plain.watched.objective, whole=whole)))
    asked = PanelAsked.model_validate({"slo": name, "from": str(NOW_S), "to": str(NOW_S + 90)})
    looked = Documents(lambda: seen(one), Lookback(reader), Said, lambda: NOW_S + 120)
    first, last = looked(Document.STAGES, asked).rows

    assert ("first", 1.0, pytest.approx(5 / 45)) == (first["stage"], first["share_of_over"], first["share_of_time"])
    assert ("last", 0.0, 9, 5.0, 1) == tuple(last[of] for of in ("stage", "share_of_over", "budget", "p99", "flows"))
    without = Documents(lambda: seen(plain), Lookback(reader), Said, lambda: NOW_S)
    assert [] == without(Document.STAGES, PanelAsked(slo=name)).rows


_BUDGETS_S = (("first", 4.0), ("last", 9.0))


def test_what_was_found_at_an_instant_is_not_asked_for_again(reader: Store, writer: Store, tmp_path: Path) -> None:
    rig = rig_of(reader, writer, tmp_path, "past-kept")
    lookback = Counting(reader)
    looked = Documents(lambda: rig.view, lookback, Said, lambda: NOW_S)
    for n in (*range(KEPT_MAX + 1), KEPT_MAX, 0):
        looked(Document.INCIDENTS, PanelAsked(endpoint=[f"e{n}"]))

    assert KEPT_MAX + 2 == lookback.n, "the last is remembered, the first was forgotten for it"
    assert POINTS > AHEAD_POINTS
