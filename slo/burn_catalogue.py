"""Knows the catalogues of burn windows, as data; refuses to know periods and targets.

A burn rate of 1 spends the whole budget in exactly the period. `fixed_windows` keeps the windows and scales the burn
with the period; `scaled_windows` keeps the burn and scales the windows.

Source: spec/slo.md 5; `fixed_windows`: The Site Reliability Workbook, chapter 5, table 5-8 (14.4 over 1 h, 6 over 6 h,
1 over 3 d at 30 d; 3 over 1 d is the fourth window of sloth, internal/alert/windows/google-30d.yaml);
`scaled_windows`: pyrra, slo/rules.go (14, 7, 2, 1 over 1 h, 6 h, 1 d, 4 d at 28 d), with long / 12 for every short.
"""

from dataclasses import dataclass
from enum import StrEnum

HOUR_S = 3_600
DAY_S = 86_400


class Severity(StrEnum):
    """Who is told: a page wakes a person, a ticket waits for one."""

    PAGE = "page"
    TICKET = "ticket"


class Scales(StrEnum):
    """What of a catalogue follows the period of an objective."""

    BURN = "burn"
    WINDOWS = "windows"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRow:
    """One burn rule at the period of its catalogue.

    Attributes:
        burn: Burn rate that both windows must exceed.
        long_s: The long window; the short one is its twelfth.
        severity: Who is told.
    """

    burn: float
    long_s: int
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Burn rules that belong together.

    Attributes:
        name: How an objective asks for it.
        period_s: The period that its rows are written for.
        scales: What follows another period.
        rows: Highest burn first.
    """

    name: str
    period_s: int
    scales: Scales
    rows: tuple[CatalogueRow, ...]


FIXED_WINDOWS = Catalogue(
    name="fixed_windows",
    period_s=30 * DAY_S,
    scales=Scales.BURN,
    rows=(
        CatalogueRow(burn=14.4, long_s=HOUR_S, severity=Severity.PAGE),  # 2 % of the budget
        CatalogueRow(burn=6.0, long_s=6 * HOUR_S, severity=Severity.PAGE),  # 5 %
        CatalogueRow(burn=3.0, long_s=DAY_S, severity=Severity.TICKET),  # 10 %
        CatalogueRow(burn=1.0, long_s=3 * DAY_S, severity=Severity.TICKET),  # 10 %
    ),
)
SCALED_WINDOWS = Catalogue(
    name="scaled_windows",
    period_s=28 * DAY_S,
    scales=Scales.WINDOWS,
    rows=(
        CatalogueRow(burn=14.0, long_s=HOUR_S, severity=Severity.PAGE),
        CatalogueRow(burn=7.0, long_s=6 * HOUR_S, severity=Severity.PAGE),
        CatalogueRow(burn=2.0, long_s=DAY_S, severity=Severity.TICKET),
        CatalogueRow(burn=1.0, long_s=4 * DAY_S, severity=Severity.TICKET),
    ),
)
CATALOGUES = {catalogue.name: catalogue for catalogue in (FIXED_WINDOWS, SCALED_WINDOWS)}
