"""GPUs as the sampler's own process finds them, on the fake driver."""

import threading

import pytest
from fake_gpus import FakeDriver

from inferometer.doctor_finding import Level
from inferometer.doctor_gpu import SHOWN_MAX, examine, of_gpu
from probes.nvml_sample import READINGS, Gap, GpuSample, Identity, Place, Readings


@pytest.fixture
def driver(driver_elsewhere: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    for name, value in driver_elsewhere.environment.items():
        monkeypatch.setenv(name, value)
    return driver_elsewhere


def sample(slice_uuid: str = "", **readings: float | Gap) -> GpuSample:
    known = Readings()
    for name in READINGS:
        told = readings.get(name, 0.5 if name.endswith("_ratio") else 2 << 30 if name.endswith("_bytes") else 1)
        known.lack(told, name) if isinstance(told, Gap) else known.put(name, told)
    identity = Identity(gpu_index=1, gpu_uuid="GPU-1", mig_uuid=slice_uuid, gpu_name="H100")
    return known.sample(identity, Place(node="n"), 0)


def test_every_gpu_is_told_with_what_it_keeps_back(driver: FakeDriver) -> None:
    driver.does("fail=nvmlDeviceGetPowerUsage:3", gpus=2)
    found = list(examine())

    assert [(one.id, one.level) for one in found] == [("gpu.nvml", Level.OK), ("gpu.gpm", Level.OK)] * 2
    assert found[0].finding.startswith("GPU 0 ")
    assert "without power_w (not_supported)" in found[0].finding
    assert found[0].evidence != found[2].evidence


@pytest.mark.parametrize(
    ("reason", "level", "fix"),
    [
        (Gap.NOT_SUPPORTED, Level.NOTE, ""),
        (Gap.COUNTERS_HELD, Level.WARN, "dcgm-exporter"),
        (Gap.NO_PERMISSION, Level.WARN, "ERR_NVGPUCTRPERM"),
    ],
)
def test_activity_counters_that_cannot_be_read_are_told_with_the_panels_that_need_them(
    reason: Gap, level: Level, fix: str
) -> None:
    nvml, gpm = of_gpu(sample(sm_ratio=reason, tensor_ratio=reason))

    assert nvml.finding.count("tensor_ratio") == 0
    assert (gpm.level, gpm.unlocks, gpm.evidence) == (level, ("ep.gpu", "fleet.gpu"), "GPU-1")
    assert fix in gpm.fix


def test_a_slice_is_told_without_what_only_the_whole_gpu_has() -> None:
    nvml, _ = of_gpu(sample(slice_uuid="MIG-7", power_w=Gap.WHOLE_GPU, temp_c=Gap.NOT_SUPPORTED))

    assert nvml.finding == "GPU 1 H100 slice, 2 GiB, without temp_c (not_supported)"
    assert nvml.evidence == "MIG-7"


def test_few_of_many_missing_readings_are_named() -> None:
    lacking = dict.fromkeys(("power_w", "temp_c", "sm_mhz", "mem_mhz", "energy_j"), Gap.NOT_SUPPORTED)
    nvml, _ = of_gpu(sample(**lacking))

    assert nvml.finding.count("(not_supported)") == SHOWN_MAX == 4
    assert nvml.finding.endswith(" and 1 more")


def test_a_driver_that_is_not_loaded_is_told_with_the_call(driver: FakeDriver) -> None:
    driver.does("gone=9")
    (found,) = examine()

    assert (found.level, found.evidence) == (Level.WARN, "nvmlInitWithFlags")
    assert found.finding == "no GPU could be read: driver_not_loaded"
    assert "modprobe nvidia" in found.fix


def test_a_hung_driver_costs_its_time_and_no_more(driver: FakeDriver) -> None:
    driver.does("hang=nvmlInitWithFlags")
    let_go = threading.Timer(0.5, driver.does)  # whoever hangs ends, so that nothing is left behind
    let_go.start()
    (found,) = examine(limit_s=0.25)
    let_go.join()

    assert (found.level, found.finding) == (Level.WARN, "the driver did not answer in 0.25 s")


def test_a_machine_without_a_driver_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    found = list(examine())

    if found[0].finding.startswith("GPU "):
        pytest.skip("this machine has a driver")
    assert [(one.id, one.level) for one in found] == [("gpu.nvml", Level.NOTE)]
    assert "--gpus all" in found[0].fix
