"""The traffic of a window as it is replayed: arrivals, lengths, and who left, on a real store."""

from collections import Counter

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.outcome import Outcome
from telemetry.queries.asked import Asked, Dim
from telemetry.queries.replayed import REPLAYED_MAX, replayed

ASKED = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS)


def test_requests_in_the_order_of_their_arrival(stored: Stored) -> None:
    expected = [(one.ended_at * 1000 - one.elapsed_us, one.tokens_in, one.tokens_out) for one in stored.records]
    rows = stored.rows(replayed(ASKED))

    assert sorted(row[0] for row in expected) == [row["t_unix_us"] for row in rows]
    assert Counter(expected) == Counter((row["t_unix_us"], row["tokens_in"], row["tokens_out"]) for row in rows)


def test_who_left_before_the_first_token(stored: Stored) -> None:
    left = sorted(one.elapsed_us for one in stored.records if one.outcome is Outcome.CLIENT_CANCELLED)
    rows = stored.rows(replayed(ASKED))

    assert left
    assert left == sorted(int(str(row["left_after_us"])) for row in rows if row["left_after_us"] is not None)


def test_a_part_of_the_traffic(stored: Stored) -> None:
    expected = [one for one in stored.records if one.endpoint == "chat" and one.model == "it's"]
    asked = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, where={Dim.ENDPOINT: ("chat",), Dim.MODEL: ("it's",)})

    assert len(expected) == len(stored.rows(replayed(asked)))
    assert 7 == len(stored.rows(replayed(asked, 7)))
    assert [] == stored.rows(replayed(Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, traffic="loadtest")))


@pytest.mark.parametrize("limit", [0, REPLAYED_MAX + 1])
def test_a_limit_that_is_none(limit: int) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        replayed(ASKED, limit)


def test_the_greatest_limit() -> None:
    assert REPLAYED_MAX == replayed(ASKED, REPLAYED_MAX).parameters["limit"]
