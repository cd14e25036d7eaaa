"""Shows the simulated engine over HTTP: answers share its steps, clients may leave, the page counts."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from loadtest.fleet import server
from loadtest.fleet.server import QUEUE_MAX, SPIN_STEP_S, USUAL, Served, served
from loadtest.fleet.spec import ColdStart, FleetSpec
from telemetry.testing.client import ask, request, talk
from telemetry.testing.engine_bodies import MODEL
from telemetry.testing.steps import AwaitToken, Reset, Send

FAST = replace(USUAL, alpha_s=0.002, beta_s=0.0, prefill_s=0.00001, hidden_s=0.0)
"""Steps of 2 ms."""
Address = tuple[str, int]


@asynccontextmanager
async def running(engine: server.Engine = FAST, seats: tuple[int, ...] = ()) -> AsyncGenerator[Address]:
    address: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    cold = ColdStart(median_s=0.0, sigma=0.0)
    what = Served(fleet=FleetSpec(engine=engine, replicas=1, replicas_max=max(1, len(seats)), cold=cold), seats=seats)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(served(what, 0, lambda host, port: address.set_result((host, port))))
        try:
            yield await address
        finally:
            task.cancel()


def posted(tokens: int, *, stream: bool = True) -> bytes:
    fields = {"model": MODEL, "max_tokens": tokens, "prompt": "x" * 400, "stream": stream}
    return request("POST", "/v1/completions", json.dumps(fields).encode(), "Connection: close")


def figure(page: bytes, name: str) -> float:
    return next(float(line.split()[-1]) for line in page.decode().splitlines() if line.startswith(f"vllm:{name}{{"))


async def scaled(address: Address, replicas: int) -> None:
    body = json.dumps({"replicas": replicas}).encode()
    answer = await talk(address, ask(request("POST", "/fleet", body, "Connection: close")))
    assert answer.received.startswith(b"HTTP/1.1 200")


async def page(address: Address) -> bytes:
    return (await talk(address, ask(request("GET", "/metrics", b"", "Connection: close")))).received


async def test_a_stream_and_a_whole_answer() -> None:
    async with running() as address:
        streamed, whole = await asyncio.gather(
            talk(address, ask(posted(20))), talk(address, ask(posted(20, stream=False)))
        )
        told = await page(address)

    assert 20 + 1 == streamed.received.count(b"data: ")
    assert b'"completion_tokens":20' in whole.received
    assert (200.0, 40.0) == (figure(told, "prompt_tokens_total"), figure(told, "generation_tokens_total"))
    assert 2.0 == figure(told, "time_to_first_token_seconds_count")


async def test_requests_wait_for_each_other() -> None:
    async with running(replace(FAST, seqs_max=1)) as address:
        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(talk(address, ask(posted(40)))) for _ in range(3)]
            await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            told = await page(address)
        at_rest = await page(address)

    assert 1.0 == figure(told, "num_requests_running")
    assert figure(told, "num_requests_waiting") >= 1.0
    assert (0.0, 0.0) == (figure(at_rest, "num_requests_running"), figure(at_rest, "num_requests_waiting"))
    assert 3.0 == figure(at_rest, "e2e_request_latency_seconds_count")


async def test_a_client_that_hangs_up_frees_its_place() -> None:
    async with running(replace(FAST, seqs_max=1)) as address:
        await talk(address, [Send(posted(4000)), AwaitToken(b"data: "), Reset()])
        after = await talk(address, ask(posted(5)))
        told = await page(address)

    assert 5 + 1 == after.received.count(b"data: ")
    assert 0.0 == figure(told, "num_requests_running")
    assert b'finished_reason="abort",model_name="simulated-llama"} 1.0' in told


async def test_a_replica_has_an_address_while_it_serves(free_tcp_port_factory: Callable[[], int]) -> None:
    seats = free_tcp_port_factory(), free_tcp_port_factory()
    second = ("127.0.0.1", seats[1])
    async with running(seats=seats) as address:
        refused = (await talk(second, ask(b""))).received
        await scaled(address, 2)
        while not await page(second):  # until its socket is open
            pass
        answer = await talk(second, ask(posted(5)))
        alone, both = await page(second), await page(address)
        await scaled(address, 1)
        while await page(second):  # until its socket is closed
            pass

    assert b"" == refused
    assert 5 + 1 == answer.received.count(b"data: ")
    assert (5.0, True) == (figure(alone, "generation_tokens_total"), b'engine="1"' in both)


async def test_a_port_that_is_taken_leaves_the_replica_without_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with running(seats=(taken.getsockname()[1],)) as address:
            await page(address)

    assert "r-0 has no address: port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--replicas", "0"], "found 0 replicas, allowed 1 or more"),
        (["--alpha-s", "0"], "found a step that takes no time"),
        (["--kv-blocks", "10"], "found a KV cache of 160 tokens, allowed from 32768"),
    ],
    ids=["no replica", "no time", "no room"],
)
def test_engines_that_are_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        server.main(arguments)

    assert 2 == exit_.value.code
    assert words in capsys.readouterr().err


def test_as_a_process() -> None:
    command = [sys.executable, "-m", "loadtest.fleet.server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().partition(":")
        told = asyncio.run(page((host, int(port))))
        process.send_signal(signal.SIGTERM)

        assert 0 == process.wait(10)

    assert 0.0 == figure(told, "num_requests_running")
    assert USUAL.alpha_s > SPIN_STEP_S, "a usual engine is waited for by timers"
    assert QUEUE_MAX == Served(fleet=FleetSpec(engine=USUAL, replicas=1)).options.queue_max
