"""Ports: taken ones are said to be taken, free ones are held, open binds need a word."""

import socket

import pytest

from inferometer.address import Address
from inferometer.defaults import PORT_TRIES_MAX
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.listen import free_port, hold, refuse_open_bind

HOST = "127.0.0.1"


def test_a_held_port_takes_connections_before_anybody_accepts() -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with hold(Address(host=HOST, port=port), "tee.port") as listener:
        with socket.create_connection((HOST, port)):
            pass

        assert listener.getsockname() == (HOST, port)


def test_a_taken_port_is_named_and_auto_takes_a_later_one() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = int(taken.getsockname()[1])
        with pytest.raises(UnreachableError, match=f"^tee.port: port {port} of {HOST} is taken; .*--port auto"):
            hold(Address(host=HOST, port=port), "tee.port")

        found = free_port(Address(host=HOST, port=port), "tee.port", auto=True)

    assert port < found < port + PORT_TRIES_MAX


def test_auto_gives_up_at_the_last_port() -> None:
    with hold(Address(host=HOST, port=65535), "tee.port"), pytest.raises(UnreachableError, match="65535"):
        hold(Address(host=HOST, port=65535), "tee.port", auto=True)


@pytest.mark.parametrize("host", ["203.0.113.7", "::1::", "no..name"])  # none of which a name server is asked for
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^tee.bind: found '{host}'; allowed: an address of this machine"):
        hold(Address(host=host, port=8100), "tee.port")


def test_an_open_bind_needs_to_be_asked_for() -> None:
    refuse_open_bind("127.0.0.1", "tee.bind", insecure=False)
    refuse_open_bind("0.0.0.0", "tee.bind", insecure=True)

    with pytest.raises(ConfigurationError, match=r"^tee.bind: found '0.0.0.0'.*--insecure-bind"):
        refuse_open_bind("0.0.0.0", "tee.bind", insecure=False)
