"""How fast an endpoint was, by hand: a median, a load as requests meet it, and tokens while requests waited."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from query_store import SINCE_MS, Stored
from test_around import engine, gpu

from telemetry.outcome import Outcome
from telemetry.queries import speeds

MINUTE_MS = 60_000
AT_MS = SINCE_MS - 50 * 60 * MINUTE_MS
"""Long before what the other tests look at; a whole hour."""
NAME = "speeds"


def mine(rows: list[dict[str, object]]) -> dict[str, Any]:
    [found] = [row for row in rows if row["endpoint"] == NAME]
    return found


def test_a_pace_is_the_median_of_good_answers_of_some_length(stored: Stored) -> None:
    plain = next(one for one in stored.records if one.outcome is Outcome.OK)
    known: list[dict[str, Any]] = [
        {"tpot_us": 30_000, "tokens_out": 100, "tokens_in": 1_000, "srv_prefill_us": 100_000, "tokens_cache_read": 200},
        {"tpot_us": 10_000, "tokens_out": 50, "tokens_in": 2_000, "srv_prefill_us": 200_000},
        {"tpot_us": 20_000, "tokens_out": 16, "tokens_in": None, "srv_prefill_us": 200_000},
        {"tpot_us": 90_000, "tokens_out": 15, "tokens_in": 3_000},
        {"tpot_us": None, "tokens_out": 19, "tokens_in": 3_000},
        {"tpot_us": 0, "tokens_out": 40, "tokens_in": 2_250},
        {"tpot_us": 90_000, "tokens_out": 99, "tokens_in": 9_000, "outcome": Outcome.STREAM_ERROR},
        {"tpot_us": 90_000, "tokens_out": 99, "tokens_in": 9_000, "traffic": "probe"},
    ]
    sent = [
        msgspec.structs.replace(plain, ended_at=AT_MS + n, endpoint=NAME, record_id=UUID(int=AT_MS + n), **one)
        for n, one in enumerate({"srv_prefill_us": None, "tok_by_s": ()} | one for one in known)
    ]
    stored.insert("n/speeds", sent)
    found = mine(stored.rows(speeds.paces(AT_MS, AT_MS + MINUTE_MS)))

    assert (3, 20_000, 2_250, 40) == tuple(found[name] for name in ("n", "tpot_us", "tokens_in", "tokens_out"))
    assert 2_800 / 0.3 == pytest.approx(found["prefill_tokens_per_s"])


def test_a_load_point_is_what_a_request_meets(stored: Stored) -> None:
    since_ms = AT_MS + 10 * MINUTE_MS
    states: list[dict[str, object]] = [{"running": 32}, {"running": 0}, {"running": 16, "reset": 1}, {"running": None}]
    rows = [engine(since_ms + 10_000 * n, "r0", endpoint=NAME, **one) for n, one in enumerate(states)]
    rows += [
        engine(since_ms + 9_000 * n, f"s{n}", endpoint=NAME, extra={"process_start_unix_s": since_ms / 1000 + before_s})
        for n, before_s in enumerate((-1.0, 0.0))
    ]
    stored.writer.insert_samples([*rows, engine(since_ms, "gone", endpoint=NAME, up=0)], "loads")
    found = mine(stored.rows(speeds.load_points(since_ms, since_ms + MINUTE_MS)))

    assert {"endpoint": NAME, "replicas": 3, "scrapes": 2, "starts": 2} == {
        k: v for k, v in found.items() if k != "running"
    }
    assert (32 * 32 + 16 * 16) / 48 == pytest.approx(found["running"])


def test_tokens_are_a_capacity_while_every_engine_has_requests_waiting(stored: Stored) -> None:
    since_ms = AT_MS + 20 * MINUTE_MS
    plain = next(one for one in stored.records if one.outcome is Outcome.OK)
    sent = [
        msgspec.structs.replace(
            plain, ended_at=since_ms + MINUTE_MS * n + 1, endpoint=NAME, tokens_out=tokens, tok_by_s=(), tpot_us=None,
            record_id=UUID(int=since_ms + n),
        )
        for n, tokens in enumerate((600, 1_200, 60))
    ]  # fmt: skip
    stored.insert("n/rates", sent)
    waits = [(0, "r0", 3), (0, "r1", 1), (1, "r0", 2), (1, "r1", 1), (1, "r1", 0), (2, "r0", None), (3, "r0", 9)]
    rows = [
        engine(since_ms + MINUTE_MS * minute + 1_000 * n, replica, endpoint=NAME, queued=queued)
        for n, (minute, replica, queued) in enumerate(waits)
    ]
    stored.writer.insert_samples(rows, "rates")
    stored.writer.insert_samples([gpu(since_ms, index, endpoint=NAME) for index in (0, 1, 1)], "rates-gpus")
    found = mine(stored.rows(speeds.rates(since_ms, since_ms + 4 * MINUTE_MS)))

    assert {
        "endpoint": NAME, "tokens_per_s": 1_860 / 240, "gpus": 2, "full_minutes": 2, "full_tokens_per_s": 5,
    } == found  # fmt: skip
