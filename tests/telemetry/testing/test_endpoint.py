"""Shows that the endpoint serves the right script to each connection and keeps what each one sent."""

import gc
import socket

import pytest

from telemetry.testing.client import ask, exchange, request
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, HalfClose, Reset, Send
from telemetry.testing.wire import Ending

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


def test_each_connection_is_recorded_in_order() -> None:
    with Endpoint([AwaitToken(), Send(ANSWER), HalfClose()]) as endpoint:
        answers = [exchange(endpoint.address, ask(request("GET", f"/{number}"))) for number in range(3)]
        served = endpoint.transcripts(3)

    assert [ANSWER] * 3 == [answer.received for answer in answers]
    assert [request("GET", f"/{number}") for number in range(3)] == [transcript.received for transcript in served]
    assert [Ending.EOF] * 3 == [transcript.ending for transcript in served]


def test_an_enqueued_script_serves_the_next_connection_only() -> None:
    with Endpoint([Send(b"default"), HalfClose()]) as endpoint:
        endpoint.enqueue([Send(b"first"), HalfClose()])

        assert b"first" == exchange(endpoint.address, ask(b"")).received
        assert b"default" == exchange(endpoint.address, ask(b"")).received


def test_forget_starts_the_record_anew() -> None:
    with Endpoint([HalfClose()]) as endpoint:
        exchange(endpoint.address, ask(b"old"))
        endpoint.transcripts(1)
        endpoint.forget()
        exchange(endpoint.address, ask(b"new"))

        assert [b"new"] == [transcript.received for transcript in endpoint.transcripts(1)]


def test_a_scripted_reset_reaches_the_client() -> None:
    with Endpoint([AwaitToken(), Reset()]) as endpoint:
        assert Ending.RESET is exchange(endpoint.address, ask(request("GET", "/"))).ending


def test_leaving_ends_open_connections() -> None:
    with Endpoint([]) as endpoint:
        assert Ending.DEADLINE is exchange(endpoint.address, ask(b""), deadline_s=0.02).ending

    assert Ending.REFUSED is exchange(endpoint.address, ask(b"")).ending


def test_waiting_for_too_many_ends_says_how_many_there_were() -> None:
    with Endpoint([HalfClose()]) as endpoint:
        exchange(endpoint.address, ask(b""))
        endpoint.transcripts(1)

        with pytest.raises(TimeoutError, match="1 of 2"):
            endpoint.transcripts(2, wait_s=0.01)


def test_a_connection_that_was_just_taken_is_closed_too() -> None:
    for _ in range(100):  # a socket that nobody closes is an error here
        with Endpoint([]) as endpoint:
            client = socket.create_connection(endpoint.address)
        client.close()
    gc.collect()
