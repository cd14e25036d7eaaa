"""Knows how each load client asks for the same streams: `python -m benchmarks.loadclient_child NAME URL N TOKENS`.

Each reads N streams of so many tokens, all at once, decodes every event and takes its time. Locust's own user reads by
lines, the fastest way that it has (spec/loadtest.md 4).
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, cast

BODY = {
    "model": "null",
    "messages": [{"role": "user", "content": "hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
PATH = "/v1/chat/completions"


def ours(url: str, n: int, tokens: int) -> None:
    """Carry out a plan of n arrivals within a second, rows written, as a load worker does."""
    from gevent import monkey  # noqa: PLC0415 -- patches sockets, in this child alone

    monkey.patch_all()
    import gevent  # noqa: PLC0415
    from gevent.hub import get_hub  # noqa: PLC0415
    from gevent.socket import wait_read  # noqa: PLC0415

    from loadtest.alarm import Alarm  # noqa: PLC0415
    from loadtest.plan_spec import Fixed, PlanSpec, Process, RateCurve, Separate, WorkloadClass  # noqa: PLC0415
    from loadtest.planner import build  # noqa: PLC0415
    from loadtest.pump import pumped  # noqa: PLC0415
    from loadtest.run_spec import RunSpec  # noqa: PLC0415
    from loadtest.worker import Hands, Worker  # noqa: PLC0415
    from telemetry.clock import monotonic_ns  # noqa: PLC0415

    lengths = Separate(tokens_in=Fixed(tokens=8), tokens_out=Fixed(tokens=tokens))
    plan = PlanSpec(
        seed=7,
        process=Process.CONSTANT,
        rate=RateCurve(points=((0.0, float(n)),)),
        count=n,
        classes=(WorkloadClass(lengths=lengths),),
    )
    with tempfile.TemporaryDirectory() as directory:
        run = RunSpec(run_id="bench", targets=(url,), plan=plan, directory=directory, model="null")
        hands = Hands(
            spawn=gevent.spawn,
            sleep=gevent.sleep,
            wait_until=Alarm(wait_read).wait,
            apart=cast("Any", get_hub()).threadpool.apply,
            pump=pumped,
        )
        worker = Worker(run, build(plan), (0, 1), hands=hands, tell=_nothing, seen=_nothing)
        report = worker.run(monotonic_ns())
    if report.outcomes != {"ok": n}:
        raise SystemExit(f"ours: {report.outcomes}")


def fast_http(url: str, n: int, tokens: int) -> None:
    """Read by lines through Locust's FastHttpSession."""
    import gevent  # noqa: PLC0415
    from locust.contrib.fasthttp import FastHttpSession  # noqa: PLC0415 -- patches sockets, in this child alone
    from locust.env import Environment  # noqa: PLC0415

    body = json.dumps(BODY | {"max_tokens": tokens})
    environment = Environment()

    def one() -> None:
        session: Any = FastHttpSession(base_url=url, request_event=environment.events.request, user=None)
        with session.post(PATH, data=body, stream=True, catch_response=True, headers=_JSON) as response:
            stream = response._response  # noqa: SLF001 -- the stream has no public readline
            while line := stream.readline(sep=b"\n"):
                _take(line)
            response.success()

    cast("Any", gevent).joinall([gevent.spawn(one) for _ in range(n)], raise_error=True)


def by_httpx(url: str, n: int, tokens: int) -> None:
    """Read by lines through httpx."""
    import httpx  # noqa: PLC0415

    async def one(client: httpx.AsyncClient) -> None:
        async with client.stream("POST", url + PATH, json=BODY | {"max_tokens": tokens}) as response:
            async for line in response.aiter_lines():
                _take(line.encode())

    async def every() -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client, asyncio.TaskGroup() as group:
            for _ in range(n):
                group.create_task(one(client))

    asyncio.run(every())


def by_openai(url: str, n: int, tokens: int) -> None:
    """Read through OpenAI's own client."""
    import httpx  # noqa: PLC0415
    import openai  # noqa: PLC0415

    async def one(client: openai.AsyncOpenAI) -> None:
        create = cast("Any", client.chat.completions.create)
        async for _ in await create(**BODY, max_tokens=tokens):
            time.monotonic_ns()  # noqa: TID251 -- what any client does for each event

    async def every() -> None:
        http: Any = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60)
        client = openai.AsyncOpenAI(base_url=url + "/v1", api_key="none", http_client=http)
        async with client, asyncio.TaskGroup() as group:
            for _ in range(n):
                group.create_task(one(client))

    asyncio.run(every())


SUBJECTS: dict[str, Callable[[str, int, int], None]] = {
    "inferometer": ours,
    "Locust FastHttpUser": fast_http,
    "httpx": by_httpx,
    "openai SDK": by_openai,
}
_JSON = {"Content-Type": "application/json"}


def _take(line: bytes) -> None:
    """Decode an event and take its time."""
    if line.startswith(b"data: {"):
        json.loads(line[6:])
        time.monotonic_ns()  # noqa: TID251 -- what any client does for each event


def _nothing(_: object) -> None:
    pass


if __name__ == "__main__":
    SUBJECTS[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
