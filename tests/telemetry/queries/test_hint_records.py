"""What the store remembers of hints, over a real one."""

import json
from collections.abc import Mapping

import pytest
from query_store import SINCE_MS, Stored

from telemetry.queries import hint_records as asked
from telemetry.schema.hints import HINT_ACKS, HINT_SCORES, HINT_STATE, HINTS
from telemetry.schema.parts import Table

T0 = SINCE_MS // 60_000 * 60_000
TARGET = "remembered"
HOUR_MS = 3_600_000


def rows_of(table: Table, *values: Mapping[str, object]) -> list[tuple[object, ...]]:
    empty: dict[str, object] = {"reasons": [], "vetoes": [], "raw": None, "confidence": None, "target": TARGET}
    names = [column.name for column in table.insert_columns]
    return [tuple({**dict.fromkeys(names, ""), **empty, **one}[name] for name in names) for one in values]


def said(at_s: int, seq: int, issued_s: int, **values: object) -> dict[str, object]:
    payload = {
        "seq": seq, "at": at_s, "forecast": {"lead_s": 60, "p95_rps": 5.5}, "signals": {"arrivals_rps": {"value": 4}},
        "capacity": {"goodput_rps": None}, "slo": {"attainment_1h": 0.98, "objective": None},
    }  # fmt: skip
    return {
        "issued_at": T0 + issued_s * 1000, "instant": T0 + at_s * 1000, "hint_id": f"h{seq}", "seq": seq,
        "action": "hold", "spec": 4, "ready": 3, "warming": 1, "desired": 6, "payload": json.dumps(payload), **values,
    }  # fmt: skip


@pytest.fixture(scope="module")
def filled(stored: Stored) -> Stored:
    hints = [said(0, 0, 0), said(15, 1, 15), said(30, 1, 15), said(75, 1, 15), said(90, 2, 90)]
    stored.writer.insert_rows(HINTS, rows_of(HINTS, *hints), "hints-1")
    states: list[dict[str, object]] = [
        {"instant": T0 + at_s * 1000, "state_json": f"s{at_s}"} for at_s in (0, 15, 30, 75, 90)
    ]
    stored.writer.insert_rows(HINT_STATE, rows_of(HINT_STATE, *states), "states-1")
    stored.writer.insert_rows(HINT_STATE, rows_of(HINT_STATE, {"instant": T0, "state_json": "other"}), "states-1")
    act = {"at": T0 + 20_000, "hint_id": "h1", "applied": 6, "actor": "keda", "kind": "ack", "until": None}
    freeze = {**act, "at": T0 + 10_000, "hint_id": "", "kind": "freeze", "until": T0 + HOUR_MS, "reason": "why"}
    stored.writer.insert_rows(HINT_ACKS, rows_of(HINT_ACKS, act, freeze), "acts-1")
    score = {"at": T0 + 75_000, "hint_id": "h1", "applied": None, "demand_per_s": 4.0, "held": 1}
    score |= {"missed_minutes": 0.5, "gpu_h_delta": -0.25}
    stored.writer.insert_rows(HINT_SCORES, rows_of(HINT_SCORES, score), "scores-1")
    return stored


def test_the_last_state_is_that_of_the_first_who_wrote_it(filled: Stored) -> None:
    def last(at_s: int) -> list[tuple[object, ...]]:
        rows = filled.rows(asked.last_states(T0 - HOUR_MS, T0 + at_s * 1000, [TARGET, "nobody"]))
        return [(row["target"], row["instant_unix_ms"], row["state_json"]) for row in rows]

    assert [(TARGET, T0 + 90_000, "s90")] == last(100)
    assert [(TARGET, T0 + 15_000, "s15")] == last(29)
    assert [(TARGET, T0, "s0")] == last(0), "of two inserts under one token the first is kept"
    assert [] == last(-1)


def test_history_has_each_hint_as_it_was_first_with_its_score(filled: Stored) -> None:
    rows = filled.rows(asked.history(TARGET, T0, T0 + 91_000))

    assert [(2, 90), (1, 15), (0, 0)] == [
        (of["seq"], of["at"]) for row in rows for of in [json.loads(str(row["payload"]))]
    ]
    assert [0, T0 + 75_000, 0] == [row["scored_unix_ms"] for row in rows]
    assert (None, 4.0, 1, 0.5, -0.25) == tuple(
        rows[1][name] for name in ("applied", "demand_per_s", "held", "missed_minutes", "gpu_h_delta")
    )
    assert [] == filled.rows(asked.history("nobody", T0, T0 + 91_000))


def test_minutes_have_one_instant_each(filled: Stored) -> None:
    rows = filled.rows(asked.minutes(T0, T0 + HOUR_MS, [TARGET]))

    assert [(T0 // 1000, "h0"), (T0 // 1000 + 75, "h1")] == [(row["t_unix_s"], row["hint_id"]) for row in rows]
    first = {name: rows[0][name] for name in ("lead_s", "p95_rps", "demand_rps", "goodput_rps", "attainment")}
    assert {"lead_s": 60, "p95_rps": 5.5, "demand_rps": 4, "goodput_rps": None, "attainment": 0.98} == first
    assert (4, 6, T0 // 1000) == (rows[0]["spec"], rows[0]["desired"], rows[0]["issued_unix_s"])


def test_acts_and_scores_come_back(filled: Stored) -> None:
    acts = filled.rows(asked.acts(T0, T0 + HOUR_MS, [TARGET]))
    scores = filled.rows(asked.scores(T0, T0 + HOUR_MS, [TARGET]))

    assert [("ack", 6, None), ("freeze", 6, T0 + HOUR_MS)] == [
        (row["kind"], row["applied"], row["until_unix_ms"]) for row in acts
    ]
    assert [("h1", None, 1, -0.25)] == [
        (row["hint_id"], row["applied"], row["held"], row["gpu_h_delta"]) for row in scores
    ]


def test_who_reports_all_day_does_not_hide_who_froze(stored: Stored) -> None:
    freeze = {
        "at": T0, "hint_id": "", "target": "busy", "applied": 0, "actor": "ann", "kind": "freeze",
        "until": T0 + HOUR_MS, "reason": "why",
    }  # fmt: skip
    reports: list[dict[str, object]] = [
        {**freeze, "at": T0 + n, "kind": "report", "until": None} for n in range(1, asked.ACTS_MAX + 2)
    ]
    stored.writer.insert_rows(HINT_ACKS, rows_of(HINT_ACKS, freeze, *reports), "acts-2")
    acts = stored.rows(asked.acts(T0, T0 + HOUR_MS, ["busy"]))

    assert [*["report"] * asked.ACTS_MAX, "freeze"] == [row["kind"] for row in acts]


def test_answers_are_bounded() -> None:
    found = [
        asked.history("x", 0, 1), asked.scores(0, 1, ["x"]), asked.minutes(0, 1, ["x"]), asked.acts(0, 1, ["x"]),
    ]  # fmt: skip

    assert [one.parameters["most"] for one in found] == [
        asked.HINTS_MAX, asked.HINTS_MAX, asked.MINUTES_MAX, asked.ACTS_MAX,
    ]  # fmt: skip
    assert all("{most:UInt32}" in one.sql for one in found)
