import json
from pathlib import Path

import pytest
from load_runs import kept_run, rows

from inferometer import load_again
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError

STEPS = "rate_rps,attainment,lo,hi,tokens_out_per_s,verdict\n4.0,1.0,0.99,1.0,,accept\n"


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    kept_run(tmp_path / "runs", "r1", rows(1))
    (tmp_path / "runs" / "s").mkdir()
    (tmp_path / "runs" / "s" / "steps.csv").write_text(STEPS)
    return DataDirectory(root=tmp_path)


@pytest.mark.parametrize("output", ["table", "json", "csv", "markdown"])
def test_a_run_is_told_as_it_was(data: DataDirectory, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == load_again.show(data, "r1", output)

    said = capsys.readouterr()
    assert "ttft" in said.out
    assert f"files: {data.root / 'runs' / 'r1'}\n" == said.err


def test_its_page_is_written_anew_and_named(data: DataDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    path = data.root / "runs" / "r1" / "report.html"
    assert 0 == load_again.show(data, str(path.parent), "html")

    assert f"{path}\n" == capsys.readouterr().out
    assert path.read_text().startswith("<!doctype html>")


def test_a_sweep_is_told_by_its_steps(data: DataDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == load_again.show(data, "s", "json")
    said = capsys.readouterr()

    assert {"rate_rps": "4.0", "verdict": "accept"}.items() <= json.loads(said.out).items()
    assert 0 == load_again.show(data, "s", "html")
    assert f"{data.root / 'runs' / 's' / 'report.html'}\n" == capsys.readouterr().out


def test_what_is_not_there_and_what_a_sweep_has_not_is_refused(data: DataDirectory) -> None:
    with pytest.raises(ConfigurationError, match="no run none"):
        load_again.show(data, "none", "table")
    with pytest.raises(ConfigurationError, match="a sweep has no verdict"):
        load_again.show(data, "s", "junit")
    (data.root / "runs" / "s" / "steps.csv").chmod(0)
