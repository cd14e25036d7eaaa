from pathlib import Path
from typing import Any

import pytest
from load_rows import row
from load_runs import edited, kept_run

from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError
from inferometer.load_kept import REPORT_BYTES_MAX, found, kept, place
from loadtest.conductor import Halt
from telemetry.outcome import Outcome

ROWS = [row(1), row(2, outcome=Outcome.RATE_LIMITED, ttft_us=None), row(2, attempt=2)]


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    run = kept(kept_run(tmp_path, "r1", ROWS))

    assert ROWS == run.rows()
    assert ("r1", 0, True, (0, 120_000_000_000)) == (run.run_id, run.ended, run.is_fit, run.window_ns)
    assert 2 == len(run.gated().requests)


@pytest.mark.parametrize(
    ("change", "is_fit", "ended"),
    [
        ({"lag_us": 50_000.0}, False, 4),
        ({"halt": Halt.INTERRUPTED}, False, 130),
        ({"halt": Halt.TARGET_GONE}, False, 3),
    ],
)
def test_only_a_whole_run_of_a_fit_client_is_fit(
    change: dict[str, Any],
    is_fit: bool,
    ended: int,
    tmp_path: Path,
) -> None:
    run = kept(kept_run(tmp_path, "r1", ROWS, **change))

    assert (is_fit, ended) == (run.is_fit, run.ended)


def test_rows_that_were_changed_are_refused(tmp_path: Path) -> None:
    directory = kept_run(tmp_path, "r1", ROWS)
    with (directory / "requests.jsonl").open("a") as file:
        file.write("\n")

    with pytest.raises(ConfigurationError, match="another hash"):
        kept(directory).rows()


def test_rows_of_another_version_are_refused(tmp_path: Path) -> None:
    directory = kept_run(tmp_path, "r1", ROWS)
    (directory / "requests.jsonl").write_text("{}\n")
    sums = "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"  # of `{}` and a newline
    edited(directory, "report.json", {"receipt": {"rows_sha256": sums}})

    with pytest.raises(ConfigurationError, match="not rows of this version"):
        kept(directory).rows()


@pytest.mark.parametrize(
    ("name", "change", "named"),
    [
        pytest.param("report.json", {"schema": "x/v2"}, "allowed: inferometer.load/v1", id="schema"),
        pytest.param("report.json", {"key": None}, "not a run of this version", id="no key"),
        pytest.param("report.json", {"verdict": {}}, "not a run of this version", id="no verdict"),
        pytest.param(
            "report.json", {"population": {"window_ns": [1]}}, "not a run of this version", id="half a window"
        ),
        pytest.param("run.json", {"plan": None}, "not a run of this version", id="no plan"),
    ],
)
def test_what_is_no_run_is_refused(name: str, change: dict[str, Any], named: str, tmp_path: Path) -> None:
    directory = kept_run(tmp_path, "r1", ROWS)
    edited(directory, name, change)

    with pytest.raises(ConfigurationError, match=named):
        kept(directory)


def test_a_run_is_found_by_its_directory_or_its_id(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path)
    directory = kept_run(tmp_path / "runs", "r1", ROWS)

    assert directory == place(data, "r1") == place(data, str(directory))
    assert place(data, "r2") is None
    assert ["r1"] == [run.run_id for run in found(data, ["r1"])]


@pytest.mark.parametrize(("names", "told"), [(["r2"], "no run r2"), (["r1", "r1"], "named twice")])
def test_what_is_not_there_or_twice_is_refused(names: list[str], told: str, tmp_path: Path) -> None:
    kept_run(tmp_path / "runs", "r1", ROWS)

    with pytest.raises(ConfigurationError, match=told):
        found(DataDirectory(root=tmp_path), names)


def test_a_run_without_its_rows_is_named(tmp_path: Path) -> None:
    directory = kept_run(tmp_path, "r1", ROWS)
    (directory / "requests.jsonl").unlink()

    with pytest.raises(ConfigurationError, match="No such file"):
        kept(directory).rows()


def test_the_longest_report(tmp_path: Path) -> None:
    directory = kept_run(tmp_path, "r1", ROWS)
    text = (directory / "report.json").read_bytes()
    (directory / "report.json").write_bytes(text + b" " * (REPORT_BYTES_MAX - len(text)))
    assert "r1" == kept(directory).run_id

    (directory / "report.json").write_bytes(text + b" " * (REPORT_BYTES_MAX + 1 - len(text)))
    with pytest.raises(ConfigurationError, match="longer than"):
        kept(directory)
