import socket
from threading import Event

import pytest

from collector.target import PORT_MAX, RESOLVE_PERIOD_S, Address, Target, is_literal, parse, stream_addresses

ONE: Address = (socket.AF_INET, ("192.0.2.1", 80))
TWO: Address = (socket.AF_INET, ("192.0.2.2", 80))
THREE: Address = (socket.AF_INET, ("192.0.2.3", 80))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("localhost:8000", ("localhost", 8000), id="a name"),
        pytest.param("127.0.0.1:1", ("127.0.0.1", 1), id="an address"),
        pytest.param("[::1]:65535", ("::1", 65535), id="an IPv6 address in brackets"),
    ],
)
def test_a_host_and_a_port_are_told_apart(text: str, expected: tuple[str, int]) -> None:
    assert expected == parse(text)


@pytest.mark.parametrize("text", ["", "host", ":80", "host:", "host:x", "host:0", "host:65536", "host:-1", "host:٣"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        Target(text)


def test_the_largest_port_is_the_last() -> None:
    assert ("h", PORT_MAX) == parse(f"h:{PORT_MAX}")

    with pytest.raises(ValueError, match="HOST:PORT"):
        parse(f"h:{PORT_MAX + 1}")


def test_literal_addresses_need_no_look_up() -> None:
    assert [True, True, False] == [is_literal(host) for host in ("127.0.0.1", "::1", "localhost")]


def test_a_literal_address_is_there_at_once() -> None:
    target = Target("127.0.0.1:8000")
    target.start()

    assert ((socket.AF_INET, ("127.0.0.1", 8000)),) == target.addresses


def test_a_name_is_looked_up_again_in_the_background() -> None:
    again = Event()
    answers = [[ONE], [TWO]]

    def lookup(host: str, port: int) -> list[Address]:
        assert ("engine.test", 80) == (host, port)
        if len(answers) == 1:
            again.set()
        return answers.pop(0) if len(answers) > 1 else answers[0]

    target = Target("engine.test:80", lookup, period_s=0.001)
    target.start()
    first = again.wait(10)
    target.stop()

    assert first
    assert 30 == RESOLVE_PERIOD_S


def test_a_failed_or_empty_look_up_keeps_the_addresses() -> None:
    answers: list[list[Address] | OSError] = [[ONE], socket.gaierror("unknown"), []]

    def lookup(_host: str, _port: int) -> list[Address]:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    target = Target("engine.test:80", lookup)
    for _ in range(3):
        target.resolve()

        assert (ONE,) == target.addresses


def test_the_address_that_answered_comes_first() -> None:
    target = Target("engine.test:80", lambda _host, _port: [ONE, TWO, THREE])
    target.resolve()
    target.prefer(TWO)

    assert (TWO, ONE, THREE) == target.addresses

    target.prefer((socket.AF_INET, ("192.0.2.9", 80)))

    assert (TWO, ONE, THREE) == target.addresses


def test_the_resolver_knows_this_host() -> None:
    assert (socket.AF_INET, ("127.0.0.1", 9)) in stream_addresses("localhost", 9)
