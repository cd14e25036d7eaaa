"""Tables on a terminal: no escape codes in a pipe, figures aligned, nothing wider than promised."""

import pytest
from report_rows import FAILING, row

from inferometer.report import Window, groups
from inferometer.report_tables import tables
from inferometer.screen import WIDTH, console, drawn


def test_a_piped_table_is_plain_and_fits(capsys: pytest.CaptureFixture[str]) -> None:
    found = groups([row("e" * 40, "m" * 30, spreads={"ttft": FAILING})], Window(since_ms=0, until_ms=2_000_000))

    console().print(drawn(tables(found), "a heading"))

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a heading"
    assert "\x1b" not in "".join(lines)
    assert max(map(len, lines)) <= WIDTH
    [ttft, ok] = [line for line in lines if line.lstrip().startswith("TTFT")]
    assert ttft.index("fails") + len("fails") == ok.index("50.0?") + len("50.0?")
