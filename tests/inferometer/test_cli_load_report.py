import json
from pathlib import Path

import pytest
from load_runs import kept_run, rows
from typer.testing import CliRunner

from inferometer.cli import app
from inferometer.cli_load_report import CompareOutput, ReportOutput
from inferometer.cli_options import Output, PipelineOutput


def test_a_run_is_told_again_by_its_id_below_the_data_directory(tmp_path: Path) -> None:
    kept_run(tmp_path / "runs", "r1", rows(1))

    done = CliRunner().invoke(app, ["load", "report", "r1", "--data", str(tmp_path), "--output", "json"])

    assert 0 == done.exit_code
    assert "r1" == json.loads(done.stdout)["run_id"]


@pytest.mark.parametrize("verb", [["report", "b"], ["compare", "a", "b"]])
def test_a_page_is_named_on_stdout(tmp_path: Path, verb: list[str]) -> None:
    for at, name in enumerate(("a", "b")):
        kept_run(tmp_path / "runs", name, rows(at))

    done = CliRunner().invoke(app, ["load", *verb, "--data", str(tmp_path), "--output", "html"])

    assert 0 == done.exit_code
    path = Path(done.stdout.strip())
    assert tmp_path / "runs" / "b" == path.parent
    assert path.read_text().startswith("<!doctype html>")


def test_the_formats_are_those_of_other_verbs_and_the_page() -> None:
    assert {*PipelineOutput, "html"} == set(ReportOutput)
    assert {*Output, "html"} == set(CompareOutput)
