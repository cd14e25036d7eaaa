from pathlib import Path

import pytest
from load_runs import kept_run, rows

from inferometer.__main__ import outcome


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "no-data"))
    monkeypatch.chdir(tmp_path)


def test_runs_below_the_data_directory_are_gated_by_their_ids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept_run(tmp_path / "runs", "r1", rows(1))
    kept_run(tmp_path / "runs", "r2", rows(2, slower=1.5))

    assert 3 == outcome(["load", "gate", "r2", "--against", "r1", "--data", str(tmp_path)])
    assert "gate: fail" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        pytest.param(["gate", "r9", "--against", "r9"], "no run r9", id="no run"),
        pytest.param(["gate", "r9"], "--against", id="against nothing"),
    ],
)
def test_wrong_usage_is_one_line(words: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == outcome(["load", *words])
    out, err = capsys.readouterr()
    assert ("", 1) == (out, err.count("\n"))
    assert named in err
