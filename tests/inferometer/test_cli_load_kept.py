from pathlib import Path

import pytest
from load_runs import kept_run, rows

from inferometer import load_alarms
from inferometer.__main__ import outcome
from inferometer.load_kept import kept
from loadtest.paired import FalseAlarms


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "no-data"))
    monkeypatch.chdir(tmp_path)


def test_runs_below_the_data_directory_are_gated_by_their_ids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for at in (1, 2, 3):
        kept_run(tmp_path / "runs", f"b{at}", rows(at))
    kept_run(tmp_path / "runs", "slow", rows(4, slower=1.5))
    against = [word for at in (1, 2, 3) for word in ("--against", f"b{at}")]

    assert 3 == outcome(["load", "gate", "slow", *against, "--data", str(tmp_path)])
    assert "gate: fail" in capsys.readouterr().out
    assert 4 == outcome(["load", "gate", "slow", "--against", "b1", "--data", str(tmp_path)])
    assert (
        "runs: one run against one: how runs differ anyway is unknown, needed: 3 of an arm" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "named"),
    [
        pytest.param(["gate", "r9", "--against", "r9"], "no run r9", id="no run"),
        pytest.param(["gate", "r9"], "no run r9", id="no run, against whatever there is"),
        pytest.param(["gate"], "or --plan", id="no run and no question"),
        pytest.param(["gate", "--plan"], "--rate", id="a plan at no rate"),
    ],
)
def test_wrong_usage_is_one_line(words: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == outcome(["load", *words])
    out, err = capsys.readouterr()
    assert ("", 1) == (out, err.count("\n"))
    assert named in err


def test_a_gate_is_planned_without_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == outcome(["load", "gate", "--plan", "--rate", "2", "--metric", "ttft_p50", "--output", "csv"])
    assert "ttft_p50,0.05,0.1,11,4317,1883,4317,2159" in capsys.readouterr().out


def test_false_alarms_of_a_key_keep_its_gate_from_a_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = (
        kept_run(tmp_path / "runs", name, rows(at, by)) for at, name, by in ((1, "r1", 1.0), (2, "r2", 1.5))
    )
    load_alarms.keep(tmp_path, kept(before).key, "aa", FalseAlarms(alarms=30, n=100))

    assert kept(before).key == kept(after).key
    assert 4 == outcome(["load", "gate", "r2", "--against", "r1", "--data", str(tmp_path)])
    assert "false_alarms: 30 false alarms of 100" in capsys.readouterr().err
