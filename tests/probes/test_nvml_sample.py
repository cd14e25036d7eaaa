from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.nvml_sample import (
    COLUMNS,
    COVERAGE_RATIO,
    NOT_COLUMNS,
    PROCESSES_MAX,
    READINGS,
    Band,
    Gap,
    GpuProcess,
    GpuSample,
    Identity,
    Place,
    Readings,
    band,
    band_of,
    decoded,
    encoded,
    energy_increase_j,
    gap,
    joules_per_token,
    possible,
    throttled,
)
from telemetry.schema import TABLES

IDENTITY = Identity(gpu_index=3, gpu_uuid="GPU-a", gpu_name="H100")
PLACE = Place(node="n1", endpoint="chat", replica="r0")
SPECIFIED = (
    "ts, node, gpu_uuid, mig_uuid, gpu_name, endpoint, replica, gpu_index, gpu_util_ratio, mem_busy_ratio, sm_ratio, "
    "sm_occ_ratio, tensor_ratio, dram_bw_ratio, mem_used_bytes, mem_total_bytes, power_w, power_limit_w, energy_j, "
    "temp_c, mem_temp_c, sm_mhz, sm_max_mhz, mem_mhz, throttle_bits, xid, ecc_dbe, remap_pending, remap_failure, "
    "nvlink_tx_bytes, nvlink_rx_bytes, missing"
)
"""spec/store.md 3, row gpu_samples."""


def unnamed(sample: GpuSample) -> set[str]:
    named = {entry.split(": ")[0] for entry in sample.missing}
    return {name for name in READINGS if getattr(sample, name) is None} - named - {"xid"}


def test_a_sample_has_every_column_of_the_table_in_order() -> None:
    assert ", ".join(COLUMNS) == SPECIFIED
    assert {column.name for table in TABLES if table.name == "gpu_samples" for column in table.columns} == {*COLUMNS}
    assert {field.name for field in fields(GpuSample)} == {*COLUMNS, *NOT_COLUMNS}


def test_a_gap_has_no_value_and_names_every_reading_with_its_reason() -> None:
    sample = gap(IDENTITY, PLACE, 1000, Gap.HUNG)

    assert {getattr(sample, name) for name in READINGS} == {None}
    assert sample.missing == tuple(f"{name}: hung" for name in READINGS)
    assert (sample.ts, sample.node, sample.endpoint, sample.replica) == (1000, "n1", "chat", "r0")
    assert (sample.gpu_index, sample.gpu_uuid, sample.mig_uuid, sample.gpu_name) == (3, "GPU-a", "", "H100")


@given(st.dictionaries(st.sampled_from(sorted({*READINGS} - {"processes"})), st.floats()))
def test_a_reading_is_a_possible_value_or_named_with_a_reason(told: dict[str, float]) -> None:
    readings = Readings()
    for name, value in told.items():
        readings.put(name, value)

    sample = readings.sample(IDENTITY, PLACE, 0)

    assert unnamed(sample) == set()
    for name, value in told.items():
        assert getattr(sample, name) == (value if possible(name, value) else None)


IMPOSSIBLE = [
    pytest.param("gpu_util_ratio", 2.0, id="a utilisation of 200 percent"),
    pytest.param("gpu_util_ratio", 1.01, id="a little above all of the time"),
    pytest.param("tensor_ratio", float("nan"), id="not a number"),
    pytest.param("power_w", -1.0, id="a negative draw"),
    pytest.param("temp_c", 4_294_967_295.0, id="a temperature of all ones"),
    pytest.param("nvlink_tx_bytes", 2.0**64 - 1, id="a counter of all ones"),
    pytest.param("energy_j", float("inf"), id="endless energy"),
    pytest.param("remap_pending", 7.0, id="a flag of seven"),
]


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
def test_what_cannot_be_true_is_a_gap_with_a_reason(name: str, value: float) -> None:
    readings = Readings()
    readings.put(name, value)

    sample = readings.sample(IDENTITY, PLACE, 0)

    assert getattr(sample, name) is None
    assert f"{name}: out_of_range" in sample.missing


def test_the_bounds_themselves_are_possible() -> None:
    assert [possible("gpu_util_ratio", value) for value in (0.0, 1.0)] == [True, True]


def test_no_error_event_is_no_gap() -> None:
    sample = Readings().sample(IDENTITY, PLACE, 0)

    assert sample.xid is None
    assert not [entry for entry in sample.missing if entry.startswith("xid")]


def test_a_slice_and_an_unreadable_event_are_told_apart_by_reason() -> None:
    readings = Readings()
    readings.lack(Gap.WHOLE_GPU, "power_w")
    readings.lack(Gap.NOT_SUPPORTED, "xid")

    missing = readings.sample(IDENTITY, PLACE, 0).missing

    assert {"power_w: whole_gpu", "xid: not_supported"} <= set(missing)


@pytest.mark.parametrize("n", [0, PROCESSES_MAX, PROCESSES_MAX + 1])
def test_the_greatest_holders_are_named_up_to_the_bound(n: int) -> None:
    readings = Readings()
    readings.put_processes([GpuProcess(pid=pid, used_bytes=pid) for pid in range(1, n + 1)])

    processes = readings.sample(IDENTITY, PLACE, 0).processes

    assert processes is not None
    assert [one.pid for one in processes] == list(range(n, 0, -1))[:PROCESSES_MAX]
    assert readings.value("processes") is None


def test_a_line_gives_the_sample_back() -> None:
    readings = Readings()
    readings.put("power_w", 351.5)
    readings.put_processes([GpuProcess(pid=7, used_bytes=None)])
    sample = readings.sample(IDENTITY, PLACE, 12)

    assert decoded(encoded(sample)) == sample
    assert decoded(encoded(gap(IDENTITY, PLACE, 1, Gap.NO_SAMPLE))) == gap(IDENTITY, PLACE, 1, Gap.NO_SAMPLE)
    assert b"\n" not in encoded(sample)


HELD = (0x4, 0x8, 0x20, 0x40, 0x80, 0x1 | 0x4)
NOT_HELD = (0, 0x1, 0x2, 0x10, 0x100)


def test_idle_and_application_clocks_are_no_throttling() -> None:
    assert [throttled(bits) for bits in HELD] == [True] * len(HELD)
    assert [throttled(bits) for bits in NOT_HELD] == [False] * len(NOT_HELD)


def test_unknown_bits_say_nothing() -> None:
    assert throttled(None) is None


BANDS = [
    (0.0, Band.OVER_PROVISIONED),
    (0.499, Band.OVER_PROVISIONED),
    (0.50, Band.LOW),
    (0.699, Band.LOW),
    (0.70, Band.HEALTHY),
    (0.90, Band.HEALTHY),
    (0.901, Band.TIGHT),
    (0.95, Band.TIGHT),
    (0.951, Band.OVER_SUBSCRIBED),
    (1.0, Band.OVER_SUBSCRIBED),
]


@pytest.mark.parametrize(("mean", "expected"), BANDS)
def test_a_mean_falls_into_its_band(mean: float, expected: Band) -> None:
    assert band_of(mean) is expected


def test_a_mean_over_too_few_samples_has_no_band() -> None:
    enough = int(300 * COVERAGE_RATIO)

    assert band([0.8] * enough + [None] * (300 - enough), expected_n=300) is Band.HEALTHY
    assert band([0.8] * (enough - 1), expected_n=300) is None
    assert band([None] * 300, expected_n=300) is None
    assert band([], expected_n=0) is None


def test_energy_per_token() -> None:
    assert joules_per_token(energy_increase_j(1_000.0, 1_700.0), 350) == 2.0
    assert joules_per_token(700.0, 0) is None
    assert joules_per_token(700.0, None) is None
    assert joules_per_token(None, 350) is None


def test_an_energy_counter_that_fell_began_anew_with_the_driver() -> None:
    assert energy_increase_j(5_000.0, 30.0) == 30.0
    assert energy_increase_j(None, 30.0) is None
    assert energy_increase_j(30.0, None) is None
