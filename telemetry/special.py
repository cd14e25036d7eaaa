"""Knows the incomplete beta function, which carries all exact statistics; refuses to know what is counted.

`betainc` is Lentz's continued fraction times a factor that is taken in Loader's saddle-point form: `lgamma(a+b) -
lgamma(a) - lgamma(b)` cancels, and costs nine of sixteen digits at a million requests.

Error: relative error of `betainc` <= 1e-10 for a + b <= 1e8 where the result is at least 1e-250; of `beta_lower`
<= 1e-10. Steps of the fraction grow with the square root of a + b, and only near its mean.

Source: spec/slo.md head (error bound); Numerical Recipes 6.4 (fraction of Lentz); C. Loader, Fast and accurate
computation of binomial probabilities, 2000 (saddle-point form).
"""

import math

STEPS_MAX = 100_000
"""Steps of the continued fraction; a + b = 1e8 needs thousands at the mean."""

_TINY = 1e-300
_EPSILON = 1e-15
_STIRLING_FROM = 15.0
_HALVINGS = 60


def betainc(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function: the probability that Beta(a, b) is at most x.

    For integers it is a binomial tail: P(Bin(n, p) >= k) = betainc(k, n - k + 1, p).

    Args:
        a: Above 0.
        b: Above 0.
        x: Within [0, 1].

    Raises:
        ValueError: An argument is outside its range, or the fraction does not end within `STEPS_MAX` steps.
    """
    if not (a > 0 and b > 0 and 0 <= x <= 1):
        raise ValueError(f"betainc({a}, {b}, {x}) is not defined")
    if x in {0, 1}:
        return float(x)
    if x < (a + 1) / (a + b + 2):
        return _factor(a, b, x) / a * _fraction(a, b, x)
    return 1 - _factor(a, b, x) / b * _fraction(b, a, 1 - x)


def beta_lower(a: float, b: float, probability: float) -> float:
    """Return the point that Beta(a, b) falls below with this probability, within (0, 1)."""
    low, high = 0.0, 1.0
    while betainc(a, b, high / 2) > probability:  # first its order of magnitude, so that the error is relative
        high /= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if betainc(a, b, middle) > probability else (middle, high)
    return (low + high) / 2


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, which converges fast for x below the mean."""
    c, d = 1.0, 1 / _apart(1 - (a + b) * x / (a + 1))
    total = d
    for m in range(1, STEPS_MAX + 1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _apart(1 + even * d), _apart(1 + even / c)
        total *= d * c
        d, c = 1 / _apart(1 + odd * d), _apart(1 + odd / c)
        total *= d * c
        if abs(d * c - 1) < _EPSILON:
            return total
    raise ValueError(f"betainc({a}, {b}, {x}) does not end within {STEPS_MAX} steps")


def _apart(value: float) -> float:
    """Return a value kept apart from 0, so that it may divide."""
    return value if abs(value) > _TINY else _TINY


def _factor(a: float, b: float, x: float) -> float:
    """Return x^a (1-x)^b / B(a, b)."""
    n = a + b
    exponent = _stirling_rest(n) - _stirling_rest(a) - _stirling_rest(b)
    exponent -= _deviance(a, n * x) + _deviance(b, n * (1 - x))
    return math.exp(exponent) * math.sqrt(a * b / (2 * math.pi * n))


def _stirling_rest(z: float) -> float:
    """Return ln Gamma(z + 1) less Stirling's formula for it."""
    if z <= _STIRLING_FROM:
        return math.lgamma(z + 1) - (z + 0.5) * math.log(z) + z - 0.5 * math.log(2 * math.pi)
    square = z * z
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * square)) / square) / square) / square) / z


def _deviance(seen: float, expected: float) -> float:
    """Return seen ln(seen / expected) + expected - seen, by its series where the terms cancel."""
    gap = seen - expected
    if abs(gap) >= 0.1 * (seen + expected):
        return seen * math.log(seen / expected) - gap
    v = gap / (seen + expected)  # below 0.1, so that each term is less than a hundredth of the one before
    total, term, power = gap * v, 2 * seen * v * v * v, 3
    while total + term / power != total:
        total += term / power
        term, power = term * v * v, power + 2
    return total
