"""What `report` and `sql` print; the path to a real store is in test_up."""

import json
from pathlib import Path

import pytest
from report_rows import row

from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.look import report, show, sql
from inferometer.report import Window, groups

WINDOW = Window(since_ms=940_000, until_ms=1_060_000)


@pytest.mark.parametrize(
    ("output", "start"),
    [
        ("table", "120 s asked for, rates over the 120 s observed\nchat  tiny  (300 requests)"),
        ("json", '{"since_unix_ms": 940000'),
        ("csv", "endpoint,model,n,"),
        ("markdown", "### chat  tiny  (300 requests)"),
    ],
)
def test_groups_are_printed_in_each_format(output: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(groups([row()], WINDOW), WINDOW, output, None)

    out, err = capsys.readouterr()
    assert out.startswith(start)
    assert err == ""


@pytest.mark.parametrize(("output", "lines"), [("table", 0), ("csv", 1), ("markdown", 0)])
def test_an_empty_report_says_why_on_stderr(output: str, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    show([], WINDOW, output, "nothing came")

    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (lines, "nothing came\n")


def test_an_empty_report_says_why_within_its_json(capsys: pytest.CaptureFixture[str]) -> None:
    show([], WINDOW, "json", "nothing came")

    assert json.loads(capsys.readouterr().out)["note"] == "nothing came"


def test_a_window_that_ends_before_it_starts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--since: found '1m', which is not before --until '2m'"):
        report(Config(data=str(tmp_path)), "1m", "2m", "json", only=(None, None))


def test_without_a_store_nothing_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnreachableError):
        sql(Config(data=str(tmp_path)), "SELECT 1", "json")

    assert capsys.readouterr().out == ""
