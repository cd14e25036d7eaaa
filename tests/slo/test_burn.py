"""Burn rates, and rules that are true in both windows or not at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.burn import Standing, burn_rate, read
from slo.burn_catalogue import FIXED_WINDOWS, Severity
from slo.counts import Counts
from slo.windows import BurnRule, burn_rules, rule_over

PAGE, SLOW, _, _ = burn_rules(FIXED_WINDOWS, 30 * 86_400).kept


def counts(eligible: int, bad: int) -> Counts:
    return Counts(eligible=eligible, bad=bad)


def test_a_burn_of_one_spends_the_budget_in_the_period() -> None:
    assert 1.0 == burn_rate(counts(1_000, 1), 0.999)
    assert 14.4 == burn_rate(counts(10_000, 144), 0.999)


def test_without_requests_nothing_burns() -> None:
    assert 0.0 == burn_rate(Counts(), 0.999)
    assert Standing.BELOW is read(PAGE, 0.999, Counts(), Counts()).standing


@settings(deadline=None)
@given(eligible=st.integers(0, 10**9), data=st.data(), target=st.floats(0, 0.99999))
def test_a_burn_lies_between_nothing_and_everything_bad(eligible: int, data: st.DataObject, target: float) -> None:
    bad = data.draw(st.integers(0, eligible))

    assert 0 <= burn_rate(counts(eligible, bad), target) <= 1 / (1 - target) * (1 + 1e-9)


STANDINGS = [
    pytest.param(145, 145, Standing.ABOVE, id="both above"),
    pytest.param(144, 145, Standing.NEAR, id="the long window exactly on the burn is not above it"),
    pytest.param(145, 144, Standing.NEAR, id="the short window exactly on the burn is not above it"),
    pytest.param(130, 10_000, Standing.NEAR, id="just above nine tenths"),
    pytest.param(129, 145, Standing.BELOW, id="nine tenths of 144 are 129.6"),
    pytest.param(145, 129, Standing.BELOW, id="the short window has recovered"),
    pytest.param(145, 0, Standing.BELOW, id="nothing bad any more"),
]


@pytest.mark.parametrize(("long", "short", "standing"), STANDINGS)
def test_standing_at_burn_14_4_and_three_nines(long: int, short: int, standing: Standing) -> None:
    found = read(PAGE, 0.999, counts(10_000, long), counts(10_000, short))

    assert standing is found.standing
    assert (long / 10, short / 10) == pytest.approx((found.burn_long, found.burn_short))


# spec/slo.md 6, the naive side of the table: the least bad count that is above.
NAIVE = [
    (0.999, 14.4, [1, 1, 1, 2, 5, 15, 145]),
    (0.999, 6.0, [1, 1, 1, 1, 2, 7, 61]),
    (0.99, 14.4, [2, 3, 8, 15, 44, 145, 1441]),
    (0.99, 6.0, [1, 2, 4, 7, 19, 61, 601]),
    (0.95, 6.0, [4, 7, 16, 31, 91, 301, 3001]),
]
SIZES = [10, 20, 50, 100, 300, 1_000, 10_000]
CELLS = [
    pytest.param(target, burn, n, least, id=f"{target:%} {burn} n={n}: {least}")
    for target, burn, row in NAIVE
    for n, least in zip(SIZES, row, strict=True)
]


@pytest.mark.parametrize(("target", "burn", "n", "least"), CELLS)
def test_least_bad_count_that_is_above(target: float, burn: float, n: int, least: int) -> None:
    rule: BurnRule = rule_over(burn, 3_600, 30 * 86_400, Severity.PAGE)

    assert Standing.ABOVE is read(rule, target, counts(n, least), counts(n, least)).standing
    assert Standing.ABOVE is not read(rule, target, counts(n, least - 1), counts(n, least - 1)).standing


def test_a1_a_total_outage_of_20_per_s_is_seen_after_52_s() -> None:
    def after(seconds: int, target: float, rule: BurnRule) -> Standing:
        bad = 20 * seconds
        return read(
            rule, target, counts(20 * rule.long_s, bad), counts(20 * rule.short_s, min(bad, 20 * rule.short_s))
        ).standing

    assert (Standing.NEAR, Standing.ABOVE) == (after(51, 0.999, PAGE), after(52, 0.999, PAGE))
    # 43 min at 95 %: 14.4 * 0.05 * 60 = 43.2.
    assert (Standing.NEAR, Standing.ABOVE) == (after(43 * 60, 0.95, PAGE), after(2_593, 0.95, PAGE))
    assert Standing.ABOVE is after(130, 0.999, SLOW)
