import csv
import json
from io import StringIO

import pytest
from load_reports import report

from inferometer.load_show import show
from inferometer.load_told import SUMMARY_VARIABLE


def test_a_report_is_printed_in_each_format(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SUMMARY_VARIABLE, raising=False)
    told = report()
    printed: dict[str, str] = {}
    for output in ("json", "csv", "markdown", "table", "junit", "github"):
        show(told, "load run", output)
        printed[output] = capsys.readouterr().out

    assert told == json.loads(printed["json"])
    rows = list(csv.DictReader(StringIO(printed["csv"])))
    assert ("ttft", "50.0", "n too small", "") == (
        rows[0]["name"],
        rows[0]["p"],
        rows[0]["standing"],
        rows[0]["value_s"],
    )
    assert "| ttft | ms | n too small |" in printed["markdown"]
    assert "latency from the planned arrival" in printed["table"]
    assert '<testcase classname="load run" name="run" />' in printed["junit"]
    assert "" == printed["github"]  # nothing failed
