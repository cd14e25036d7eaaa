"""Gaps between arrivals: exact while they are kept one by one, bounded after."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry import histogram
from telemetry.gaps import ARRIVALS_MAX, SECONDS_MAX, ArrivalSeries
from telemetry.percentile import P50, P99, nearest_rank

MS = 1_000_000
S = 1_000_000_000
ARRIVALS = st.lists(
    st.tuples(st.integers(0, 3 * S), st.integers(1, 3), st.sampled_from([0, 1, 4])), min_size=1, max_size=60
)


def series(*arrivals: tuple[int, int, int], stall_gap_us: int = 1_000_000) -> ArrivalSeries:
    made = ArrivalSeries(stall_gap_us=stall_gap_us)
    for at_ns, events, tokens in arrivals:
        made.add(at_ns, events, tokens)
    return made


def test_case_1_gaps_and_gaps_per_token() -> None:
    made = series((103 * MS, 1, 1), (123 * MS, 1, 1), (143 * MS, 1, 1), (143 * MS, 1, 1), (193 * MS, 1, 1))
    found = made.summary()

    assert (4, 5) == (made.n, made.n_events)
    assert (20_000, 50_000, 50_000) == (found.icl_p50_us, found.icl_p99_us, found.icl_max_us)
    assert histogram.build([20_000, 10_000, 10_000, 50_000]) == found.itl_h


@pytest.mark.parametrize("arrivals", [(), ((5, 1, 1),), ((5, 1, 1), (5, 1, 1))])
def test_fewer_than_two_arrivals_have_no_gap(arrivals: tuple[tuple[int, int, int], ...]) -> None:
    assert (None, None, None, 0, 0, {}) == series(*arrivals).summary()


def test_tokens_unknown_are_as_many_as_the_events() -> None:
    found = series((0, 1, 0), (20 * MS, 2, 0)).summary()

    assert {histogram.index(10_000): 2} == found.itl_h


def test_stalls_are_the_gaps_above_the_threshold() -> None:
    found = series((0, 1, 1), (S, 1, 1), (2 * S + 1000, 1, 1), (5 * S, 1, 1)).summary()

    assert (2, 1_000_001 + 2_999_999) == (found.stall_n, found.stall_us)


def test_bins_are_seconds_of_the_clock_and_the_last_one_takes_the_rest() -> None:
    made = series((900 * MS, 1, 2), (S, 1, 3), (S + SECONDS_MAX * S, 1, 4), (2 * SECONDS_MAX * S, 1, 5))

    assert {0: 2, 1: 3, SECONDS_MAX - 1: 9} == made.tokens_by_s()
    assert {0: 1, 1: 1, SECONDS_MAX - 1: 2} == made.events_by_s()


@settings(max_examples=20)  # each plays 4096 arrivals
@given(ARRIVALS, st.integers(0, 2_000_000))
def test_a_folded_series_equals_one_kept_whole(arrivals: list[tuple[int, int, int]], stall_gap_us: int) -> None:
    # A long quiet head makes the series fold; then it must agree with the plain arithmetic over all of it.
    head = [(i * 1000, 1, 1) for i in range(ARRIVALS_MAX)]
    start = ARRIVALS_MAX * 1000
    full = head + sorted((start + at, events, tokens) for at, events, tokens in arrivals)
    made = series(*full, stall_gap_us=stall_gap_us)
    stamps = sorted({at for at, _, _ in full})
    gaps = [(b - a) // 1000 for a, b in pairwise(stamps)]
    found = made.summary()

    assert len(stamps) == made.n
    assert max(gaps) == found.icl_max_us
    assert sum(gap > stall_gap_us for gap in gaps) == found.stall_n
    assert sum(gap for gap in gaps if gap > stall_gap_us) == found.stall_us
    assert sum(tokens for _, _, tokens in full) == sum(made.tokens_by_s().values())
    assert sum(events for _, events, _ in full) == sum(made.events_by_s().values())
    for p_ppm, estimate in ((P50, found.icl_p50_us), (P99, found.icl_p99_us)):
        exact = nearest_rank(sorted(gaps), p_ppm)
        assert exact is not None
        assert estimate is not None
        assert exact <= estimate <= exact * 1.0443 + 1


@pytest.mark.parametrize("n", [ARRIVALS_MAX, ARRIVALS_MAX + 1, 3 * ARRIVALS_MAX])
def test_percentiles_around_the_bound(n: int) -> None:
    made = series(*((i * 20 * MS, 1, 1) for i in range(n)))
    found = made.summary()

    assert n == made.n
    assert (20_000, 20_000, 20_000) == (found.icl_p50_us, found.icl_p99_us, found.icl_max_us)
    assert {histogram.index(20_000): n - 1} == found.itl_h
    assert found == made.summary()


def test_zero_gaps_after_folding() -> None:
    made = series(*((i, 1, 1) for i in range(2 * ARRIVALS_MAX)))

    assert (0, 0, 0) == made.summary()[:3]
