"""What stood around, by hand: one GPU that throttles, one engine with a queue, and every kind of change."""

import msgspec
import pytest
from query_store import SINCE_MS, Stored

from telemetry.queries import around
from telemetry.queries.around import GONE_MS, ROWS_MAX, SEEN_BEFORE_MS, THROTTLE_BITS
from telemetry.samples import EngineSample, GpuRow

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
AT_MS = SINCE_MS + HOUR_MS
MINE = ["around"]


def gpu(at_ms: int, index: int, **known: object) -> GpuRow:
    return GpuRow(
        ts=at_ms, node="n1", gpu_uuid=f"GPU-{index}", mig_uuid="", gpu_name="H100", gpu_index=index,
        **{"endpoint": "around", "replica": f"r{index}"} | known,  # type: ignore[arg-type]  # by name
    )  # fmt: skip


def engine(at_ms: int, replica: str, **known: object) -> EngineSample:
    known = {"endpoint": "around", "up": 1, "engine": "vllm", "model": "m", "config_hash": 7} | known
    return EngineSample(ts=at_ms, replica=replica, scrape_us=1, **known)  # type: ignore[arg-type]  # by name


@pytest.fixture(scope="module")
def world(stored: Stored) -> Stored:
    rows = [
        gpu(AT_MS - 1_000 * at, index, gpu_util_ratio=0.5, sm_mhz=1_000, throttle_bits=0x40 * (index == 1 and at < 3))
        for at in range(1, 5)
        for index in (0, 1)
    ]
    rows += [gpu(AT_MS - 1_000, 2, endpoint="other", xid=79), gpu(AT_MS - 1_000, 3, endpoint="", xid=48)]
    stored.writer.insert_samples(rows, "around-gpus")
    start_ms = AT_MS - HOUR_MS
    scrapes = [engine(start_ms - 60_000, name) for name in ("r0", "r1")]
    scrapes += [
        engine(AT_MS - 40_000, "r0", queued=3, preemptions_total=5, reset=0),
        engine(AT_MS - 20_000, "r0", queued=9, running=8, kv_used_ratio=0.9, preemptions_total=9, config_hash=8),
        engine(AT_MS - 20_000, "r0", up=0, config_hash=0, engine="", model=""),
        engine(AT_MS - GONE_MS - 1_000, "r1", reset=1, preemptions_total=1),
        engine(AT_MS - 10_000, "r2"),
        engine(AT_MS - 10_000, "x", endpoint="other", model="changed"),
        engine(AT_MS - 20_000, "x", endpoint="other"),
    ]
    stored.writer.insert_samples(scrapes, "around-engines")
    return stored


def test_a_gpu_says_what_it_did_and_the_most_throttled_comes_first(world: Stored) -> None:
    rows = world.rows(around.gpus(MINE, AT_MS - 60_000, AT_MS))

    assert ["GPU-1", "GPU-0", "GPU-3"] == [one["gpu_uuid"] for one in rows]
    throttled, calm, nobodys = rows
    assert (0.5, 0x40, 4) == (throttled["throttled_ratio"], throttled["throttle_bits"], throttled["n"])
    assert (0.0, 0, 0.5, None) == (calm["throttled_ratio"], calm["throttle_bits"], calm["util_ratio"], calm["sm_ratio"])
    assert (None, None, 48) == (nobodys["throttled_ratio"], nobodys["throttle_bits"], nobodys["xid"])
    assert 79 in [one["xid"] for one in world.rows(around.gpus([], AT_MS - 60_000, AT_MS))]
    assert not 1 & THROTTLE_BITS  # idle is no throttling


def test_an_engine_says_what_waited_and_what_was_lost(world: Stored) -> None:
    rows = world.rows(around.engines(MINE, AT_MS - 300_000, AT_MS))

    assert ["r0", "r1", "r2"] == [one["replica"] for one in rows]
    assert {"n": 3, "n_up": 2, "queued_max": 9, "running_max": 8, "preemptions": 4} == {
        name: rows[0][name] for name in ("n", "n_up", "queued_max", "running_max", "preemptions")
    }
    assert 0.9 == pytest.approx(rows[0]["kv_used_ratio_max"])
    assert (None, None) == (rows[1]["preemptions"], rows[2]["preemptions"])  # a counter fell; none was read


def test_a_change_of_an_engine_is_against_the_scrape_before(world: Stored) -> None:
    rows = world.rows(around.engine_changes(MINE, AT_MS - HOUR_MS, AT_MS))

    assert [(AT_MS - 20_000, "r0", "config_hash", "7", "8")] == [
        (one["at_unix_ms"], one["replica"], one["what"], one["was"], one["became"]) for one in rows
    ]
    assert {"around", "other"} == {
        one["endpoint"] for one in world.rows(around.engine_changes([], AT_MS - HOUR_MS, AT_MS))
    }


def test_replicas_come_and_go_where_others_stay(world: Stored) -> None:
    rows = world.rows(around.replica_changes(MINE, AT_MS - HOUR_MS, AT_MS))

    assert [("r2", "came", AT_MS - 10_000), ("r1", "gone", AT_MS - GONE_MS - 1_000)] == [
        (one["replica"], one["what"], one["at_unix_ms"]) for one in rows
    ]
    assert [] == world.rows(around.replica_changes(["other"], AT_MS - HOUR_MS, AT_MS))  # the first ever heard
    assert SEEN_BEFORE_MS == around.replica_changes([], 0, 1).parameters["before_ms"]


def test_markers_and_prices_are_told_newest_first(world: Stored) -> None:
    def told(at_ms: int, endpoint: str, text: str) -> dict[str, object]:
        names = {"kind": "deploy", "service": "chat", "version": "v2", "actor": "ci", "automated": 1}
        return {"at": f"{at_ms / 1000:.3f}", "endpoint": endpoint, "text": text, **names}

    world.insert_rows("markers", [told(AT_MS - 5_000, "around", "it's"), told(AT_MS - 9_000, "other", "no")])
    price = {"provider": "p", "model": "m", "source": "file", "as_of": "2026-01-01"}
    usd = {f"usd_per_mtok_{of}": 1 for of in ("in", "out", "cache_read", "cache_write", "reasoning")}
    world.insert_rows(
        "prices", [{"valid_from": f"{(AT_MS - 1_000) / 1000:.3f}", "gpu_usd_per_hour": 0, **price, **usd}]
    )
    rows = world.rows(around.marked(MINE, AT_MS - HOUR_MS, AT_MS))

    assert [("price", "m", "file"), ("deploy", "v2", "it's")] == [
        (one["kind"], one["version"], one["text"]) for one in rows
    ]


def test_a_value_is_new_if_the_day_before_knows_others_only(stored: Stored) -> None:
    since_ms, until_ms = SINCE_MS - 40 * MINUTE_MS, SINCE_MS - 20 * MINUTE_MS  # no other test looks there
    one = msgspec.structs.replace(stored.records[0], endpoint="newcomers", model="old", region="eu", variant="")
    first = msgspec.structs.replace(one, ended_at=since_ms - MINUTE_MS)
    again = msgspec.structs.replace(one, ended_at=since_ms + MINUTE_MS)
    stored.insert("n/newcomers-old", [first, again])

    assert [] == stored.rows(around.newcomers(["newcomers"], since_ms, until_ms))
    new = msgspec.structs.replace(one, model="new", ended_at=since_ms + 90_000, variant="b")
    stored.insert("n/newcomers-new", [new])
    assert [("model", "new", since_ms + MINUTE_MS, 1), ("variant", "b", since_ms + MINUTE_MS, 1)] == [
        (row["what"], row["became"], row["at_unix_ms"], row["n"])
        for row in stored.rows(around.newcomers(["newcomers"], since_ms, until_ms))
    ]


def test_an_answer_is_bounded() -> None:
    assert all(f"LIMIT {ROWS_MAX}" in ask([], 0, 1).sql for ask in (around.gpus, around.engines, around.marked))
