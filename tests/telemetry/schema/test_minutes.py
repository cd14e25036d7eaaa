"""The roll-ups of samples on the real engine."""

import json
from collections.abc import Iterator

import pytest
from chdb_child import Chdb

from telemetry import schema
from telemetry.schema import minutes, samples
from telemetry.schema.pipeline import HEARTBEATS

MINUTE = "2026-01-02 03:04:00"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chdb]:
    running = Chdb(tmp_path_factory.mktemp("minutes") / "store")
    tables = (samples.ENGINE_METRICS, samples.GPU_SAMPLES, HEARTBEATS, *minutes.MINUTE_TABLES, minutes.R_HEARTBEATS_1M)
    views = (*minutes.MINUTE_VIEWS, minutes.R_HEARTBEATS_1M_VIEW)
    for statement in (schema.CREATE_DATABASE, *map(schema.ddl, tables), *map(schema.view_ddl, views)):
        # Samples of a day in the past would be dropped as too old.
        running.execute("\n".join(line for line in statement.splitlines() if not line.startswith(("TTL", "SETTINGS"))))
    yield running
    running.close()


def merged(engine: Chdb, sql: str) -> dict[str, object]:
    row: dict[str, object] = json.loads(engine.execute(f"{sql} FORMAT JSONEachRow"))
    return row


def test_a_minute_of_an_engine_keeps_the_range_of_a_gauge_and_the_last_of_a_counter(engine: Chdb) -> None:
    for second, running, total, reset in ((5, 3, 100, 0), (20, 7, 160, 0), (35, None, None, 0), (50, 5, 20, 1)):
        up = int(running is not None)
        engine.execute(
            "INSERT INTO inferometer.engine_metrics (ts, endpoint, replica, up, running, kv_used_ratio, "
            "prompt_tokens_total, reset) SELECT toDateTime64({t:String}, 3, 'UTC'), 'e', 'r', {up:UInt8}, "
            "{running:Nullable(UInt32)}, {running:Nullable(UInt32)} / 10, {total:Nullable(UInt64)}, {reset:UInt8}",
            {
                "t": f"2026-01-02 03:04:{second:02}",
                "up": str(up),
                "running": "\\N" if running is None else str(running),
                "total": "\\N" if total is None else str(total),
                "reset": str(reset),
            },
        )

    found = merged(
        engine,
        "SELECT toString(t) AS t, sum(n) AS n, sum(n_up) AS n_up, sum(n_reset) AS n_reset, min(running_min) AS low, "
        "max(running_max) AS high, sum(running_sum) AS total, sum(running_n) AS known, min(queued_min) AS queued, "
        "sum(queued_n) AS queued_n, round(max(kv_used_ratio_max_max), 3) AS fullest, "
        "round(sum(kv_used_ratio_sum), 3) AS kv, max(prompt_tokens_total) AS tokens "
        "FROM inferometer.r_engine_1m WHERE endpoint = 'e' GROUP BY t",
    )

    assert found == {
        "t": MINUTE,
        "n": 4,
        "n_up": 3,
        "n_reset": 1,
        "low": 3,
        "high": 7,
        "total": 15,
        "known": 3,
        "queued": None,
        "queued_n": 0,
        "fullest": None,
        "kv": 1.5,
        "tokens": 160,
    }


def test_a_minute_of_a_gpu_keeps_every_reason_for_a_lowered_clock(engine: Chdb) -> None:
    for second, bits, power in ((1, 1, 100.0), (59, 4, 300.0)):
        engine.execute(
            "INSERT INTO inferometer.gpu_samples (ts, node, gpu_uuid, power_w, throttle_bits, xid) "
            "SELECT toDateTime64({t:String}, 3, 'UTC'), 'n', 'g', {power:Float32}, {bits:UInt64}, NULL",
            {"t": f"2026-01-02 03:04:{second:02}", "power": str(power), "bits": str(bits)},
        )

    found = merged(
        engine,
        "SELECT groupBitOr(throttle_bits) AS bits, max(xid) AS xid, min(power_w_min) AS low, max(power_w_max) AS high, "
        "sum(power_w_sum) / sum(power_w_n) AS mean, sum(n) AS n FROM inferometer.r_gpu_1m GROUP BY gpu_uuid",
    )

    assert found == {"bits": 5, "xid": None, "low": 100, "high": 300, "mean": 200, "n": 2}


def test_a_minute_of_a_sender_keeps_its_last_heartbeat_and_ends_and_a_second_copy_changes_nothing(engine: Chdb) -> None:
    beats = ((1, 10, 900, 5, 40), (30, 25, 700, 9, 20), (59, 31, 800, 0, 30))
    for second, arrivals, cpu_us, spooled, lag_us in beats:
        engine.execute(
            "INSERT INTO inferometer.heartbeats (ts, watermark, endpoint, collector, boot, arrivals_total, "
            "cpu_us_total, spooled, loop_lag_us_max, rss_bytes) SELECT toDateTime64({t:String}, 3, 'UTC') AS at, "
            "at - 2, 'e', 'n/1', 3, {arrivals:UInt64}, {cpu_us:UInt64}, {spooled:UInt64}, {lag_us:UInt32}, 7",
            {
                "t": f"2026-01-02 03:04:{second:02}",
                "arrivals": str(arrivals),
                "cpu_us": str(cpu_us),
                "spooled": str(spooled),
                "lag_us": str(lag_us),
            },
        )
    wanted = {
        "t": MINUTE,
        "heard": ["2026-01-02 03:04:01.000", "2026-01-02 03:04:59.000", "2026-01-02 03:04:57.000"],
        "arrivals": [10, 31],
        "cpu_us": [700, 900],
        "frames": [0, 0],
        "most": [9, 40, 7],
    }

    for _copy in range(2):
        found = merged(
            engine,
            "SELECT toString(t) AS t, max(newest) AS last, "
            "[toString(min(oldest)), toString(last.1), toString(last.2)] AS heard, "
            "[min(arrivals_total_min), max(arrivals_total_max)] AS arrivals, "
            "[min(cpu_us_total_min), max(cpu_us_total_max)] AS cpu_us, "
            "[min(tee_frames_dropped_total_min), max(tee_frames_dropped_total_max)] AS frames, "
            "[max(spooled_max), max(loop_lag_us_max), max(rss_bytes_max)] AS most "
            "FROM inferometer.r_heartbeats_1m WHERE collector = 'n/1' AND boot = 3 GROUP BY t",
        )

        assert wanted == {name: found[name] for name in wanted}
        engine.execute(f"INSERT INTO inferometer.r_heartbeats_1m {schema.view_select(minutes.R_HEARTBEATS_1M_VIEW)}")


def test_minutes_of_heartbeats_are_kept_as_long_as_those() -> None:
    assert HEARTBEATS.kept_days == minutes.R_HEARTBEATS_1M.kept_days


def test_every_gauge_and_counter_has_its_minute() -> None:
    for table, gauges, counters in (
        (minutes.R_ENGINE_1M, samples.ENGINE_GAUGES, samples.ENGINE_COUNTERS),
        (minutes.R_GPU_1M, samples.GPU_GAUGES, samples.GPU_COUNTERS),
    ):
        names = {column.name for column in table.columns}

        assert {f"{gauge.name}_{what}" for gauge in gauges for what in ("min", "max", "sum", "n")} <= names
        assert {counter.name for counter in counters} <= names
        assert table.kept_days == 400
