"""The whole way of an alert: `up` on an engine that fails, objectives and a webhook from files, gate, and a restart."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from one_slo import slo_file
from receiver import Receiver, receiver

from inferometer import ask
from inferometer.address import Address
from inferometer.config_schema import Config
from inferometer.demo_traffic import draw, send
from inferometer.reading import source
from slo.prometheus_rules import BURN
from telemetry.clock import monotonic_ns, sleep
from telemetry.queries import Question

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]
STEP_8_MS = ("--alpha-s", "0.008", "--hidden-s", "0.008")
N_REQUESTS = 300
WAIT_S = 100
SENT = "SELECT idempotency_key AS key FROM notification_log WHERE state = 'sent' AND http_status = 200"
DEFINED = "SELECT slo, revision, active FROM slo_definitions"
OF_CHAT = 'slo="chat-good",service="chat",endpoint="chat",period="30d"'


@contextmanager
def engine(fault_ratio: float) -> Generator[str]:
    argv = (sys.executable, "-m", "loadtest.fleet.server", *STEP_8_MS, "--port", "0", "--fault-ratio", str(fault_ratio))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://{cast('Any', process.stdout).readline().strip()}"
        finally:
            process.kill()


@contextmanager
def up(target: str, folder: Path, config: Path, tee: int) -> Generator[None]:
    words = ("--target", target, "--data", str(folder / "d"), "--port", str(tee), "--config", str(config))
    argv = (sys.executable, "-m", "inferometer", "up", *words, "--output", "json")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert json.loads(cast("Any", process.stdout).readline())["tee"].endswith(str(tee))
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            code = ended(process)
        assert code == 0


def ended(process: subprocess.Popen[str]) -> int:
    """Wait for the end of a process; one that goes on is ended."""
    try:
        return process.wait(60)
    finally:
        process.kill()


def traffic(port: int) -> None:
    """Send requests of users who wait for their answers."""

    async def all_of_them() -> None:
        random = Random(7)  # noqa: S311 -- seeded on purpose
        calls = [call for call in (draw(random, 20.0) for _ in range(N_REQUESTS)) if call.patience_s is None]
        for first in range(0, len(calls), 16):
            await asyncio.gather(*(send(port, call) for call in calls[first : first + 16]))

    asyncio.run(all_of_them())


def until(holds: Callable[[], object]) -> bool:
    end_ns = monotonic_ns() + WAIT_S * 10**9
    while monotonic_ns() < end_ns:
        if holds():
            return True
        sleep(0.5)
    return False


def said(heard: Receiver) -> list[tuple[str, str]]:
    return [(alert["labels"]["severity"], alert["status"]) for got in heard.got for alert in got.body["alerts"]]


def asked(port: int, path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask.get(Address(host="127.0.0.1", port=port), path).body)
    return found


def of_the_objective(port: int) -> list[dict[str, Any]]:
    """Return its alerts, without those of built-in rules."""
    return [one for one in asked(port, "/v1/alerts")["alerts"] if one["labels"].get("slo")]


def rules_not_judged(port: int) -> list[str]:
    rules = asked(port, "/v1/rules")["rules"]
    return [one["name"] for one in rules if one["trouble"] or not one["as_of"]] if rules else ["none"]


def windows_that_burn(port: int) -> set[str]:
    """Return the windows of the first burn rule that are above it on the page of metrics."""
    page = ask.get(Address(host="127.0.0.1", port=port), "/metrics").body.decode()
    found = re.findall(rf"{BURN}\{{{OF_CHAT},window=\"(1h|5m)\"\}} (\S+)\n", page)
    return {window for window, rate in found if float(rate) > 14.4}  # Workbook table 5-8


def configured(folder: Path, hook: str, serve: int, store: int) -> Path:
    channels, config = folder / "channels.yaml", folder / "config.yaml"
    channels.write_text(f"channels:\n- {{name: hook, kind: webhook, url: '{hook}', networks: [127.0.0.0/8]}}\n")
    config.write_text(
        f"slo: {{objectives: [{slo_file(folder)}], channels: {channels}}}\n"
        f"serve: {{port: {serve}}}\nstore: {{port: {store}}}\ntarget: {{endpoint: chat}}\nprobe: {{gpu: never}}\n"
    )
    return config


def stored(data: Path, statement: str) -> list[dict[str, Any]]:
    with closing(source(Config(data=str(data))).store) as store:
        return store.query(Question(sql=statement, parameters={}))


def kept_for_looking_back(heard: Receiver, data: Path) -> list[dict[str, Any]]:
    """Return the revisions in the store, once it has of everything that was heard that it was."""
    assert until(lambda: set(heard.keys) == {row["key"] for row in stored(data, SENT)})
    return stored(data, DEFINED)


def gate(data: Path, config: Path) -> int:
    argv = (sys.executable, "-m", "inferometer", "slo", "gate", "--data", str(data), "--config", str(config))
    return subprocess.run(argv, check=False, capture_output=True).returncode


def test_an_engine_that_fails_pages_once_whatever_restarts(
    tmp_path: Path, free_tcp_port_factory: Callable[[], int]
) -> None:
    tee, serve, store = (free_tcp_port_factory() for _ in range(3))
    with receiver() as heard, engine(0.5) as target:
        config = configured(tmp_path, heard.url, serve, store)
        with up(target, tmp_path, config, tee):
            traffic(tee)
            paged = until(lambda: ("page", "firing") in said(heard))
            alerts = of_the_objective(serve)
            unjudged, burning = rules_not_judged(serve), windows_that_burn(serve)
            gated = gate(tmp_path / "d", config)
        with up(target, tmp_path, config, tee):
            at_again = until(lambda: asked(serve, "/v1/slos")["as_of"])
            states = {one["severity"]: one["state"] for one in of_the_objective(serve)}
            kept = kept_for_looking_back(heard, tmp_path / "d")
            sleep(5)

    assert paged
    assert heard.got[0].body["version"] == "4"
    page = next(one for one in alerts if one["severity"] == "page")
    assert (page["state"], page["labels"]["endpoint"]) == ("firing", "chat")
    assert {"summary", "burn", "budget_left", "impact", "error_classes", "exemplars"} <= page["annotations"].keys()
    assert (unjudged, burning) == ([], {"1h", "5m"}), "built-in rules are judged, rules of others have what they go by"
    assert gated == 3, "a firing page closes the gate"
    assert at_again
    assert states["page"] == "firing", "what fired before the restart still does"
    assert said(heard).count(("page", "firing")) == 1
    assert kept == [{"slo": "chat-good", "revision": 1, "active": 1}], "a restart is no revision"
