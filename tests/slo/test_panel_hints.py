"""Schedules that the past suggests, as rows of a panel."""

from pathlib import Path

import pytest
from hints_asked import NAME, Asked

from slo.panel_asked import PanelAsked
from slo.panel_documents import Documented
from slo.panel_hints import suggested

DAYS = 14
PEAK = range(60, 66)


def history(days: int, peak: float) -> dict[int, float]:
    """Return ten requests a second, and more from 10:00 to 11:00 UTC."""
    slots = {(day, slot): peak if slot in PEAK else 10.0 for day in range(20, 20 + days) for slot in range(144)}
    return {day * 86_400 + slot * 600: rate for (day, slot), rate in slots.items()}


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def test_each_peak_stands_with_why_and_what_to_paste(asked: Asked) -> None:
    asked.history = history(DAYS, 14.0)
    weekdays, weekends = suggested(asked.hinting, PanelAsked(endpoint=[NAME])).rows

    assert "weekdays 10:00-11:00 UTC, +40%, up to 14 rps, on 10 of 10 days" == weekdays["why"]
    assert (NAME, 14.0, 10, 10) == tuple(weekdays[name] for name in ("target", "expected", "held", "days"))
    assert str(weekdays["yaml"]).startswith("- {name: weekdays-1000, cron:")
    assert "weekends-1000" in str(weekends["yaml"])


@pytest.mark.parametrize(
    ("days", "peak", "why"),
    [
        pytest.param(0, 14.0, "its past was not looked at yet", id="nothing was looked at"),
        pytest.param(DAYS - 1, 14.0, "insufficient: 13 of 14 days", id="too few days"),
        pytest.param(DAYS, 10.0, "no peak that has no schedule comes again", id="no peak"),
    ],
)
def test_a_target_without_any_says_why(asked: Asked, days: int, peak: float, why: str) -> None:
    asked.history = history(days, peak)
    rows = suggested(asked.hinting, PanelAsked()).rows

    assert {NAME: why, "never": why} == {row["target"]: row["why"] for row in rows}
    assert not any(row.get("yaml") for row in rows)


def test_without_targets_there_is_nothing(asked: Asked) -> None:
    assert Documented() == suggested(None, PanelAsked())
    assert () == tuple(suggested(asked.hinting, PanelAsked(endpoint=["another"])).rows)
