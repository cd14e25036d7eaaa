"""`inferometer probe gpu` on the fake driver, and without one."""

import json
import os
import subprocess
import sys

from fake_gpus import FakeDriver


def probe(driver: FakeDriver | None, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | (driver.environment if driver else {})
    argv = [sys.executable, "-m", "inferometer", "probe", "gpu", *words]
    return subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)


def test_each_gpu_is_a_line(driver_elsewhere: FakeDriver) -> None:
    driver_elsewhere.does(gpus=2)
    done = probe(driver_elsewhere, "--once", "--interval", "0.1")
    rows = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0
    assert sorted(row["gpu_index"] for row in rows) == [0, 1]
    assert all(row["power_w"] is not None for row in rows)
