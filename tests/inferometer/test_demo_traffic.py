"""The demo's traffic: the same seed asks the same, bounded in rate, addressed to the simulated engine's model."""

import json
from random import Random

import pytest

from inferometer.demo_traffic import OPEN_MAX, RATE_PER_S_MAX, Call, draw, send, spelled
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.engine_bodies import MODEL
from telemetry.testing.steps import AwaitToken, HalfClose, Send

CALL = Call(gap_s=0.0, prompt_words=8, tokens_max=5, patience_s=None)


def test_the_same_seed_asks_the_same() -> None:
    first, second = Random(7), Random(7)  # noqa: S311  # a repeatable sequence

    assert [draw(first, 5.0) for _ in range(50)] == [draw(second, 5.0) for _ in range(50)]


@pytest.mark.parametrize(("wanted", "expected"), [(5.0, 5.0), (RATE_PER_S_MAX + 1, RATE_PER_S_MAX)])
def test_the_rate_is_the_wanted_one_up_to_its_limit(wanted: float, expected: float) -> None:
    random = Random(7)  # noqa: S311  # a repeatable sequence
    gaps = [draw(random, wanted).gap_s for _ in range(4000)]

    # Seed 7; the mean of 4000 exponential gaps has a standard error of 1.6 %, so 5 % is about three of them.
    assert len(gaps) / sum(gaps) == pytest.approx(expected, rel=0.05)
    assert OPEN_MAX > RATE_PER_S_MAX


def test_a_request_is_whole() -> None:
    head, body = spelled(CALL).split(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert (json.loads(body)["model"], json.loads(body)["max_tokens"]) == (MODEL, 5)


async def test_an_answer_is_read_to_its_end() -> None:
    with Endpoint([AwaitToken(), Send(b"x" * 1000), HalfClose()]) as endpoint:
        assert await send(endpoint.address[1], CALL) == 1000


async def test_a_client_without_patience_hangs_up() -> None:
    with Endpoint([AwaitToken(), Send(b"x"), AwaitToken(b"never")]) as endpoint:
        assert await send(endpoint.address[1], Call(gap_s=0, prompt_words=2, tokens_max=1, patience_s=0.2)) == 1


async def test_nobody_there_is_no_error_of_the_traffic() -> None:
    assert await send(1, CALL) == 0
