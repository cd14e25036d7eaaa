"""Engines on a socket, for tests: each path has a script, JSON, or nothing."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from probes.detect import Answer
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, ByRequestLine, HalfClose, Send
from telemetry.testing.wire import Script, Step


def says(**fields: object) -> Answer:
    return Answer(status=200, body=json.dumps(fields).encode())


def models(owner: str, *names: str) -> Answer:
    return says(object="list", data=[{"id": name, "owned_by": owner} for name in names or ("m",)])


PLAIN = "text/plain; version=0.0.4; charset=utf-8"
VLLM = {"/version": says(version="0.32.0"), "/v1/models": models("vllm", "tiny-llama"), "/health": Answer(status=200)}
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def head(status: str = "200 OK", kind: str = PLAIN, *more: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", *more, "Connection: close", "", ""]).encode()


def body(data: bytes, kind: str = PLAIN) -> list[Step]:
    return [AwaitToken(), Send(head("200 OK", kind, f"Content-Length: {len(data)}") + data), HalfClose()]


def json_of(answer: Answer) -> list[Step]:
    return body(answer.body, "application/json")


@contextmanager
def engine(scripts: Mapping[str, Script], told: Mapping[str, Answer] = VLLM) -> Generator[Endpoint]:
    """A server that answers some paths by script, some with JSON, and the rest with 404."""
    by_path = {path: json_of(answer) for path, answer in told.items()} | dict(scripts)
    lines = {f"GET {path} HTTP/1.1".encode(): script for path, script in by_path.items()}
    with Endpoint([ByRequestLine(lines, [AwaitToken(), Send(NOT_FOUND), HalfClose()])]) as endpoint:
        yield endpoint


def log(endpoint: Endpoint, count: int) -> list[str]:
    return [one.received.split(b"\r\n")[0].decode() for one in endpoint.transcripts(count)]
