"""Tests of telemetry.sample_record."""

from dataclasses import dataclass
from math import inf, nan
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import native
from telemetry.errors import StorePoisonError
from telemetry.sample_record import ENTRIES_MAX, TEXT_CHARS_MAX, decode_sample, encode_sample
from telemetry.samples import (
    SAMPLES,
    ClockEvent,
    EngineHistogram,
    EngineSample,
    GpuRow,
    Heartbeat,
    ProbeResult,
    Sample,
    SetAside,
)
from telemetry.spool_record import DAY_MS, ENDED_AT_MS_MAX, FUTURE_MS_MAX, day_of

NOW_MS = 1_790_000_000_000
ENGINE = EngineSample(ts=NOW_MS, endpoint="a", replica="b", up=1, scrape_us=900, running=3, success_total={"stop": 2})
HISTOGRAM = EngineHistogram(
    ts=NOW_MS, endpoint="a", replica="b", metric="ttft", le=(0.1, inf), cumulative=(1, 2), sum=0.5
)
GPU = GpuRow(
    ts=NOW_MS, node="n", gpu_uuid="u", mig_uuid="", gpu_name="g", endpoint="", replica="", gpu_index=0, power_w=70.5
)
PROBE = ProbeResult(ts=NOW_MS, target="t", probe="p", outcome="ok", ok=1, record_id=UUID(int=7), detail={"a": "b"})
BEAT = Heartbeat(
    ts=NOW_MS, collector="n/1", endpoint="a", model="m", workload_class="", boot=1, watermark=NOW_MS - 9, seq_last=7,
    accepted_total=7, stored_total=6, dlq_total=0, spooled=1, dropped_total={"quota": 1}, tee_frames_dropped_total=0,
    unparsed_conns_total=0, arrivals_total=9, first_outputs_total=8, tokens_out_total=99, in_flight=2, waiting_first=1,
    waiting_age_h={-3: 1}, in_flight_age_h={7: 2}, loop_lag_us_max=12, rss_bytes=1 << 20, cpu_us_total=5,
    clock_offset_us=-3,
)  # fmt: skip
ASIDE = SetAside(at=NOW_MS, collector="n/1", lane="gpu", dlq_id=3, seq=3, code="27", error="no", bytes=9)
STEP = ClockEvent(ts=NOW_MS, collector="n/1", step_us=-(1 << 40), wall_before=NOW_MS + 5, wall_after=NOW_MS)
ALL = [pytest.param(one, id=type(one).__name__) for one in (ENGINE, HISTOGRAM, GPU, PROBE, BEAT, ASIDE, STEP)]


def there_and_back(sample: Sample) -> Sample:
    payload = encode_sample(sample, NOW_MS)

    assert payload is not None
    return decode_sample(payload)


def stamp_of(sample: Sample) -> int:
    assert isinstance(sample, EngineSample | EngineHistogram | GpuRow | ProbeResult | Heartbeat | SetAside | ClockEvent)
    return sample.at if isinstance(sample, SetAside) else sample.ts


@pytest.mark.parametrize("sample", ALL)
def test_what_is_written_is_read(sample: Sample) -> None:
    assert there_and_back(sample) == sample


@pytest.mark.parametrize("sample", ALL)
def test_a_sample_is_cut_by_its_day(sample: Sample) -> None:
    assert day_of(encode_sample(sample, NOW_MS) or b"") == NOW_MS // DAY_MS


@dataclass(frozen=True)
class Repaired:
    sample: Sample
    field: str
    expected: object


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Repaired(ENGINE, "running", None), id="no number of a gauge is unknown"),
        pytest.param(Repaired(GPU, "power_w", None), id="no number of a real is unknown"),
        pytest.param(Repaired(PROBE, "duration_us", None), id="no number of a duration is unknown"),
    ],
)
@pytest.mark.parametrize("value", [nan, inf, -inf, 1e300], ids=str)
def test_a_number_that_cannot_be_is_unknown(case: Repaired, value: float) -> None:
    broken: Any = msgspec.structs.replace(case.sample, **{case.field: value})

    assert getattr(there_and_back(broken), case.field) is case.expected


def test_a_number_that_must_be_known_becomes_the_nearest() -> None:
    broken = msgspec.structs.replace(ENGINE, scrape_us=1 << 40, up=-1)
    back = there_and_back(broken)

    assert isinstance(back, EngineSample)
    assert (back.scrape_us, back.up) == ((1 << 32) - 1, 0)


def test_a_sum_that_is_no_number_cannot_be_repaired() -> None:
    assert encode_sample(msgspec.structs.replace(HISTOGRAM, sum=nan), NOW_MS) is None


def test_a_bound_that_is_no_number_cannot_be_repaired() -> None:
    assert encode_sample(msgspec.structs.replace(HISTOGRAM, le=(nan, inf)), NOW_MS) is None


def test_a_histogram_of_ages_keeps_what_its_column_holds() -> None:
    back = there_and_back(
        msgspec.structs.replace(BEAT, waiting_age_h={1 << 15: 1, 3: 1 << 40}, clock_offset_us=1 << 70)
    )

    assert isinstance(back, Heartbeat)
    assert (back.waiting_age_h, back.clock_offset_us) == ({3: (1 << 32) - 1}, (1 << 63) - 1)


def test_labels_are_cleaned() -> None:
    back = there_and_back(msgspec.structs.replace(PROBE, target="a\ud800b\n", detail={"k\0": "v\u202e"}))

    assert isinstance(back, ProbeResult)
    assert (back.target, back.detail) == ("a?b?", {"k?": "v?"})


def test_what_is_too_long_is_cut() -> None:
    many = {str(at): at for at in range(ENTRIES_MAX + 1)}
    engine = there_and_back(msgspec.structs.replace(ENGINE, success_total=many))
    probe = there_and_back(msgspec.structs.replace(PROBE, detail={"a": "x" * (TEXT_CHARS_MAX + 1)}))

    assert isinstance(engine, EngineSample)
    assert len(engine.success_total) == ENTRIES_MAX
    assert isinstance(probe, ProbeResult)
    assert len(probe.detail["a"]) <= TEXT_CHARS_MAX


def test_a_sample_from_the_future_is_moved_to_now() -> None:
    near, far = (msgspec.structs.replace(PROBE, ts=NOW_MS + FUTURE_MS_MAX + by) for by in (0, 1))

    assert stamp_of(there_and_back(near)) == NOW_MS + FUTURE_MS_MAX
    assert stamp_of(there_and_back(far)) == NOW_MS


def test_no_sample_lies_beyond_the_calendar() -> None:
    payload = encode_sample(msgspec.structs.replace(PROBE, ts=1 << 60), 1 << 60)

    assert payload is None or stamp_of(decode_sample(payload)) <= ENDED_AT_MS_MAX


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(msgspec.msgpack.encode([3, 1, 0, 9, []]), id="a shape that nobody knows"),
        pytest.param(msgspec.msgpack.encode([3, 2, 0, 3, list(msgspec.structs.astuple(PROBE))]), id="a newer schema"),
        pytest.param(msgspec.msgpack.encode([3, 1, 0, 3, [1, 2]]), id="too few values"),
        pytest.param(msgspec.msgpack.encode("text"), id="no array"),
    ],
)
def test_a_payload_that_is_no_sample_is_poison(payload: bytes) -> None:
    with pytest.raises(StorePoisonError, match="no sample"):
        decode_sample(payload)


@given(
    st.builds(
        ProbeResult,
        ts=st.integers(0, NOW_MS),
        target=st.text(max_size=300),
        probe=st.text(max_size=300),
        outcome=st.text(max_size=30),
        ok=st.integers(-5, 300),
        duration_us=st.none() | st.integers(-(1 << 70), 1 << 70),
        value=st.none() | st.floats(),
        detail=st.dictionaries(st.text(max_size=9), st.text(max_size=600), max_size=5),
    )
)
def test_whatever_is_written_the_store_can_take(sample: ProbeResult) -> None:
    back = there_and_back(sample)
    columns = SAMPLES[ProbeResult].table.insert_columns

    assert native.block(columns, [[value] for value in msgspec.structs.astuple(back)])
