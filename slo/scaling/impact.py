"""Knows what a number of replicas costs, and how likely it is too small; refuses to weigh one against the other.

Arrivals a lead ahead are taken as lognormal, with the expected rate for their median and the P95 of past errors for
their spread. The risk is the share of it above what the replicas carry.

Error: that of the lognormal: exact at the median and at P95, a guess in between and beyond. None without a P95.

Source: spec/scaling.md 1 (impact).
"""

import math

_Z95 = 1.6448536269514722


def miss_risk(p50_rps: float | None, p95_rps: float | None, carried_rps: float | None) -> float | None:
    """Return the probability that more arrives than is carried; None if any figure is unknown.

    Args:
        p50_rps: Expected rate.
        p95_rps: What it will hardly exceed.
        carried_rps: What the replicas carry.
    """
    if p50_rps is None or p95_rps is None or carried_rps is None:
        return None
    if not 0 < p50_rps < p95_rps or carried_rps <= 0:
        return float(p50_rps > carried_rps)
    z = math.log(carried_rps / p50_rps) / (math.log(p95_rps / p50_rps) / _Z95)
    return 0.5 * math.erfc(z / math.sqrt(2))


def usd_per_hour(replicas: int, usd_per_replica_hour: float | None) -> float | None:
    """Return what replicas cost; None without a price."""
    return None if usd_per_replica_hour is None else replicas * usd_per_replica_hour
