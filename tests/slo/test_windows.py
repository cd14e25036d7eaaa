"""Every cell of the table of spec/slo.md 5, the 7 d result, reach, and the times to detect and to clear."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.burn_catalogue import (
    DAY_S,
    FIXED_WINDOWS,
    HOUR_S,
    SCALED_WINDOWS,
    Catalogue,
    CatalogueRow,
    Scales,
    Severity,
)
from slo.windows import (
    BUCKET_S,
    BurnRule,
    Reachability,
    burn_rules,
    reach_ratio,
    reachability,
    rule_over,
    time_to_clear_s,
    time_to_detect_s,
)

PAGE, TICKET = Severity.PAGE, Severity.TICKET
MINUTE_S = 60
MONTH_S = 30 * DAY_S


def rules_at(days: int, catalogue: Catalogue = FIXED_WINDOWS) -> list[tuple[float, int, int, str]]:
    return [(rule.burn, rule.long_s, rule.short_s, rule.severity) for rule in burn_rules(catalogue, days * DAY_S).kept]


def month(index: int) -> BurnRule:
    return burn_rules(FIXED_WINDOWS, MONTH_S).kept[index]


# spec/slo.md 5: (share, long, short, {days: burn}, severity).
TABLE = [
    (0.02, HOUR_S, 5 * MINUTE_S, {30: 14.4, 28: 13.44, 7: 3.36, 90: 43.2}, PAGE),
    (0.05, 6 * HOUR_S, 30 * MINUTE_S, {30: 6.0, 28: 5.6, 7: 1.4, 90: 18.0}, PAGE),
    (0.10, DAY_S, 2 * HOUR_S, {30: 3.0, 28: 2.8, 90: 9.0}, TICKET),
    (0.10, 3 * DAY_S, 6 * HOUR_S, {30: 1.0, 28: 0.9333333333333333, 90: 3.0}, TICKET),
]
CELLS = [
    pytest.param(row, days, burn, id=f"{int(share * 100)} % over {long // HOUR_S} h at {days} d is {burn:.4g}")
    for row, (share, long, _, burns, _) in enumerate(TABLE)
    for days, burn in burns.items()
]


@pytest.mark.parametrize(("row", "days", "burn"), CELLS)
def test_every_burn_of_the_table(row: int, days: int, burn: float) -> None:
    share, long_s, short_s, _, severity = TABLE[row]
    rule = burn_rules(FIXED_WINDOWS, days * DAY_S).kept[row]

    assert (burn, long_s, short_s, severity) == (rule.burn, rule.long_s, rule.short_s, rule.severity)
    assert rule.budget_ratio == pytest.approx(share)


def test_seven_days_rescale_two_tickets_and_drop_one() -> None:
    rules = burn_rules(FIXED_WINDOWS, 7 * DAY_S)

    # spec/slo.md 5: pages 3.36/1 h and 1.4/6 h, ticket 1/16.8 h; 3 over 5.6 h is dominated by 1.4 over 6 h.
    assert [(3.36, 3_600, 300, "page"), (1.4, 21_600, 1_800, "page"), (1.0, 60_480, 5_040, "ticket")] == rules_at(7)
    assert (
        "burn 3 looks at 20160 s instead of 86400 s: the period is short",
        "burn 1 looks at 60480 s instead of 259200 s: the period is short",
        "ticket at burn 3 over 20160 s is dropped: a page covers it",
    ) == rules.notes


def test_a_page_with_too_short_a_window_covers_no_ticket() -> None:
    # 5 d: 6 h burn at 1.0, and the ticket at 1 looks at 0.1 * 120 h = 12 h, which the page does not.
    assert [(2.4, 3_600, 300, "page"), (1.0, 21_600, 1_800, "page"), (1.0, 43_200, 3_600, "ticket")] == rules_at(5)


COVERED = [
    pytest.param(2.0, HOUR_S, 0, id="as the page"),
    pytest.param(1.9, HOUR_S, 1, id="a slower burn"),
    pytest.param(2.0, HOUR_S + BUCKET_S, 1, id="a longer window"),
    pytest.param(9.0, HOUR_S // 2, 0, id="faster and shorter"),
]


@pytest.mark.parametrize(("burn", "long_s", "kept"), COVERED)
def test_a_ticket_that_a_page_covers_is_dropped(burn: float, long_s: int, kept: int) -> None:
    rows = (
        CatalogueRow(burn=2.0, long_s=HOUR_S, severity=PAGE),
        CatalogueRow(burn=burn, long_s=long_s, severity=TICKET),
    )
    found = burn_rules(Catalogue(name="own", period_s=DAY_S, scales=Scales.BURN, rows=rows), DAY_S)

    assert (1 + kept, 1 - kept) == (len(found.kept), len(found.notes))


def test_a_burn_of_nine_tenths_is_kept() -> None:
    assert (0.9, 3 * DAY_S, 6 * HOUR_S, "ticket") == rules_at(27)[-1]


def test_periods_of_the_table_need_no_note() -> None:
    assert [(), (), ()] == [burn_rules(FIXED_WINDOWS, days * DAY_S).notes for days in (28, 30, 90)]


def test_scaled_windows_keep_the_burn() -> None:
    assert [
        (14.0, 3_600, 300, "page"),
        (7.0, 21_600, 1_800, "page"),
        (2.0, 86_400, 7_200, "ticket"),
        (1.0, 345_600, 28_800, "ticket"),
    ] == rules_at(28, SCALED_WINDOWS)
    # 1 h * 7 / 28 = 15 min; its twelfth, 75 s, is no whole number of buckets.
    assert (14.0, 900, 90, "page") == rules_at(7, SCALED_WINDOWS)[0]
    assert () == burn_rules(SCALED_WINDOWS, 7 * DAY_S).notes


@settings(max_examples=50, deadline=None)
@given(days=st.integers(1, 400), catalogue=st.sampled_from([FIXED_WINDOWS, SCALED_WINDOWS]))
def test_no_rule_of_any_period_fires_on_a_kept_objective(days: int, catalogue: Catalogue) -> None:
    rules = burn_rules(catalogue, days * DAY_S).kept

    assert {PAGE} <= {rule.severity for rule in rules}
    for rule in rules:
        assert rule.burn >= 0.9
        assert 0 < rule.short_s <= rule.long_s
        assert (0, 0) == (rule.long_s % BUCKET_S, rule.short_s % BUCKET_S)
        assert rule.budget_ratio == pytest.approx(rule.burn * rule.long_s / (days * DAY_S))


# spec/slo.md 5, last column: what a total outage needs at 99.9 / 99 / 95 %.
OUTAGES = [
    pytest.param(0, 0.999, 51.84, id="14.4 at 99.9 %: 52 s"),
    pytest.param(0, 0.99, 518.4, id="14.4 at 99 %: 8.6 min"),
    pytest.param(0, 0.95, 2_592.0, id="14.4 at 95 %: 43 min"),
    pytest.param(1, 0.999, 129.6, id="6 at 99.9 %: 2.2 min"),
    pytest.param(1, 0.99, 1_296.0, id="6 at 99 %: 22 min"),
    pytest.param(1, 0.95, 6_480.0, id="6 at 95 %: 108 min"),
    pytest.param(2, 0.999, 259.2, id="3 at 99.9 %: 4.3 min"),
    pytest.param(2, 0.99, 2_592.0, id="3 at 99 %: 43 min"),
    pytest.param(2, 0.95, 12_960.0, id="3 at 95 %: 3.6 h"),
    pytest.param(3, 0.999, 259.2, id="1 at 99.9 %: 4.3 min"),
    pytest.param(3, 0.99, 2_592.0, id="1 at 99 %: 43 min"),
    pytest.param(3, 0.95, 12_960.0, id="1 at 95 %: 3.6 h"),
]


@pytest.mark.parametrize(("index", "target", "seconds"), OUTAGES)
def test_time_to_see_a_total_outage(index: int, target: float, seconds: float) -> None:
    assert seconds == time_to_detect_s(month(index), target, 1.0)


def test_a_smaller_fault_takes_longer_and_one_within_reach_is_never_seen() -> None:
    page = month(0)  # at 99 % it needs more than 14.4 % bad

    assert 1_036.8 == time_to_detect_s(page, 0.99, 0.5)
    assert time_to_detect_s(page, 0.99, 0.144) is None
    assert time_to_detect_s(month(1), 0.9, 0.6) is None  # 6 * (1 - 0.9) is below 0.6 in floats
    assert time_to_detect_s(page, 0.99, 0.1) is None


@pytest.mark.parametrize(
    ("index", "target", "verdict"),
    [
        pytest.param(0, 0.93, Reachability.NEVER, id="A1: 14.4 at 93 % can never fire"),
        pytest.param(0, 0.9305, Reachability.NEVER, id="14.4 needs more than 93.06 %"),
        pytest.param(0, 0.9306, Reachability.BARELY, id="14.4 just above 93.06 %"),
        pytest.param(0, 0.9374, Reachability.BARELY, id="14.4 below 93.75 % warns"),
        pytest.param(0, 0.9375, Reachability.REACHABLE, id="14.4 at 93.75 % does not warn"),
        pytest.param(1, 0.8333, Reachability.NEVER, id="6 needs more than 83.3 %"),
        pytest.param(1, 0.8334, Reachability.BARELY, id="6 just above 83.3 %"),
        pytest.param(1, 0.85, Reachability.REACHABLE, id="6 at 85 % does not warn"),
        pytest.param(2, 0.6666, Reachability.NEVER, id="3 needs more than 66.7 %"),
        pytest.param(2, 0.6667, Reachability.BARELY, id="3 just above 66.7 %"),
        pytest.param(2, 0.7, Reachability.REACHABLE, id="3 at 70 % does not warn"),
        pytest.param(3, 0.0, Reachability.NEVER, id="a target of 0 leaves nothing to burn"),
    ],
)
def test_whether_a_rule_can_fire(index: int, target: float, verdict: Reachability) -> None:
    assert verdict is reachability(month(index), target)


def test_reach_is_exact_where_floats_err() -> None:
    assert 6 * (1 - 0.85) > 0.9

    assert 0.9 == reach_ratio(month(1), 0.85)


def test_time_to_clear_after_a_total_outage() -> None:
    # 300 s * (1 - 14.4 * 0.001) + 120 s
    assert time_to_clear_s(month(0), 0.999, 120) == pytest.approx(415.68)


def test_a_rule_of_ones_own_gets_its_short_window_and_share() -> None:
    rule = rule_over(10.0, 2 * HOUR_S, MONTH_S, TICKET)

    assert (7_200, 600) == (rule.long_s, rule.short_s)
    assert rule.budget_ratio == pytest.approx(1 / 36)
