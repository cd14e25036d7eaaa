"""Says what counts as good, as bad, and as neither."""

import pytest

from loadtest.fleet.requests import End, Ended, Request
from loadtest.fleet.tally import FRESH_MAX, MINUTE_S, Duration, Tally
from loadtest.scaling_profile import Limits
from telemetry.histogram import quantile

LIMITS = Limits(ttft_s=1.0, tpot_s=0.1, target=0.99)
ASK: Request = (70.0, 100, 11, None)
ONE: Request = (70.0, 100, 1, None)


@pytest.mark.parametrize(
    ("ended", "good", "bad"),
    [
        ((ASK, 71.0, 72.0, End.OK), 1, 0),
        ((ASK, 71.1, 72.0, End.OK), 0, 1),
        ((ASK, 71.0, 72.1, End.OK), 0, 1),
        ((ONE, 71.0, 71.0, End.OK), 1, 0),
        ((ASK, None, 70.9, End.ABANDONED), 0, 0),
        ((ASK, None, 71.1, End.ABANDONED), 0, 1),
        ((ASK, 70.5, 70.6, End.LOST), 0, 1),
        ((ASK, None, 70.0, End.REJECTED), 0, 1),
        ((ASK, None, 70.0, End.TOO_LONG), 0, 0),
    ],
    ids=[
        "at both limits",
        "first token late",
        "tokens slow",
        "one token",
        "left within the limit",
        "left after the limit",
        "lost",
        "turned away",
        "longer than any replica",
    ],
)
def test_what_counts(ended: Ended, good: int, bad: int) -> None:
    tally = Tally(LIMITS)
    tally.add([ended])

    assert (good, bad) == (tally.good_total, tally.bad_total)
    assert (good, bad) == (tally.good[70 // MINUTE_S], tally.bad[70 // MINUTE_S])
    assert {ended[3]: 1} == {how: n for how, n in tally.ends.items() if n}
    assert good * ended[0][2] == tally.tokens_good


def test_times_of_what_ended_well() -> None:
    tally = Tally(Limits(ttft_s=None, tpot_s=None, target=0.99))

    times = tally.add([(ASK, 72.0, 73.0, End.OK), (ONE, 71.0, 71.0, End.OK), (ASK, None, 80.0, End.LOST)])

    assert ([1.0, 2.0], [pytest.approx(0.1)], 12, 2) == (times.ttft_s, times.tpot_s, times.tokens_out, times.n)
    assert (2, 2.0) == (tally.good_total, tally.wait_max_s)


def test_histograms_hold_everything_whenever_they_are_asked_for() -> None:
    tally, n = Tally(LIMITS), FRESH_MAX + 1
    tally.add([(ASK, 70.5, 71.0, End.OK)] * n)
    tally.add([(ASK, 70.5, 71.0, End.OK)])

    for kind, expected_s in ((Duration.TTFT, 0.5), (Duration.TPOT, 0.05), (Duration.E2E, 1.0)):
        found = tally.histogram(kind)
        middle = quantile(found, 0.5)
        assert n + 1 == sum(found.values())
        assert middle is not None
        assert middle.low <= expected_s * 1.000001
        assert expected_s <= middle.high * 1.000001
