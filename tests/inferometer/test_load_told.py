from pathlib import Path

import pytest

from inferometer.errors import UnreachableError
from inferometer.load_told import SUMMARY_BYTES_MAX, SUMMARY_VARIABLE, tell_pipeline
from loadtest.cases import Case
from loadtest.verdict import Verdict

CASES = [Case(name="joint", verdict=Verdict.FAILED, message="1 of 3")]


def test_junit_and_github_go_to_stdout(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SUMMARY_VARIABLE, raising=False)
    assert tell_pipeline(CASES, "load run", "", "junit")
    assert "<testsuite" in capsys.readouterr().out
    assert tell_pipeline(CASES, "load run", "", "github")
    assert "::error title=load run joint::1 of 3\n" == capsys.readouterr().out


def test_what_people_read_is_not_for_pipelines(capsys: pytest.CaptureFixture[str]) -> None:
    assert not tell_pipeline(CASES, "load run", "", "markdown")
    assert "" == capsys.readouterr().out


def test_the_summary_is_added_to_the_page_of_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page"
    monkeypatch.setenv(SUMMARY_VARIABLE, str(page))
    tell_pipeline(CASES, "load run", "one\n", "github")
    tell_pipeline(CASES, "load run", "two\n", "github")
    tell_pipeline(CASES, "load run", "x" * (SUMMARY_BYTES_MAX + 1), "github")
    assert "one\ntwo\n" == page.read_text()

    tell_pipeline(CASES, "load run", "x" * SUMMARY_BYTES_MAX, "github")
    assert SUMMARY_BYTES_MAX + 8 == page.stat().st_size


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SUMMARY_VARIABLE, str(tmp_path / "none" / "page"))

    with pytest.raises(UnreachableError, match="GITHUB_STEP_SUMMARY"):
        tell_pipeline(CASES, "load run", "one", "github")
