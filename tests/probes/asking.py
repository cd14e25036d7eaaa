"""What the tests of synthetic probes share: an endpoint's answers, and one completion asked of it."""

from random import Random
from typing import Any

from probes.budget import Budget, Cap
from probes.checks import Checks
from probes.deadlines import Deadlines
from probes.finding import Finding
from probes.question import Wish
from probes.synthetic import Completion, Completions, Labels
from telemetry.fetch import Client
from telemetry.guard import ENGINE
from telemetry.testing.endpoint import Endpoint

HEAD = b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"
FIRST_SOON = Deadlines(first_token_s=0.1)
STALL_SOON = Deadlines(stall_s=0.1)
TOTAL_SOON = Deadlines(total_s=0.3)


def framed(*events: bytes) -> bytes:
    """Return events as HTTP chunks, one each."""
    return b"".join(f"{len(event):x}\r\n".encode() + event + b"\r\n" for event in events)


def token(text: str) -> bytes:
    return b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n' % text.encode()


def good(*texts: str) -> bytes:
    """Return a whole streamed answer."""
    return HEAD + framed(ROLE, *map(token, texts), FINISH, USAGE, DONE) + LAST


def refusal(status: int, body: bytes = b"", *headers: bytes) -> bytes:
    head = [b"HTTP/1.1 %d X" % status, b"server: uvicorn", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def completions(
    endpoint: Endpoint,
    *,
    api: str = "openai_chat",
    engine: str = "hosted",
    stream: bool = True,
    checks: Checks | None = None,
    deadlines: Deadlines | None = None,
    budget: Budget | None = None,
    tells_text: bool = False,
) -> Completions:
    """Return one that asks an endpoint for a completion."""
    wish = Wish(
        url=f"http://127.0.0.1:{endpoint.address[1]}",
        api=api,
        engine=engine,
        model="m",
        prompt="Say ${what}.",
        stream=stream,
        key="canary-key",
    )
    completion = Completion(
        wish=wish,
        labels=Labels(endpoint="hosted", region="eu", workload_class="chat", variant="v1"),
        policy=ENGINE,
        checks=checks or Checks(),
        deadlines=deadlines or Deadlines(),
        tells_text=tells_text,
    )
    return Completions(
        completion,
        client=Client(),
        budget=budget or Budget(Cap()),
        random=Random(7),  # noqa: S311 -- identifiers of a test
    )


async def asked(endpoint: Endpoint, **wanted: Any) -> Finding:  # noqa: ANN401 -- handed on
    """Ask once."""
    return await completions(endpoint, **wanted).find()
