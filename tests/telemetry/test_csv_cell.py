"""What a spreadsheet would run is stopped; numbers stay numbers."""

import pytest

from telemetry.csv_cell import csv_cell


@pytest.mark.parametrize("text", ['=HYPERLINK("x")', "+1", "-1", "@SUM(1)", "\tx", "\rx"])
def test_a_text_that_would_run_gets_an_apostrophe(text: str) -> None:
    assert f"'{text}" == csv_cell(text)


@pytest.mark.parametrize("value", [-1.5, 0, None, "chat", ""])
def test_everything_else_stays(value: object) -> None:
    assert value == csv_cell(value)
