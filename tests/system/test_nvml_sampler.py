"""What a GPU sampler does over seconds, on the fake driver: rests, hung processes, its own cost."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_gpus import FakeDriver, build
from sampler_rig import STEPS_MAX, Told, assert_empty, lacks, sampling, until, whole

from probes.nvml_process import HUNG_MAX, Sampler

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
COST_S = 8.0
COST_RATIO = 0.01
"""The aim: of one core, sampler and parent, for 8 GPUs once a second."""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    if not shutil.which("cc"):
        pytest.skip("no C compiler for the fake driver")
    driver = FakeDriver(build(tmp_path), tmp_path / "control")
    for name, value in driver.environment.items():
        monkeypatch.setenv(name, value)
    return driver


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def sampler(driver: FakeDriver, told: Told) -> Iterator[Sampler]:
    with sampling(driver, told) as sampler:
        yield sampler


def test_a_sampler_that_hangs_is_asked_to_end_and_not_killed(sampler: Sampler, driver: FakeDriver) -> None:
    until(sampler, whole(0))
    pid = sampler.pid
    assert pid is not None
    driver.does("hang=nvmlDeviceGetPowerUsage")
    until(sampler, lacks(0, "hung"))

    os.kill(pid, 0)  # it is still there, in the driver
    driver.does()
    until(sampler, whole(0))


def test_no_more_samplers_wait_in_the_driver_than_the_bound(sampler: Sampler, driver: FakeDriver, told: Told) -> None:
    until(sampler, whole(0))
    driver.does("hang=nvmlDeviceGetCount_v2", "hang=nvmlDeviceGetUtilizationRates")
    for _ in range(STEPS_MAX):
        sampler.step(0.05)
        if len(told.events) == HUNG_MAX:
            break
    came = [sample for _ in range(15) for sample in sampler.step(0.05)]

    assert [event["call"] for event in told.events] == ["nvmlDeviceGetUtilizationRates", "nvmlDeviceGetCount"]
    assert sampler.pid is None
    assert came
    for sample in came:
        assert_empty(sample)


def test_a_lost_gpu_is_a_gap_until_it_is_back(sampler: Sampler, driver: FakeDriver, told: Told) -> None:
    driver.does(gpus=2)
    until(sampler, whole(1))
    driver.does("lost=1", gpus=2)
    came = until(sampler, lacks(1, "gpu_lost"))
    came += until(sampler, whole(0))
    driver.does(gpus=2)
    came += until(sampler, whole(1))

    assert [(event["gpu_index"], event["reason"]) for event in told.events] == [(1, "gpu_lost")]
    for sample in came:
        if lacks(1, "gpu_lost")(sample):
            assert_empty(sample)


def test_eight_gpus_once_a_second_cost_a_small_part_of_a_core(driver: FakeDriver) -> None:
    driver.does(gpus=8)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = (sys.executable, "-m", "probes.nvml_process", "--seconds", str(COST_S))
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines_n = len(done.stdout.splitlines())
    whole_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    start_s = start_cpu_s(driver)
    print(f"8 GPUs, {lines_n} samples in {COST_S} s: {whole_s:.3f} s of CPU, {start_s:.3f} s of it to start")

    assert lines_n >= 8 * (COST_S - 1)
    assert (whole_s - start_s) / COST_S < 4 * COST_RATIO  # generous: another load on the machine slows every call


def start_cpu_s(driver: FakeDriver) -> float:
    """CPU time of a run that ends with its first samples."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = (sys.executable, "-m", "probes.nvml_process", "--seconds", "0")
    subprocess.run(argv, env=os.environ | driver.environment, capture_output=True, check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
