from collections.abc import Iterator

import pytest
from fake_gpus import FakeDriver
from test_nvml_calls import Notes

from probes.nvml_calls import Calls
from probes.nvml_gpm import ABOVE_RATIO, APART_NS, METRICS, Gpm
from probes.nvml_sample import Gap, GpuSample, Identity, Place, Readings
from telemetry.clock import sleep

APART_S = 1.05 * APART_NS / 1e9


@pytest.fixture
def calls(driver: FakeDriver) -> Iterator[Calls]:
    driver.does()
    calls = Calls(Notes())
    calls("nvmlInitWithFlags", 0)
    yield calls
    driver.does()
    calls("nvmlShutdown")


def counters(calls: Calls, instance: int | None = None) -> Gpm:
    return Gpm(calls, calls("nvmlDeviceGetHandleByIndex", 0), instance)


def read(gpm: Gpm, util: float = 0.5) -> GpuSample:
    readings = Readings()
    readings.put("gpu_util_ratio", util)
    gpm.read(readings)
    return readings.sample(Identity(gpu_index=0, gpu_uuid="g"), Place(node="n"), 0)


def reasons(sample: GpuSample) -> set[str]:
    return {entry.split(": ")[1] for entry in sample.missing if entry.split(": ")[0] in METRICS}


@pytest.mark.parametrize("instance", [None, 7])
def test_means_are_known_from_the_second_sample_on(calls: Calls, instance: int | None) -> None:
    gpm = counters(calls, instance)

    first = read(gpm)
    sleep(APART_S)
    second = read(gpm)
    sleep(APART_S)
    third = read(gpm)
    gpm.close()

    assert reasons(first) == {Gap.FIRST_SAMPLE}
    for sample in (second, third):
        assert (sample.sm_ratio, sample.sm_occ_ratio, sample.tensor_ratio, sample.dram_bw_ratio) == (0.2, 0.3, 0.5, 1.0)


def test_two_samples_too_close_give_no_mean(calls: Calls) -> None:
    gpm = counters(calls)
    read(gpm)

    assert reasons(read(gpm)) == {Gap.FIRST_SAMPLE}

    gpm.close()


def test_a_gpu_without_counters_says_so(calls: Calls, driver: FakeDriver) -> None:
    driver.does("nogpm")

    assert reasons(read(counters(calls))) == {Gap.NOT_SUPPORTED}

    driver.does("fail=nvmlGpmQueryDeviceSupport:4")

    assert reasons(read(counters(calls))) == {Gap.NO_PERMISSION}


def test_zeros_on_a_busy_gpu_mean_that_another_tool_holds_the_counters(calls: Calls, driver: FakeDriver) -> None:
    gpm = counters(calls)
    read(gpm)
    driver.does("zerogpm")
    sleep(APART_S)
    busy = read(gpm, util=0.3)
    sleep(APART_S)
    idle = read(gpm, util=0.0)
    gpm.close()

    assert reasons(busy) == {Gap.COUNTERS_HELD}
    assert (idle.sm_ratio, reasons(idle)) == (0.0, set())


def test_a_failed_sample_does_not_stretch_the_next_mean_over_the_gap(calls: Calls, driver: FakeDriver) -> None:
    gpm = counters(calls)
    read(gpm)
    driver.does("fail=nvmlGpmSampleGet:3")
    sleep(APART_S)
    failed = read(gpm)
    driver.does()
    after = read(gpm)
    gpm.close()

    assert (reasons(failed), reasons(after)) == ({Gap.NOT_SUPPORTED}, {Gap.FIRST_SAMPLE})


def test_a_hair_above_one_is_one_and_more_is_no_value(calls: Calls, driver: FakeDriver) -> None:
    seen = list[float | None]()
    for above in (ABOVE_RATIO * 0.9, ABOVE_RATIO * 1.1):
        driver.does(f"gpmall={100 * (1 + above):.4f}")
        gpm = counters(calls)
        read(gpm)
        sleep(APART_S)
        seen.append(read(gpm).sm_ratio)
        gpm.close()

    assert seen == [1.0, None]


def test_a_metric_that_failed_alone_is_missing_alone(calls: Calls, driver: FakeDriver) -> None:
    driver.does("gpmfail=5")
    gpm = counters(calls)
    read(gpm)
    sleep(APART_S)
    sample = read(gpm)
    gpm.close()

    assert (sample.sm_ratio, sample.tensor_ratio) == (0.2, None)
    assert "tensor_ratio: not_supported" in sample.missing
