"""Sums of windows over buckets, some of which were revised."""

from collections.abc import Iterator
from random import Random

import pytest
from query_store import SINCE_MS, Stored

from telemetry.queries.burn import BURN_OBJECTIVES_MAX, BURN_WINDOWS_S, WINDOWS_MAX, burn_inputs

AT_S = SINCE_MS // 1000
STEP_S = 30
N_BUCKETS = 900
"""Seven and a half hours; the three longest windows hold the same."""

Bucket = tuple[str, str, int, int]


def revisions() -> Iterator[tuple[Bucket, list[tuple[int, int]]]]:
    """Every bucket with eligible and good of each of its revisions."""
    random = Random(3)  # noqa: S311 -- seeded
    for slo, group in (("burn-a", "{}"), ("burn-b", '{"model":"x"}'), ("burn-b", '{"model":"y"}')):
        for at in range(N_BUCKETS):
            if random.random() < 0.1:
                continue  # no request ended in this bucket
            found = [
                (n, random.randrange(n + 1)) for n in random.choices(range(1, 50), k=random.choice((1, 1, 1, 2, 4)))
            ]
            yield (slo, group, 7, AT_S + STEP_S * (3 - at)), found


@pytest.fixture(scope="module")
def counted(stored: Stored) -> Stored:
    rows = [
        {
            **dict(zip(("slo", "group_key", "definition_hash", "t"), bucket, strict=True)),
            "revision": revision,
            "eligible": eligible,
            "good": good,
            "bad": {"oom": eligible - good},
            "computed_at": AT_S,
        }
        for bucket, found in revisions()
        for revision, (eligible, good) in enumerate(found)
    ]
    first = [row for row in rows if row["revision"] == 0]
    stored.insert_rows("slo_minutes", first)
    stored.insert_rows("slo_minutes", [row for row in rows if row["revision"]])
    return stored


def expected(window_s: int) -> dict[tuple[str, str], list[int]]:
    sums: dict[tuple[str, str], list[int]] = {}
    for (slo, group, _, t), found in revisions():
        if AT_S - window_s <= t < AT_S:
            eligible, good = found[-1]
            total = sums.setdefault((slo, group), [0, 0, 0])
            sums[slo, group] = [total[0] + eligible, total[1] + eligible - good, total[2] + 1]
    return sums


def test_every_window_is_the_sum_of_its_buckets_last_revisions(counted: Stored) -> None:
    rows = counted.rows(burn_inputs(AT_S))

    assert [("burn-a", "{}"), ("burn-b", '{"model":"x"}'), ("burn-b", '{"model":"y"}')] == [
        (row["slo"], row["group_key"]) for row in rows
    ]
    for place, window_s in enumerate(BURN_WINDOWS_S):
        sums = expected(window_s)
        for row in rows:
            found = [row[name][place] for name in ("eligible", "bad", "n")]  # type: ignore[index]  # arrays

            assert sums[str(row["slo"]), str(row["group_key"])] == found


def test_a_bucket_belongs_to_the_window_that_it_begins(counted: Stored) -> None:
    """(at - w, at]: of two windows of one and of two buckets, the second holds one bucket more."""
    [row] = counted.rows(burn_inputs(AT_S, (STEP_S, 2 * STEP_S), ("burn-a",)))

    one, two = expected(STEP_S), expected(2 * STEP_S)
    assert row["eligible"] == [one.get(("burn-a", "{}"), [0])[0], two["burn-a", "{}"][0]]


def test_objectives_are_asked_for_by_name(counted: Stored) -> None:
    assert {"burn-b"} == {row["slo"] for row in counted.rows(burn_inputs(AT_S, (300,), ("burn-b", "' OR 1=1")))}
    assert [] == counted.rows(burn_inputs(AT_S - 10_000_000))


def test_a_question_is_bounded() -> None:
    assert burn_inputs(0, tuple(range(1, WINDOWS_MAX + 1)), ("x",) * BURN_OBJECTIVES_MAX)
    for windows in ((), (5, 5), (10, 5), (0, 5), tuple(range(1, WINDOWS_MAX + 2))):
        with pytest.raises(ValueError, match="must ascend"):
            burn_inputs(0, windows)
    with pytest.raises(ValueError, match="1001 objectives"):
        burn_inputs(0, (5,), ("x",) * (BURN_OBJECTIVES_MAX + 1))
