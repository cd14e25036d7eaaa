"""Tests of slo.sliced, against the budget over single buckets."""

from dataclasses import replace

import pytest
from engine_rig import objective
from hypothesis import given
from hypothesis import strategies as st

from slo.buckets import Bucket, in_window, slices
from slo.budget import BlindPolicy, EmptySlice, ratio_timeslices, timeslices
from slo.counts import Counts
from slo.objective import Budgeting
from slo.sliced import SLICE_S, is_sliced, slice_s, sliced_budget
from slo.telemetry_state import Blind, BlindCause

ONE = replace(objective("chat", target=0.9), budgeting=Budgeting.TIMESLICES, slice_s=120, slice_target=0.5)
SUMS = {0: Counts(eligible=10, bad=6), 240: Counts(eligible=10, bad=5)}


def test_a_slice_is_good_or_bad_and_one_without_requests_as_the_objective_says() -> None:
    """Four slices of two minutes: bad, empty, good, empty; the fifth has not ended."""
    found = sliced_budget(ONE, SUMS, 0, 599)
    strict = sliced_budget(replace(ONE, empty_slice=EmptySlice.SKIP), SUMS, 0, 599)

    assert (found.judged, found.bad, found.sli) == (4, 1, 0.75)
    assert (strict.judged, strict.bad, strict.empty) == (2, 1, 2)


def test_the_mean_of_ratios_weighs_slices_alike() -> None:
    mean = replace(ONE, budgeting=Budgeting.RATIO_TIMESLICES)
    sums = {0: Counts(eligible=1_000, bad=500), 120: Counts(eligible=10)}

    assert sliced_budget(mean, sums, 0, 240).sli == pytest.approx(0.75)
    assert sliced_budget(mean, sums, 0, 240).sli_by_requests == pytest.approx(0.50495, abs=1e-5)


@pytest.mark.parametrize(
    ("policy", "judged", "bad"),
    [
        pytest.param(BlindPolicy.EXCLUDE, 2, 1, id="not judged"),
        pytest.param(BlindPolicy.COUNT_BAD, 4, 3, id="bad"),
    ],
)
def test_a_slice_that_was_seen_in_part_is_never_good(policy: BlindPolicy, judged: int, bad: int) -> None:
    """Bad, empty, good, empty: the first, of which a part was seen, is bad all the same; the last was seen whole."""
    unseen = [
        Blind(start_s=90, end_s=150, cause=BlindCause.STORE),
        Blind(start_s=240, end_s=270, cause=BlindCause.STORE),
    ]
    found = sliced_budget(replace(ONE, blind_policy=policy), SUMS, 0, 599, blind=unseen)

    assert (found.judged, found.bad, found.blind) == (judged, bad, 2)


def test_what_nobody_saw_before_and_after_the_period_is_no_part_of_it() -> None:
    unseen = [
        Blind(start_s=-600, end_s=0, cause=BlindCause.STORE),
        Blind(start_s=480, end_s=900, cause=BlindCause.STORE),
    ]

    assert sliced_budget(ONE, SUMS, 0, 599, blind=unseen) == sliced_budget(ONE, SUMS, 0, 599)


def test_only_what_is_judged_slice_by_slice_is_asked_for() -> None:
    assert is_sliced(ONE)
    assert not is_sliced(objective("chat"))
    assert (slice_s(ONE), slice_s(objective("chat"))) == (120, SLICE_S)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=24),
    st.sampled_from([Budgeting.TIMESLICES, Budgeting.RATIO_TIMESLICES]),
)
def test_sums_give_what_single_buckets_give(counted: list[tuple[int, int]], method: Budgeting) -> None:
    buckets = [
        Bucket(start_s=30 * n, counts=Counts(eligible=good + bad, bad=bad)) for n, (good, bad) in enumerate(counted)
    ]
    one, until_s = replace(ONE, budgeting=method), 30 * len(buckets)
    sums = {start_s: in_window(buckets, start_s + 120, 120) for start_s in range(0, until_s, 120)}
    whole = list(slices(buckets, 0, until_s, 120))
    expected = ratio_timeslices(whole, 0.9) if method is Budgeting.RATIO_TIMESLICES else timeslices(whole, 0.9, 0.5)

    assert sliced_budget(one, sums, 0, until_s) == expected
