"""Worked budgets, one line each: minutes of traffic in, what is left out. Made by hand, with the working beside it.

A day of 30 s buckets is written as spans `(minutes, requests per bucket, bad per bucket)`; `blind` spans have no
requests and say so. `out` are spans that an operator takes out: `(from minute, to minute, percent)`.
"""

from dataclasses import dataclass, field

import pytest

from slo.buckets import Adjustment, Bucket, adjusted, slices
from slo.budget import BlindPolicy, Budget, EmptySlice, composite, occurrences, ratio_timeslices, timeslices
from slo.counts import Counts
from slo.windows import BUCKET_S

START_S = 1_767_571_200  # 2026-01-05 00:00 UTC
BLIND = -1


@dataclass(frozen=True, kw_only=True)
class Case:
    spans: list[tuple[int, int, int]]
    target: float
    sli: float
    left: float
    out: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    slice_minutes: int = 1
    slice_target: float = 0.9
    empty: str = "good"
    blind: str = "exclude"


def buckets(case: Case) -> list[Bucket]:
    made: list[Bucket] = []
    for minutes, requests, bad in case.spans:
        for _ in range(minutes * 2):
            counts = Counts() if requests == BLIND else Counts(eligible=requests, bad=bad)
            at_s = START_S + len(made) * BUCKET_S
            made.append(Bucket(start_s=at_s, counts=counts, blind=requests == BLIND))
    return made


def out(case: Case) -> list[Adjustment]:
    return [
        Adjustment(start_s=START_S + a * 60, end_s=START_S + b * 60, excluded_percent=percent)
        for a, b, percent in case.out
    ]


def check(case: Case, found: Budget) -> None:
    assert (found.sli, found.remaining) == pytest.approx((case.sli, case.left))


# 60 min at 10 per 30 s are 1,200 requests.
OCCURRENCES = [
    pytest.param(
        Case(spans=[(60, 10, 0)], target=0.99, sli=1.0, left=1.0),
        id="no bad request leaves all of it",
    ),
    pytest.param(  # 1 min: 20 bad of 1,200; allowed 12: 1 - 20/12
        Case(spans=[(59, 10, 0), (1, 10, 10)], target=0.99, sli=0.9833333333, left=-0.6666666667),
        id="one bad minute of an hour exceeds 99 %",
    ),
    pytest.param(  # allowed 60: 1 - 20/60
        Case(spans=[(59, 10, 0), (1, 10, 10)], target=0.95, sli=0.9833333333, left=0.6666666667),
        id="one bad minute of an hour is a third of 95 %",
    ),
    pytest.param(  # 500 of 1,000 and 0 of 10: spec/slo.md 4, 0.50495 and never 0.75; 1 - 500/(0.5*1010)
        Case(spans=[(1, 500, 250), (1, 5, 0)], target=0.5, sli=0.5049504950, left=0.0099009901),
        id="A3: traffic weighs",
    ),
    pytest.param(  # minutes 59..60 leave both: 1,180 requests, none bad
        Case(spans=[(59, 10, 0), (1, 10, 10)], out=[(59, 60, 100)], target=0.99, sli=1.0, left=1.0),
        id="the bad minute is taken out",
    ),
    pytest.param(  # 10 bad of 1,190; allowed 11.9: 1 - 10/11.9
        Case(spans=[(59, 10, 0), (1, 10, 10)], out=[(59, 60, 50)], target=0.99, sli=0.9915966387, left=0.1596638655),
        id="half of the bad minute is taken out",
    ),
    pytest.param(  # the larger of 50 % and 80 % holds: 4 bad of 1,184; allowed 11.84: 1 - 4/11.84
        Case(
            spans=[(59, 10, 0), (1, 10, 10)],
            out=[(59, 60, 50), (59, 60, 80)],
            target=0.99,
            sli=0.9966216216,
            left=0.6621621622,
        ),
        id="two overlapping spans",
    ),
    pytest.param(  # a good minute is taken out: 20 bad of 1,180; allowed 11.8: 1 - 20/11.8
        Case(spans=[(59, 10, 0), (1, 10, 10)], out=[(0, 1, 100)], target=0.99, sli=0.9830508475, left=-0.6949152542),
        id="a good minute is taken out, the rest weighs more",
    ),
    pytest.param(  # 50 min seen, 20 bad of 1,000; allowed 10: 1 - 20/10
        Case(spans=[(49, 10, 0), (10, BLIND, 0), (1, 10, 10)], target=0.99, sli=0.98, left=-1.0),
        id="blind minutes are neither good nor bad",
    ),
]


@pytest.mark.parametrize("case", OCCURRENCES)
def test_occurrences(case: Case) -> None:
    check(case, occurrences(*adjusted(buckets(case), out(case)), case.target))


TIMESLICES = [
    pytest.param(  # 1 bad minute of 60; allowed 3: 1 - 1/3
        Case(spans=[(59, 10, 0), (1, 10, 10)], target=0.95, sli=0.9833333333, left=0.6666666667),
        id="one bad minute of 60",
    ),
    pytest.param(  # 10 % bad meets a slice target of 90 %
        Case(spans=[(60, 10, 1)], target=0.95, sli=1.0, left=1.0),
        id="a slice on its target is good",
    ),
    pytest.param(  # 20 % bad in 5 min: 5 of 60; allowed 3: 1 - 5/3
        Case(spans=[(55, 10, 0), (5, 10, 2)], target=0.95, sli=0.9166666667, left=-0.6666666667),
        id="traffic does not weigh within a slice",
    ),
    pytest.param(  # of 12 slices of 5 min one holds the bad minute, 20 % bad: 1 - (1/12)/0.1
        Case(spans=[(59, 10, 0), (1, 10, 10)], slice_minutes=5, target=0.9, sli=0.9166666667, left=0.1666666667),
        id="slices of 5 min",
    ),
    pytest.param(  # 30 empty minutes good: 1 bad of 60
        Case(spans=[(29, 10, 0), (30, 0, 0), (1, 10, 10)], target=0.95, sli=0.9833333333, left=0.6666666667),
        id="empty slices are good",
    ),
    pytest.param(  # 31 bad of 60; allowed 3: 1 - 31/3
        Case(
            spans=[(29, 10, 0), (30, 0, 0), (1, 10, 10)], empty="bad", target=0.95, sli=0.4833333333, left=-9.3333333333
        ),
        id="empty slices are bad",
    ),
    pytest.param(  # 1 bad of 30; allowed 1.5: 1 - 1/1.5
        Case(
            spans=[(29, 10, 0), (30, 0, 0), (1, 10, 10)], empty="skip", target=0.95, sli=0.9666666667, left=0.3333333333
        ),
        id="empty slices are skipped",
    ),
    pytest.param(  # 1 bad of 50; allowed 2.5: 1 - 1/2.5
        Case(spans=[(49, 10, 0), (10, BLIND, 0), (1, 10, 10)], target=0.95, sli=0.98, left=0.6),
        id="blind slices are skipped",
    ),
    pytest.param(  # 11 bad of 60; allowed 3: 1 - 11/3
        Case(
            spans=[(49, 10, 0), (10, BLIND, 0), (1, 10, 10)],
            blind="count_bad",
            target=0.95,
            sli=0.8166666667,
            left=-2.6666666667,
        ),
        id="blind slices are bad",
    ),
    pytest.param(  # 59 slices are left, all good
        Case(spans=[(59, 10, 0), (1, 10, 10)], out=[(59, 60, 100)], target=0.95, sli=1.0, left=1.0),
        id="the bad slice is taken out",
    ),
    pytest.param(  # half a bad slice of 59.5; allowed 2.975: 1 - 0.5/2.975
        Case(spans=[(59, 10, 0), (1, 10, 10)], out=[(59, 60, 50)], target=0.95, sli=0.9915966387, left=0.8319327731),
        id="half of the bad slice is taken out",
    ),
]


@pytest.mark.parametrize("case", TIMESLICES)
def test_timeslices(case: Case) -> None:
    made = buckets(case)
    parts = slices(made, START_S, START_S + len(made) * BUCKET_S, case.slice_minutes * 60, out(case))
    policies = EmptySlice(case.empty), BlindPolicy(case.blind)

    check(case, timeslices(parts, case.target, case.slice_target, *policies))


RATIOS = [
    pytest.param(  # (59*1 + 0)/60
        Case(spans=[(59, 10, 0), (1, 10, 10)], target=0.95, sli=0.9833333333, left=0.6666666667),
        id="one bad minute of 60",
    ),
    pytest.param(  # (0.5 + 1)/2 whatever the traffic: 1 - 0.25/0.5
        Case(spans=[(1, 500, 250), (1, 5, 0)], target=0.5, sli=0.75, left=0.5),
        id="A3: a mean of slices is not event weighted, by choice of this method",
    ),
    pytest.param(  # (5*0.8 + 55)/60: 1 - (1/60)/0.05
        Case(spans=[(55, 10, 0), (5, 10, 2)], target=0.95, sli=0.9833333333, left=0.6666666667),
        id="a fifth bad in five minutes",
    ),
    pytest.param(  # 29 good minutes and one bad: 1 - (1/30)/0.05
        Case(spans=[(29, 10, 0), (20, 0, 0), (10, BLIND, 0), (1, 10, 10)], target=0.95, sli=0.9666666667, left=1 / 3),
        id="empty and blind slices are skipped",
    ),
    pytest.param(  # (59 + 0.5*0)/59.5
        Case(spans=[(59, 10, 0), (1, 10, 10)], out=[(59, 60, 50)], target=0.95, sli=0.9915966387, left=0.8319327731),
        id="half of the bad slice is taken out",
    ),
]


@pytest.mark.parametrize("case", RATIOS)
def test_ratio_timeslices(case: Case) -> None:
    made = buckets(case)

    check(case, ratio_timeslices(slices(made, START_S, START_S + len(made) * BUCKET_S, 60, out(case)), case.target))


COMPOSITES = [
    pytest.param([(0.99, 1.0), (0.97, 1.0)], 0.95, 0.98, 0.6, id="equal weights: the mean"),
    pytest.param([(0.99, 3.0), (0.95, 1.0)], 0.95, 0.98, 0.6, id="three to one: (3*0.99 + 0.95)/4"),
    pytest.param([(0.99, 1.0), (None, 9.0)], 0.98, 0.99, 0.5, id="a part without requests carries no weight"),
]


@pytest.mark.parametrize(("parts", "target", "sli", "left"), COMPOSITES)
def test_composites(parts: list[tuple[float | None, float]], target: float, sli: float, left: float) -> None:
    found = composite(parts, target)

    assert (found.sli, found.remaining) == pytest.approx((sli, left))
