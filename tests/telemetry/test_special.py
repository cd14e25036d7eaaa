"""The incomplete beta function against exact sums and closed forms; its inverse."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry import special
from telemetry.special import STEPS_MAX, beta_lower, betainc

PROMISED = 1e-10


def tail(k: int, n: int, p: float) -> Fraction:
    """P(Bin(n, p) >= k), exactly."""
    x = Fraction(p)
    return sum((math.comb(n, i) * x**i * (1 - x) ** (n - i) for i in range(k, n + 1)), Fraction(0))


def decimal_tail(k: int, n: int, p: str) -> float:
    """P(Bin(n, p) >= k) to 60 digits, from the shorter side; for n that fractions cannot carry."""
    with localcontext(prec=60) as context:
        x = context.create_decimal_from_float(float(p))
        term, total = (1 - x) ** n, Decimal(0)
        for i in range(k):
            total += term
            term = term * (n - i) / (i + 1) * x / (1 - x)
        upper, i = Decimal(0), k
        while i <= n and term > Decimal(10) ** -55 * upper:
            upper += term
            term = term * (n - i) / (i + 1) * x / (1 - x)
            i += 1
        return float(upper)


@pytest.mark.parametrize("n", [1, 2, 7, 30, 100])
@pytest.mark.parametrize("p", [1e-9, 0.001, 0.0144, 0.3, 0.5, 0.86, 0.999])
def test_binomial_tails_are_the_exact_rational_sums(n: int, p: float) -> None:
    for k in {1, (n + 1) // 2, n}:
        assert betainc(k, n - k + 1, p) == pytest.approx(float(tail(k, n, p)), rel=PROMISED)


@settings(deadline=None)
@given(data=st.data(), n=st.integers(1, 60), p=st.floats(1e-6, 1 - 1e-6))
def test_any_binomial_tail_is_the_exact_rational_sum(data: st.DataObject, n: int, p: float) -> None:
    k = data.draw(st.integers(1, n))

    assert betainc(k, n - k + 1, p) == pytest.approx(float(tail(k, n, p)), rel=PROMISED)


@pytest.mark.parametrize(
    ("k", "n", "p"),
    [
        pytest.param(164, 10_000, "0.0144", id="the last column of spec/slo.md 6"),
        pytest.param(3_076, 10_000, "0.3", id="many bad of many"),
        pytest.param(1_000, 1_000_000, "0.001", id="a million at the mean"),
        pytest.param(1_300, 1_000_000, "0.001", id="a million, nine deviations out"),
        pytest.param(2_000, 100_000_000, "0.00002", id="the largest promised n, at its mean"),
    ],
)
def test_large_counts_keep_the_promised_digits(k: int, n: int, p: str) -> None:
    assert betainc(k, n - k + 1, float(p)) == pytest.approx(decimal_tail(k, n, p), rel=PROMISED)


@pytest.mark.parametrize("x", [1e-6, 0.0144, 0.25, 0.5, 0.75, 0.99])
def test_half_integers_follow_from_the_arcsine_law(x: float) -> None:
    # Abramowitz and Stegun 26.5.16: I(a+1, b) = I(a, b) - Gamma(a+b) / (Gamma(a+1) Gamma(b)) x^a (1-x)^b.
    expected, gamma_ratio = 2 / math.pi * math.asin(math.sqrt(x)), 1 / math.pi
    assert betainc(0.5, 0.5, x) == pytest.approx(expected, rel=PROMISED)
    for b in (0.5, 1.5, 2.5):  # upwards in b, where the terms add: I(a, b+1) = I(a, b) + ... x^a (1-x)^b / (b B)
        expected += gamma_ratio / b * math.sqrt(x) * (1 - x) ** b
        gamma_ratio *= (0.5 + b) / b

        assert betainc(0.5, b + 1, x) == pytest.approx(expected, rel=PROMISED)


def test_the_ends() -> None:
    assert 0.0 == betainc(2, 3, 0)
    assert 1.0 == betainc(2, 3, 1)


@pytest.mark.parametrize(
    ("a", "b", "x"), [(0, 1, 0.5), (1, 0, 0.5), (1, 1, -0.1), (1, 1, 1.1), (math.nan, 1, 0.5), (1, 1, math.nan)]
)
def test_outside_its_range_it_is_not_defined(a: float, b: float, x: float) -> None:
    with pytest.raises(ValueError, match="not defined"):
        betainc(a, b, x)


def test_a_fraction_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert STEPS_MAX == 100_000
    monkeypatch.setattr(special, "STEPS_MAX", 3)

    with pytest.raises(ValueError, match="within 3 steps"):
        betainc(500, 500, 0.49)


@settings(deadline=None)
@given(a=st.floats(0.5, 1e4), b=st.floats(0.5, 1e4), x=st.floats(0, 1))
def test_it_is_a_probability_and_its_complement_is_the_mirror(a: float, b: float, x: float) -> None:
    assert 0 <= betainc(a, b, x) <= 1
    assert betainc(a, b, x) + betainc(b, a, 1 - x) == pytest.approx(1, abs=1e-9)


def test_beta_lower_of_the_uniform_distribution_is_the_probability() -> None:
    assert beta_lower(1, 1, 0.3) == pytest.approx(0.3, rel=PROMISED)
