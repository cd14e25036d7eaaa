"""What needs Locust's processes is in tests/system/test_load_run.py."""

import csv
import json
import resource
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from test_load_report import RUN, report

from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.load_run import DESCRIPTORS_SPARE, carry_out, show
from inferometer.load_told import SUMMARY_VARIABLE
from loadtest.planner import build


def test_a_report_is_printed_in_each_format(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SUMMARY_VARIABLE, raising=False)
    told = report()
    printed: dict[str, str] = {}
    for output in ("json", "csv", "markdown", "table", "junit", "github"):
        show(told, output)
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


def nothing(line: str) -> None:
    del line


def test_descriptors_are_asked_for_before_anything_is_sent(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > 1_000_000:
        pytest.skip("descriptors without a limit")
    run = msgspec.structs.replace(RUN, in_flight_max=hard - DESCRIPTORS_SPARE + 1, directory=str(tmp_path / "run"))

    with pytest.raises(ConfigurationError, match="--in-flight-max"):
        carry_out(run, build(run.plan), 1, nothing)
    assert [] == list(tmp_path.iterdir())


def test_the_directory_of_another_run_is_not_touched(tmp_path: Path) -> None:
    run = msgspec.structs.replace(RUN, directory=str(tmp_path))

    with pytest.raises(UnreachableError, match="File exists"):
        carry_out(run, build(run.plan), 1, nothing)
    assert [] == list(tmp_path.iterdir())
