"""What endpoints used and made, against the rows themselves."""

from collections import Counter

import msgspec
import pytest
from query_store import HOUR_MS, Stored
from query_store import SINCE_MS as STORED_SINCE_MS
from query_store import UNTIL_MS as STORED_UNTIL_MS

from telemetry.outcome import Outcome
from telemetry.queries.drift import Anchor
from telemetry.queries.spending import spending, tokens_in_time
from telemetry.record import RequestRecord
from telemetry.samples import EngineSample, GpuRow

DAY_MS = 24 * HOUR_MS
BACK_MS = 9 * DAY_MS
"""How long before the rows that all tests share those of this one are."""
SINCE_MS, UNTIL_MS = STORED_SINCE_MS - BACK_MS, STORED_UNTIL_MS - BACK_MS
ANCHOR = Anchor(base_us=100_000, per_token_us=100)


def renamed(stored: Stored) -> list[RequestRecord]:
    """Return requests of endpoints of this test's own."""
    names = {"chat": "spender", "code": "idler"}
    return [
        msgspec.structs.replace(one, endpoint=names[one.endpoint], ended_at=one.ended_at - BACK_MS)
        for one in stored.records[:600]
    ]


def scrape(at_ms: int, replica: str, up: int = 1) -> EngineSample:
    return EngineSample(ts=at_ms, endpoint="spender", replica=replica, up=up, scrape_us=1)


def gpu(at_ms: int, uuid: str, mig: str = "", endpoint: str = "spender") -> GpuRow:
    return GpuRow(
        ts=at_ms, node="n", gpu_uuid=uuid, mig_uuid=mig, gpu_name="H100", endpoint=endpoint, replica="r", gpu_index=0
    )


@pytest.fixture(scope="module")
def used(stored: Stored) -> Stored:
    first, second = SINCE_MS, SINCE_MS + 60_000
    scrapes = [
        scrape(first, "a"),
        scrape(first + 1, "a"),
        scrape(first, "b"),
        scrape(second, "b"),
        scrape(second, "a", 0),
    ]
    stored.writer.insert_samples([*scrapes, scrape(UNTIL_MS - DAY_MS - 1, "a")], "spending-scrapes")
    gpus = [gpu(first, "1"), gpu(first, "1", "mig-1"), gpu(first, "2"), gpu(second, "1"), gpu(first, "9", endpoint="")]
    stored.writer.insert_samples(gpus, "spending-gpus")
    own = renamed(stored)
    twins = [msgspec.structs.replace(one, traffic="engine") for one in own[:50]]
    yesterday = [msgspec.structs.replace(one, ended_at=one.ended_at - DAY_MS) for one in own[:90]]
    stored.insert("n/spent", [*own, *twins, *yesterday])
    return stored


def test_what_was_made_and_used_is_counted_for_each_day(used: Stored) -> None:
    rows = {(row["endpoint"], row["days_ago"]): row for row in used.rows(spending(SINCE_MS, UNTIL_MS))}

    for days_ago, records in ((0, renamed(used)), (1, renamed(used)[:90])):
        own = [one for one in records if one.endpoint == "spender"]
        row = rows["spender", days_ago]
        made = (len(own), sum(one.tokens_in or 0 for one in own), sum(one.tokens_out or 0 for one in own))
        assert made == (row["requests"], row["tokens_in"], row["tokens_out"])
    names = ("minutes", "replica_minutes", "gpu_minutes_seen", "gpu_minutes")
    assert (2, 3, 2, 3) == tuple(rows["spender", 0][name] for name in names)
    assert (1, 1, 0, 0) == tuple(rows["spender", 1][name] for name in names)
    assert (0, 0, 0, 0) == tuple(rows["idler", 0][name] for name in names)


def test_tokens_in_time_are_those_of_answers_within_the_limit(used: Stored) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for name, records in (("now", renamed(used)), ("before", renamed(used)[:90])):
        for one in records:
            if one.ttft_us is None or one.tokens_in is None:
                continue
            limit_us = ANCHOR.base_us + ANCHOR.per_token_us * one.tokens_in
            expected[one.endpoint, f"{name}_tokens"] += one.tokens_out or 0
            is_in_time = one.outcome is Outcome.OK and one.ttft_us <= limit_us
            expected[one.endpoint, f"{name}_in_time"] += (one.tokens_out or 0) if is_in_time else 0

    rows = used.rows(tokens_in_time(SINCE_MS, UNTIL_MS, ANCHOR))

    names = ("now_tokens", "now_in_time", "before_tokens", "before_in_time")
    own = [row for row in rows if row["endpoint"] in {"spender", "idler"}]
    assert expected == {(row["endpoint"], name): row[name] for row in own for name in names}


@pytest.mark.parametrize(("since_ms", "until_ms"), [(0, HOUR_MS - 1), (1, HOUR_MS), (0, 0), (0, DAY_MS + HOUR_MS)])
def test_a_window_of_other_than_whole_hours_of_a_day_is_refused(since_ms: int, until_ms: int) -> None:
    with pytest.raises(ValueError, match=r"whole hours|within a day"):
        spending(since_ms, until_ms)


def test_a_window_longer_than_a_day_is_refused() -> None:
    spending(0, DAY_MS)
    with pytest.raises(ValueError, match="not within a day"):
        tokens_in_time(0, DAY_MS + 1, ANCHOR)
