"""A serving process with as many tabs as it takes: over real sockets, until it is told to end. spec/ui.md A10."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from one_slo import slo_file

from slo.live_hub import STREAMS_MAX
from telemetry.clock import monotonic_ns, sleep
from telemetry.testing.store_process import StoreProcess

pytestmark = pytest.mark.system
ASK = b"GET /v1/live?panels=fleet.bad,slo.list HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"


@pytest.fixture
def serving(tmp_path: Path, free_tcp_port: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with StoreProcess(tmp_path / "data") as store:
        told = {
            "host": "127.0.0.1", "port": free_tcp_port, "objectives": [str(slo_file(tmp_path))],
            "ledger": str(tmp_path / "slo" / "ledger.sqlite"), "replica": "r", "store_url": store.url,
            "reader": "reader", "reader_password_file": str(store.data / "secrets" / "store_reader"),
            "writer": "writer", "writer_password_file": str(store.data / "secrets" / "store_writer"),
        }  # fmt: skip
        argv = [sys.executable, "-m", "inferometer.serve", "--config", json.dumps(told)]
        process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, text=True)
        yield process, free_tcp_port
        process.kill()
        process.wait()


def until_it_answers(port: int) -> None:
    end_ns = monotonic_ns() + 30 * 10**9
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/v1/panels", timeout=10).raise_for_status()
        except httpx.TransportError:
            assert monotonic_ns() < end_ns
            sleep(0.1)
        else:
            return


def heard(tab: socket.socket, word: bytes) -> bytes:
    said = b""
    while word not in said:
        more = tab.recv(65_536)
        assert more, said[-300:]
        said += more
    return said


def test_as_many_tabs_as_there_may_be_leave_room_for_pages_and_end_with_a_word(
    serving: tuple[subprocess.Popen[str], int],
) -> None:
    process, port = serving
    until_it_answers(port)
    with ExitStack() as held:
        tabs = [
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in range(STREAMS_MAX)
        ]
        for tab in tabs:
            tab.sendall(ASK % port)
        for tab in tabs:
            heard(tab, b"event: panel")
        crowded = httpx.get(f"http://127.0.0.1:{port}/v1/live?panels=slo.list", timeout=20)
        page = httpx.get(f"http://127.0.0.1:{port}/v1/panels/slo.list.json", timeout=20)
        process.send_signal(signal.SIGTERM)
        for tab in tabs:
            heard(tab, b"event: bye")

    assert (503, "5") == (crowded.status_code, crowded.headers["retry-after"])
    assert 200 == page.status_code
    assert 0 == process.wait(timeout=40)
