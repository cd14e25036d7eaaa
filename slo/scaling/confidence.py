"""Knows how far a hint may be trusted: a product of five factors; refuses to decide by it.

    freshness     1 to 30 s, then down to 0 at the time to live
    coverage      share of the replicas that were seen
    baseline      1 below 30 days and of the same configuration, 0.8 to 90 days, else 0.5
    calibration   clip(share of the last 100 P95 forecasts that held / 0.95, 0.5, 1); 0.8 below 20
    agreement     1 if the capacity model and what is felt point the same way, 0.8 if only one is known, 0.6 if not

Source: spec/scaling.md 3.
"""

from dataclasses import dataclass

from slo.scaling.codes import Level

TTL_S = 60.0
"""How long an observation may be acted upon."""
FORECASTS_MAX = 100
"""Forecasts that the calibration looks back on."""

_FRESH_S = 30.0
_YOUNG_DAYS, _OLD_DAYS = 30, 90
_FORECASTS_MIN = 20
_P95 = 0.95
_HIGH, _MEDIUM = 0.8, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Where the capacity comes from.

    Attributes:
        age_days: Since the load test.
        same_config: Whether model, GPUs and engine flags are those of the test.
        measured: Whether its rate was measured with such requests, and not calculated.
    """

    age_days: float
    same_config: bool
    measured: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The product, and where it comes from.

    Attributes:
        score: 0 to 1.
        why: One word or two for each factor.
    """

    score: float
    why: tuple[str, ...]

    @property
    def level(self) -> Level:
        """What may be done with it."""
        if self.score >= _HIGH:
            return Level.HIGH
        return Level.MEDIUM if self.score >= _MEDIUM else Level.LOW


def freshness(age_s: float | None, ttl_s: float = TTL_S) -> float:
    """Return the factor of an age; 0 if nothing was ever seen."""
    if age_s is None:
        return 0.0
    return min(max((ttl_s - age_s) / (ttl_s - _FRESH_S), 0.0), 1.0)


def baseline(of: Baseline | None) -> float:
    """Return the factor of a load test; the lowest without one. A rate that was calculated has 0.8 at most."""
    if of is None or not of.same_config or of.age_days > _OLD_DAYS:
        return 0.5
    return 1.0 if of.age_days < _YOUNG_DAYS and of.measured else 0.8


def calibration(held: int, n: int) -> float:
    """Return the factor of past forecasts: so many of n held."""
    return 0.8 if n < _FORECASTS_MIN else min(max(held / n / _P95, 0.5), 1.0)


def agreement(model: int | None, felt: int | None) -> float:
    """Return the factor of two opinions, each 1 for more, 0 for as many, -1 for less, None if unknown."""
    if model is None or felt is None:
        return 0.8
    return 0.6 if model * felt < 0 else 1.0


def trust(
    age_s: float | None,
    coverage: float,
    of: Baseline | None,
    forecasts: tuple[int, int],
    opinions: tuple[int | None, int | None],
    ttl_s: float = TTL_S,
) -> Trust:
    """Return how far a hint may be trusted.

    Args:
        age_s: Of the observation; None if there is none.
        coverage: Share of the replicas that were seen.
        of: The load test; None without one.
        forecasts: How many held, of how many.
        opinions: Of the capacity model, and of what is felt.
        ttl_s: How long an observation may be acted upon; above 30.
    """
    factors = {
        "fresh": freshness(age_s, ttl_s),
        "coverage": coverage,
        "baseline": baseline(of),
        "calibration": calibration(*forecasts),
        "agreement": agreement(*opinions),
    }
    score = 1.0
    for factor in factors.values():
        score *= factor
    words = {
        "fresh": "nothing seen" if age_s is None else f"observed {age_s:.0f} s before the instant",
        "coverage": f"{coverage:.0%} of replicas seen",
        "baseline": "no load test" if of is None else _about(of),
        "calibration": f"calibrated {forecasts[0]}/{forecasts[1]}",
        "agreement": "signals disagree" if factors["agreement"] < 0.8 else "one signal only",  # noqa: PLR2004 - its own table
    }
    named = ("fresh", "baseline", "calibration")
    return Trust(score=score, why=tuple(words[name] for name, factor in factors.items() if factor < 1 or name in named))


def _about(of: Baseline) -> str:
    kind = "load test" if of.measured else "calculated from a load test"
    return f"{kind} {of.age_days:.0f} d old{'' if of.same_config else ' of another configuration'}"
