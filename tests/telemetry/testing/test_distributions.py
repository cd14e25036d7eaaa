"""The shapes, and through them how exact a histogram is: the table that `python -m benchmarks.accuracy` prints."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache

import pytest

from telemetry.histogram import Interval, build, fraction_below, index, quantile, upper_us
from telemetry.percentile import P50, P95, P99, P999, nearest_rank
from telemetry.testing.distributions import SHAPES, SMOOTH, values_us

N = 100_000


@cache
def values_of(name: str) -> tuple[Sequence[int], Mapping[int, int]]:
    """The values of a shape and their histogram."""
    values = values_us(SHAPES[name], N)
    return values, build(values)


@pytest.mark.parametrize("name", list(SHAPES))
def test_a_histogram_is_within_its_bucket_and_on_smooth_shapes_within_one_percent(name: str) -> None:
    values, h = values_of(name)

    for ppm in (P50, P95, P99, P999):
        exact_us, found = nearest_rank(values, ppm), quantile(h, ppm / 1e6)
        assert exact_us is not None
        assert found is not None
        error = found.estimate / (exact_us / 1e6) - 1

        assert found.low < exact_us / 1e6 <= found.high
        assert abs(error) <= found.error_ratio_max <= 0.045
        assert abs(error) <= 0.01 or name not in SMOOTH


@pytest.mark.parametrize("name", list(SHAPES))
@pytest.mark.parametrize("s", [0.05, 0.25, 0.42, 1.1])
def test_a_share_below_a_threshold_is_within_the_threshold_s_bucket(name: str, s: float) -> None:
    values, h = values_of(name)
    found = fraction_below(h, s)
    i = index(round(s * 1e6))
    in_bucket = h.get(i, 0) / N
    exact = bisect_right(values, s * 1e6) / N

    assert isinstance(found, Interval)
    assert found.low <= exact <= found.high <= found.low + in_bucket + 1e-12
    assert abs(found.estimate - exact) <= in_bucket
    assert upper_us(i) != s * 1e6 or exact == found.estimate == found.low == found.high


def test_values_are_ascending_and_the_same_every_time() -> None:
    for shape in SHAPES.values():
        values = values_us(shape, 1000)

        assert sorted(values) == list(values)
        assert values_us(shape, 1000) == values
    assert (250_000, 420_000) == (values_us(SHAPES["lognormal"], 1)[0], values_us(SHAPES["constant"], 1)[0])
    assert {0} == {(us - 4_000) % 17_300 for us in values_us(SHAPES["steps"], 100)}
