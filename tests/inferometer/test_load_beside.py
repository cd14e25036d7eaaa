"""What other verbs left of a target is found, and nothing of others."""

import json
from pathlib import Path

import pytest
from load_runs import edited, kept_run, rows

from inferometer.config_schema import Config
from inferometer.load_beside import SCENARIOS_MAX, beside
from inferometer.load_files import RUN, SCENARIO
from inferometer.load_kept import kept
from inferometer.load_profile import Beside

COLD: dict[str, object] = {"scenario": "cold", "idle_s": 0, "stable_s": 4.5}


def scenario(data: Path, name: str, told: dict[str, object]) -> Path:
    directory = kept_run(data / "runs", name, rows(1, n=20))
    (directory / SCENARIO).write_text(json.dumps(told))
    return directory


def test_the_newest_start_of_this_target_counts(tmp_path: Path) -> None:
    run = kept(kept_run(tmp_path / "runs", "swept", rows(1, n=20)))
    assert Beside() == beside(Config(data=str(tmp_path)), run)
    scenario(tmp_path, "a0", COLD | {"stable_s": 9.0})
    scenario(tmp_path, "a1", COLD)
    scenario(tmp_path, "a2", COLD | {"idle_s": 60})
    scenario(tmp_path, "a3", {"scenario": "spike"})
    edited(scenario(tmp_path, "a4", COLD | {"stable_s": 1.0}), RUN, {"targets": ["http://b"]})
    (tmp_path / "runs" / "a5").mkdir()
    (tmp_path / "runs" / "a5" / SCENARIO).write_text("{")

    assert Beside(ready_to_stable_s=4.5) == beside(Config(data=str(tmp_path)), run)


@pytest.mark.parametrize(("others", "expected"), [(SCENARIOS_MAX - 1, 4.5), (SCENARIOS_MAX, None)])
def test_so_many_scenarios_are_looked_at(tmp_path: Path, others: int, expected: float | None) -> None:
    run = kept(kept_run(tmp_path / "runs", "swept", rows(1, n=20)))
    scenario(tmp_path, "a", COLD)
    for at in range(others):
        (tmp_path / "runs" / f"b{at}").mkdir()
        (tmp_path / "runs" / f"b{at}" / SCENARIO).write_text("{")

    assert expected == beside(Config(data=str(tmp_path)), run).ready_to_stable_s
