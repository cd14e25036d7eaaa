"""An endpoint tells what our words are to it, or the run goes on without that."""

import json
from typing import Any

import msgspec
import pytest
from load_reports import PLAN, RUN

from inferometer.load_words import PROBE_S_MAX, asked, with_words
from loadtest.prompts import Calibration
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, Send
from telemetry.testing.wire import Step

REFUSED = b'{"error": {"message": "This model\'s maximum context length is 512 tokens", "code": 400}}'


def told(tokens_in: int | None) -> list[Step]:
    """Return what answers one prompt with one token."""
    usage = {} if tokens_in is None else {"usage": {"prompt_tokens": tokens_in, "completion_tokens": 1}}
    one = {"index": 0, "delta": {"content": "a"}, "finish_reason": "length"}
    events: list[dict[str, Any]] = [{"choices": [one]}, {"choices": [], **usage}]
    body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body)
    return [AwaitToken(b'"include_usage":true}}'), Send(head + body)]


def refused(status: bytes, body: bytes = REFUSED) -> list[Step]:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return [AwaitToken(b'"include_usage":true}}'), Send(head + body)]


def found(*answers: list[Step]) -> tuple[Calibration, bytes]:
    """Ask an endpoint that answers so; returns what is known then, and what was sent."""
    with Endpoint([step for answer in answers for step in answer]) as endpoint:
        run = msgspec.structs.replace(RUN, targets=("http://{}:{}".format(*endpoint.address),), salt="s")
        known = asked(run, PLAN)
        (sent,) = endpoint.transcripts(1)
    return known, sent.received


def test_two_prompts_tell_the_tokens_of_a_word() -> None:
    known, sent = found(told(50), told(1310))

    assert Calibration(tokens_per_word=1.25, tokens_fixed=30.0, probes=((16, 50), (1024, 1310))) == known
    assert 2 == sent.count(b'"max_tokens":1,')


def test_an_endpoint_of_short_prompts_is_asked_for_shorter_ones() -> None:
    known, _ = found(told(50), refused(b"400 Bad Request"), refused(b"400 Bad Request"), told(110))

    assert ((16, 50), (64, 110)) == known.probes


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        pytest.param([told(None)], "do not tell the tokens", id="no usage"),
        pytest.param([told(7), told(7)], "have 7 and 7 tokens", id="a constant"),
        pytest.param([refused(b"401 Unauthorized", b"{}")], "16 words ended as auth", id="no key"),
        pytest.param([told(50), *[refused(b"400 Bad Request")] * 3], "64 words ended as context_length", id="too long"),
    ],
)
def test_an_endpoint_that_does_not_tell_costs_no_run(
    answers: list[list[Step]], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known, _ = found(*answers)

    assert (1.0, 0.0, ()) == (known.tokens_per_word, known.tokens_fixed, known.probes)
    assert why in known.why
    run = with_words(msgspec.structs.replace(RUN, targets=("http://127.0.0.1:1",)), PLAN)
    assert run.calibration is not None
    assert (
        "a word of a prompt counts as a token: a prompt of 16 words ended as connect_error" in capsys.readouterr().err
    )


def test_nobody_waits_longer_for_an_answer_of_one_token_than_a_run_does() -> None:
    assert PROBE_S_MAX <= RUN.first_token_s


def test_who_is_known_is_not_asked() -> None:
    run = msgspec.structs.replace(RUN, calibration=Calibration(tokens_per_word=2.0))  # its target is nobody

    assert run == with_words(run, PLAN)
