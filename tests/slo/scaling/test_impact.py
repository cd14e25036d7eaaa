"""What replicas cost, and how likely they are too few."""

import pytest

from slo.scaling.impact import miss_risk, usd_per_hour


@pytest.mark.parametrize(
    ("carried", "risk"),
    [
        pytest.param(11.4, 0.5, id="the median"),
        pytest.param(14.1, 0.05, id="P95"),
        pytest.param(10.4, 0.76, id="four replicas of 2.6"),
        pytest.param(15.6, 0.0077, id="six of them"),
        pytest.param(0.0, 1.0, id="none"),
    ],
)
def test_the_risk_of_arrivals_with_a_median_of_11_4_and_a_p95_of_14_1(carried: float, risk: float) -> None:
    assert risk == pytest.approx(miss_risk(11.4, 14.1, carried), rel=0.02)


def test_arrivals_that_do_not_vary_are_above_or_not() -> None:
    assert (1.0, 0.0, 0.0) == (miss_risk(5.0, 5.0, 4.9), miss_risk(5.0, 5.0, 5.0), miss_risk(0.0, 0.0, 0.0))


def test_what_is_unknown_stays_unknown() -> None:
    assert [None] * 3 == [miss_risk(None, 1.0, 1.0), miss_risk(1.0, None, 1.0), miss_risk(1.0, 2.0, None)]
    assert usd_per_hour(6, None) is None
    assert 48.0 == usd_per_hour(6, 8.0)
