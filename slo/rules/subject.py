"""Knows what rules about the requests of an endpoint and model share: who it is, shares in words, how bursty it is.

Refuses to judge.

Source: spec/slo.md 13 (`deff` = variance/mean of per-minute bad counts over the reference day, at least 1).
"""

from collections.abc import Mapping

from slo.counts import Counts
from slo.rules.rule import Row
from telemetry.queries.spans import MINUTE_S

_DAY_MINUTES = 86_400 / MINUTE_S


def labels(row: Row) -> Mapping[str, str]:
    """Return whom a row is about."""
    return {"endpoint": row["endpoint"], "model": row["model"]}


def where(row: Row) -> str:
    """Return whom a row is about, for people."""
    return " ".join(filter(None, labels(row).values()))


def share(counts: Counts) -> str:
    """Return how many of how many, and the ratio where there is one."""
    ratio = f" ({counts.bad / counts.eligible:.2%})" if counts.eligible else ""
    return f"{counts.bad} of {counts.eligible}{ratio}"


def deff(bad: int, squares: int) -> float:
    """Return the design effect of a day, 1 or more.

    Args:
        bad: Bad requests of the day.
        squares: Sum over its minutes of their squared counts.
    """
    mean = bad / _DAY_MINUTES
    return max(1.0, (squares / _DAY_MINUTES - mean * mean) / mean) if mean else 1.0
