"""The catalogues say what spec/slo.md 5 says."""

from slo.burn_catalogue import CATALOGUES, DAY_S, FIXED_WINDOWS, HOUR_S, SCALED_WINDOWS


def test_fixed_windows_are_those_of_the_workbook() -> None:
    # The Site Reliability Workbook, table 5-8, and the fourth row of spec/slo.md 5.
    assert [(14.4, 1, "page"), (6, 6, "page"), (3, 24, "ticket"), (1, 72, "ticket")] == [
        (row.burn, row.long_s // HOUR_S, row.severity) for row in FIXED_WINDOWS.rows
    ]
    assert 30 * DAY_S == FIXED_WINDOWS.period_s


def test_scaled_windows_are_those_of_pyrra() -> None:
    assert [(14, 1, "page"), (7, 6, "page"), (2, 24, "ticket"), (1, 96, "ticket")] == [
        (row.burn, row.long_s // HOUR_S, row.severity) for row in SCALED_WINDOWS.rows
    ]
    assert 28 * DAY_S == SCALED_WINDOWS.period_s


def test_a_catalogue_is_found_by_its_name() -> None:
    assert {"fixed_windows": FIXED_WINDOWS, "scaled_windows": SCALED_WINDOWS} == CATALOGUES
