from bisect import bisect_left
from collections import Counter
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.buckets import E2E, FIRST_EVENT, FIRST_OUTPUT_S, ICL_MAX, ITL, TOKENS, TPOT, TTFO, TTFT, Scale, itl_cells
from telemetry.histogram import US_MAX, build, index

DURATIONS = [FIRST_EVENT, TTFT, TTFO, E2E, TPOT, ICL_MAX, ITL]
VALUES = st.integers(0, US_MAX) | st.integers(0, 3_000_000) | st.integers(0, 2000)


def bounds_of(bounds: tuple[float, ...], bucket: int) -> tuple[float, float]:
    ends = (-inf, *bounds, inf)
    return ends[bucket], ends[bucket + 1]


@given(st.sampled_from(DURATIONS), VALUES | st.just(US_MAX + 1))
def test_a_duration_lies_in_its_bucket_of_every_list(scale: Scale, us: int) -> None:
    cell = bisect_left(scale.ends, us)
    low, high = bounds_of(scale.classic_bounds, scale.classic_of[cell])
    otel_low, otel_high = bounds_of(scale.otel_bounds, scale.otel_of[cell])

    assert low < us / 1e6 <= high
    assert otel_low < us / 1e6 <= otel_high
    assert index(us) == scale.exponential_of[cell]


@given(st.integers(0, 2**26))
def test_a_number_of_tokens_lies_in_its_bucket_of_every_list(tokens: int) -> None:
    cell = bisect_left(TOKENS.ends, tokens)
    low, high = bounds_of(TOKENS.otel_bounds, TOKENS.otel_of[cell])
    i = TOKENS.exponential_of[cell]

    assert low < tokens <= high
    assert tokens == 0 if i < -1 else 2 ** (i / 16) < tokens <= 2 ** ((i + 1) / 16)


@given(st.lists(VALUES))
def test_no_list_loses_a_value(values: list[int]) -> None:
    cells = Counter(bisect_left(E2E.ends, us) for us in values)

    assert build(values) == E2E.exponential(cells)
    assert len(values) == E2E.classic(cells)[-1] == sum(E2E.otel(cells))
    assert [sum(us <= bound * 1e6 for us in values) for bound in E2E.classic_bounds] == E2E.classic(cells)[:-1]


@given(st.lists(VALUES))
def test_inter_token_latencies_keep_their_buckets(values: list[int]) -> None:
    cells = itl_cells(build(values))

    assert build(values) == ITL.exponential(cells)
    assert [sum(us <= bound * 1e6 for us in values) for bound in ITL.classic_bounds] == ITL.classic(cells)[:-1]


@pytest.mark.parametrize(
    ("bounds", "thresholds"),
    [
        pytest.param(FIRST_OUTPUT_S, {0.45, 0.5, 1.0, 2.0, 3.0, 4.5, 6.0}, id="first token: MLPerf, good request"),
        pytest.param(TPOT.classic_bounds, {0.03, 0.04, 0.05, 0.08, 0.1, 0.175, 0.2}, id="pace: MLPerf, good request"),
        pytest.param(
            E2E.classic_bounds, {0.8, 1.0, 20.0, 60.0}, id="whole answer: 800 ms, near real time, flow budget"
        ),
        pytest.param(ICL_MAX.classic_bounds, {1.0, 2.0}, id="gap: stall, good request"),
    ],
)
def test_the_thresholds_that_people_use_are_bounds(bounds: tuple[float, ...], thresholds: set[float]) -> None:
    assert thresholds <= set(bounds)
    assert sorted(set(bounds)) == list(bounds)
