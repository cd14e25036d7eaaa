"""Shows the simulated engine on its port: streams, fates, refusals and aborts; its process is loadtest's."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest

from telemetry.testing import engine
from telemetry.testing.client import ask, request, talk
from telemetry.testing.engine import Options, Pace, serve
from telemetry.testing.engine_bodies import MODEL, MODEL_TOKENS_MAX
from telemetry.testing.steps import AwaitToken, Reset, Send
from telemetry.testing.wire import Ending, Script, Transcript

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
CALM = Options(seed=1, fault_ratio=0.0)
Address = tuple[str, int]


class Tokens:
    """A pace at which all tokens of an answer are due at once, or so many of them and never another."""

    def __init__(self, n_max: int = 1 << 30, *, is_open: bool = True) -> None:
        self._n_max = n_max
        self.is_open = is_open

    async def tokens(self, tokens_in: int, tokens_out: int) -> AsyncGenerator[int]:
        assert tokens_in
        for number in range(min(tokens_out, self._n_max)):
            yield number
        if tokens_out > self._n_max:
            await asyncio.Event().wait()

    def told(self, method: str, path: str, body: bytes) -> tuple[HTTPStatus, bytes] | None:
        return (HTTPStatus.ACCEPTED, f"{method} {len(body)}".encode()) if path == "/extra" else None


@asynccontextmanager
async def running(options: Options = CALM, pace: Pace = Tokens()) -> AsyncGenerator[Address]:  # noqa: B008 -- no state
    address: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(options, 0, lambda host, port: address.set_result((host, port)), pace))
        try:
            yield await address
        finally:
            task.cancel()


def posted(path: str, *headers: str, **fields: object) -> bytes:
    body = {"model": MODEL, "max_tokens": 6, "prompt": "hello", "messages": [{"role": "user", "content": "hello"}]}
    return request("POST", path, json.dumps(body | fields).encode(), "Connection: close", *headers)


def got(path: str, *headers: str) -> bytes:
    return request("GET", path, b"", "Connection: close", *headers)


def status(seen: Transcript) -> int:
    return int(seen.received.split(b" ", 2)[1])


def body(seen: Transcript) -> Any:  # noqa: ANN401 JSON
    return json.loads(seen.received.partition(b"\r\n\r\n")[2])


def events(seen: Transcript) -> list[str]:
    return [line.removeprefix("data: ") for line in seen.received.decode().split("\n") if line.startswith("data: ")]


async def asked(data: bytes, options: Options = CALM) -> Transcript:
    async with running(options) as address:
        return await talk(address, ask(data))


@pytest.mark.parametrize(("path", "n_events"), [(CHAT, 1 + 6 + 1 + 1), (TEXT, 6 + 1 + 1)])
async def test_a_stream_has_its_role_tokens_usage_and_done(path: str, n_events: int) -> None:
    seen = await asked(posted(path, stream=True, stream_options={"include_usage": True}))

    assert (n_events, "[DONE]") == (len(events(seen)), events(seen)[-1])
    assert 6 == json.loads(events(seen)[-2])["usage"]["completion_tokens"]
    assert seen.received.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(("path", "n_events"), [(CHAT, 1 + 6 + 1), (TEXT, 6 + 1)])
async def test_a_stream_without_usage_ends_as_regularly(path: str, n_events: int) -> None:
    seen = await asked(posted(path, stream=True))

    assert (n_events, "[DONE]") == (len(events(seen)), events(seen)[-1])
    assert seen.received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("path", [CHAT, TEXT])
async def test_a_whole_answer_carries_usage(path: str) -> None:
    assert 6 == body(await asked(posted(path)))["usage"]["completion_tokens"]


@pytest.mark.parametrize("code", [400, 401, 404, 429, 500, 503])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_status_can_be_asked_for(code: int, stream: bool) -> None:
    seen = await asked(posted(CHAT, f"X-Simulated-Fate: {code}", stream=stream))

    assert code == status(seen)
    assert "error" in body(seen)


async def test_an_error_frame_comes_in_the_middle_and_done_follows() -> None:
    seen = await asked(posted(CHAT, "X-Simulated-Fate: stream_error", stream=True))

    assert 200 == status(seen)
    assert 500 == json.loads(events(seen)[-2])["error"]["code"]
    assert ("[DONE]", 1 + 3 + 1 + 1) == (events(seen)[-1], len(events(seen)))


async def test_an_error_of_a_stream_is_a_500_when_not_streamed() -> None:
    assert 500 == status(await asked(posted(CHAT, "X-Simulated-Fate: stream_error")))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("fate", "ending"), [("truncated", Ending.EOF), ("reset", Ending.RESET)])
async def test_a_body_can_be_cut(fate: str, ending: Ending, stream: bool) -> None:
    seen = await asked(posted(CHAT, f"X-Simulated-Fate: {fate}", stream=stream))

    assert (200, ending) == (status(seen), seen.ending)
    assert b"[DONE]" not in seen.received


@pytest.mark.parametrize(("fate", "code"), [("stall", 200), ("ok", 200), ("nonsense", 400)])
async def test_other_fates(fate: str, code: int) -> None:
    assert code == status(await asked(posted(TEXT, f"X-Simulated-Fate: {fate}", stream=True)))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(request("POST", CHAT, b"{bad", "Connection: close"), 400, id="not JSON"),
        pytest.param(posted(CHAT, messages=7), 400, id="wrong type"),
        pytest.param(posted(CHAT, model="other"), 404, id="another model"),
        pytest.param(posted(CHAT, max_tokens=MODEL_TOKENS_MAX), 400, id="past the context"),
        pytest.param(got("/nope"), 404, id="another path"),
        pytest.param(got(CHAT), 405, id="GET of a POST path"),
        pytest.param(posted("/version"), 405, id="POST of a GET path"),
        pytest.param(got("/extra"), 202, id="a path of the pace"),
        pytest.param(got("/health"), 200, id="health"),
        pytest.param(got("/v1/models"), 200, id="models"),
    ],
)
async def test_requests_are_answered_as_vllm_does(data: bytes, code: int) -> None:
    assert code == status(await asked(data))


async def test_it_says_that_it_is_simulated() -> None:
    seen = await asked(got("/version"))

    assert body(seen)["simulated"] is True
    assert b"server: inferometer-simulated-engine" in seen.received


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        pytest.param("/v1/models", ("Authorization: Bearer k",), 200, id="right key"),
        pytest.param("/v1/models", (), 401, id="no key"),
        pytest.param("/health", (), 200, id="health needs none"),
    ],
)
async def test_an_api_key_guards_v1(path: str, headers: tuple[str, ...], code: int) -> None:
    options = Options(fault_ratio=0.0, api_key="k")

    assert code == status(await asked(got(path, *headers), options))


async def test_a_client_that_leaves_is_counted_as_aborted_and_all_else_by_its_fate() -> None:
    leave: Script = [Send(posted(CHAT, stream=True)), AwaitToken(), Reset()]
    async with running(pace=Tokens(0)) as address:
        await talk(address, leave)
        served: dict[str, int] = {}
        while "aborted" not in served:  # the engine learns of it on its own loop's next turn
            served = body(await talk(address, ask(got("/simulator"))))

    assert {"requests": 1, "tokens_in": 1, "aborted": 1} == served


async def test_served_counts_tokens() -> None:
    async with running() as address:
        await talk(address, ask(posted(CHAT, stream=True)))
        await talk(address, ask(posted(CHAT, "X-Simulated-Fate: stream_error", stream=True)))
        await talk(address, ask(posted(TEXT, "X-Simulated-Fate: 503")))
        served = body(await talk(address, ask(got("/simulator"))))

    expected = {"requests": 3, "tokens_in": 2, "tokens_out": 6 + 3, "ok": 1, "stream_error": 1, "status_503": 1}

    assert expected == served


async def test_a_full_queue_refuses_as_vllm_does() -> None:
    hold: Script = [Send(posted(CHAT, stream=True)), AwaitToken()]
    async with running(Options(fault_ratio=0.0, queue_max=3), Tokens(0)) as address, asyncio.TaskGroup() as group:
        holders = [group.create_task(talk(address, hold)) for _ in range(3)]
        while body(await talk(address, ask(got("/simulator")))).get("tokens_in") != len(holders):
            pass
        refused = await talk(address, ask(posted(CHAT, stream=True)))
        for holder in holders:
            holder.cancel()

    assert 503 == status(refused)
    assert b"currently busy" in refused.received


async def test_a_pace_that_takes_no_requests_is_a_busy_engine() -> None:
    async with running(pace=Tokens(is_open=False)) as address:
        assert 503 == status(await talk(address, ask(posted(CHAT, stream=True))))


def test_the_usual_bound_is_that_of_the_options() -> None:
    assert engine.QUEUE_MAX == Options().queue_max
