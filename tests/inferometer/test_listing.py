"""The same two records in each format."""

import pytest

from inferometer.listing import show

ROWS = [{"name": "=a|b\x1b", "n": 1}, {"name": "c", "n": None}]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("json", '{"name": "=a|b\\u001b", "n": 1}\n{"name": "c", "n": null}\n'),
        ("csv", "name,n\n'=a|b\x1b,1\nc,\n"),
        ("markdown", "### two\n\n| name | n |\n|---|---:|\n| =a\\|b? | 1 |\n| c | n/a |\n"),
    ],
)
def test_records_are_printed(output: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, ("name", "n"), "two", output)

    assert expected == capsys.readouterr().out


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, ("name", "n"), "two", "table")

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["two"] == lines[0]
    assert ["=a|b?", "1"] in lines
    assert ["c", "n/a"] in lines
