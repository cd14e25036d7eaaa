"""A real `serve` over a real store: a frozen target has its number on every face, and none without a word of it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import grpc
import httpx
import pytest

from inferometer import hints_keys
from inferometer.hints_keys import HintKeys
from telemetry.clock import monotonic_ns, sleep, wall_ms
from telemetry.protobuf import fields, message, text
from telemetry.testing.store_process import StoreProcess

pytestmark = pytest.mark.system
NAME, SERVICE = "llama70b-chat", "inferometer.monitoring.svc"


@pytest.fixture
def ports(free_tcp_port_factory: Callable[[], int]) -> tuple[int, int]:
    return free_tcp_port_factory(), free_tcp_port_factory()


@pytest.fixture
def running(tmp_path: Path, ports: tuple[int, int]) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "targets.yaml").write_text(f"targets:\n- {{name: {NAME}, namespace: prod, max_replicas: 12}}\n")
    targets = hints_keys.targets(HintKeys(targets=str(tmp_path / "targets.yaml")))
    with StoreProcess(tmp_path / "data") as store:
        told = {
            "host": "127.0.0.1",
            "port": ports[0],
            "objectives": [],
            "ledger": str(tmp_path / "ledger.sqlite"),
            "replica": "r",
            "store_url": store.url,
            "reader": "reader",
            "reader_password_file": str(store.data / "secrets" / "store_reader"),
            "writer": "writer",
            "writer_password_file": str(store.data / "secrets" / "store_writer"),
            "hints": hints_keys.told(targets),
            "faces": {"names": [SERVICE], "keda_grpc": f"127.0.0.1:{ports[1]}", "wva_alias": True},
        }
        argv = [sys.executable, "-m", "inferometer.serve", "--config", json.dumps(told)]
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
            yield process
            process.kill()


def until(true: Callable[[], bool], within_s: float = 60.0) -> None:
    end_ns = monotonic_ns() + int(within_s * 1e9)
    while monotonic_ns() < end_ns:
        try:
            if true():
                return
        except httpx.TransportError:
            pass
        sleep(0.25)
    raise AssertionError("it did not come")


def over_grpc(port: int) -> int | bytes:
    """Return the whole number that KEDA's external scaler gives."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/externalscaler.ExternalScaler/GetMetrics"
        )
        ref = message(3, text(1, "target") + text(2, NAME))
        ((_, value),) = fields(ask(message(1, ref) + text(2, "inferometer_desired_replicas"), timeout=10))
    assert isinstance(value, bytes)
    return dict(fields(value))[2]


def news_at_the_end(api: httpx.Client, running: subprocess.Popen[str]) -> int:
    """Return how a question for news is answered whose service ends."""
    seq = api.get(f"/v1/hints/{NAME}").json()["seq"]
    with ThreadPoolExecutor(1) as waiting:
        news = waiting.submit(api.get, f"/v1/hints/{NAME}?wait=50&after_seq={seq}", timeout=60)
        sleep(0.5)  # till it waits
        running.send_signal(signal.SIGTERM)
        return news.result().status_code


def test_every_face_of_one_process_says_the_same(running: subprocess.Popen[str], ports: tuple[int, int]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}") as api:
        service = {"Host": SERVICE + f":{ports[0]}"}
        until(lambda: api.get("/v1/hints").status_code == 200)
        unseen = api.get(f"/compat/keda/{NAME}", headers=service).status_code
        empty = api.get("/metrics").text
        until_s = datetime.fromtimestamp(wall_ms() / 1000 + 3_600, UTC)
        frozen = {"until": until_s.isoformat(), "reason": "a test", "who": "ann"}
        assert api.post(f"/v1/hints/{NAME}/replicas", json={"replicas": 4, "actor": "ann"}).status_code == 201
        assert api.post(f"/v1/hints/{NAME}/freeze", json=frozen).status_code == 201
        until(lambda: api.get(f"/compat/keda/{NAME}").status_code == 200)
        keda = api.get(f"/compat/keda/{NAME}", headers=service).json()
        path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/prod/inferometer_desired_replicas"
        (item,) = api.get(path, params={"labelSelector": f"target={NAME}"}).json()["items"]
        page = api.get("/metrics").text
        value = over_grpc(ports[1])
        news = news_at_the_end(api, running)

    assert (404, False) == (unseen, "inferometer_hint" in empty)
    assert (4, 1, "4") == (keda["desired_replicas"], keda["active"], item["value"])
    assert f'inferometer_hint_desired_replicas{{target="{NAME}",namespace="prod"' in page
    assert f'wva_desired_replicas{{variant_name="{NAME}",namespace="prod",accelerator_type=""}} 4' in page
    assert 4 == value
    assert news in {200, 304}, "who waits for news is answered before the end"
    assert 0 == running.wait(30)
