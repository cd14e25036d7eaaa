"""Knows how to be an OpenAI-compatible engine on a port, simulated: vLLM's wire shapes, refusals and broken ends.

Refuses to compute anything, and to know when a token is due: the answer is a fixed sentence, and a `Pace` says how fast
it comes. It says that it is simulated in its Server header, in `/version` and in the model's name. A request may ask
for its fate by the header `X-Simulated-Fate` (a value of `engine_fate.Fate`). `GET /simulator` counts what was served,
so that a test can compare.

The pace that steps like an engine, and the process, are `loadtest.fleet.server`; here is what any pace is asked over.

Source: spec/measurement.md 13 (vLLM); `telemetry.testing.engine_bodies` for the shapes.
"""

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from random import Random
from typing import Protocol

import msgspec

from telemetry import clock
from telemetry.testing import engine_bodies as bodies
from telemetry.testing.engine_fate import FAULT_RATIO, STALL_S, Fate, fate
from telemetry.testing.engine_http import Connection, Request

QUEUE_MAX = 1024
"""Usual number of answers without a token before 503, as vLLM's `--max-num-queued-reqs`."""
_BACKLOG = 2048
_IS_CHAT_BY_PATH = {"/v1/chat/completions": True, "/v1/completions": False}
_CUTS = {Fate.STREAM_ERROR, Fate.TRUNCATED, Fate.RESET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the engine behaves.

    Attributes:
        seed: Of all chance.
        fault_ratio: Share of answers with a fate other than OK, 0..1.
        api_key: Bearer token that paths under `/v1` ask for; None asks for none.
        queue_max: Answers that have no token yet; more are refused.
    """

    seed: int = 0
    fault_ratio: float = FAULT_RATIO
    api_key: str | None = None
    queue_max: int = QUEUE_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One answer in the making; `tokens` is how many of its tokens are sent."""

    ask: bodies.Ask
    fate: Fate
    answer: bodies.Answer
    request: Request
    tokens: int


class _Refusal(Exception):  # noqa: N818 an answer to the client, not a fault of ours
    """A request that is answered without any work."""

    def __init__(self, status: HTTPStatus, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class Pace(Protocol):
    """Says when the tokens of answers are due, and what else an engine tells."""

    def tokens(self, tokens_in: int, tokens_out: int) -> AsyncGenerator[int]:
        """Return the numbers of an answer's tokens from 0, each one when it is due; closed early the client left."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether it takes requests now; others get 503."""
        ...

    def told(self, method: str, path: str, body: bytes) -> tuple[HTTPStatus, bytes] | None:
        """Return what it answers beside vLLM's API, such as its page of metrics; None if it knows no such path."""
        ...


class Engine:
    """The engine behind all connections."""

    def __init__(self, options: Options, pace: Pace) -> None:
        """Start empty.

        Args:
            options: How it behaves.
            pace: When tokens are due.
        """
        self._pace = pace
        self.served: Counter[str] = Counter()
        self._options = options
        self._created_unix_s = clock.wall_ms() // 1000
        self._random = Random(options.seed)  # noqa: S311 a simulation, not a secret
        self._n_waiting = 0

    async def answer(self, request: Request, out: Connection) -> None:
        """Answer one request."""
        try:
            if request.method == "POST" and request.path in _IS_CHAT_BY_PATH:
                await self._generate(request, out)
            else:
                await out.whole(*self._told(request), request)
        except _Refusal as refusal:
            self.served[f"status_{refusal.status.value}"] += 1
            await out.whole(refusal.status, refusal.body, request)

    def _told(self, request: Request) -> tuple[HTTPStatus, bytes]:
        pages: dict[str, Callable[[], bytes]] = {
            "/health": bytes,
            "/version": bodies.version,
            "/v1/models": lambda: bodies.models(self._created_unix_s),
            "/simulator": lambda: msgspec.json.encode(dict(self.served)),
        }
        if request.path not in pages and request.path not in _IS_CHAT_BY_PATH:
            told = self._pace.told(request.method, request.path, request.body)
            if told is None:
                raise _Refusal(HTTPStatus.NOT_FOUND, bodies.detail("Not Found"))
            return told
        if request.path not in pages or request.method not in {"GET", "HEAD"}:
            raise _Refusal(HTTPStatus.METHOD_NOT_ALLOWED, bodies.detail("Method Not Allowed"))
        self._authorise(request)
        return HTTPStatus.OK, pages[request.path]()

    def _authorise(self, request: Request) -> None:
        key = self._options.api_key
        is_guarded = key is not None and request.path.startswith("/v1/")  # as in vLLM, other paths are open
        if is_guarded and request.headers.get("authorization") != f"Bearer {key}":
            raise _Refusal(HTTPStatus.UNAUTHORIZED, bodies.failure(HTTPStatus.UNAUTHORIZED))

    async def _generate(self, request: Request, out: Connection) -> None:
        self._authorise(request)
        self.served["requests"] += 1
        work = self._work(request)
        _refuse(work)
        try:
            async with self._tokens(work) as tokens:
                self.served["tokens_in"] += work.ask.tokens_in
                await (self._stream if work.ask.stream else self._whole)(work, tokens, out)
            self.served[work.fate] += 1
        except asyncio.CancelledError:
            self.served["aborted"] += 1
            raise

    def _work(self, request: Request) -> _Work:
        ask = _ask(request)
        wanted = request.headers.get("x-simulated-fate")
        answer = bodies.Answer(
            ask,
            is_chat=_IS_CHAT_BY_PATH[request.path],
            ident=f"{self.served['requests']:016x}",
            created_unix_s=clock.wall_ms() // 1000,
        )
        drawn = fate(self._random, self._options.fault_ratio, wanted)
        tokens = ask.tokens_out // 2 if drawn in _CUTS else ask.tokens_out
        return _Work(ask=ask, fate=drawn, answer=answer, request=request, tokens=tokens)

    @contextlib.asynccontextmanager
    async def _tokens(self, work: _Work) -> AsyncGenerator[AsyncGenerator[int]]:
        """Give the numbers of an answer's tokens, as they are due; refuse it where too many wait for their first."""
        if not self._pace.is_open or self._n_waiting >= self._options.queue_max:
            raise _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, bodies.failure(HTTPStatus.SERVICE_UNAVAILABLE))
        async with contextlib.aclosing(self._due(work)) as due:
            yield due

    async def _due(self, work: _Work) -> AsyncGenerator[int]:
        waits = 1
        self._n_waiting += waits
        try:
            async with contextlib.aclosing(self._pace.tokens(work.ask.tokens_in, work.ask.tokens_out)) as tokens:
                async for number in tokens:
                    self._n_waiting -= waits
                    waits = 0
                    if work.fate is Fate.STALL and number + 1 == work.ask.tokens_out:
                        await asyncio.sleep(STALL_S)
                    yield number
        finally:
            self._n_waiting -= waits

    async def _stream(self, work: _Work, tokens: AsyncGenerator[int], out: Connection) -> None:
        await out.open_stream(work.request)
        if work.tokens:
            await self._send(work, tokens, out)
        await self._end_stream(work, out)

    async def _send(self, work: _Work, tokens: AsyncGenerator[int], out: Connection) -> None:
        async for number in tokens:
            if number == 0 and (role := work.answer.role()):
                await out.chunk(role)
            await out.chunk(work.answer.token(number))
            self.served["tokens_out"] += 1
            if number + 1 == work.tokens:
                break

    async def _end_stream(self, work: _Work, out: Connection) -> None:
        if work.fate in {Fate.TRUNCATED, Fate.RESET}:
            out.hang_up(with_reset=work.fate is Fate.RESET)
            return
        last = bodies.error_frame() if work.fate is Fate.STREAM_ERROR else work.answer.usage()
        if last:
            await out.chunk(last)
        await out.chunk(bodies.DONE)
        await out.end_stream()

    async def _whole(self, work: _Work, tokens: AsyncGenerator[int], out: Connection) -> None:
        async for _ in tokens:
            pass
        body = work.answer.whole()
        if work.fate in {Fate.TRUNCATED, Fate.RESET}:
            await out.part(body, len(body) // 2)
            out.hang_up(with_reset=work.fate is Fate.RESET)
            return
        self.served["tokens_out"] += work.tokens
        await out.whole(HTTPStatus.OK, body, work.request)


async def serve(options: Options, port: int, ready: Callable[[str, int], None], pace: Pace) -> None:
    """Serve on 127.0.0.1 until cancelled.

    Args:
        options: How the engine behaves.
        port: TCP port, 0 for any free one.
        ready: Called once with host and port when connections are accepted.
        pace: When tokens are due.
    """
    engine = Engine(options, pace)
    async with asyncio.TaskGroup() as group:
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(engine.answer, group), "127.0.0.1", port, backlog=_BACKLOG
        )
        async with server:
            ready(*server.sockets[0].getsockname())
            await server.serve_forever()


def announce(host: str, port: int) -> None:
    """Write the address to stdout."""
    sys.stdout.write(f"{host}:{port}\n")
    sys.stdout.flush()


async def until_signalled(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Do a work until it ends or SIGTERM comes."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _ask(request: Request) -> bodies.Ask:
    try:
        ask = msgspec.json.decode(request.body, type=bodies.Ask)
    except (msgspec.DecodeError, ValueError) as fault:
        raise _Refusal(HTTPStatus.BAD_REQUEST, bodies.unreadable(str(fault))) from fault
    if ask.model != bodies.MODEL:
        raise _Refusal(HTTPStatus.NOT_FOUND, bodies.model_missing(ask.model))
    if ask.tokens_in + ask.tokens_out > bodies.MODEL_TOKENS_MAX:
        raise _Refusal(HTTPStatus.BAD_REQUEST, bodies.too_long(ask.tokens_in))
    return ask


def _refuse(work: _Work) -> None:
    """Raise the refusal that is the work's fate, if it is one."""
    ends = work.fate
    if ends is Fate.STREAM_ERROR and not work.ask.stream:
        ends = Fate.SERVER_ERROR
    if ends.isdecimal():
        status = HTTPStatus(int(ends))
        raise _Refusal(status, bodies.failure(status))
