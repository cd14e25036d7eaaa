"""Batch jobs counted by the store: their items at the deadline, their slices by what is left to do."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from flow_steps import Step, stored_steps
from query_store import SINCE_MS, Stored

from telemetry.outcome import Outcome
from telemetry.queries.asked import Dim
from telemetry.queries.counted import FALSE, TRUE, Clause, Counted
from telemetry.queries.jobs import (
    DEADLINE_S_MAX,
    ITEMS_MAX,
    SLICE_S,
    CountedJobs,
    items_counted,
    slices_counted,
)
from telemetry.queries.question import Question

AT_MS = SINCE_MS - 70 * 3_600_000
HOUR_S = 3_600
Row = dict[str, Any]
Ask = Callable[[CountedJobs, int, int], Question | None]


def objective(endpoint: str, deadline_s: float, items: int | None = None) -> CountedJobs:
    only = Clause(sql=f"if(toString(endpoint) = $0, {TRUE}, {FALSE})", values=(endpoint,))
    return CountedJobs(rows=Counted(name=endpoint, only=only), deadline_s=deadline_s, items=items)


def asked(stored: Stored, ask: Ask, one: CountedJobs, since_s: int, until_s: int) -> list[Row]:
    question = ask(one, AT_MS + since_s * 1000, AT_MS + until_s * 1000)
    return [] if question is None else stored.rows(question)


def told(rows: Sequence[Row]) -> dict[int, tuple[Any, ...]]:
    """Return of each bucket, by its start after the instant: good, bad, excluded."""
    found = {int(row["t_unix_s"]) - AT_MS // 1000: (row["good"], row["bad"], row["excluded"]) for row in rows}
    assert len(found) == len(rows), "no bucket is told twice"
    return found


def both_ways(stored: Stored, ask: Ask, one: CountedJobs, until_s: int) -> dict[int, tuple[Any, ...]]:
    """Ask for all at once, and for each bucket that ends a slice as an engine does: the answers are equal."""
    whole = told(asked(stored, ask, one, 0, until_s))
    live = [row for t in range(SLICE_S, until_s + 1, SLICE_S) for row in asked(stored, ask, one, t - 30, t)]

    assert told(live) == whole
    return whole


def item(end_s: float, outcome: Outcome = Outcome.OK, flow: int = 1) -> Step:
    return Step(flow=flow, start_s=end_s - 2, end_s=end_s, outcome=outcome)


OK, FAILED, LEFT, NOT_OURS = Outcome.OK, Outcome.SERVER_ERROR, Outcome.CLIENT_CANCELLED, Outcome.CONTEXT_LENGTH


def test_items_of_a_known_number_are_bad_at_the_deadline_if_they_are_not_done(stored: Stored) -> None:
    # The job begins at 10 s, so its deadline is at 1,510 s: in the third slice.
    done = [item(12), item(40), item(650, FAILED), item(700), item(800, NOT_OURS), item(1510), item(1511), item(3000)]
    stored.insert("known items", stored_steps(done, AT_MS, "known items"))
    found = both_ways(stored, items_counted, objective("known items", 1500, items=10), HOUR_S)

    assert found == {
        570: (2, {}, {}),
        1170: (1, {}, {"context_length": 1}),
        # Ten less four that are done, less one that never can be; what comes late was counted already.
        1770: (1, {"ok": 5}, {}),
    }


def test_items_of_an_unknown_number_count_as_they_end(stored: Stored) -> None:
    done = [item(12), item(20, FAILED), item(30, LEFT), item(650, NOT_OURS), item(1600), item(1601, LEFT)]
    stored.insert("unknown items", stored_steps(done, AT_MS, "unknown items"))
    found = both_ways(stored, items_counted, objective("unknown items", 1500), HOUR_S)

    assert found == {
        570: (1, {"server_error": 1}, {"client_cancelled": 1}),
        1170: (0, {}, {"context_length": 1}),
        1770: (0, {"ok": 1, "client_cancelled": 1}, {}),
    }


def test_a_job_that_stops_is_bad_though_nothing_of_it_ends_any_more(stored: Stored) -> None:
    stored.insert("stopped", stored_steps([item(12)], AT_MS, "stopped"))

    assert both_ways(stored, items_counted, objective("stopped", 1500, items=3), HOUR_S) == {
        570: (1, {}, {}),
        1770: (0, {"ok": 2}, {}),
    }


def test_a_job_begins_with_the_first_item_that_ended_whatever_else_had_begun_before(stored: Stored) -> None:
    slow = Step(flow=1, start_s=0, end_s=700)
    stored.insert("began", stored_steps([item(12), slow, item(1505), item(1511)], AT_MS, "began"))

    # The deadline is at 1,510 s for all of them.
    assert both_ways(stored, items_counted, objective("began", 1500), HOUR_S) == {
        570: (1, {}, {}),
        1170: (1, {}, {}),
        1770: (1, {"ok": 1}, {}),
    }


def test_a_job_whose_first_item_ends_after_the_deadline_is_late_then(stored: Stored) -> None:
    stored.insert("slow job", stored_steps([Step(flow=1, start_s=10, end_s=700)], AT_MS, "slow job"))

    assert both_ways(stored, items_counted, objective("slow job", 60, items=1), HOUR_S) == {1170: (0, {"ok": 1}, {})}


def test_the_number_of_a_job_may_come_again_after_its_whole_time(stored: Stored) -> None:
    stored.insert("again", stored_steps([item(12), item(2000), item(2010)], AT_MS, "again"))

    assert both_ways(stored, items_counted, objective("again", 600, items=2), HOUR_S) == {
        570: (1, {}, {}),
        1170: (0, {"ok": 1}, {}),
        2370: (2, {}, {}),
    }


def test_a_slice_is_good_if_it_does_what_the_time_that_is_left_asks_for(stored: Stored) -> None:
    # From 590 s on, 3,000 s for 100 items: 40 of them in the first half minute, which is no whole slice.
    ends = [
        *(592 + n * 0.1 for n in range(40)),
        *(1100 + n for n in range(15)),  # 60 are left in 2,990 s, so 12.04 are due in 600 s
        *(1300 + n for n in range(5)),  # 45 are left in 2,390 s: 11.3 are due
        *(2000 + n for n in range(20)),  # 40 are left in 1,790 s: 13.4 are due; then none of 10.1
        *(3580 + n for n in range(10)),  # 20 are left in 590 s, half of them comes
        *(3590.5 + n / 10 for n in range(20)),  # too late
    ]
    stored.insert("slices", stored_steps([item(end) for end in ends], AT_MS, "slices"))
    found = both_ways(stored, slices_counted, objective("slices", 3000, items=100), 2 * HOUR_S)

    assert found == {
        1170: (1, {}, {}),
        1770: (0, {"ok": 1}, {}),
        2370: (1, {}, {}),
        2970: (0, {"ok": 1}, {}),
        3570: (0, {"ok": 1}, {}),
    }


def test_a_job_that_is_done_runs_no_more(stored: Stored) -> None:
    ends = [10, 20, 700, 1300]
    stored.insert("done", stored_steps([item(end) for end in ends], AT_MS, "done"))
    found = both_ways(stored, slices_counted, objective("done", 5000, items=4), 2 * HOUR_S)

    # 2 of 2 left in 4,408 s would be due at 0.27 in the first slice; then one is left.
    assert found == {1170: (1, {}, {}), 1770: (1, {}, {})}


def test_jobs_are_grouped_by_what_their_first_item_was(stored: Stored) -> None:
    given = [replace(item(12), what="a"), replace(item(20), what="b"), replace(item(15, flow=2), what="b")]
    stored.insert("grouped jobs", stored_steps(given, AT_MS, "grouped jobs"))
    one = objective("grouped jobs", 500)
    rows = asked(stored, items_counted, replace(one, rows=replace(one.rows, group_by=(Dim.MODEL,))), 0, SLICE_S)

    assert {row["group_key"]: row["good"] for row in rows} == {'{"model":"a"}': 2, '{"model":"b"}': 1}


def test_between_the_ends_of_slices_nothing_is_asked() -> None:
    one = objective("x", 60, items=1)
    at_ms = AT_MS + SLICE_S * 1000

    for ask in (items_counted, slices_counted):
        assert [ask(one, at_ms - 30_000 + t, at_ms + t) is None for t in (-30_000, 0, 30_000)] == [True, False, True]


@pytest.mark.parametrize(("deadline_s", "items"), [(0, 1), (DEADLINE_S_MAX + 1, 1), (60, ITEMS_MAX + 1), (60, -1)])
def test_jobs_are_bounded(deadline_s: float, items: int) -> None:
    assert items_counted(objective("x", DEADLINE_S_MAX, ITEMS_MAX), 0, 600_000) is not None
    with pytest.raises(ValueError, match=f"allowed are {ITEMS_MAX} in {DEADLINE_S_MAX} s"):
        items_counted(objective("x", deadline_s, items), 0, 600_000)
    with pytest.raises(ValueError, match="nobody has counted"):
        slices_counted(objective("x", 60), 0, 600_000)
