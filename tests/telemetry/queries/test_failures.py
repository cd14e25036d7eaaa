"""How many requests ended badly over several spans, beside the rows themselves."""

from collections.abc import Callable
from statistics import pvariance
from typing import Any

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.failures import failures
from telemetry.queries.spans import MINUTE_S, SPANS_MAX
from telemetry.record import RequestRecord

SINCE_S = SINCE_MS // 1000 // MINUTE_S * MINUTE_S
UNTIL_S = -(-UNTIL_MS // 1000 // MINUTE_S) * MINUTE_S
HALF_S = SINCE_S + (UNTIL_S - SINCE_S) // 2 // MINUTE_S * MINUTE_S
SPANS = ((HALF_S, HALF_S + MINUTE_S), (HALF_S, UNTIL_S), (SINCE_S, UNTIL_S))
CLASSES = ((Outcome.SERVER_ERROR, Outcome.OVERLOADED), (Outcome.OOM,))


def is_bad(one: RequestRecord) -> bool:
    return one.eligible is Eligibility.BAD


READINGS: tuple[Callable[[RequestRecord], bool], ...] = (
    is_bad,
    lambda one: is_bad(one) and not one.in_stream,
    lambda one: one.outcome is Outcome.CLIENT_CANCELLED and not one.n_out_events,
    lambda one: one.outcome in CLASSES[0],
    lambda one: one.outcome in CLASSES[1],
)


def test_every_span_is_counted_as_the_rows_say(stored: Stored) -> None:
    rows: list[Any] = [*stored.reader.query(failures(SPANS, CLASSES))]
    users = [one for one in stored.records if one.traffic == "user"]
    series = sorted({(one.endpoint, one.model) for one in users})

    assert [(row["endpoint"], row["model"]) for row in rows] == series
    for row, key in zip(rows, series, strict=True):
        own = [one for one in users if (one.endpoint, one.model) == key]
        within = [[one for one in own if since <= one.ended_at / 1000 < until] for since, until in SPANS]
        assert row["n"] == [len(of) for of in within]
        counted = [[one for one in of if one.eligible in {Eligibility.GOOD, Eligibility.BAD}] for of in within]
        assert row["eligible"] == [len(of) for of in counted]
        failed = [[sum(map(is_it, of)) for is_it in READINGS] for of in within]
        assert [one[:1] + one[2:] for one in row["failed"]] == [one[:1] + one[2:] for one in failed]
        assert all(one[1] <= exact[1] for one, exact in zip(row["failed"], failed, strict=True))
    assert any(row["failed"][-1][0] for row in rows), "else nothing was shown"


def test_the_squares_give_the_variance_of_the_minutes(stored: Stored) -> None:
    row: Any = next(iter(stored.reader.query(failures(SPANS, CLASSES))))
    own = [one for one in stored.records if (one.endpoint, one.model) == (row["endpoint"], row["model"])]
    minutes = (UNTIL_S - SINCE_S) // MINUTE_S
    by_minute = [0] * minutes
    for one in own:
        if one.traffic == "user" and is_bad(one):
            by_minute[(one.ended_at // 1000 - SINCE_S) // MINUTE_S] += 1
    mean = sum(by_minute) / minutes

    assert row["squares"][0] / minutes - mean * mean == pytest.approx(pvariance(by_minute))


def test_a_span_without_a_row_holds_noughts(stored: Stored) -> None:
    row: Any = stored.reader.query(failures((*SPANS, (0, MINUTE_S)), CLASSES))[0]

    assert (row["n"][-1], row["failed"][-1], row["squares"]) == (0, [0] * 5, [0] * 5)


def test_as_many_spans_as_are_allowed_are_one_question(stored: Stored) -> None:
    assert stored.reader.query(failures(((SINCE_S, UNTIL_S),) * SPANS_MAX, ()))
