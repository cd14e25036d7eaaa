"""Knows how to be an OpenAI-compatible engine on a port, simulated: vLLM's wire shapes at a seeded pace.

Refuses to compute anything: the answer is a fixed sentence. It says that it is simulated in its Server header, in
`/version` and in the model's name. `inferometer demo` and the system tests run it:

    python -m telemetry.testing.engine --port 8000 --seed 1 [--speed 1] [--fault-ratio 0.04] [--api-key K]

It writes its address to stdout once it listens and ends on SIGTERM. A request may ask for its fate by the header
`X-Simulated-Fate` (a value of `engine_plan.Fate`). `GET /simulator` counts what was served, so that a test can compare.

Source: spec/measurement.md 13 (vLLM); `telemetry.testing.engine_bodies` for the shapes.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, replace
from http import HTTPStatus
from random import Random

import msgspec

from telemetry import clock
from telemetry.testing import engine_bodies as bodies
from telemetry.testing.engine_http import Connection, Request
from telemetry.testing.engine_plan import FAULT_RATIO, Fate, Plan, plan, stalled

SLOTS_MAX = 256
"""Usual number of answers worked on at once, as vLLM's `--max-num-seqs`."""
QUEUE_MAX = 1024
"""Usual number of answers that wait before 503, as vLLM's `--max-num-queued-reqs`."""
_BACKLOG = 2048
_IS_CHAT_BY_PATH = {"/v1/chat/completions": True, "/v1/completions": False}
_CUTS = {Fate.STREAM_ERROR, Fate.TRUNCATED, Fate.RESET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the engine behaves.

    Attributes:
        seed: Of all chance.
        speed: All times are divided by it.
        fault_ratio: Share of answers with a fate other than OK, 0..1.
        api_key: Bearer token that paths under `/v1` ask for; None asks for none.
        slots_max: Answers worked on at once; more wait.
        queue_max: Answers that wait; more are refused.
    """

    seed: int = 0
    speed: float = 1.0
    fault_ratio: float = FAULT_RATIO
    api_key: str | None = None
    slots_max: int = SLOTS_MAX
    queue_max: int = QUEUE_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One answer in the making; `tokens` is how many of its tokens are sent."""

    ask: bodies.Ask
    plan: Plan
    answer: bodies.Answer
    request: Request
    tokens: int


class _Refusal(Exception):  # noqa: N818 an answer to the client, not a fault of ours
    """A request that is answered without any work."""

    def __init__(self, status: HTTPStatus, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class Engine:
    """The engine behind all connections."""

    def __init__(self, options: Options) -> None:
        """Start empty."""
        self.served: Counter[str] = Counter()
        self._options = options
        self._created_unix_s = clock.wall_ms() // 1000
        self._random = Random(options.seed)  # noqa: S311 a simulation, not a secret
        self._slots = asyncio.Semaphore(options.slots_max)
        self._n_waiting = 0

    async def answer(self, request: Request, out: Connection) -> None:
        """Answer one request."""
        try:
            if request.method == "POST" and request.path in _IS_CHAT_BY_PATH:
                await self._generate(request, out)
            else:
                await out.whole(HTTPStatus.OK, self._page(request), request)
        except _Refusal as refusal:
            self.served[f"status_{refusal.status.value}"] += 1
            await out.whole(refusal.status, refusal.body, request)

    def _page(self, request: Request) -> bytes:
        pages: dict[str, Callable[[], bytes]] = {
            "/health": bytes,
            "/version": bodies.version,
            "/v1/models": lambda: bodies.models(self._created_unix_s),
            "/simulator": lambda: msgspec.json.encode(dict(self.served)),
        }
        if request.path not in pages and request.path not in _IS_CHAT_BY_PATH:
            raise _Refusal(HTTPStatus.NOT_FOUND, bodies.detail("Not Found"))
        if request.path not in pages or request.method not in {"GET", "HEAD"}:
            raise _Refusal(HTTPStatus.METHOD_NOT_ALLOWED, bodies.detail("Method Not Allowed"))
        self._authorise(request)
        return pages[request.path]()

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
        with self._place_in_queue():
            if work.ask.stream:
                await out.open_stream(request)
            await self._slots.acquire()
        try:
            self.served["tokens_in"] += work.ask.tokens_in
            await (self._stream if work.ask.stream else self._whole)(work, out)
            self.served[work.plan.fate] += 1
        except asyncio.CancelledError:
            self.served["aborted"] += 1
            raise
        finally:
            self._slots.release()

    def _work(self, request: Request) -> _Work:
        ask = _ask(request)
        options = self._options
        n_in, n_out = ask.tokens_in, ask.tokens_out
        drawn = plan(
            self._random, tokens_in=n_in, tokens_out=n_out, fault_ratio=options.fault_ratio, speed=options.speed
        )
        drawn = _fated(drawn, request.headers.get("x-simulated-fate"), options.speed)
        answer = bodies.Answer(
            ask,
            is_chat=_IS_CHAT_BY_PATH[request.path],
            ident=f"{self.served['requests']:016x}",
            created_unix_s=clock.wall_ms() // 1000,
        )
        tokens = n_out // 2 if drawn.fate in _CUTS else n_out
        return _Work(ask=ask, plan=drawn, answer=answer, request=request, tokens=tokens)

    @contextlib.contextmanager
    def _place_in_queue(self) -> Generator[None]:
        if self._n_waiting >= self._options.queue_max:
            raise _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, bodies.failure(HTTPStatus.SERVICE_UNAVAILABLE))
        self._n_waiting += 1
        try:
            yield
        finally:
            self._n_waiting -= 1

    async def _stream(self, work: _Work, out: Connection) -> None:
        at_s = asyncio.get_running_loop().time()
        for number, gap_s in enumerate((work.plan.prefill_s, *work.plan.gaps_s)[: work.tokens]):
            at_s += gap_s
            await _until(at_s)
            if number == 0 and (role := work.answer.role()):
                await out.chunk(role)
            await out.chunk(work.answer.token(number))
            self.served["tokens_out"] += 1
        await self._end_stream(work, out)

    async def _end_stream(self, work: _Work, out: Connection) -> None:
        fate = work.plan.fate
        if fate in {Fate.TRUNCATED, Fate.RESET}:
            out.hang_up(with_reset=fate is Fate.RESET)
            return
        last = bodies.error_frame() if fate is Fate.STREAM_ERROR else work.answer.usage()
        if last:
            await out.chunk(last)
        await out.chunk(bodies.DONE)
        await out.end_stream()

    async def _whole(self, work: _Work, out: Connection) -> None:
        await _until(asyncio.get_running_loop().time() + work.plan.prefill_s + work.plan.decode_s)
        body = work.answer.whole()
        if work.plan.fate in {Fate.TRUNCATED, Fate.RESET}:
            await out.part(body, len(body) // 2)
            out.hang_up(with_reset=work.plan.fate is Fate.RESET)
            return
        self.served["tokens_out"] += work.tokens
        await out.whole(HTTPStatus.OK, body, work.request)


async def serve(options: Options, port: int, ready: Callable[[str, int], None]) -> None:
    """Serve on 127.0.0.1 until cancelled.

    Args:
        options: How the engine behaves.
        port: TCP port, 0 for any free one.
        ready: Called once with host and port when connections are accepted.
    """
    engine = Engine(options)
    async with asyncio.TaskGroup() as group:
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(engine.answer, group), "127.0.0.1", port, backlog=_BACKLOG
        )
        async with server:
            ready(*server.sockets[0].getsockname())
            await server.serve_forever()


def main(arguments: list[str] | None = None) -> None:
    """Run the simulated engine as a process, until SIGTERM or SIGINT."""
    options, port, announce = _options(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_until_signalled(lambda: serve(options, port, announce)))


def _options(arguments: list[str] | None) -> tuple[Options, int, Callable[[str, int], None]]:
    parser = argparse.ArgumentParser(prog="telemetry.testing.engine", description="A simulated engine; it says so.")
    usual = Options()
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1; 0 takes any free one")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--speed", type=float, default=usual.speed, help="all times are divided by it")
    parser.add_argument("--fault-ratio", type=float, default=usual.fault_ratio, help="share of answers that fail")
    parser.add_argument("--api-key", default=usual.api_key, help="bearer token that /v1 asks for")
    parser.add_argument("--quiet", action="store_true", help="do not write the address to stdout")
    found = parser.parse_args(arguments)
    options = Options(seed=found.seed, speed=found.speed, fault_ratio=found.fault_ratio, api_key=found.api_key)
    return options, found.port, _keep_still if found.quiet else _announce


def _keep_still(host: str, port: int) -> None:
    """Write nothing."""
    del host, port


def _announce(host: str, port: int) -> None:
    sys.stdout.write(f"{host}:{port}\n")
    sys.stdout.flush()


async def _until_signalled(work: Callable[[], Coroutine[None, None, None]]) -> None:
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


def _fated(drawn: Plan, wanted: str | None, speed: float) -> Plan:
    """Return the plan with the fate that the request asked for, if it did."""
    if wanted is None:
        return drawn
    fate = Fate(wanted) if wanted in set(Fate) else Fate.BAD_REQUEST
    return stalled(drawn, speed) if fate is Fate.STALL else replace(drawn, fate=fate)


def _refuse(work: _Work) -> None:
    """Raise the refusal that is the work's fate, if it is one."""
    fate = work.plan.fate
    if fate is Fate.STREAM_ERROR and not work.ask.stream:
        fate = Fate.SERVER_ERROR
    if fate.isdecimal():
        status = HTTPStatus(int(fate))
        raise _Refusal(status, bodies.failure(status))


async def _until(at_s: float) -> None:
    """Wait until an instant of the loop's clock; a step behind time does not wait, so the pace does not drift."""
    await asyncio.sleep(max(0.0, at_s - asyncio.get_running_loop().time()))


if __name__ == "__main__":
    main()
