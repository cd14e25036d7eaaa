"""Knows what else is known of a target that was swept: its baseline, and how long it was slow behind a start.

It refuses to measure. How long a replica takes from its start to its first answer no load test sees: whoever starts
replicas knows it.

Source: spec/loadtest.md 19 (`baseline_id`, `ready_to_stable_s`), 7 (`cold`).
"""

import json
from pathlib import Path
from typing import Any

from inferometer import data_directory, load_baseline, load_kept
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.load_files import SCENARIO
from inferometer.load_kept import Kept
from inferometer.load_profile import Beside

SCENARIOS_MAX = 64
"""Most scenarios that are looked at, the newest first."""


def beside(config: Config, run: Kept) -> Beside:
    """Return what other verbs know of the target of a run.

    Args:
        config: Says where they left it.
        run: One of the sweep.
    """
    return Beside(
        baseline_id=load_baseline.standing(config, run.key),
        ready_to_stable_s=_stable_s(data_directory.resolve(config.data).root / "runs", run),
    )


def _stable_s(runs: Path, run: Kept) -> float | None:
    """Return the time of the newest `load cold` of this target and model that was sent just behind a start."""
    for path in sorted(runs.glob(f"*/{SCENARIO}"), reverse=True)[:SCENARIOS_MAX]:
        try:
            told: dict[str, Any] = json.loads(path.read_bytes())
            cold = load_kept.kept(path.parent)
        except (OSError, ValueError, ConfigurationError):  # of another version, or going
            continue
        is_alike = (cold.spec.targets, cold.spec.model) == (run.spec.targets, run.spec.model)
        if is_alike and cold.is_fit and told.get("scenario") == "cold" and told.get("idle_s") == 0:
            stable_s = told.get("stable_s")
            return float(stable_s) if isinstance(stable_s, int | float) else None
    return None
