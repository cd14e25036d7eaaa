"""Tests of telemetry.cargo."""

import pytest

from telemetry.accounting import Lane
from telemetry.cargo import loader
from telemetry.clock import wall_ms
from telemetry.lane_log import Row
from telemetry.sample_record import encode_sample
from telemetry.samples import EngineSample, ProbeResult, Sample
from telemetry.shipping import RAW_KEPT_MS, Answer
from telemetry.spool_record import RequestEncoder
from telemetry.testing.memory_store import MemoryStore, sample_request

NOW_MS = wall_ms()
ENGINE = EngineSample(ts=NOW_MS, endpoint="e", replica="r", up=1, scrape_us=900)
RESULT = ProbeResult(ts=NOW_MS, target="t", probe="p", outcome="ok", ok=1)


def request_rows(*ended_at: int) -> list[Row]:
    encoded = [RequestEncoder().encode(sample_request(n, at), NOW_MS) for n, at in enumerate(ended_at)]
    return [Row(seq, one.payload) for seq, one in enumerate(encoded, 7) if one is not None]


def sample_rows(*samples: Sample) -> list[Row]:
    return [Row(seq, encode_sample(sample, NOW_MS) or b"") for seq, sample in enumerate(samples)]


def test_requests_are_counted_before_and_after() -> None:
    store = MemoryStore()
    load, unsendable = loader(Lane.REQUESTS)(store, "c", request_rows(NOW_MS, NOW_MS))

    assert not unsendable
    assert (load.ask(), load.inserts_since()) == (Answer.NOTHING, 0)
    load.insert("token")
    assert (load.ask(), load.inserts_since()) == (Answer.STORED, 1)
    assert [seq for _, seq, _ in store.rows] == [7, 8]


def test_requests_that_the_store_drops_for_their_age_are_not_waited_for() -> None:
    load, _ = loader(Lane.REQUESTS)(MemoryStore(), "c", request_rows(NOW_MS - RAW_KEPT_MS - 60_000))

    assert (load.past_retention_n(), load.ask()) == (1, Answer.NOTHING)


def test_samples_go_by_shape_under_tokens_of_their_own() -> None:
    store = MemoryStore()
    load, unsendable = loader(Lane.ENGINE)(store, "c", sample_rows(RESULT, ENGINE, RESULT))
    load.insert("token")

    assert not unsendable
    assert store.samples == [ENGINE, RESULT, RESULT]
    assert store.tokens == ["token-engine_metrics", "token-probe_results"]
    assert (load.ask(), load.inserts_since(), load.past_retention_n()) == (Answer.NOTHING, None, 0)


@pytest.mark.parametrize("lane", [Lane.REQUESTS, Lane.GPU])
def test_what_cannot_be_read_stands_apart(lane: Lane) -> None:
    good = request_rows(NOW_MS) if lane is Lane.REQUESTS else sample_rows(RESULT)
    _, unsendable = loader(lane)(MemoryStore(), "c", [*good, Row(99, b"rubbish")])

    assert list(unsendable) == [99]
