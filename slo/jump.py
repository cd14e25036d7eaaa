"""Knows rules that plain thresholds get wrong at low counts: a jump of an error rate, its height, a P99 over its limit.

Each is judged twice: naively, as they are usually written, and soundly, by what the counts prove. The sound verdict
acts, both are shown.

    error rate    b of n now against b_r of n_r of the day before; p0 = 2 n / (2 n + n_r);
                  p = P(Bin(b + b_r, p0) >= b) = betainc(b, b_r + 1, p0), under a ratio of 2.
                  True if p < 1e-4, b >= 3 and b/n >= 0.5 %: a page from five times the reference, a ticket below.
    error peak    true if the lower 5 % point of the ratio of bad requests is above a limit, 0.3 %
    P99           of n requests k are slower than limit * 1.1, failures included; true if the lower 5 % point of the
                  share of slow ones is above 1 %.

`deff`, the design effect, is the variance of bad requests per minute over their mean on the reference day, at least
1: where bad requests come in bursts, counts of errors are divided by it. The naive error rate is true from 0.5 % and
five times; the naive P99 is a nearest rank, which at n = 60 is the maximum.

Error: a filter, no sequential test. At a true share of 0.8 % slow the sound P99 rule is true in at most 4.7 % of
windows up to n = 1,000, the naive one in 18 to 38 %, if requests are slow independently of each other. Slow ones that
come together prove less, and nothing is divided here: `slo.lasting` asks that they go on.

Source: spec/slo.md 13 (seeds S1 and S3); A12, A13.
"""

from dataclasses import dataclass
from enum import StrEnum

from slo.counts import Counts, exact
from slo.special import proven_above
from telemetry.percentile import P99, rank
from telemetry.special import betainc

RATIO_TESTED = 2.0
"""The ratio of error rates that must be disproved."""
PEAK_RATIO = 0.003
"""Share of requests that may be bad in the busiest minutes."""

RATE_RATIO = 0.005
"""An error rate below this jumps nowhere."""

_P_BELOW = 1e-4
_BAD = 3
_PAGE_RATIO = 5
_SLOW_RATIO = 0.01


class Verdict(StrEnum):
    """What a rule says."""

    SILENT = "silent"
    TICKET = "ticket"
    PAGE = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One rule over one window.

    Attributes:
        sound: What the counts prove; this one acts.
        naive: What a plain threshold says, shown beside it.
        p: Probability of as many bad requests or more if nothing happened; None where none is computed.
    """

    sound: Verdict
    naive: Verdict
    p: float | None = None


def error_rate_jump(now: Counts, reference: Counts, deff: float = 1.0, rate_ratio: float = RATE_RATIO) -> Judgement:
    """Judge whether an error rate jumped.

    Args:
        now: Counts of the window.
        reference: Counts of the 24 h before it; without any, nothing can be said.
        deff: Design effect, 1 or more.
        rate_ratio: The least error rate of the window.
    """
    p = _chance(now, reference, deff)
    times_five = now.bad * reference.eligible >= _PAGE_RATIO * reference.bad * now.eligible
    high = now.eligible > 0 and now.bad >= exact(rate_ratio) * now.eligible
    sound = Verdict.SILENT
    if p < _P_BELOW and now.bad >= _BAD and high:
        sound = Verdict.PAGE if times_five else Verdict.TICKET
    naive = Verdict.PAGE if high and times_five and reference.eligible else Verdict.SILENT
    return Judgement(sound=sound, naive=naive, p=p)


def error_rate_peak(peak: Counts, limit_ratio: float = PEAK_RATIO, deff: float = 1.0) -> Judgement:
    """Judge whether an error rate is too high when it matters most.

    Args:
        peak: Counts of the minutes whose load reaches the P90 of the last seven days.
        limit_ratio: Share that may be bad.
        deff: Design effect, 1 or more.
    """
    proven = proven_above(peak.bad / deff, peak.eligible / deff, limit_ratio)
    over = peak.eligible > 0 and peak.bad >= exact(limit_ratio) * peak.eligible
    return Judgement(
        sound=Verdict.PAGE if proven and peak.eligible else Verdict.SILENT,
        naive=Verdict.PAGE if over else Verdict.SILENT,
    )


def p99_over_sla(slow: int, eligible: int) -> Judgement:
    """Judge whether more than 1 % is slower than the limit allows.

    Args:
        slow: Requests slower than 1.1 times the limit, failed ones included.
        eligible: Requests that count.
    """
    proven = proven_above(slow, eligible, _SLOW_RATIO)
    over = eligible > 0 and slow > eligible - rank(P99, eligible)
    return Judgement(sound=Verdict.PAGE if proven else Verdict.SILENT, naive=Verdict.PAGE if over else Verdict.SILENT)


def in_both(short: Judgement, long: Judgement) -> Judgement:
    """Return what is true of both windows, 5 min and 1 h: it goes on, and it is no blip."""
    return Judgement(
        sound=min(short.sound, long.sound, key=_ORDER.index),
        naive=short.naive,
        p=None if short.p is None or long.p is None else max(short.p, long.p),
    )


_ORDER = list(Verdict)


def _chance(now: Counts, reference: Counts, deff: float) -> float:
    """Return p, the probability of at least so many of all bad requests falling into the window; 1 with nothing bad."""
    if not now.bad or not reference.eligible:
        return 1.0
    weighed = RATIO_TESTED * now.eligible
    share = weighed / (weighed + reference.eligible)
    return betainc(now.bad / deff, reference.bad / deff + 1, share)
