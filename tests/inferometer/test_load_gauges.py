"""Memory and KV use of a target: read off its page, sampled while something goes on."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from inferometer.load_gauges import KV, LOOK_S_MIN, RSS, SAMPLES_MAX, Gauges, read
from loadtest.target import Target, target
from telemetry.clock import monotonic_ns, sleep

PAGE = b'process_resident_memory_bytes 1000\nvllm:kv_cache_usage_perc{engine="0"} 0.25\n'


@contextmanager
def serving(body: bytes, status: int = 200, key: str = "") -> Generator[tuple[Target, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status if self.headers.get("Authorization", "") == key else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield target(f"http://127.0.0.1:{server.server_port}"), asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param(PAGE, {RSS: 1000.0, KV: 0.25}, id="vLLM"),
        pytest.param(b'sglang:token_usage{tp="0"} 0.5\n', {KV: 0.5}, id="SGLang"),
        pytest.param(b"ray_vllm_kv_cache_usage_perc 0.5\n", {KV: 0.5}, id="under Ray"),
        pytest.param(PAGE + b'vllm:kv_cache_usage_perc{engine="1"} 0.75\n', {RSS: 1000.0, KV: 0.75}, id="the fullest"),
        pytest.param(b"# HELP process_resident_memory_bytes x\n", {}, id="a comment"),
        pytest.param(b"process_resident_memory_bytes e\nvllm:kv_cache_usage_perc -1\n", {}, id="no numbers"),
        pytest.param(b"process_resident_memory_bytes 1e999\n", {}, id="infinite"),
        pytest.param(b"", {}, id="nothing"),
    ],
)
def test_what_a_page_says(page: bytes, expected: dict[str, float]) -> None:
    assert expected == read(page)


def test_samples_within_the_measured_part() -> None:
    start_ns = monotonic_ns()
    with serving(PAGE) as (where, asked), Gauges(where, {}, 1.0) as gauges:
        while len(asked) < 3:
            sleep(0.01)
    end_ns = monotonic_ns() - start_ns
    found = gauges.points(RSS, start_ns, (0, end_ns))

    assert {"/metrics"} == set(asked)
    assert len(found) >= 2
    assert {1000.0} == {value for _, value in found}
    assert all(0 <= at <= end_ns / 1e9 for at, _ in found)
    assert [] == gauges.points(KV, start_ns, (end_ns, end_ns + 1))
    assert LOOK_S_MIN < 1.0 < SAMPLES_MAX


@pytest.mark.parametrize(
    ("body", "status"),
    [pytest.param(b'[{"iter": 1}]', 200, id="a page that is destroyed by reading"), pytest.param(PAGE, 404, id="none")],
)
def test_what_is_no_page_says_nothing(body: bytes, status: int) -> None:
    with serving(body, status) as (where, asked), Gauges(where, {}, 1.0) as gauges:
        while not asked:
            sleep(0.01)

    assert [] == gauges.points(RSS, 0, (0, monotonic_ns()))
    assert 1 == len(asked) or status != 200
    assert ("JSON" in gauges.why) == (status == 200)


@pytest.mark.parametrize(("key", "why"), [("Bearer k", ""), ("Bearer other", "status 401")])
def test_a_page_behind_a_key(key: str, why: str) -> None:
    with (
        serving(PAGE, key="Bearer k") as (where, asked),
        Gauges(where, {"Authorization": key}, 1.0) as gauges,
    ):
        while not asked:
            sleep(0.01)

    assert why == gauges.why
    assert bool(why) != bool(gauges.points(RSS, 0, (0, monotonic_ns())))


def test_nobody_there_is_no_fault() -> None:
    with Gauges(target("http://127.0.0.1:9"), {}, 1.0) as gauges:
        sleep(0.05)

    assert gauges.why
    assert [] == gauges.points(RSS, 0, (0, monotonic_ns()))
