"""Knows whether runs prove that a latency keeps a limit, whatever it was before; refuses to know a baseline.

    pass          the bound that the percentile is proven not to be above, with 99 % confidence, is within the limit
    fail          the percentile itself is above it
    inconclusive  in between, or fewer requests than the percentile can be certified of

All runs count as one. Failures are +infinity.

Source: spec/loadtest.md 13 (absolute objectives); spec/measurement.md 11 (certified bound, floors).
"""

from collections.abc import Mapping, Sequence

from loadtest.cases import Case
from loadtest.gate import QUANTILE_OF, VALUE_OF, Metric, Run
from loadtest.quantiles import certification_floor, certified, proof
from telemetry.percentile import rank


def absolute(runs: Sequence[Run], limits: Mapping[Metric, float]) -> list[Case]:
    """Return a verdict for each limit, in seconds, of a latency."""
    return [_case(runs, metric, limit) for metric, limit in limits.items()]


def _case(runs: Sequence[Run], metric: Metric, limit: float) -> Case:
    requests, p_ppm = [one for run in runs for one in run.requests], QUANTILE_OF[metric]
    good = (VALUE_OF[metric](one) for one in requests if not one.is_bad)
    ordered = sorted(value for value in good if value is not None)
    failures = sum(one.is_bad for one in requests)
    n = len(ordered) + failures
    floor = certification_floor(p_ppm)
    if n < floor:
        words = f"n too small: {n}, needed {floor}"
    else:
        at = rank(p_ppm, n)
        value = _seconds(ordered[at - 1] if at <= len(ordered) else None)
        words = f"{value}, proven at most {_seconds(certified(ordered, p_ppm, failures=failures))}, n {n}"
    verdict = proof(ordered, p_ppm, limit, failures=failures)
    return Case(name=f"{metric.value}_limit", verdict=verdict, message=f"{metric.value}: {words}, limit {limit:g} s")


def _seconds(value: float | None) -> str:
    return "fails" if value is None else f"{value:.4g} s"
