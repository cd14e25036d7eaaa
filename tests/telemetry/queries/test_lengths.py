"""Lengths now and before, against the rows themselves."""

from collections import Counter

import pytest
from query_store import HOUR_MS, SINCE_MS, UNTIL_MS, Stored

from telemetry.queries.lengths import length_mix

DAY_MS = 24 * HOUR_MS


def bands(lengths: list[int | None]) -> Counter[int]:
    return Counter(1 << (one.bit_length() - 1) for one in lengths if one is not None)


def asked(stored: Stored, since_ms: int, until_ms: int) -> list[dict[str, object]]:
    return [row for row in stored.rows(length_mix(since_ms, until_ms)) if row["endpoint"] in {"chat", "code"}]


def test_the_window_is_counted_in_bands(stored: Stored) -> None:
    since_ms = UNTIL_MS - HOUR_MS
    rows = asked(stored, since_ms, UNTIL_MS)

    assert rows
    for row in rows:
        own = [one for one in stored.records if (one.endpoint, one.model) == (row["endpoint"], row["model"])]
        now, before = ([one for one in own if (one.ended_at >= since_ms) is is_now] for is_now in (True, False))
        assert bands([one.tokens_in for one in now]) == row["in_now"]
        assert bands([one.tokens_out for one in now]) == row["out_now"]
        assert bands([one.tokens_in for one in before if one.ended_at >= since_ms - HOUR_MS]) == row["in_around"]
        assert len(now) == row["n_now"]
        assert ({}, 0) == (row["in_same"], row["days"]), "the hours before the window are of the same day"


def test_the_same_hours_of_the_day_before_are_the_reference(stored: Stored) -> None:
    (row, *_) = asked(stored, SINCE_MS + DAY_MS, SINCE_MS + DAY_MS + HOUR_MS)

    own = [one for one in stored.records if (one.endpoint, one.model) == (row["endpoint"], row["model"])]
    assert bands([one.tokens_in for one in own if one.ended_at < SINCE_MS + HOUR_MS]) == row["in_same"]
    assert row["in_same"] == row["in_around"], "nothing ended in the hour before"
    assert ({}, 0, 1) == (row["in_now"], row["n_now"], row["days"])


def test_a_window_longer_than_a_day_is_refused() -> None:
    length_mix(0, DAY_MS)
    with pytest.raises(ValueError, match="not within a day"):
        length_mix(0, DAY_MS + 1)
