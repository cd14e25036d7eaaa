"""What replicas cannot help (spec/scaling.md 6.6, acceptance A5 and A10)."""

import pytest

from slo.scaling.verdicts import (
    Bursts,
    Prompts,
    burst,
    bursts,
    cheaper_empty,
    decode_infeasible,
    prefill_infeasible,
    prompts,
)

READ_IN_TIME = 2.0 * 9_000
"""Tokens that V_P 9,000 reads in 2 s."""


def of(long: int, n: int = 10_000, hit: float = 0.0) -> Prompts:
    counts = ((1_024, n - long), (18_432, 0), (20_480, long))
    return prompts(counts, 1_020.0, hit, READ_IN_TIME)


def test_one_long_request_among_many_is_left_out() -> None:
    found = of(1)

    assert (1, 18_432) == (found.too_long, found.shortest_tokens)
    assert not prefill_infeasible(found, 0.99)
    assert found.tokens_read_mean == pytest.approx((1_020 * 10_000 - 18_432) / 9_999)


def test_one_in_twenty_makes_a_target_infeasible_at_99_per_cent() -> None:
    assert prefill_infeasible(of(500), 0.99)
    assert not prefill_infeasible(of(500), 0.95)
    assert not prefill_infeasible(of(500), None)
    assert prefill_infeasible(of(10_000), None)
    assert not prefill_infeasible(prompts((), None, 0.0, READ_IN_TIME), None)


def test_what_a_cache_holds_need_not_be_read() -> None:
    found = of(500, hit=0.5)

    assert (0, 0) == (found.too_long, found.shortest_tokens)
    assert found.tokens_read_mean == pytest.approx(510)


def test_a_bucket_counts_only_if_all_of_it_is_too_long() -> None:
    found = prompts(((20_480, 10),), 1_000.0, 0.0, READ_IN_TIME)

    assert (0, 0.0) == (found.too_long, found.too_long_ratio), "these may have one token each"
    assert 0.0 == prompts((), 5.0, 0.0, READ_IN_TIME).too_long_ratio


def test_means_that_are_unknown_stay_unknown() -> None:
    assert prompts(((1_024, 5),), None, 0.0, READ_IN_TIME).tokens_read_mean is None
    assert 1_020.0 == prompts((), 1_020.0, 0.0, READ_IN_TIME).tokens_read_mean


def test_a_step_that_is_too_slow_when_empty() -> None:
    assert decode_infeasible(0.029, 0.029)
    assert not decode_infeasible(0.0291, 0.029)


AZURE_CODE = Bursts(peak_1s_rps=26 * 2.57, mean_rps=2.57, length_s=60.0, p99_1m_rps=10.5)
"""scaling.md 6.6: 26 times the mean; its highest minute has 632 requests, 10.5 a second."""


def test_a_burst_that_is_over_before_a_replica_is_ready() -> None:
    found = burst(AZURE_CODE, 540.0, 2.6, 8.0)

    assert found is not None
    assert 26.0 == pytest.approx(found.ratio)
    assert (60.0, 5) == (found.length_s, found.floor)
    assert 5 * 8 * 730 == found.usd_per_month
    assert getattr(burst(AZURE_CODE, 540.0, 2.6, None), "usd_per_month", 0) is None


@pytest.mark.parametrize(
    ("change", "lead_s"),
    [
        pytest.param({"length_s": 600.0}, 540.0, id="as long as a start"),
        pytest.param({"length_s": None}, 540.0, id="of unknown length"),
        pytest.param({"peak_1s_rps": 25.7}, 540.0, id="ten times the mean, not more"),
        pytest.param({"mean_rps": 0.0}, 540.0, id="nothing at all"),
        pytest.param({}, 60.0, id="a fast start"),
    ],
)
def test_what_can_be_followed(change: dict[str, float | None], lead_s: float) -> None:
    values = {"peak_1s_rps": 66.8, "mean_rps": 2.57, "length_s": 60.0, "p99_1m_rps": 10.5}

    assert burst(Bursts(**{**values, **change}), lead_s, 2.6, 8.0) is None  # type: ignore[arg-type]  # of the numbers that it takes


def test_bursts_are_minutes_above_twice_the_mean() -> None:
    quiet, loud = [0] * 60, [10] * 30 + [2] * 30
    found = bursts([*loud, *quiet, *quiet, *loud, *loud, *quiet * 4, *[9] * 10])

    # 1,170 requests in 550 s; runs of one minute and of two, of which the longest of nine tenths is two.
    assert Bursts(peak_1s_rps=10, mean_rps=1_170 / 550, length_s=120.0, p99_1m_rps=6.0) == found


def test_arrivals_without_bursts_or_without_arrivals() -> None:
    even = bursts([1] * 600)

    assert even is not None
    assert even.length_s is None
    assert bursts([0] * 600) is None
    assert Bursts(peak_1s_rps=3, mean_rps=2.0, length_s=None, p99_1m_rps=2.0) == bursts([1, 3])


def test_empty_is_cheaper_only_if_the_wait_costs_less() -> None:
    assert cheaper_empty(8.0, 3_600.0, 7.99)
    assert not cheaper_empty(8.0, 3_600.0, 8.0)
    assert not any((cheaper_empty(None, 1e9, 0.0), cheaper_empty(8.0, None, 0.0), cheaper_empty(8.0, 1e9, None)))
