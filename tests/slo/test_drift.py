"""A P99 that drifts: A14, and what the trend says beside it."""

import math
from statistics import NormalDist

import pytest

from slo.counts import Counts
from slo.drift import PAGE_RATIO, TICKET_RATIO, Drift, p99_drift
from slo.jump import Verdict

ANCHOR_S = 0.8
PER_DAY = 10 ** (1 / 14)  # tenfold in 14 days: 17.9 % a day
SIGMA = 0.5
REQUESTS = 10_000


def slower(day: int, ratio: float) -> Counts:
    """Of a lognormal day whose P99 is ANCHOR_S * PER_DAY ** day: the requests slower than a multiple of the anchor."""
    p99_log = math.log(ANCHOR_S) + day * math.log(PER_DAY)
    latencies = NormalDist(p99_log - SIGMA * NormalDist().inv_cdf(0.99), SIGMA)
    share = 1 - latencies.cdf(math.log(ANCHOR_S * ratio))
    return Counts(eligible=REQUESTS, bad=round(REQUESTS * share))


def judged(day: int) -> Drift:
    hours = [(24.0 * day + hour, ANCHOR_S * PER_DAY ** (day + hour / 24)) for hour in range(-168, 0)]
    return p99_drift(slower(day, TICKET_RATIO), slower(day, PAGE_RATIO), PER_DAY, hours)


def test_a14_tenfold_in_14_days_is_seen_and_day_over_day_never_sees_it() -> None:
    days = [judged(day) for day in range(17)]

    # Three times the anchor are passed at ln 3 / ln 1.179 = 6.7 d, ten times at 14 d; proof takes a little more.
    assert ["silent"] * 7 + ["ticket"] * 8 + ["page"] * 2 == [day.judgement.sound for day in days]
    assert {Verdict.SILENT} == {day.judgement.naive for day in days}


def test_the_trend_stands_beside_it() -> None:
    found = judged(3)

    assert found.rises
    assert found.per_day_ratio == pytest.approx(1.179, abs=0.001)


def test_a_p99_that_rose_and_stays_is_told_without_a_trend() -> None:
    level = [(float(hour), 3.0 + 0.01 * (hour % 7)) for hour in range(168)]
    found = p99_drift(slower(8, 3.0), slower(8, 10.0), 1.0, level)

    assert (Verdict.TICKET, False) == (found.judgement.sound, found.rises)


def test_a_p99_that_falls_does_not_rise() -> None:
    falling = [(float(hour), 3.0 - 0.01 * hour) for hour in range(100)]

    assert p99_drift(Counts(), Counts(), None, falling).rises is False


def test_too_little_is_known() -> None:
    found = p99_drift(Counts(), Counts(), None, [])

    assert (Verdict.SILENT, Verdict.SILENT) == (found.judgement.sound, found.judgement.naive)
    assert (None, None) == (found.rises, found.per_day_ratio)


def test_a_jump_from_one_day_to_the_next_is_what_the_naive_rule_sees() -> None:
    nothing = Counts(eligible=REQUESTS)

    assert Verdict.TICKET is p99_drift(nothing, nothing, 1.21, []).judgement.naive
    assert Verdict.SILENT is p99_drift(nothing, nothing, 1.2, []).judgement.naive


def test_bursts_weigh_less() -> None:
    slow = Counts(eligible=60, bad=3)

    assert Verdict.TICKET is p99_drift(slow, Counts(eligible=60), None, []).judgement.sound
    assert Verdict.SILENT is p99_drift(slow, Counts(eligible=60), None, [], deff=3.0).judgement.sound
