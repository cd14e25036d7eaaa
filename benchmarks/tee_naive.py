"""Knows the naive way to watch a stream: a Starlette route that copies it through httpx, served by uvicorn.

`python -m benchmarks.tee_naive PORT TARGET_PORT`.
"""

import sys

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host"}


def app(target: str) -> Starlette:
    """Return a proxy in front of `target`."""
    unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = httpx.AsyncClient(base_url=target, timeout=None, limits=unlimited)  # noqa: S113 - streams may be silent

    async def proxy(request: Request) -> StreamingResponse:
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
        ask = client.build_request(request.method, request.url.path, headers=headers, content=await request.body())
        answer = await client.send(ask, stream=True)
        kept = {name: value for name, value in answer.headers.items() if name not in _HOP_BY_HOP}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose))

    return Starlette(routes=[Route("/{path:path}", proxy, methods=["GET", "POST"])])


if __name__ == "__main__":
    own, upstream = sys.argv[1:]
    uvicorn.run(
        app(f"http://127.0.0.1:{upstream}"),
        host="127.0.0.1",
        port=int(own),
        loop="uvloop",
        http="httptools",
        log_level="error",
        access_log=False,
    )
