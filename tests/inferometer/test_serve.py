"""The serving process over a real store: pages, refusals, its end."""

import gc
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from one_slo import slo_file
from receiver import receiver
from whatif_rig import SINCE_S, UNTIL_S, insert, target

from inferometer import ask
from inferometer.address import Address
from inferometer.hints_keys import told
from inferometer.serve import SWITCH_S, USAGE, ServeConfig, panel_reader, settled
from slo.panel_desk import QUERY_S_MAX
from slo.scaling.policies.catalogue import NAMES
from telemetry.clock import monotonic_ns, sleep
from telemetry.handed import handed
from telemetry.testing.store_process import StoreProcess


@pytest.fixture
def started(tmp_path: Path, process: StoreProcess) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def start(port: int, **changes: object) -> subprocess.Popen[str]:
        told: dict[str, object] = {
            "host": "127.0.0.1",
            "port": port,
            "objectives": [str(slo_file(tmp_path))],
            "ledger": str(tmp_path / "slo" / "ledger.sqlite"),
            "replica": "r",
            "store_url": process.url,
            "reader": "reader",
            "reader_password_file": str(process.data / "secrets" / "store_reader"),
            "writer": "writer",
            "writer_password_file": str(process.data / "secrets" / "store_writer"),
        }
        argv = [sys.executable, "-m", "inferometer.serve", "--config", json.dumps(told | changes)]
        running.append(subprocess.Popen(argv, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.wait()
        if one.stderr:
            one.stderr.close()


def page(port: int, path: str, **headers: str) -> ask.Answer:
    """Ask until somebody answers."""
    end_ns = monotonic_ns() + 30 * 10**9
    while True:
        try:
            return ask.get(Address(host="127.0.0.1", port=port), path, headers=headers)
        except OSError:
            if monotonic_ns() > end_ns:
                raise
            sleep(0.1)


def test_it_serves_what_it_evaluates_and_passes_metrics_on(
    started: Callable[..., subprocess.Popen[str]], free_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    port, nobody = free_tcp_port_factory(), free_tcp_port_factory()
    file = tmp_path / "channels.yaml"
    with receiver() as heard:
        file.write_text(f"channels:\n- {{name: hook, kind: webhook, url: '{heard.url}', networks: [127.0.0.0/8]}}\n")
        running = started(port, metrics_url=f"http://127.0.0.1:{nobody}/metrics", channels=str(file))
        slos = json.loads(page(port, "/v1/slos").body)
        metrics, foreign = page(port, "/metrics"), page(port, "/v1/slos", Host="evil")
        here = f"http://127.0.0.1:{port}"
        past = httpx.post(f"{here}/v1/backtest", json={}, timeout=30)
        tested = httpx.post(f"{here}/v1/targets/hook/test", json={"who": "ann"}, timeout=30)
        acts = httpx.get(f"{here}/v1/audit", timeout=30).json()["acts"]
        running.send_signal(signal.SIGTERM)

    assert [one["name"] for one in slos["slos"]] == ["chat-good"]
    assert (metrics.status, foreign.status, past.status_code) == (503, 421, 200)
    assert (tested.status_code, tested.json()["ok"], len(heard.got)) == (201, True, 1)
    assert ("ann", "target.test", "hook") in {(one["actor"], one["action"], one["object"]) for one in acts}
    assert running.wait(30) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_replay_holds_no_poller_up_and_ends_with_the_server(
    started: Callable[..., subprocess.Popen[str]],
    free_tcp_port_factory: Callable[[], int],
    process: StoreProcess,
    number: signal.Signals,
) -> None:
    name = f"whatif-{number.name.lower()}"
    insert(process, name, 15_000, every_ms=100)
    port = free_tcp_port_factory()
    running = started(port, hints=told((target(name, ttft_s=2.0),)))
    here = f"http://127.0.0.1:{port}/v1/hints"
    until(lambda: page(port, "/v1/hints").status == 200)
    body = {"policy": ",".join(NAMES), "from": SINCE_S, "to": UNTIL_S, "seeds": 20}
    with ThreadPoolExecutor(1) as pool, httpx.Client(timeout=30) as client:
        first = pool.submit(httpx.post, f"{here}/{name}/whatif", json=body, timeout=90)
        until(lambda: bool(replaying(running.pid)))
        (child,) = replaying(running.pid)
        polls = [client.get(here) for _ in range(50)]
        second = client.post(f"{here}/{name}/whatif", json=body)
        there = replaying(running.pid)
        running.send_signal(number)
        ended = running.wait(30)
        until(lambda: not Path(f"/proc/{child}").exists())

    assert [child] == there, "it went on meanwhile"
    assert {200} == {one.status_code for one in polls}
    assert (429, "5") == (second.status_code, second.headers["retry-after"])
    if number is signal.SIGKILL:
        assert isinstance(first.exception(), httpx.TransportError)
        return
    answer = first.result()
    assert (0, 503, "/problems/unfinished") == (ended, answer.status_code, answer.json()["type"])


def replaying(pid: int) -> list[int]:
    """Return the processes that a server has replay for it."""
    found = [int(one) for of in Path(f"/proc/{pid}/task").glob("*/children") for one in of.read_text().split()]
    return [one for one in found if b"hints_whatif" in Path(f"/proc/{one}/cmdline").read_bytes()]


def until(holds: Callable[[], bool]) -> None:
    end_ns = monotonic_ns() + 30 * 10**9
    while not holds():
        assert monotonic_ns() < end_ns
        sleep(0.02)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"objectives": ["/nowhere.yaml"]}, "/nowhere.yaml", id="no such file"),
        pytest.param({"channels": "/nowhere.yaml"}, "/nowhere.yaml", id="no channels"),
        pytest.param({"reader_password_file": "/nowhere"}, "/nowhere", id="no secret"),
    ],
)
def test_what_is_wrong_ends_it_in_one_line(
    started: Callable[..., subprocess.Popen[str]], changes: dict[str, object], said: str
) -> None:
    running = started(1, **changes)

    assert running.wait(30) == USAGE
    assert said in (running.stderr.read() if running.stderr else "")


@pytest.mark.parametrize(("text", "said"), [("{", "truncated"), ('{"hots": 1}', "unknown key hots")])
def test_a_configuration_that_is_wrong_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        handed(text, ServeConfig)


def test_what_serving_is_made_of_is_not_collected_again_and_threads_give_way_soon() -> None:
    before, usual_s = gc.get_freeze_count(), sys.getswitchinterval()
    try:
        settled()
        passed_by, switch_s = gc.get_freeze_count(), sys.getswitchinterval()
    finally:
        gc.unfreeze()
        sys.setswitchinterval(usual_s)

    assert passed_by > before
    assert SWITCH_S == pytest.approx(switch_s)
    assert usual_s > SWITCH_S


def test_an_ipv6_address_is_a_url() -> None:
    config = ServeConfig(host="::1", port=1, objectives=(), ledger="", replica="", store_url="")

    assert config.url == "http://[::1]:1"


def test_a_store_that_hangs_is_left_a_little_after_it_should_have_stopped() -> None:
    config = ServeConfig(host="", port=0, objectives=(), ledger="", replica="r", store_url="http://127.0.0.1:1")

    assert QUERY_S_MAX < panel_reader(config).request_s <= QUERY_S_MAX + 1
