"""What `report` and `sql` print; the path to a real store is in test_up."""

import json
from io import StringIO
from pathlib import Path

import pytest
from report_rows import row

from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.look import STATEMENT_CHARACTERS_MAX, report, show, sql
from inferometer.report import Window, groups
from telemetry.testing.store_process import StoreProcess

WINDOW = Window(since_ms=940_000, until_ms=1_060_000)


@pytest.mark.parametrize(
    ("output", "start"),
    [
        ("table", "120 s asked for, rates over the 120 s observed; exact\nchat  tiny  (300 requests)"),
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


@pytest.mark.parametrize("output", ["csv", "markdown"])
def test_a_format_without_a_heading_says_on_stderr_that_it_comes_from_a_roll_up(
    output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    window = Window(since_ms=940_000, until_ms=1_060_000, table="r_1m")
    show(groups([row()], window), window, output, None)

    assert capsys.readouterr().err == "from roll-up r_1m, percentiles within 0.0 %\n"


def test_an_empty_report_says_why_within_its_json(capsys: pytest.CaptureFixture[str]) -> None:
    show([], WINDOW, "json", "nothing came")

    assert json.loads(capsys.readouterr().out)["note"] == "nothing came"


def test_a_window_that_ends_before_it_starts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--since: found '1m', which is not before --until '2m'"):
        report(Config(data=str(tmp_path)), "1m", "2m", "json", only=(None, None))


@pytest.mark.parametrize("typed", ["SELECT 1 AS x", "SELECT 1 AS x;\n"])
def test_a_statement_may_come_from_stdin(
    process: StoreProcess, typed: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(typed))

    sql(Config(data=str(process.data)), None, "json")
    assert capfdbinary.readouterr().out == b'{"x":1}\n'


def test_no_more_of_stdin_is_read_than_a_statement_may_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = StringIO("x" * (STATEMENT_CHARACTERS_MAX + 1))
    monkeypatch.setattr("sys.stdin", endless)

    with pytest.raises(UnreachableError):
        sql(Config(data=str(tmp_path)), None, "json")
    assert endless.tell() == STATEMENT_CHARACTERS_MAX


def test_without_a_store_nothing_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnreachableError):
        sql(Config(data=str(tmp_path)), "SELECT 1", "json")

    assert capsys.readouterr().out == ""
