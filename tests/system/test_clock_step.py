"""The wall clock of a running observer is set: each step is one row in the store, and heartbeats go on.

Source: spec/reliability.md 5.5 (wall step +-1 h), 6 (a wall clock apart from a true monotonic one), case 5.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from rig import wait_until

from collector.channel import pair
from telemetry.clock import monotonic_ns, wall_ms
from telemetry.queries import Question
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

HOUR_MS = 3_600_000
STEPS = """
SELECT collector, step_us, toUnixTimestamp64Milli(ts) AS ts_ms, toUnixTimestamp64Milli(wall_before) AS before_ms,
    toUnixTimestamp64Milli(wall_after) AS after_ms
FROM clock_events ORDER BY step_us DESC"""
BEATS = "SELECT count() AS n, max(clock_offset_us) AS most_us, any(collector) AS collector FROM heartbeats"


def asked(reader: Store, sql: str) -> list[dict[str, Any]]:
    return reader.query(Question(sql=sql, parameters={}))


def set_by(file: Path, shift_ms: int) -> None:
    """Set the clock: the file is never half written, which would be a step of its own."""
    beside = file.with_suffix(".new")
    beside.write_text(f"{shift_ms}")
    beside.replace(file)


@contextmanager
def observer(tmp_path: Path, store: StoreProcess, **env: str) -> Generator[None]:
    """An observer of one tee that says nothing."""
    source, tee = pair()
    config = {
        "endpoint": "e", "node": "n", "spool_dir": str(tmp_path / "spool" / "own"), "metrics_port": 0,
        "store_url": store.url, "store_user": "writer", "channel_fds": [source.fileno()],
        "store_password_file": str(store.data / "secrets" / "store_writer"),
    }  # fmt: skip
    argv = (sys.executable, "-m", "collector.observer", "--config", json.dumps(config))
    with source, tee, subprocess.Popen(argv, pass_fds=[source.fileno()], env={**os.environ, **env}) as running:
        try:
            yield
            running.terminate()
            assert running.wait(30) == 0
        finally:
            running.kill()


def test_each_step_of_the_wall_clock_is_one_row(tmp_path: Path, shifted_clock: Path) -> None:
    file = tmp_path / "shift"
    set_by(file, 0)
    with StoreProcess(tmp_path / "data") as store, closing(store.store("reader")) as reader:
        with observer(tmp_path, store, LD_PRELOAD=str(shifted_clock), SHIFT_FILE=str(file)):
            wait_until(lambda: asked(reader, BEATS)[0]["n"] > 0, "heartbeat")
            for n, shift_ms in enumerate((HOUR_MS, 0), 1):
                begun_ns, begun_ms = monotonic_ns(), wall_ms()
                set_by(file, shift_ms)
                wait_until(lambda n=n: len(asked(reader, STEPS)) == n, "row of a step", 30)
                print(f"set to {shift_ms} ms: in the store after {(monotonic_ns() - begun_ns) / 1e9:.1f} s")
                assert abs(asked(reader, STEPS)[n - 1]["after_ms"] - begun_ms - shift_ms) < 30_000
            beats = asked(reader, BEATS)[0]["n"]
            wait_until(lambda: asked(reader, BEATS)[0]["n"] > beats + 10, "heartbeats after the steps")
        (last,) = asked(reader, BEATS)
        steps = asked(reader, STEPS)

    assert [round(row["step_us"] / 1e6) for row in steps] == [3_600, -3_600]
    assert [row["after_ms"] - row["before_ms"] for row in steps] == [row["step_us"] // 1_000 for row in steps]
    assert [row["ts_ms"] for row in steps] == [row["after_ms"] for row in steps]
    assert {row["collector"] for row in steps} == {last["collector"]}
    assert round(last["most_us"] / 1e6) == 3_600
