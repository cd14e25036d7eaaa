"""What an observer process says of the requests that it saw, to who scrapes it and to who receives from it."""

import json
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from otlp_receiver import attributes, receiver
from prometheus_client.parser import text_string_to_metric_families

from collector.channel import pair
from collector.frames import Kind, encode
from telemetry.clock import monotonic_ns, sleep

BODY = b'{"model":"m","stream":true,"messages":[]}'
ASKED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
MS_NS = 1_000_000


def chat(conn: int, at_ns: int) -> bytes:
    """A streamed answer: its first output after 300 ms, its end after 700 ms."""
    return b"".join(
        (
            encode(Kind.ACCEPTED, conn, at_ns, b"c:1"),
            encode(Kind.CONNECTED, conn, at_ns, b"10.0.0.1:8000"),
            encode(Kind.REQUEST_BYTES, conn, at_ns, ASKED),
            encode(Kind.RESPONSE_BYTES, conn, at_ns + 300 * MS_NS, HEAD + TOKEN),
            encode(Kind.RESPONSE_BYTES, conn, at_ns + 700 * MS_NS, END),
            encode(Kind.UPSTREAM_EOF, conn, at_ns + 701 * MS_NS),
            encode(Kind.CLOSED, conn, at_ns + 702 * MS_NS),
        )
    )


@contextmanager
def observer(tmp_path: Path) -> Generator[tuple[subprocess.Popen[str], socket.socket, str]]:
    reader, writer = pair()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with reader:
        told = {
            "endpoint": "chat", "engine": "vllm", "target": "10.0.0.1:8000", "channel_fds": [reader.fileno()],
            "spool_dir": str(tmp_path / "spool"), "node": "n", "metrics_port": port,
        }  # fmt: skip
        command = [sys.executable, "-m", "collector.observer", "--config", json.dumps(told)]
        process = subprocess.Popen(command, pass_fds=[reader.fileno()], stderr=subprocess.PIPE, text=True)
    try:
        yield process, writer, f"http://127.0.0.1:{port}/metrics"
    finally:
        process.kill()
        process.communicate()
        writer.close()


def shown(url: str) -> dict[tuple[str, ...], float]:
    text = httpx.get(url, timeout=5).text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def wait_for(url: str, key: tuple[str, ...], value: float) -> dict[tuple[str, ...], float]:
    """Scrape until a sample has a value; the pytest time limit bounds it."""
    page: dict[tuple[str, ...], float] = {}
    while page.get(key) != value:
        sleep(0.02)
        with suppress(httpx.ConnectError):
            page = shown(url)
    return page


def test_finished_requests_are_scraped_and_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        with observer(tmp_path) as (process, writer, url):
            at_ns = monotonic_ns()
            for conn in range(1, 6):
                writer.send(chat(conn, at_ns))
            page = wait_for(url, ("inferometer_ttft_seconds_count", "chat", "m"), 5)
            process.terminate()
            assert process.wait() == 0
        (point,) = found.metrics()["gen_ai.server.time_to_first_token"].histogram.data_points

    assert page["inferometer_requests_eligible_total", "good", "chat", "m"] == 5
    assert page["inferometer_ttft_seconds_bucket", "chat", "0.3", "m"] == 5
    assert page["inferometer_e2e_seconds_sum", "chat", "m"] == pytest.approx(3.5)
    assert page["inferometer_endpoint_info", "chat", "vllm", "", "", ""] == 1
    assert (point.count, point.sum) == (5, pytest.approx(1.5))
    assert attributes(point)["server.address"] == "10.0.0.1"


def test_a_request_without_output_is_waiting_and_a_variable_that_cannot_be_costs_only_otlp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with observer(tmp_path) as (process, writer, url):
        at_ns = monotonic_ns()
        writer.send(encode(Kind.ACCEPTED, 1, at_ns, b"c:1") + encode(Kind.REQUEST_BYTES, 1, at_ns, ASKED))
        page = wait_for(url, ("inferometer_requests_waiting",), 1)
        process.terminate()
        assert process.wait() == 0
        said = process.stderr.read() if process.stderr else ""

    assert page["inferometer_requests_open",] == 1
    assert "no metrics by OTLP: OTEL_EXPORTER_OTLP_PROTOCOL: found grpc; allowed: http/protobuf" in said
