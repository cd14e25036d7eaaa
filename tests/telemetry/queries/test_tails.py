"""Durations within strata, against the rows themselves."""

import math
from collections import Counter
from typing import cast

import msgspec
import pytest
from query_store import HOUR_MS, SINCE_MS, UNTIL_MS, Stored

from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.asked import Metric
from telemetry.queries.tails import spreads, waits_by_load
from telemetry.record import RequestRecord

DAY_MS = 24 * HOUR_MS
KEYS = ("endpoint", "model", "band", "cache")


def key(one: RequestRecord) -> tuple[str, str, str, str]:
    band = "" if one.tokens_in is None else str(1 << one.tokens_in.bit_length() - 1)
    return one.endpoint, one.model, band, ""


def bucket(us: int) -> int:
    return math.floor(math.log2(us) * 32)


def test_durations_of_strata_are_counted_in_the_halves_of_the_window_and_before(stored: Stored) -> None:
    middle_ms = (SINCE_MS + UNTIL_MS) // 2
    counts: dict[tuple[str, str, str, str], dict[str, Counter[int]]] = {}
    failed: Counter[tuple[str, str, str, str]] = Counter()
    for one in stored.records:
        if one.outcome is Outcome.OK and one.ttft_us is not None:
            half = "early" if one.ended_at < middle_ms else "late"
            halves = counts.setdefault(key(one), {"early": Counter(), "late": Counter()})
            halves[half][bucket(one.ttft_us)] += 1
        failed[key(one)] += one.eligible is Eligibility.BAD and one.ttft_us is None

    now, before = (
        {
            tuple(str(row[part]) for part in KEYS): row
            for row in stored.rows(spreads(Metric.TTFT, SINCE_MS + back_ms, UNTIL_MS + back_ms))
            if row["endpoint"] in {"chat", "code"}
        }
        for back_ms in (0, DAY_MS)
    )

    assert counts == {at: {half: row[half] for half in ("early", "late")} for at, row in now.items()}
    assert {at: of["early"] + of["late"] for at, of in counts.items()} == {
        at: row["before"] for at, row in before.items()
    }
    halves_failed = {at: int(str(row["early_failed"])) + int(str(row["late_failed"])) for at, row in now.items()}
    assert +failed == +Counter(halves_failed) == {at: n for at, row in before.items() if (n := row["before_failed"])}
    assert all(({}, 0) == (row["before"], row["before_failed"]) for row in now.values())
    assert all(({}, {}) == (row["early"], row["late"]) for row in before.values())


@pytest.mark.parametrize("metric", [Metric.TPOT, Metric.E2E])
def test_other_durations_may_be_asked(stored: Stored, metric: Metric) -> None:
    rows = stored.rows(spreads(metric, SINCE_MS, UNTIL_MS))
    name = f"{metric.value}_us"
    known = [one for one in stored.records if one.outcome is Outcome.OK and getattr(one, name) is not None]

    now = [
        cast("dict[int, int]", row[half])
        for row in rows
        if row["endpoint"] in {"chat", "code"}
        for half in ("early", "late")
    ]
    assert len(known) == sum(sum(one.values()) for one in now)


def test_minutes_of_high_and_of_low_load_are_told_apart(stored: Stored) -> None:
    at_ms = SINCE_MS - 11 * DAY_MS  # apart from the rows that all tests share
    (one, *_) = [one for one in stored.records if one.ttft_us is not None and one.outcome is Outcome.OK]
    # Ten minutes with 1, 2, ... 10 requests: the nearest rank of 0.3 is 3, that of 0.8 is 8.
    rows = [
        msgspec.structs.replace(
            one,
            endpoint="loaded",
            model="m",
            tokens_in=700,
            ended_at=at_ms + minute * 60_000 + at,
            ttft_us=1_000 * minute,
        )
        for minute in range(1, 11)
        for at in range(minute)
    ]
    rows.append(msgspec.structs.replace(rows[0], outcome=Outcome.OVERLOADED, eligible=Eligibility.BAD, ttft_us=None))
    stored.insert("n/loaded", rows)

    until_ms = at_ms + 11 * 60_000
    (found,) = [
        row for row in stored.rows(waits_by_load(at_ms + 9 * 60_000, until_ms, at_ms)) if row["endpoint"] == "loaded"
    ]

    # The failed one ended in the first minute, which then has 2: levels are of 2, 2, 3, 4, ... 10.
    assert (3, 8) == (found["low_load"], found["high_load"])
    assert {bucket(9_000): 9, bucket(10_000): 10} == found["high"], "the eighth minute is not within the window"
    assert {bucket(1_000): 1, bucket(2_000): 2, bucket(3_000): 3} == found["low"]
    assert (0, 1, "512") == (found["high_failed"], found["low_failed"], found["band"])


def test_a_window_longer_than_a_day_is_refused() -> None:
    spreads(Metric.TTFT, 0, DAY_MS)
    with pytest.raises(ValueError, match="not within a day"):
        spreads(Metric.TTFT, 0, DAY_MS + 1)
