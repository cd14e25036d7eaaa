"""Knows when a P99 has drifted away from where it was pinned; refuses to compare one day with the day before.

Tenfold in 14 days is 17.9 % a day, and no rule of day over day sees it. The anchor does not move: it is the limit of
the objective, or the P99 at a release, for each stratum of requests (length of the input, cache hit), so that another
mix of requests is no drift. The P99 is proven above a multiple of its anchor if the lower 5 % point of the share of
requests slower than that multiple is above 1 %: a ticket from three times, a page from ten.

The trend of hourly figures over seven days stands beside it and decides nothing: a P99 that rose and stays is as bad.

Error: as `slo.special.proven_above`, with as many requests as there are; as `slo.trend` for the trend.

Source: spec/slo.md 13 (`p99_drift`, seed S0: 800 ms -> 8 s); A14.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from slo.counts import Counts
from slo.jump import Judgement, Verdict
from slo.special import proven_above
from slo.trend import trend

TICKET_RATIO = 3.0
"""Times the anchor, from which on a ticket says so."""
PAGE_RATIO = 10.0
"""Times the anchor, from which on a page does."""

_SLOW_RATIO = 0.01
_NAIVE_RATIO = 1.2
_P_BELOW = 0.01
_HOURS_PER_DAY = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A P99 against its anchor.

    Attributes:
        judgement: What the counts prove, and what day over day says.
        rises: Whether the hourly figures rise, Mann-Kendall p below 0.01; None with too few hours.
        per_day_ratio: What one day multiplies the P99 by, from the Theil-Sen slope; None with too few hours.
    """

    judgement: Judgement
    rises: bool | None
    per_day_ratio: float | None


def p99_drift(
    over_ticket: Counts,
    over_page: Counts,
    day_over_day: float | None,
    hours: Sequence[tuple[float, float]],
    deff: float = 1.0,
) -> Drift:
    """Judge whether a P99 drifted.

    Args:
        over_ticket: Requests of the window; bad are those slower than `TICKET_RATIO` times the anchor of their stratum.
        over_page: The same with `PAGE_RATIO`.
        day_over_day: P99 of today over that of yesterday; None if one is unknown.
        hours: Hour and P99 in seconds, ascending, of the last seven days; unknown hours are left out.
        deff: Design effect, 1 or more.
    """
    sound = Verdict.TICKET if _proven(over_ticket, deff) else Verdict.SILENT
    sound = Verdict.PAGE if _proven(over_page, deff) else sound
    naive = day_over_day is not None and day_over_day > _NAIVE_RATIO
    found = trend([(hour, math.log(p99_s)) for hour, p99_s in hours])
    return Drift(
        judgement=Judgement(sound=sound, naive=Verdict.TICKET if naive else Verdict.SILENT),
        rises=None if found is None else found.slope > 0 and found.p < _P_BELOW,
        per_day_ratio=None if found is None else math.exp(found.slope * _HOURS_PER_DAY),
    )


def _proven(counts: Counts, deff: float) -> bool:
    return proven_above(counts.bad / deff, counts.eligible / deff, _SLOW_RATIO)
