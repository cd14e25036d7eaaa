"""Tests of slo.sequential."""

import math
from collections.abc import Sequence
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.buckets import Bucket
from slo.counts import Counts
from slo.sequential import INSTANTS, LOOK_BACK_S, SPENT_RATIO, is_spent, proof

TARGET, BURN = 0.99, 6.0
"""p is 6 %."""


def buckets(*counts: tuple[int, int]) -> list[Bucket]:
    """Eligible and bad of buckets in a row."""
    return [Bucket(start_s=30 * at, counts=Counts(eligible=n, bad=bad)) for at, (n, bad) in enumerate(counts)]


def enough(history: Sequence[Bucket]) -> bool:
    found = proof(history, TARGET, BURN)
    return found is not None and found.is_enough


@pytest.mark.parametrize(
    ("counts", "holds"),
    [
        # Of q = 90 % each bad request is worth ln(0.905 / 0.06) = 2.71, and ln(3 * 1,051,200) = 14.96 are asked.
        pytest.param([(5, 5)], False, id="five bad of five: 13.6"),
        pytest.param([(6, 6)], True, id="six of six: 16.3"),
        pytest.param([(1, 1)] * 6, True, id="however they are spread"),
        # Of q = 32 % a bad one is worth 1.68, a good one -0.33: a third bad gives 0.35 for each request.
        pytest.param([(30, 10)], False, id="a third of 30"),
        pytest.param([(30, 10)] * 2, True, id="a third of 60"),
        pytest.param([(1_000, 60)] * 120, False, id="exactly at the limit for an hour"),
        pytest.param([(1_000, 120)], True, id="twice the limit"),
        pytest.param([], False, id="no requests"),
        pytest.param([(100, 0)], False, id="none is bad"),
    ],
)
def test_the_evidence_that_is_asked_for(counts: list[tuple[int, int]], holds: bool) -> None:
    assert enough(buckets(*counts)) == holds


def test_the_span_is_where_the_burn_began() -> None:
    history = buckets(*[(100, 1)] * 50, *[(100, 40)] * 3)
    found = proof(history, TARGET, BURN)

    assert found is not None
    assert (found.since_s, found.counts) == (1_500, Counts(eligible=300, bad=120))


def test_a_burn_that_cannot_be_is_never_proven() -> None:
    assert proof(buckets((100, 100)), 0.9, 14.4) is None


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda p: (max(p), min(p))), max_size=20))
def test_it_is_the_cumulative_sum_of_page(counts: list[tuple[int, int]]) -> None:
    """The best span that ends now is worth what S = max(0, S + step) has come to, for the best of the three q."""
    p = 0.06
    sums: list[float] = []
    for odds in (0.75, 2.0, 5.0):
        q = 1 / (1 + math.exp(-odds) * (1 - p) / p)
        steps = [b * math.log(q / p) + (n - b) * math.log((1 - q) / (1 - p)) for n, b in counts]
        sums += [*accumulate(steps, lambda s, step: max(0.0, s + step), initial=0.0)][-1:]
    found = proof(buckets(*counts), TARGET, BURN)

    assert (found.evidence if found else 0.0) == pytest.approx(max(sums), abs=1e-9)


def test_false_alarms_are_rarer_than_the_bound() -> None:
    """At exactly p, seed 5, asked for ln(1,000) = ln(3 * 333): of 100 runs of 240 instants at most 240 / 333 alarm."""
    random = Random(5)  # noqa: S311 -- seeded
    alarmed = 0
    for _ in range(100):
        history = buckets(*((8, sum(random.random() < 0.06 for _ in range(8))) for _ in range(240)))
        best = [proof(history[max(0, at - 120) : at], TARGET, BURN) for at in range(1, 241, 4)]
        alarmed += any(one is not None and one.evidence > math.log(1_000) for one in best)

    assert 0 < alarmed / 100 < 240 / 333
    assert INSTANTS == 1_051_200
    assert LOOK_BACK_S == 120 * 30


@pytest.mark.parametrize(
    ("bad", "expected", "spent"),
    [
        # 1 % of a million may be bad, and five thousandths of that are 50.
        (49, 1_000_000.0, False),
        (50, 1_000_000.0, True),
        (1, None, True),
        (0, None, True),
    ],
)
def test_some_of_the_budget_must_be_gone(bad: int, expected: float | None, spent: bool) -> None:
    assert SPENT_RATIO == 0.005
    assert is_spent(Counts(eligible=100, bad=bad), TARGET, expected) == spent
