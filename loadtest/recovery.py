"""Knows how long a target takes to be as quick as before: behind a spike of load, and from cold; refuses to load it.

    spike   P95 of the TTFT of twenty requests after the other, behind the spike: it is over where two such groups in a
            row are within 10 % of the P95 before it
    cold    TTFT of single requests, one at a time: against the median of their second half

Error: P95 of twenty is their second largest, which is above 1.1 times the true P95 in 14 % of steady groups (lognormal,
sigma 0.5, simulated): the time behind a spike is then told a group or two too long.
Failures are +infinity, so a target that refuses is not back. Below twenty requests before the spike, or four from cold,
there is no answer.

Source: spec/loadtest.md 7 (`spike`: time until p95 TTFT is back within 10 %; `cold`: first requests).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from telemetry.percentile import P95, rank

GROUP = 20
"""Requests of a group: the fewest that have a P95."""
NEAR_RATIO = 1.1
"""Above what was before, and still as quick."""
COLD_LEAST = 4
"""Fewest requests from cold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How a target took a spike.

    Attributes:
        before_s: P95 of the TTFT before it; None if it failed, or there were too few.
        during_s: P95 of those that came during it; None likewise.
        back_s: From the end of the spike to the first request that was served as before; None if that was not seen.
        n: Requests before, during and behind it.
    """

    before_s: float | None
    during_s: float | None
    back_s: float | None
    n: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """How a target began.

    Attributes:
        first_s: TTFT of the first request; None if it failed.
        steady_s: Median of the second half; None if that fails.
        extra_s: How much longer the first one took; None if either is unknown.
        slow: Requests until the first that was as quick as the steady ones; None if that was not seen.
        n: Requests.
    """

    first_s: float | None
    steady_s: float | None
    extra_s: float | None
    slow: int | None
    n: int


def recovery(requests: Sequence[tuple[float, float]], spike_s: tuple[float, float]) -> Recovery:
    """Return how a target took a spike.

    Args:
        requests: (planned arrival after the start, TTFT or +infinity), ascending.
        spike_s: Its beginning and end, after the start.
    """
    since_s, until_s = spike_s
    before = [ttft for at, ttft in requests if at < since_s]
    during = [ttft for at, ttft in requests if since_s <= at < until_s]
    behind = [(at, ttft) for at, ttft in requests if at >= until_s]
    usual = _p95(before)
    return Recovery(
        before_s=_finite(usual),
        during_s=_finite(_p95(during)),
        back_s=None if usual is None else _back(behind, usual, until_s),
        n=(len(before), len(during), len(behind)),
    )


def cold(ttfts_s: Sequence[float]) -> Cold:
    """Return how a target began.

    Args:
        ttfts_s: Of its first requests, one at a time, in order; a failure is +infinity.
    """
    n = len(ttfts_s)
    if n < COLD_LEAST:
        return Cold(first_s=_finite(ttfts_s[0]) if ttfts_s else None, steady_s=None, extra_s=None, slow=None, n=n)
    first_s, steady_s = _finite(ttfts_s[0]), _finite(median(ttfts_s[n // 2 :]))
    if steady_s is None:
        return Cold(first_s=first_s, steady_s=None, extra_s=None, slow=None, n=n)
    quick = (at for at, ttft in enumerate(ttfts_s) if ttft <= NEAR_RATIO * steady_s)
    extra_s = None if first_s is None else first_s - steady_s
    return Cold(first_s=first_s, steady_s=steady_s, extra_s=extra_s, slow=next(quick, None), n=n)


def _back(behind: Sequence[tuple[float, float]], usual: float, until_s: float) -> float | None:
    groups = [behind[at : at + GROUP] for at in range(0, len(behind) - GROUP + 1, GROUP)]
    near = [(_p95([ttft for _, ttft in group]) or 0.0) <= NEAR_RATIO * usual for group in groups]
    starts = (group[0][0] - until_s for at, group in enumerate(groups[:-1]) if near[at] and near[at + 1])
    return None if math.isinf(usual) else next(starts, None)


def _p95(ttfts_s: Sequence[float]) -> float | None:
    return sorted(ttfts_s)[rank(P95, len(ttfts_s)) - 1] if len(ttfts_s) >= GROUP else None


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else value
