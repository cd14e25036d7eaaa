"""What a gate needs, as it is told: at a rate, by a baseline or by assumption."""

import json
from pathlib import Path
from typing import Any

import pytest
from load_runs import kept_run, rows

from inferometer.errors import ConfigurationError
from inferometer.load_gate_plan import COLUMNS, RUNS_LEAST, Asked, show
from inferometer.load_kept import Kept, kept
from loadtest.gate import Metric


def asked(**changes: Any) -> Asked:  # noqa: ANN401 -- fields of Asked
    usual: dict[str, Any] = {"rate": None, "metrics": (), "change": 0.1, "power": 0.8, "sigma": 0.5}
    return Asked(**usual | changes)


def baseline(tmp_path: Path, n: int = RUNS_LEAST) -> list[Kept]:
    return [kept(kept_run(tmp_path, f"r{at}", rows(at))) for at in range(n)]


def test_at_a_rate_without_a_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == show(asked(rate=5.0), [], 7, "json")
    out, err = capsys.readouterr()
    told = {row["metric"]: row for row in map(json.loads, out.splitlines())}

    assert list(Metric) == list(told)
    assert set(COLUMNS) == set(told["ttft_p95"])
    assert (12_270, 2454) == (told["ttft_p95"]["requests_per_arm"], told["ttft_p95"]["seconds_per_arm"])
    assert told["tokens_per_s"]["seconds_per_arm"] is None
    assert "38295 requests of each arm, 128 min" in err


def test_by_a_baseline_at_its_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == show(asked(metrics=("ttft_p50", "tokens_per_s")), baseline(tmp_path), 7, "json")
    first, tokens = map(json.loads, capsys.readouterr().out.splitlines())

    assert ("ttft_p50", "tokens_per_s") == (first["metric"], tokens["metric"])
    assert 300 < first["requests_per_arm"] < 5000  # sigma 0.3, 150 requests in each of two runs
    assert first["seconds_per_arm"] == pytest.approx(first["requests_per_arm"] / 1.25, abs=1)  # 150 in 120 s
    assert 0 == show(asked(metrics=("ttft_p50",), rate=10.0), baseline(tmp_path / "b"), 7, "table")
    assert "by the spread of the baseline" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "n", "named"),
    [
        pytest.param({}, 0, "--rate, or a baseline", id="no rate"),
        pytest.param({"rate": 1.0, "change": 0.05}, 0, "above the margin of 0.05", id="a change within the margin"),
        pytest.param({}, 1, "found 1 run; allowed: 2 or more", id="a baseline of one run"),
        pytest.param({"rate": 1.0, "metrics": ("x",)}, 0, "allowed: ttft_p50", id="no metric"),
        pytest.param({"metrics": ("attainment",)}, 2, "allowed: ttft_p50", id="a metric that the baseline has not"),
    ],
)
def test_what_cannot_be_told(changes: dict[str, Any], n: int, named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=named):
        show(asked(**changes), baseline(tmp_path, n), 7, "table")
