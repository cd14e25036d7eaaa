"""The reader on the fake driver, through the real binding: each failure is a gap with a reason, and only that."""

from collections.abc import Callable, Iterator

import pytest
from fake_gpus import FakeDriver
from test_nvml_calls import Notes

from probes.nvml import XID_EVENTS_MAX, Nvml
from probes.nvml_calls import DeviceLostError, DriverLostError
from probes.nvml_gpm import METRICS
from probes.nvml_sample import READINGS, GpuProcess, GpuSample, Place

PLACE = Place(node="n1", endpoint="chat")
Open = Callable[..., Nvml]


@pytest.fixture
def opened(driver: FakeDriver) -> Iterator[Open]:
    made: list[Nvml] = []

    def opened(*words: str, gpus: int = 1) -> Nvml:
        driver.does(*words, gpus=gpus)
        made.append(Nvml(Notes()))
        return made[-1]

    yield opened
    driver.does()
    for nvml in made:
        nvml.close()


def read(nvml: Nvml, index: int = 0) -> list[GpuSample]:
    return nvml.read(index, PLACE, lambda: 1234)


def gaps(sample: GpuSample) -> dict[str, str]:
    """The missing readings but for the counters, which need a second sample."""
    told = dict(entry.split(": ") for entry in sample.missing)
    return {name: reason for name, reason in told.items() if name not in METRICS}


def test_every_reading_in_our_units(opened: Open) -> None:
    nvml = opened(gpus=2)
    (sample,) = read(nvml, 1)

    assert nvml.count == 2
    assert gaps(sample) == {}
    assert (sample.ts, sample.node, sample.endpoint, sample.replica) == (1234, "n1", "chat", "")
    assert (sample.gpu_index, sample.gpu_uuid, sample.mig_uuid, sample.gpu_name) == (1, "GPU-fake-1", "", "Fake H100")
    assert (sample.gpu_util_ratio, sample.mem_busy_ratio) == (0.42, 0.10)
    assert (sample.mem_used_bytes, sample.mem_total_bytes) == (20 << 30, 80 << 30)
    assert (sample.power_w, sample.power_limit_w) == (350.0, 700.0)
    assert (sample.temp_c, sample.mem_temp_c) == (61, 70)
    assert (sample.sm_mhz, sample.sm_max_mhz, sample.mem_mhz) == (1755, 1980, 2619)
    assert (sample.throttle_bits, sample.xid, sample.ecc_dbe) == (4, None, 0)
    assert (sample.remap_pending, sample.remap_failure) == (0, 0)
    assert (sample.nvlink_tx_bytes, sample.nvlink_rx_bytes) == (1_024_000, 1_024_000)
    assert (sample.pcie_tx_bytes, sample.pcie_rx_bytes) == (123_456, 123_456)
    assert sample.processes == (GpuProcess(pid=4242, used_bytes=20 << 30),)


def test_energy_is_a_counter_in_joules(opened: Open) -> None:
    nvml = opened()
    before, after = read(nvml)[0].energy_j, read(nvml)[0].energy_j

    assert before is not None
    assert after is not None
    assert 0 < after - before < 350.0 * 60  # 350 W, and less than a minute between two readings


ONE_FAILS = [
    ("nvmlDeviceGetUtilizationRates", {"gpu_util_ratio", "mem_busy_ratio"}),
    ("nvmlDeviceGetMemoryInfo", {"mem_used_bytes", "mem_total_bytes"}),
    ("nvmlDeviceGetPowerUsage", {"power_w"}),
    ("nvmlDeviceGetEnforcedPowerLimit", {"power_limit_w"}),
    ("nvmlDeviceGetTotalEnergyConsumption", {"energy_j"}),
    ("nvmlDeviceGetTemperature", {"temp_c"}),
    ("nvmlDeviceGetClockInfo", {"sm_mhz", "mem_mhz"}),
    ("nvmlDeviceGetMaxClockInfo", {"sm_max_mhz"}),
    ("nvmlDeviceGetCurrentClocksEventReasons", {"throttle_bits"}),
    ("nvmlDeviceGetComputeRunningProcesses_v3", {"processes"}),
    ("nvmlEventSetWait_v2", {"xid"}),
    ("nvmlDeviceRegisterEvents", {"xid"}),
    (
        "nvmlDeviceGetFieldValues",
        {"mem_temp_c", "ecc_dbe", "remap_pending", "remap_failure"}
        | {"nvlink_tx_bytes", "nvlink_rx_bytes", "pcie_tx_bytes", "pcie_rx_bytes"},
    ),
    ("nvmlDeviceGetMigMode", set[str]()),
]


@pytest.mark.parametrize(("function", "readings"), ONE_FAILS, ids=[function for function, _ in ONE_FAILS])
def test_a_call_that_is_not_supported_is_missing_alone(opened: Open, function: str, readings: set[str]) -> None:
    (sample,) = read(opened(f"fail={function}:3"))

    assert gaps(sample) == dict.fromkeys(readings, "not_supported")
    for name in {*READINGS} - {*METRICS, "xid"}:
        assert (getattr(sample, name) is None) == (name in readings)


def test_a_field_that_is_not_supported_is_missing_alone(opened: Open) -> None:
    (sample,) = read(opened("nofield=82"))

    assert gaps(sample) == {"mem_temp_c": "not_supported"}


def test_a_utilisation_of_200_percent_is_a_gap(opened: Open) -> None:
    (sample,) = read(opened("util=200"))

    assert gaps(sample) == {"gpu_util_ratio": "out_of_range"}
    assert (sample.gpu_util_ratio, sample.mem_busy_ratio) == (None, 0.10)


def test_an_error_event_is_told_once(opened: Open, driver: FakeDriver) -> None:
    nvml = opened()
    before = read(nvml)[0].xid
    driver.does("xid=79")

    assert (before, read(nvml)[0].xid, read(nvml)[0].xid) == (None, 79, None)


def test_a_storm_of_error_events_ends_the_reading_at_the_bound(opened: Open) -> None:
    nvml = opened("xidstorm", "xid=1")

    first, second = read(nvml)[0].xid, read(nvml)[0].xid

    assert (first, second) == (XID_EVENTS_MAX, 2 * XID_EVENTS_MAX)


def test_a_lost_gpu_leaves_the_others(opened: Open, driver: FakeDriver) -> None:
    nvml = opened(gpus=2)
    read(nvml, 1)
    driver.does("lost=1", gpus=2)

    with pytest.raises(DeviceLostError, match="gpu_lost"):
        read(nvml, 1)
    assert gaps(read(nvml, 0)[0]) == {}


def test_a_driver_that_was_reloaded_loses_everything_until_it_is_opened_again(opened: Open, driver: FakeDriver) -> None:
    nvml = opened()
    read(nvml)
    driver.does("epoch=1")

    with pytest.raises(DriverLostError, match="uninitialized"):
        read(nvml)

    assert gaps(read(opened("epoch=1"))[0]) == {}


def test_a_driver_that_is_not_loaded_cannot_be_opened(opened: Open) -> None:
    with pytest.raises(DriverLostError, match="driver_not_loaded"):
        opened("gone=9")


def test_each_slice_has_its_own_record_with_what_is_its_own(opened: Open) -> None:
    whole, first, second = read(opened("mig=2", gpus=1))

    assert (whole.mig_uuid, whole.power_w) == ("", 350.0)
    assert [one.mig_uuid for one in (first, second)] == ["MIG-fake-0-0", "MIG-fake-0-2"]
    for one in (first, second):
        assert (one.gpu_uuid, one.gpu_index, one.mem_used_bytes) == ("GPU-fake-0", 0, 20 << 30)
        assert one.processes is not None
        assert set(gaps(one).values()) == {"whole_gpu"}
        assert {"power_w", "energy_j", "gpu_util_ratio", "xid", "throttle_bits"} <= set(gaps(one))


def test_a_slice_that_is_taken_apart_is_passed_over(opened: Open) -> None:
    samples = read(opened("mig=2", "fail=nvmlDeviceGetGpuInstanceId:2"))

    assert [one.mig_uuid for one in samples] == [""]


def test_a_changed_layout_is_seen_at_the_next_reading(opened: Open, driver: FakeDriver) -> None:
    nvml = opened("mig=3")
    before = len(read(nvml))
    driver.does("mig=2")

    assert (before, len(read(nvml))) == (4, 3)


def test_closing_a_lost_driver_does_not_fail(opened: Open, driver: FakeDriver) -> None:
    nvml = opened("mig=2")
    read(nvml)
    driver.does("epoch=5")

    nvml.close()
