"""Tests of slo.lasting."""

import pytest

from slo.counts import Counts
from slo.jump import Verdict
from slo.lasting import FOR_S, LAST_S, Looked, error_rate, p99

DAY = Counts(eligible=1_728_000, bad=1_728)
"""0.1 % of 20 requests a second."""


def looked(last: tuple[int, int], short: tuple[int, int], long: tuple[int, int]) -> Looked:
    """Eligible and bad of each window."""
    last_of, short_of, long_of = (Counts(eligible=n, bad=bad) for n, bad in (last, short, long))
    return Looked(last=last_of, short=short_of, long=long_of)


@pytest.mark.parametrize(
    ("last", "short", "long", "verdict"),
    [
        pytest.param((1_200, 24), (6_000, 120), (72_000, 500), Verdict.PAGE, id="2 % for a quarter of an hour"),
        pytest.param((1_200, 1), (6_000, 120), (72_000, 500), Verdict.SILENT, id="and well again for a minute"),
        pytest.param((0, 0), (6_000, 120), (72_000, 500), Verdict.PAGE, id="or nobody asks any more"),
        pytest.param((1_200, 24), (6_000, 120), (72_000, 150), Verdict.SILENT, id="not enough of an hour yet"),
        pytest.param((1_200, 24), (6_000, 20), (72_000, 500), Verdict.SILENT, id="hardly any in five minutes"),
    ],
)
def test_an_error_rate_jumps_for_good(
    last: tuple[int, int], short: tuple[int, int], long: tuple[int, int], verdict: Verdict
) -> None:
    judged = error_rate(looked(last, short, long), DAY, DAY)

    assert judged.sound is verdict
    assert judged.p is not None


@pytest.mark.parametrize(
    ("last", "short", "long", "verdict"),
    [
        pytest.param((600, 20), (3_000, 100), (36_000, 600), Verdict.PAGE, id="1.7 % of an hour"),
        pytest.param((600, 5), (3_000, 100), (36_000, 600), Verdict.SILENT, id="and well again for a minute"),
        pytest.param((600, 20), (3_000, 100), (36_000, 370), Verdict.SILENT, id="1.03 % of an hour prove nothing"),
        pytest.param((2, 2), (9, 9), (99, 9), Verdict.SILENT, id="99 requests have no P99"),
        pytest.param((2, 2), (9, 9), (100, 9), Verdict.PAGE, id="100 do"),
        pytest.param((0, 0), (1, 1), (100, 2), Verdict.SILENT, id="two bad ones are too few"),
    ],
)
def test_a_p99_is_over_its_limit_for_good(
    last: tuple[int, int], short: tuple[int, int], long: tuple[int, int], verdict: Verdict
) -> None:
    assert p99(looked(last, short, long)).sound is verdict


def test_the_naive_verdict_stands_beside_it() -> None:
    assert p99(looked((2, 2), (9, 9), (99, 9))).naive is Verdict.PAGE


def test_a_hiccup_of_a_minute_and_a_half_is_over_before_it_counts() -> None:
    assert FOR_S >= 90 + LAST_S
