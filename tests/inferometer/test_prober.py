"""The prober process over a real store and a scripted engine."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from engine_pages import page
from engine_server import body, engine

from inferometer.prober import SELF, USAGE, ProberConfig, SelfReport
from probes.probe import Rounds, Row
from telemetry.clock import monotonic_ns, sleep
from telemetry.handed import handed
from telemetry.queries import Question
from telemetry.samples import ProbeResult
from telemetry.testing.store_process import StoreProcess


def rows(store: StoreProcess, table: str) -> list[dict[str, Any]]:
    reader = store.store("reader")
    found: list[dict[str, Any]] = reader.query(
        Question(sql="SELECT * FROM {table:Identifier} ORDER BY ts", parameters={"table": table})
    )
    reader.close()
    return found


def until(holds: Callable[[], object]) -> bool:
    end_ns = monotonic_ns() + 30 * 10**9
    while not holds() and monotonic_ns() < end_ns:
        sleep(0.2)
    return bool(holds())


@pytest.fixture
def config(tmp_path: Path, process: StoreProcess) -> Callable[..., str]:
    def text(**changes: object) -> str:
        fields: dict[str, object] = {
            "node": "n",
            "endpoint": "chat",
            "gpu": "never",
            "engine_interval_s": 0.2,
            "self_interval_s": 0.5,
            "spool_dir": str(tmp_path / "spool" / "n-probes"),
            "store_url": process.url,
            "store_user": "writer",
            "store_password_file": str(process.data / "secrets" / "store_writer"),
        }
        return json.dumps(fields | changes)

    return text


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def begin(config: str, **environment: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "inferometer.prober", "--config", config]
        process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def test_what_an_engine_says_reaches_the_store_and_the_prober_speaks_of_itself(
    config: Callable[..., str], start: Callable[..., subprocess.Popen[str]], process: StoreProcess
) -> None:
    with engine({"/metrics": body(page("vllm"))}) as endpoint:
        prober = start(config(target=f"http://127.0.0.1:{endpoint.address[1]}", models=["tiny-llama"]))
        came = until(lambda: len(rows(process, "engine_metrics")) > 2)
        told = until(lambda: len(rows(process, "probe_results")) > 1)
        prober.send_signal(signal.SIGTERM)
        status = prober.wait(20)
    last = rows(process, "engine_metrics")[-1]
    own = rows(process, "probe_results")[-1]

    assert came
    assert told
    assert status == 0
    assert (last["endpoint"], last["engine"], last["up"], last["model"], last["running"]) == (
        "chat", "vllm", 1, "tiny-llama", 128,
    )  # fmt: skip
    assert {row["metric"] for row in rows(process, "engine_histograms")} >= {"ttft", "itl", "e2e"}
    assert (own["probe"], own["target"], own["outcome"], own["value"]) == (SELF, "n", "ok", 0.0)
    assert any("ran=" in said for said in own["detail"].values())


def test_a_probe_that_fails_is_counted_in_its_own_row() -> None:
    class Failing:
        name, interval_s, limit_s = "failing", 60.0, 5.0

        async def ask(self) -> list[Row]:
            raise OSError

        def failed(self, reason: str) -> list[Row]:
            assert reason == "OSError"
            return []

    told = SelfReport("n", 60.0)
    rounds = Rounds([Failing()], lambda _: None, lambda *_, **__: None, Random(1))  # noqa: S311 -- seeded on purpose
    asyncio.run(rounds.once())
    told.watch(rounds)
    (row,) = asyncio.run(told.ask())

    assert isinstance(row, ProbeResult)
    assert (row.outcome, row.ok, row.value) == ("failing", 0, 1.0)
    assert row.detail == {"failing": "raised=1 rows_cut=0 trouble=OSError"}
    assert told.failed("slow")[0] != row


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{", "truncated", id="no JSON"),
        pytest.param('{"nod": "n"}', "unknown key nod", id="a key that nobody knows"),
        pytest.param("{}", "missing required field", id="too little"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        handed(text, ProberConfig)


def test_a_probe_file_that_is_wrong_ends_it_in_one_line(
    config: Callable[..., str], start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    file = tmp_path / "probes.yaml"
    file.write_text("- kind: nothing\n")
    prober = start(config(probe_file=str(file)))

    assert prober.wait(20) == USAGE
    assert f"{file}:1" in (prober.stderr.read() if prober.stderr else "")
