"""Calls of several attempts, over stored requests: the last one counts, as its client saw it."""

from collections.abc import Mapping
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
from query_store import SINCE_MS, Stored, record

from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.asked import Dim
from telemetry.queries.calls import OTHERS_MAX, WAIT_S_MAX, CountedCalls, call_counts
from telemetry.queries.counted import FALSE, TRUE, Clause, Counted
from telemetry.record import NO_TRACE

AT_MS = SINCE_MS - 120 * 3_600_000
Row = dict[str, Any]
Attempt = tuple[float, float, bool, int, str]
"""Start and end in seconds, whether it succeeded, number of the attempt, region."""
CASES: Mapping[str, tuple[list[Attempt], list[tuple[int, int, int]]]] = {
    "served at once": ([(0, 5, True, 1, "eu")], [(0, 1, 0)]),
    "served by the retry": ([(0, 5, False, 1, "eu"), (6, 35, True, 2, "eu")], [(30, 1, 0)]),
    "served by another region": ([(0, 5, False, 1, "eu"), (5.5, 9, True, 1, "us")], [(0, 1, 0)]),
    "every attempt failed": ([(0, 5, False, 1, "eu"), (6, 7, False, 2, "us"), (8, 9, False, 3, "eu")], [(60, 0, 1)]),
    "failed and given up": ([(0, 5, False, 1, "eu")], [(60, 0, 1)]),
    "two calls of one trace": ([(0, 5, False, 1, "eu"), (6, 7, True, 1, "eu")], [(0, 1, 0), (60, 0, 1)]),
    "a retry that takes too long": ([(0, 5, False, 1, "eu"), (6, 66, True, 2, "eu")], [(60, 1, 1)]),
    "a retry just in time": ([(0, 5, False, 1, "eu"), (6, 65, True, 2, "eu")], [(60, 1, 0)]),
    "a request beside it is no retry": ([(0, 5, False, 1, "eu"), (3, 9, True, 1, "us")], [(0, 1, 0), (60, 0, 1)]),
    "clocks that are a little apart": ([(0, 5, False, 1, "eu"), (4.5, 9, True, 1, "us")], [(0, 1, 0)]),
}


def objective(of: str, *group_by: Dim) -> CountedCalls:
    only = Clause(sql=f"if(startsWith(toString(endpoint), $0), {TRUE}, {FALSE})", values=(of,))
    return CountedCalls(rows=Counted(name="calls", only=only, group_by=group_by), wait_s=60)


def insert(stored: Stored, cases: Mapping[str, list[Attempt]], *, traced: bool = True) -> None:
    like = record(0, Random(1))  # noqa: S311 -- seeded
    rows = [
        msgspec.structs.replace(
            like, ended_at=AT_MS + round(end_s * 1000), elapsed_us=round((end_s - start_s) * 1e6), endpoint=name,
            region=region, model="m", attempt=attempt, trace_id=call.to_bytes(16, "big") if traced else NO_TRACE,
            outcome=Outcome.OK if ok else Outcome.UNAVAILABLE, eligible=Eligibility.GOOD if ok else Eligibility.BAD,
        )
        for call, (name, attempts) in enumerate(cases.items(), 1)
        for start_s, end_s, ok, attempt, region in attempts
    ]  # fmt: skip
    made = [msgspec.structs.replace(one, record_id=UUID(int=n + 1)) for n, one in enumerate(rows)]
    stored.insert(f"calls {next(iter(cases))}", made)


def asked(stored: Stored, one: CountedCalls, since_s: int, until_s: int) -> list[Row]:
    return stored.rows(call_counts(one, AT_MS + since_s * 1000, AT_MS + until_s * 1000))


def told(rows: list[Row], name: str) -> list[tuple[int, int, int]]:
    return [
        (int(row["t_unix_s"]) - AT_MS // 1000, int(row["good"]), sum(row["bad"].values()))
        for row in rows
        if row["group_key"] == f'{{"endpoint":"case {name}"}}'
    ]


@pytest.fixture(scope="module")
def counted(stored: Stored) -> tuple[list[Row], list[Row]]:
    """Return the counts of all cases, asked for at once, and bucket by bucket as an engine does."""
    insert(stored, {f"case {name}": attempts for name, (attempts, _) in CASES.items()})
    one = objective("case ", Dim.ENDPOINT)
    return asked(stored, one, 0, 150), [row for t in range(0, 150, 30) for row in asked(stored, one, t, t + 30)]


@pytest.mark.parametrize("name", CASES)
def test_a_call_is_bad_only_if_its_last_attempt_failed(counted: tuple[list[Row], list[Row]], name: str) -> None:
    whole, live = counted

    assert told(whole, name) == CASES[name][1]
    assert told(live, name) == CASES[name][1]


@pytest.mark.parametrize(("between", "bad"), [(OTHERS_MAX - 1, 0), (OTHERS_MAX, 1)])
def test_a_retry_is_looked_for_among_the_next_requests_of_its_trace(stored: Stored, between: int, bad: int) -> None:
    name = f"busy trace {between}"
    others = [(0.0, 6.0 + n / 100, True, 1, "eu") for n in range(between)]
    insert(stored, {name: [(0, 5, False, 1, "eu"), *others, (6, 9, True, 2, "eu")]})
    rows = asked(stored, objective(name), 0, 120)

    assert sum(sum(row["bad"].values()) for row in rows) == bad
    assert sum(int(row["good"]) for row in rows) == between + 1


def test_without_a_trace_each_request_is_a_call_and_failures_are_told(stored: Stored) -> None:
    insert(stored, {"untraced": [(0, 5, False, 1, "eu"), (6, 7, True, 2, "eu")]}, traced=False)
    good, bad = asked(stored, objective("untraced"), 0, 120)

    assert (good["good"], good["bad"], good["n_null"]) == (1, {}, {})
    assert (bad["good"], bad["bad"], bad["n_null"]) == (0, {"unavailable": 1}, {"trace_id": 1})


@pytest.mark.parametrize("wait_s", [0, WAIT_S_MAX + 1])
def test_the_wait_is_bounded(wait_s: float) -> None:
    assert call_counts(CountedCalls(rows=Counted(name="x"), wait_s=WAIT_S_MAX), 0, 30_000).parameters["wait"] == 3.6e9
    with pytest.raises(ValueError, match="allowed is above 0 and at most 3600 s"):
        call_counts(CountedCalls(rows=Counted(name="x"), wait_s=wait_s), 0, 30_000)
