from pathlib import Path

import pytest
from load_rows import row
from load_runs import ENGINE, kept_run, plan, rows

from inferometer import load_compare
from inferometer.__main__ import outcome
from inferometer.load_kept import kept
from inferometer.load_key import Engine
from loadtest.plan_spec import PlanSpec
from telemetry.outcome import Outcome


def test_two_runs_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept_run(tmp_path / "runs", "r1", rows(1))
    kept_run(tmp_path / "runs", "r2", rows(1, slower=2.0), engine=Engine(engine="sglang", flags={}), lag_us=9e4)

    assert 0 == outcome(["load", "compare", "r1", "r2", "--output", "csv", "--data", str(tmp_path)])
    out, err = capsys.readouterr()
    lines = [line.split(",") for line in out.splitlines()]
    (ttft,) = [line for line in lines if line[0] == "ttft_p50"]
    assert ["metric", "unit", "a", "b", "change_ratio"] == lines[0]
    assert 1.0 == pytest.approx(float(ttft[4]), abs=0.001)
    assert "cross-configuration" in err
    assert "engine differs: vllm, sglang" in err
    assert "r2: not proven fit" in err
    assert "plans differ" not in err


def test_what_is_unknown_is_a_word_without_a_change(tmp_path: Path) -> None:
    bad = [row(j, outcome=Outcome.SERVER_ERROR, ttft_us=None, tpot_us=None) for j in range(100)]
    one, other = kept(kept_run(tmp_path, "r1", [])), kept(kept_run(tmp_path, "r2", bad))
    found = {told["metric"]: told for told in load_compare.rows(one.report, other.report)}

    assert ("n too small", "fails", None) == tuple(found["ttft_p50"][name] for name in ("a", "b", "change_ratio"))
    assert (None, 0.0, None) == tuple(found["joint"][name] for name in ("a", "b", "change_ratio"))


def test_runs_that_differ_in_nothing_have_no_label(tmp_path: Path) -> None:
    one, other = (kept(kept_run(tmp_path, name, rows(1), engine=ENGINE)) for name in ("r1", "r2"))
    third = kept(kept_run(tmp_path, "r3", rows(1), spec=plan(seed=9)))

    assert [] == load_compare.labels(one, other)
    assert ["plans differ"] == load_compare.labels(one, third)


def test_a_closed_loop_is_compared_with_no_open_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = PlanSpec(seed=7, slots=4, duration_s=120.0, count=1000)
    for name, spec in (("r1", plan()), ("r2", closed), ("r3", closed)):
        kept_run(tmp_path / "runs", name, rows(1), spec=spec)

    assert 2 == outcome(["load", "compare", "r1", "r2", "--data", str(tmp_path)])
    assert "r1 is of open loop, r2 of closed" in capsys.readouterr().err
    assert 0 == outcome(["load", "compare", "r2", "r3", "--data", str(tmp_path)])
    assert 4 == outcome(["load", "gate", "r2", "--against", "r1", "--data", str(tmp_path)])
    assert "across configurations, which differ in loop, process" in capsys.readouterr().err
