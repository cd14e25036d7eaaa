from hypothesis import given
from hypothesis import strategies as st

from loadtest.report_reduce import (
    BINS_MAX,
    DOTS_MAX,
    POINTS_MAX,
    Bins,
    binned,
    bins,
    quantiles,
    steps,
    thinned,
)
from telemetry.percentile import P50, P95


def test_bins_are_the_narrowest_round_ones_that_are_few_enough() -> None:
    assert Bins(width_s=0.5, n=60) == bins(30.0)
    assert Bins(width_s=5, n=120) == bins(600.0)
    assert Bins(width_s=10, n=60) == bins(600.0, 60)


def test_a_run_of_weeks_has_no_more_bins() -> None:
    assert BINS_MAX == bins(30 * 86_400.0).n


def test_a_time_outside_belongs_to_the_nearest_bin() -> None:
    by = Bins(width_s=1.0, n=3)

    assert [0, 2, 2] == [by.at(-1.0), by.at(2.5), by.at(9.0)]
    assert 1.5 == by.middle(1)
    assert [[1.0], [], [2.0, 3.0]] == binned([(0.1, 1.0), (2.0, 2.0), (7.0, 3.0)], by)


def test_a_distribution_ends_below_one_where_requests_failed() -> None:
    assert [(1.0, 0.25), (2.0, 0.5)] == steps([1.0, 2.0], failures=2)
    assert [] == steps([], failures=2)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=1000), st.integers(0, 50))
def test_a_reduced_distribution_keeps_both_ends_and_rises(values: list[float], failures: int) -> None:
    ordered = sorted(values)
    found = steps(ordered, failures)

    assert (ordered[0], ordered[-1]) == (found[0][0], found[-1][0])
    assert len(found) <= POINTS_MAX
    assert found == sorted(found)
    assert len(values) / (len(values) + failures) == found[-1][1]


def test_a_percentile_of_a_bin_is_a_gap_where_it_has_too_few_or_fails() -> None:
    by = Bins(width_s=1.0, n=3)
    points: list[tuple[float, int | None]] = [(0.1, 5), *((1.2, us) for us in range(20)), (2.0, None), (2.1, None)]

    assert [(0.5, None), (1.5, 9), (2.5, None)] == quantiles(points, P50, by)
    assert [(0.5, None), (1.5, 18), (2.5, None)] == quantiles(points, P95, by)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=300), st.integers(2, 40))
def test_thinning_keeps_the_extremes_and_the_order(points: list[tuple[float, float]], most: int) -> None:
    ordered = sorted(points)
    found = thinned(ordered, most)

    assert len(found) <= max(most, 2)
    assert found == sorted(found)
    assert set(found) <= set(ordered)
    if points:
        values = [value for _, value in ordered]
        assert {min(values), max(values)} <= {value for _, value in found}


def test_a_few_points_stay_as_they_are() -> None:
    few = [(float(at), 1.0) for at in range(DOTS_MAX)]

    assert few == thinned(few)
    assert len(thinned([*few, (1e9, 5.0)])) <= DOTS_MAX
