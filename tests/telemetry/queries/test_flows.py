"""Flows counted by the store: cases by hand, and many flows held to the same law written down in Python."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flow_steps import Step, stored_steps
from query_store import SINCE_MS, Stored

from telemetry.outcome import Outcome
from telemetry.queries.asked import Dim
from telemetry.queries.counted import FALSE, TRUE, UNKNOWN, Clause, Counted
from telemetry.queries.flows import BUDGET_S_MAX, KEPT_RATIO, QUIET_S, CountedFlows, flow_counts

AT_MS = SINCE_MS - 40 * 3_600_000
"""Away from the requests of the other tests."""
LIVE_S = 150
Row = dict[str, Any]
OK, FAILED, LEFT, NOT_OURS = Outcome.OK, Outcome.SERVER_ERROR, Outcome.CLIENT_CANCELLED, Outcome.CONTEXT_LENGTH


def objective(endpoint: str, budget_s: float = 60.0, *, may_resume: bool = False) -> CountedFlows:
    last = f"if(class = 1, if(toString(model) = 'last', {TRUE}, {FALSE}), if(class = 2, {FALSE}, {UNKNOWN}))"
    steps = Counted(
        name=endpoint,
        only=Clause(sql=f"if(toString(endpoint) = $0, {TRUE}, {FALSE})", values=(endpoint,)),
        good=Clause(sql=last),
    )
    return CountedFlows(steps=steps, budget_s=budget_s, may_resume=may_resume)


def asked(stored: Stored, one: CountedFlows, since_s: int, until_s: int) -> list[Row]:
    return stored.rows(flow_counts(one, AT_MS + since_s * 1000, AT_MS + until_s * 1000))


def told(rows: Sequence[Row]) -> dict[int, tuple[Any, ...]]:
    """Return of each bucket, by its start after the instant: good, bad, bad that were left, excluded."""
    found = {
        int(str(row["t_unix_s"])) - AT_MS // 1000: (row["good"], row["bad"], row["censored_bad"], row["excluded"])
        for row in rows
    }
    assert len(found) == len(rows), "no bucket is told twice"
    return found


def steps(*given: tuple[float, float, str, Outcome], flow: int = 1) -> list[Step]:
    return [Step(flow=flow, start_s=start, end_s=end, what=what, outcome=how) for start, end, what, how in given]


CASES: Mapping[str, tuple[list[Step], dict[int, tuple[Any, ...]]]] = {
    "done in time": (steps((0, 10, "a", OK), (11, 41, "last", OK)), {30: (1, {}, 0, {})}),
    "done at the very end": (steps((1, 10, "a", OK), (11, 61, "last", OK)), {60: (1, {}, 0, {})}),
    "done too late is known when the budget is over": (
        steps((0, 10, "a", OK), (11, 75, "last", OK)),
        {60: (0, {"ok": 1}, 0, {})},
    ),
    "a first step that hangs is known when it ends": (steps((0, 95, "a", OK)), {90: (0, {"ok": 1}, 0, {})}),
    "a step that fails and is not tried again": (
        steps((0, 10, "a", OK), (11, 12, "b", FAILED)),
        {60: (0, {"server_error": 1}, 0, {})},
    ),
    "a step that fails and is tried again": (
        steps((0, 10, "a", FAILED), (11, 20, "a", OK), (20, 35, "last", OK)),
        {30: (1, {}, 0, {})},
    ),
    "a last step that fails": (steps((0, 20, "last", FAILED)), {60: (0, {"server_error": 1}, 0, {})}),
    "a client that left in time": (
        steps((0, 10, "a", OK), (11, 20, "b", LEFT)),
        {60: (0, {}, 0, {"client_cancelled": 1})},
    ),
    "a client that left too late": (steps((0, 100, "a", LEFT)), {90: (0, {"client_cancelled": 1}, 1, {})}),
    "a request that counts nowhere": (steps((0, 1, "a", NOT_OURS)), {60: (0, {}, 0, {"context_length": 1})}),
    "steps at once count from the first": (
        steps((5, 8, "a", OK), (0, 30, "b", OK), (30, 59, "last", OK)),
        {30: (1, {}, 0, {})},
    ),
    "what comes after the end changes nothing": (
        steps((0, 20, "last", OK), (21, 22, "a", FAILED), (22, 200, "last", OK)),
        {0: (1, {}, 0, {})},
    ),
    "a number that comes again after a long silence is another flow": (
        steps((0, 20, "last", OK), (QUIET_S + 21, QUIET_S + 50, "last", OK)),
        {0: (1, {}, 0, {}), QUIET_S + 30: (1, {}, 0, {})},
    ),
    "a number that comes again before that is the same flow": (
        steps((0, 20, "a", FAILED), (QUIET_S, QUIET_S + 20, "last", OK)),
        {60: (0, {"server_error": 1}, 0, {})},
    ),
}


@pytest.fixture(scope="module")
def counted(stored: Stored) -> dict[str, tuple[list[Row], list[Row]]]:
    """Return of each case its counts, asked for at once, and bucket by bucket as an engine does."""
    rows = [
        row
        for flow, (name, (given, _)) in enumerate(CASES.items())
        for row in stored_steps([replace(one, flow=flow) for one in given], AT_MS, f"case {name}")
    ]
    stored.insert("cases", [msgspec.structs.replace(one, record_id=UUID(int=n)) for n, one in enumerate(rows)])
    one = objective("cases")
    cases = Clause(sql=f"if(startsWith(toString(endpoint), $0), {TRUE}, {FALSE})", values=("case ",))
    by_case = replace(one, steps=replace(one.steps, only=cases, group_by=(Dim.ENDPOINT,)))
    whole = asked(stored, by_case, 0, QUIET_S + 120)
    live = [row for t in range(0, LIVE_S, 30) for row in asked(stored, by_case, t, t + 30)]
    return {name: (of_case(whole, name), of_case(live, name)) for name in CASES}


def of_case(rows: Sequence[Row], name: str) -> list[Row]:
    return [row for row in rows if row["group_key"] == f'{{"endpoint":"case {name}"}}']


@pytest.mark.parametrize("name", CASES)
def test_a_flow_counts_once_in_the_bucket_in_which_its_outcome_is_known(
    counted: dict[str, tuple[list[Row], list[Row]]], name: str
) -> None:
    whole, live = counted[name]
    expected = CASES[name][1]

    assert told(whole) == expected
    assert told(live) == {t: counts for t, counts in expected.items() if t < LIVE_S}


@pytest.mark.parametrize(
    ("before", "after", "good", "unknown"),
    [(1000, 1000, 1, 0), (1000, 500, 1, 0), (1000, 499, 0, 0), (1000, None, 0, 1), (None, 10, 1, 0)],
)
def test_a_flow_that_came_back_with_its_context_is_good_where_that_is_asked_for(
    stored: Stored, before: int | None, after: int | None, good: int, unknown: int
) -> None:
    endpoint = f"resumed {before} {after}"
    told_of = [
        Step(flow=7, start_s=0, end_s=5, tokens_in=before),
        Step(flow=7, start_s=6, end_s=8, tokens_in=None, outcome=FAILED),
        Step(flow=7, start_s=9, end_s=20, tokens_in=after),
    ]
    stored.insert(endpoint, stored_steps(told_of, AT_MS, endpoint))
    (row,) = asked(stored, objective(endpoint, may_resume=True), 0, 120)
    (strict,) = asked(stored, objective(endpoint), 0, 120)

    assert (row["good"], row["bad"]) == (good, {} if good else {"ok": 1})
    assert row["n_null"] == ({"tokens_in": 1} if unknown else {})
    assert (strict["good"], strict["bad"], strict["n_null"]) == (0, {"ok": 1}, {})
    assert KEPT_RATIO == 0.5


def test_a_flow_is_grouped_by_what_its_first_request_was(stored: Stored) -> None:
    given = [*steps((0, 10, "a", OK), (11, 41, "last", OK)), *steps((0, 12, "b", OK), (13, 43, "last", OK), flow=2)]
    stored.insert("grouped", stored_steps(given, AT_MS, "grouped"))
    one = objective("grouped")
    by = replace(one, steps=replace(one.steps, group_by=(Dim.REGION, Dim.MODEL)))
    rows = asked(stored, by, 0, 60)

    assert [row["group_key"] for row in rows] == ['{"model":"a","region":"eu"}', '{"model":"b","region":"eu"}']
    assert [row["eligible"] for row in rows] == [1, 1]


def by_python(given: Sequence[Step], budget_s: float, quiet_s: float) -> Counter[tuple[int, str]]:
    """Count flows step by step, looking at each instant at what had ended until then."""
    found: Counter[tuple[int, str]] = Counter()
    for _, own in groupby(sorted(given, key=lambda one: (one.flow, one.end_s)), key=lambda one: one.flow):
        parts: list[list[Step]] = []
        for one in own:
            if not parts or one.end_s - parts[-1][-1].end_s > quiet_s:
                parts.append([])
            parts[-1].append(one)
        found.update(judged(part, budget_s) for part in parts)
    return found


def judged(part: Sequence[Step], budget_s: float) -> tuple[int, str]:
    instants = sorted({one.end_s for one in part} | {one.start_s + budget_s for one in part})
    for now_s in instants:
        seen = [one for one in part if one.end_s <= now_s]
        if not seen:
            continue
        over_s = min(one.start_s for one in seen) + budget_s
        if seen[-1].end_s == now_s and seen[-1].what == "last" and seen[-1].outcome is OK and now_s <= over_s:
            return int(now_s // 30 * 30), "good"
        if now_s >= over_s:
            outcome = seen[-1].outcome
            left_in_time = outcome is LEFT and seen[-1].end_s <= over_s
            return int(now_s // 30 * 30), "excluded" if outcome is NOT_OURS or left_in_time else "bad"
    raise AssertionError("a flow is over some time")


@pytest.mark.parametrize("seed", range(2))
def test_many_flows_count_as_the_law_says_however_they_are_asked_for(stored: Stored, seed: int) -> None:
    random = Random(seed)  # noqa: S311 -- seeded
    given: list[Step] = []
    for flow in range(150):
        at_s = random.uniform(0, 1500)
        for _ in range(random.randrange(1, 7)):
            start_s = at_s + random.choice((0, 0, 3, 40)) * random.random()
            end_s = start_s + random.choice((1, 10, 70)) * random.random()
            outcome = random.choice((OK, OK, OK, OK, FAILED, LEFT, NOT_OURS))
            what = random.choice(("a", "b", "last"))
            start_s, end_s = round(start_s, 3), round(end_s, 3)
            given.append(Step(flow=flow + 1000 * seed, start_s=start_s, end_s=end_s, what=what, outcome=outcome))
            at_s = end_s if random.random() < 0.8 else at_s
    endpoint = f"many {seed}"
    stored.insert(endpoint, stored_steps(given, AT_MS, endpoint))
    one = objective(endpoint)
    whole = asked(stored, one, 0, 2400)
    parts = [row for t in range(0, 2400, 300) for row in asked(stored, one, t, t + 300)]
    found: Counter[tuple[int, str]] = Counter()
    for t, (good, bad, _, excluded) in told(whole).items():
        found.update({(t, "good"): good, (t, "bad"): sum(bad.values()), (t, "excluded"): sum(excluded.values())})

    assert told(parts) == told(whole)
    assert +found == by_python(given, 60.0, QUIET_S)


@pytest.mark.parametrize("budget_s", [0, -1, BUDGET_S_MAX + 1])
def test_a_budget_is_bounded(budget_s: float) -> None:
    assert flow_counts(objective("x", BUDGET_S_MAX), 0, 30_000).parameters["budget"] == BUDGET_S_MAX * 1_000_000
    with pytest.raises(ValueError, match="allowed is one above 0 and at most 86400 s"):
        flow_counts(objective("x", budget_s), 0, 30_000)
