"""Knows the Wilson interval of a share; refuses to know what is counted.

It stays within [0, 1] and is sound at the ends: with no miss among n the lower end is n / (n + z^2), so that 95 % need
n = 73 to prove a share of 0.95, 381 for 0.99.

Source: spec/loadtest.md 6 (990/1000 -> [0.9817, 0.9946]), 7 (n without a miss); E. B. Wilson, 1927; R. G. Newcombe,
Interval estimation for the difference between independent proportions, 1998, method 10.
"""

import math
from statistics import NormalDist

Z_95 = NormalDist().inv_cdf(0.975)
"""Standard deviations on either side of a 95 % interval."""


def wilson(good: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Return the interval of the true share.

    Args:
        good: Within [0, n].
        n: Above 0.
        z: Standard deviations on either side.
    """
    share, square = good / n, z * z
    middle = share + square / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    whole = 1 + square / n
    low, high = (middle - half) / whole, (middle + half) / whole
    return (0.0 if good == 0 else max(0.0, low), 1.0 if good == n else min(1.0, high))


def difference(a: tuple[int, int], b: tuple[int, int], z: float = Z_95) -> tuple[float, float]:
    """Return the interval of the share of `a` less that of `b`, each (count, n > 0)."""
    share_a, share_b = a[0] / a[1], b[0] / b[1]
    (low_a, high_a), (low_b, high_b) = wilson(*a, z), wilson(*b, z)
    apart = share_a - share_b
    return (
        apart - math.hypot(share_a - low_a, high_b - share_b),
        apart + math.hypot(high_a - share_a, share_b - low_b),
    )
