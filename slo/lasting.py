"""Knows when an error rate or a P99 is wrong for good, not for a moment; refuses to know states and who is told.

The rules of `slo.jump` look at 5 min and at 1 h. A replica that restarts fails its share of a minute's requests, and
both windows hold that minute for as long as they are: the rules are then true for minutes, although all is well again.
So the last minute must show it too, naively, and for `FOR_S` on end. A P99 needs as many requests as a P99 has.

Error: over 4,000 made-up hours with four hiccups of up to 90 s a day no rule was true for `FOR_S`; without the last
minute and without `FOR_S` the P99 was 15 times in 1,000 hours of bursts (`benchmarks.detection`).

Source: spec/slo.md 13 (`error_rate_jump`, `p99_over_sla`: 5 m and 1 h, `min_events`), 9 (`for`);
spec/measurement.md 11 (least n of a percentile).
"""

from dataclasses import dataclass, replace

from slo.counts import Counts, exact
from slo.gates import DEFAULT_GATES
from slo.jump import RATE_RATIO, Judgement, Verdict, error_rate_jump, in_both, p99_over_sla
from telemetry.percentile import P99, n_min

LAST_S, SHORT_S, LONG_S, REFERENCE_S = 60, 300, 3_600, 86_400
"""Windows that end now, and the length of the reference before each."""
FOR_S = 180
"""How long a rule must be true: longer than a hiccup stays in the last minute."""

_SLOW_RATIO = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Counts of the windows that end now.

    Attributes:
        last: Of `LAST_S`.
        short: Of `SHORT_S`.
        long: Of `LONG_S`.
    """

    last: Counts
    short: Counts
    long: Counts


def error_rate(
    now: Looked, before_short: Counts, before_long: Counts, deff: float = 1.0, rate_ratio: float = RATE_RATIO
) -> Judgement:
    """Judge whether an error rate jumped and goes on.

    Args:
        now: Eligible requests, and errors as the bad of them.
        before_short: Of `REFERENCE_S` before the short window.
        before_long: Of `REFERENCE_S` before the long window.
        deff: Design effect, 1 or more.
        rate_ratio: The least error rate of each window.
    """
    both = in_both(
        error_rate_jump(now.short, before_short, deff, rate_ratio),
        error_rate_jump(now.long, before_long, deff, rate_ratio),
    )
    return both if _goes_on(now.last, rate_ratio) else replace(both, sound=Verdict.SILENT)


def p99(now: Looked) -> Judgement:
    """Judge whether a P99 is over its limit and stays there.

    Args:
        now: Eligible requests, and those slower than 1.1 times the limit, failed ones included, as the bad of them.
    """
    both = in_both(p99_over_sla(now.short.bad, now.short.eligible), p99_over_sla(now.long.bad, now.long.eligible))
    enough = now.long.eligible >= n_min(P99) and now.long.bad >= DEFAULT_GATES.min_bad
    return both if enough and _goes_on(now.last, _SLOW_RATIO) else replace(both, sound=Verdict.SILENT)


def _goes_on(last: Counts, ratio: float) -> bool:
    """Return whether the last minute shows it as well; one without requests says nothing against it."""
    return last.bad >= exact(ratio) * last.eligible
