import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.sketch import ERROR_RATIO_MAX, ZERO, Sketch, add, bucket, merged, quantile_us, rounded_ms, value_us

durations = st.lists(st.floats(min_value=1, max_value=1e9), min_size=1, max_size=50)


@given(us=st.floats(min_value=1, max_value=1e10))
def test_a_bucket_errs_by_one_percent_at_most(us: float) -> None:
    assert abs(value_us(bucket(us)) / us - 1) <= ERROR_RATIO_MAX


def test_what_is_below_a_microsecond_is_nothing() -> None:
    assert (ZERO, 0.0) == (bucket(0.4), value_us(bucket(0)))


@given(a=durations, b=durations)
def test_parts_add_up_to_the_whole(a: list[float], b: list[float]) -> None:
    parts: list[Sketch] = [{}, {}]
    whole: Sketch = {}
    add(parts[0], a)
    add(parts[1], b)
    add(whole, a + b)

    assert whole == merged(parts)


@pytest.mark.parametrize("q", [0.01, 0.5, 0.9, 0.99, 1.0])
@given(values=durations)
def test_a_quantile_is_the_nearest_rank(q: float, values: list[float]) -> None:
    sketch: Sketch = {}
    add(sketch, values)
    found = quantile_us(sketch, q)

    assert found is not None
    expected = sorted(values)[max(0, -(-round(q * 100) * len(values) // 100) - 1)]
    assert abs(found / expected - 1) <= ERROR_RATIO_MAX


def test_nothing_has_no_quantile() -> None:
    assert quantile_us({}, 0.5) is None


@pytest.mark.parametrize("ms", [0.3, 104.9, 1049.0])  # Locust itself keeps them as 0, 100 and 1000
def test_milliseconds_keep_their_value(ms: float) -> None:
    assert abs(rounded_ms(ms) / ms - 1) <= ERROR_RATIO_MAX
