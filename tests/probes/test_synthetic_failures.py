"""Scripts of an endpoint that fails, each as a real server on a real port, and the class that a probe gives it."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from asking import (
    DONE,
    FINISH,
    FIRST_SOON,
    HEAD,
    LAST,
    ROLE,
    STALL_SOON,
    TOTAL_SOON,
    USAGE,
    asked,
    framed,
    good,
    refusal,
    token,
)

from probes.checks import Checks
from telemetry.outcome import Outcome, Phase
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitEnd, AwaitToken, Close, Pause, Reset, Send
from telemetry.testing.wire import Script

ERROR = b'data: {"error":{"message":"boom","type":"InternalServerError","param":null,"code":500}}\n\n'
OVERLOADED = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
BUSY = b'{"error":{"message":"The engine is currently busy.","type":"ServiceUnavailableError","code":503}}'
SCHEMA = {"type": "object", "required": ["answer"]}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a server does, and what it is called."""

    script: Script
    outcome: str
    phase: Phase
    in_stream: int = 0
    status: int = 200
    detail: dict[str, str] = field(default_factory=dict[str, str])
    wanted: dict[str, Any] = field(default_factory=dict[str, Any])


def answered(*parts: bytes, end: bytes = LAST) -> Script:
    return [AwaitToken(), Send(HEAD + framed(*parts) + end), AwaitEnd()]


def refused(status: int, body: bytes = b"") -> Script:
    return [AwaitToken(), Send(refusal(status, body)), AwaitEnd()]


FAILURES = {
    "reset before the head": Failure(
        script=[AwaitToken(), Reset()], outcome=Outcome.CONNECT_ERROR, phase=Phase.QUEUED, status=0
    ),
    "closed before the head": Failure(
        script=[AwaitToken(), Close()], outcome=Outcome.CONNECT_ERROR, phase=Phase.QUEUED, status=0
    ),
    "garbage in place of a head": Failure(
        script=[AwaitToken(), Send(bytes(range(256)) * 8), AwaitEnd()],
        outcome=Outcome.CONNECT_ERROR,
        phase=Phase.QUEUED,
        status=0,
        detail={"reason": "the answer is no HTTP/1.1"},
    ),
    "400": Failure(
        script=refused(400, b'{"error":{"message":"no","type":"BadRequestError","code":400}}'),
        outcome=Outcome.INVALID_REQUEST,
        phase=Phase.QUEUED,
        status=400,
    ),
    "401": Failure(
        script=refused(401, b'{"error":"Unauthorized"}'), outcome=Outcome.AUTH, phase=Phase.QUEUED, status=401
    ),
    "404": Failure(
        script=refused(404, b'{"error":{"type":"NotFoundError","code":404}}'),
        outcome=Outcome.NOT_FOUND,
        phase=Phase.QUEUED,
        status=404,
    ),
    "429": Failure(script=refused(429), outcome=Outcome.RATE_LIMITED, phase=Phase.QUEUED, status=429),
    "503, engine busy": Failure(script=refused(503, BUSY), outcome=Outcome.OVERLOADED, phase=Phase.QUEUED, status=503),
    "529": Failure(script=refused(529), outcome=Outcome.OVERLOADED, phase=Phase.QUEUED, status=529),
    "500 of a gateway": Failure(
        script=refused(502, b"<html>nginx</html>"), outcome=Outcome.UNAVAILABLE, phase=Phase.QUEUED, status=502
    ),
    "an error frame under 200, first": Failure(
        script=answered(ERROR, DONE), outcome=Outcome.STREAM_ERROR, phase=Phase.QUEUED, in_stream=1
    ),
    "an error frame in the middle": Failure(
        script=answered(ROLE, token("a"), ERROR, DONE),
        outcome=Outcome.STREAM_ERROR,
        phase=Phase.STREAMING,
        in_stream=1,
    ),
    "an error frame that is specific": Failure(
        script=answered(OVERLOADED),
        outcome=Outcome.OVERLOADED,
        phase=Phase.QUEUED,
        in_stream=1,
        wanted={"api": "anthropic_messages"},
    ),
    "reset in the middle": Failure(
        script=[AwaitToken(), Send(HEAD + framed(ROLE, token("a"))), Pause(0.1), Reset()],
        outcome=Outcome.STREAM_TRUNCATED,
        phase=Phase.STREAMING,
        in_stream=1,
        detail={"reason": "the peer reset the connection"},
    ),
    "closed in the middle": Failure(
        script=[AwaitToken(), Send(HEAD + framed(ROLE, token("a"))), Close()],
        outcome=Outcome.STREAM_TRUNCATED,
        phase=Phase.STREAMING,
        in_stream=1,
    ),
    "a complete body without a finish": Failure(
        script=answered(ROLE, token("a")), outcome=Outcome.STREAM_TRUNCATED, phase=Phase.STREAMING, in_stream=1
    ),
    "chunks that are none, in the middle": Failure(
        script=answered(ROLE, token("a"), end=b"zz\r\n"),
        outcome=Outcome.STREAM_TRUNCATED,
        phase=Phase.STREAMING,
        in_stream=1,
    ),
    "a whole answer that holds nothing": Failure(
        script=answered(ROLE, FINISH, DONE),
        outcome=Outcome.BAD_OUTPUT,
        phase=Phase.DONE,
        in_stream=1,
        detail={"code": "empty"},
    ),
    "garbage in place of events": Failure(
        script=answered(b"\xff\xfe\x00{{{\n\n", b"data: \xc3\x28\n\n"),
        outcome=Outcome.STREAM_TRUNCATED,
        phase=Phase.QUEUED,
        in_stream=1,
    ),
    "no first token": Failure(
        script=[AwaitToken(), Send(HEAD + framed(ROLE)), *[Pause(0.03), Send(framed(b": keep-alive\n\n"))] * 20],
        outcome=Outcome.TIMEOUT_FIRST_TOKEN,
        phase=Phase.QUEUED,
        in_stream=1,
        wanted={"deadlines": FIRST_SOON},
    ),
    "no head": Failure(
        script=[AwaitEnd()],
        outcome=Outcome.TIMEOUT_FIRST_TOKEN,
        phase=Phase.QUEUED,
        status=0,
        wanted={"deadlines": FIRST_SOON},
    ),
    "a stall in the middle": Failure(
        script=[AwaitToken(), Send(HEAD + framed(ROLE, token("a"))), AwaitEnd()],
        outcome=Outcome.TIMEOUT_STREAM,
        phase=Phase.STREAMING,
        in_stream=1,
        detail={"code": "stall"},
        wanted={"deadlines": STALL_SOON},
    ),
    "a drip that never ends": Failure(
        script=[AwaitToken(), Send(HEAD + framed(ROLE)), *[Send(framed(token("a"))), Pause(0.02)] * 100],
        outcome=Outcome.TIMEOUT_STREAM,
        phase=Phase.STREAMING,
        in_stream=1,
        detail={"code": "total"},
        wanted={"deadlines": TOTAL_SOON},
    ),
    "a body that never ends": Failure(
        script=[AwaitToken(), Send(HEAD + framed(token("a")) + framed(b": " + b"x" * 65_000 + b"\n\n") * 80)],
        outcome=Outcome.TIMEOUT_STREAM,
        phase=Phase.STREAMING,
        in_stream=1,
        detail={"code": "total", "reason": "the answer has more bytes than allowed"},
    ),
    "the wrong words": Failure(
        script=[AwaitToken(), Send(good("Lyon"))],
        outcome=Outcome.BAD_OUTPUT,
        phase=Phase.DONE,
        in_stream=1,
        detail={"check": "contains"},
        wanted={"checks": Checks(contains=["Paris"])},
    ),
    "no JSON where a schema asks for it": Failure(
        script=[AwaitToken(), Send(good("{'answer'", ": 1}"))],
        outcome=Outcome.BAD_OUTPUT,
        phase=Phase.DONE,
        in_stream=1,
        detail={"check": "schema"},
        wanted={"checks": Checks(schema=SCHEMA)},
    ),
    "a coding that was not asked for": Failure(
        script=[AwaitToken(), Send(good("a").replace(b"server:", b"content-encoding: gzip\r\nserver:"))],
        outcome=Outcome.BAD_OUTPUT,
        phase=Phase.DONE,
        in_stream=1,
        detail={"check": "coding"},
    ),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_failure_is_classified(failure: Failure) -> None:
    with Endpoint(failure.script) as endpoint:
        found = await asked(endpoint, **failure.wanted)

    record = found.record
    assert record is not None
    assert (failure.outcome, failure.phase, failure.in_stream, failure.status, False) == (
        found.outcome,
        record.phase,
        record.in_stream,
        record.http_status,
        found.ok,
    )
    assert record.outcome == found.outcome
    assert failure.detail.items() <= found.detail.items()


def test_there_are_at_least_twenty_failures() -> None:
    assert len(FAILURES) >= 20


async def test_a_port_without_server_is_a_connect_error() -> None:
    with Endpoint() as endpoint:
        pass  # closed again

    found = await asked(endpoint)

    assert (Outcome.CONNECT_ERROR, False) == (found.outcome, found.ok)
    assert found.record is not None
    assert Phase.CONNECT == found.record.phase


async def test_a_redirect_to_a_private_address_is_never_followed() -> None:
    with Endpoint([AwaitToken(), Send(good("secret"))]) as private:
        there = b"location: http://127.0.0.1:%d/v1/chat/completions" % private.address[1]
        with Endpoint([AwaitToken(), Send(refusal(307, b"", there))]) as endpoint:
            found = await asked(endpoint)
        with pytest.raises(TimeoutError, match="0 of 1"):
            private.transcripts(1, wait_s=0.0)

    assert (Outcome.UNAVAILABLE, False) == (found.outcome, found.ok)
    assert found.record is not None
    assert 307 == found.record.http_status


async def test_a_stream_that_ends_well_but_whose_connection_stays_open_is_well() -> None:
    with Endpoint(answered(ROLE, token("a"), FINISH, USAGE, DONE, end=b"")) as endpoint:
        found = await asked(endpoint, deadlines=STALL_SOON)

    assert (Outcome.OK, True) == (found.outcome, found.ok)
