"""How answers look, against the records themselves, and at the same time of the days before."""

import statistics
from uuid import UUID

import msgspec
import pytest
from query_store import HOUR_MS, SINCE_MS, UNTIL_MS, Stored
from test_around import engine

from telemetry.outcome import Outcome
from telemetry.queries.answers import DAYS, answers_now, answers_usual, corrupted

DAY_MS = 24 * HOUR_MS
NAME = "answers"


def test_answers_of_a_window_are_counted_from_the_rows(stored: Stored) -> None:
    rows = [row for row in stored.rows(answers_now(SINCE_MS, UNTIL_MS)) if row["endpoint"] == "chat"]
    for row in rows:
        of = [one for one in stored.records if (one.endpoint, one.model) == ("chat", row["model"])]
        known = [one.tokens_out for one in of if one.outcome is Outcome.OK and one.tokens_out is not None]
        assert (len(of), len(known)) == (row["n"], row["lengths"])
        assert (statistics.fmean(known), statistics.pstdev(known)) == pytest.approx((row["tokens"], row["tokens_sd"]))
        assert sum(one.outcome is Outcome.OK for one in of) == row["answers"]

    assert 3 == len(rows)


def test_what_is_usual_is_of_the_same_hour(stored: Stored) -> None:
    since_ms = SINCE_MS - 10 * DAY_MS
    plain = next(one for one in stored.records if one.outcome is Outcome.OK)
    ends = [
        (-DAY_MS, Outcome.OK, 10),
        (-DAY_MS + HOUR_MS - 1, Outcome.OK, 20),
        (-DAYS * DAY_MS, Outcome.BAD_OUTPUT, 99),
        (-2 * DAY_MS, Outcome.OK, None),
        (-DAY_MS - 1, Outcome.OK, 1_000),
        (-DAY_MS + HOUR_MS, Outcome.OK, 1_000),
        (-DAYS * DAY_MS - 1, Outcome.OK, 1_000),
        (0, Outcome.OK, 1_000),
    ]
    sent = [
        msgspec.structs.replace(
            plain, ended_at=since_ms + at_ms, outcome=outcome, tokens_out=tokens, tok_by_s=(), endpoint=NAME,
            record_id=UUID(int=since_ms + n),
        )
        for n, (at_ms, outcome, tokens) in enumerate(ends)
    ]  # fmt: skip
    stored.insert("n/usual", sent)
    [row] = [row for row in stored.rows(answers_usual(since_ms, since_ms + HOUR_MS)) if row["endpoint"] == NAME]

    assert {"answers": 4, "bad": 1, "lengths": 2, "tokens": 15} == {
        name: row[name] for name in ("answers", "bad", "lengths", "tokens")
    }


def test_corruption_is_counted_across_restarts(stored: Stored) -> None:
    at_ms = SINCE_MS - 90 * HOUR_MS
    totals = [(4, 0), (6, 0), (1, 0), (2, 0), (3, 1)]
    rows = [
        engine(at_ms - 50_000 + 10_000 * n, "r0", endpoint=NAME, reset=reset, extra={"corrupted_requests_total": total})
        for n, (total, reset) in enumerate(totals)
    ]
    stored.writer.insert_samples([*rows, engine(at_ms - 1_000, "r1", endpoint=NAME)], "corrupted")

    assert [{"endpoint": NAME, "replica": "r0", "heard_unix_ms": at_ms - 10_000, "corrupted": 7}] == stored.rows(
        corrupted(at_ms - 50_000, at_ms)
    )
    assert [4] == [row["corrupted"] for row in stored.rows(corrupted(at_ms - 20_000, at_ms))]
