"""What counts prove: the lower point of the true ratio, spec/slo.md 6."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.special import EVIDENCE_RATIO, proven_above, ratio_lower
from telemetry.special import betainc


def test_the_lower_point_of_one_bad_of_ten() -> None:
    assert ratio_lower(1, 10) == pytest.approx(0.01789, abs=1e-5)  # spec/slo.md, A2
    assert EVIDENCE_RATIO == 0.05


@settings(max_examples=40, deadline=None)
@given(b=st.integers(0, 200), more=st.integers(0, 100_000))
def test_the_lower_point_has_the_asked_probability_below_it(b: int, more: int) -> None:
    point = ratio_lower(b, b + more)

    assert 0 < point < 1
    assert betainc(b + 0.5, more + 0.5, point) == pytest.approx(EVIDENCE_RATIO, rel=1e-8)


def test_no_counts_leave_the_prior() -> None:
    assert ratio_lower(0, 0) == pytest.approx(math.sin(math.pi * EVIDENCE_RATIO / 2) ** 2)
    assert ratio_lower(0, 0) == pytest.approx(0.00616, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(b=st.integers(0, 50), more=st.integers(0, 1000), ratio=st.floats(0, 0.999))
def test_evidence_is_the_lower_point_above_the_ratio(b: int, more: int, ratio: float) -> None:
    assert proven_above(b, b + more, ratio) == (ratio_lower(b, b + more) > ratio)


@pytest.mark.parametrize(("ratio", "proven"), [(1.0, False), (1.5, False), (-0.1, True), (0.0, True)])
def test_ratios_beyond_what_can_be(ratio: float, proven: bool) -> None:
    assert proven is proven_above(5, 5, ratio)
