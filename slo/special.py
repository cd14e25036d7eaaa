"""Knows what counts prove of the true ratio behind them; refuses to know what is counted.

Error: that of `telemetry.special`.

Source: spec/slo.md 6 (Beta(b + 1/2, n - b + 1/2), the Jeffreys interval).
"""

from telemetry.special import beta_lower, betainc

EVIDENCE_RATIO = 0.05
"""Probability that the true ratio lies below the lower point of `ratio_lower`."""


def ratio_lower(bad: float, eligible: float) -> float:
    """Return the lower 5 % point of the true ratio, given the counts: of Beta(bad + 1/2, eligible - bad + 1/2).

    Args:
        bad: Within [0, eligible]; may be divided by a design effect, hence no integer.
        eligible: Counted requests; with none the point is 0.00616, of the prior alone.
    """
    return beta_lower(bad + 0.5, eligible - bad + 0.5, EVIDENCE_RATIO)


def proven_above(bad: float, eligible: float, ratio: float) -> bool:
    """Return whether `ratio_lower` is above a ratio, strictly, without searching for that point.

    Error: a filter, no sequential test: asked every 30 s at the same true ratio it says yes in more than 5 % of
    windows sooner or later.
    """
    if not 0 <= ratio < 1:
        return ratio < 0
    return betainc(bad + 0.5, eligible - bad + 0.5, ratio) < EVIDENCE_RATIO
