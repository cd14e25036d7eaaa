"""The detection benchmark at its quick size, with the figures that issue 5 asks of it; every draw is seeded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[2]


def test_failures_are_told_sooner_than_by_the_workbook_and_quiet_hours_stay_quiet() -> None:
    words = [sys.executable, "-m", "benchmarks.detection", "--quick", "--output", "json"]
    said = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    ratios = json.loads(said.stdout)["ratios"]
    print(ratios)

    assert ratios["outage_delay_p50_vs_workbook"] <= 1 / 3
    assert ratios["latency_x3_delay_p50_vs_workbook"] <= 1 / 2
    assert ratios["recall_minus_workbook"] >= 0
    assert ratios["false_pages_per_1000_quiet_hours"] <= 1
