"""The demo as a newcomer runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inferometer.demo import ENDPOINT

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def test_the_demo_shows_simulated_traffic_and_leaves_nothing_behind(tmp_path: Path) -> None:
    words = ("demo", "--seconds", "2", "--json", "--seed", "3")
    argv = (sys.executable, "-m", "inferometer", *words)

    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)}
    )

    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert "simulated" in done.stderr.splitlines()[0]
    assert {group["endpoint"] for group in told["groups"]} <= {ENDPOINT, None}
    assert told["telemetry"]["accepted"] > 0
    assert list(tmp_path.iterdir()) == []
