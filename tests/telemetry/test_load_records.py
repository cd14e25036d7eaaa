"""What is kept of a load test travels in the spool as it is, or not at all."""

from typing import get_args

import msgspec
import pytest

from telemetry import native
from telemetry.load_records import (
    BUCKETS_MAX,
    DOCUMENT_BYTES_MAX,
    ActRow,
    BaselineState,
    LoadRecord,
    LoadRun,
    LoadStep,
    ProfileRow,
)
from telemetry.sample_record import decode_sample, encode_sample
from telemetry.samples import SAMPLES, Sample
from telemetry.spool_format import PAYLOAD_BYTES_MAX
from telemetry.spool_record import DAY_MS, FUTURE_MS_MAX, day_of

NOW_MS = 1_790_000_000_000
RUN = LoadRun(
    run_id="r", key_json='{"model":"ä€"}', plan_json="{}", plan_sha256="a", rows_sha256="b", receipt_json="{}",
    started_at=NOW_MS - 9_000, ended_at=NOW_MS, seed=7, defs_version=1, target="chat", model="m", mix_id="x",
    flags_hash=(1 << 64) - 1, tp=2, fit="fit", fit_checks="[]", environment=("cold",), report_json="x" * 5000,
)  # fmt: skip
STEP = LoadStep(
    run_id="r", step=1, kind="measured", mode="open", started_at=NOW_MS - 9_000, ended_at=NOW_MS, rate_per_s=2.5,
    offered=9, completed=8, good=7, sched_lag_p99_us=12,
)  # fmt: skip
STATE = BaselineState(
    baseline_id="b", key_json="{}", run_ids=("r1", "r2"), created_at=NOW_MS, valid_until=NOW_MS + 9,
    ttft_h={at: at + 400 for at in range(-319, 194)}, tpot_h={}, e2e_h={1: 1 << 40}, goodput_per_s=1.5,
    tokens_out_per_s=None, active=1, reason="it's\tfast", actor="me",
)  # fmt: skip
PROFILE = ProfileRow(target="chat", mu_star_per_s=2.5, made_at=NOW_MS, valid_until=NOW_MS + 9, profile_json="{}")
ACT = ActRow(
    at=NOW_MS, actor="me", action="baseline.save", object="b", before="", after="{}", prev_hash=bytes(32),
    hash=b"\xff" * 32,
)  # fmt: skip
ALL = [pytest.param(one, id=type(one).__name__) for one in (RUN, STEP, STATE, PROFILE, ACT)]


def there_and_back(record: LoadRecord) -> Sample:
    payload = encode_sample(record, NOW_MS)

    assert payload is not None
    return decode_sample(payload)


@pytest.mark.parametrize("record", ALL)
def test_every_shape_is_read_as_it_was_written_and_fits_its_table(record: LoadRecord) -> None:
    back = there_and_back(record)

    assert type(back) in get_args(LoadRecord)
    assert native.block(
        SAMPLES[type(record)].table.insert_columns, [[value] for value in msgspec.structs.astuple(back)]
    )
    if not isinstance(record, BaselineState):
        assert record == back
    else:
        assert msgspec.structs.replace(record, reason="it's?fast") == back


@pytest.mark.parametrize("record", ALL)
def test_a_record_is_cut_by_the_day_of_its_first_time(record: LoadRecord) -> None:
    assert NOW_MS // DAY_MS == day_of(encode_sample(record, NOW_MS) or b"")


def test_a_record_from_the_future_is_moved_to_now() -> None:
    back = there_and_back(msgspec.structs.replace(RUN, started_at=NOW_MS + FUTURE_MS_MAX + 1))

    assert isinstance(back, LoadRun)
    assert NOW_MS == back.started_at


def test_the_longest_documents_fit_a_frame_and_a_longer_one_is_not_cut() -> None:
    text = "x" * DOCUMENT_BYTES_MAX
    names = ("key_json", "plan_json", "receipt_json", "fit_checks", "report_json")
    whole = msgspec.structs.replace(RUN, **dict.fromkeys(names, text))

    assert len(encode_sample(whole, NOW_MS) or b"") in range(1, PAYLOAD_BYTES_MAX)
    assert encode_sample(msgspec.structs.replace(RUN, report_json=text + "x"), NOW_MS) is None


def test_a_hash_of_another_length_is_none() -> None:
    assert encode_sample(msgspec.structs.replace(ACT, hash=b"x"), NOW_MS) is None


def test_no_bucket_of_a_baseline_is_lost() -> None:
    many = dict.fromkeys(range(BUCKETS_MAX), 1)

    state = msgspec.structs.replace(STATE, reason="", tpot_h=many)
    assert state == there_and_back(state)
    assert encode_sample(msgspec.structs.replace(STATE, tpot_h=many | {-1: 1}), NOW_MS) is None
