"""Fixtures of the load client's tests."""

import socket
from collections.abc import Generator
from contextlib import closing

import pytest

from loadtest.line import dial, got, stamping
from telemetry import clock


@pytest.fixture(scope="module")
def stamped() -> Generator[None]:
    """Keep the kernel stamping: it begins a moment after it was asked to, and ends with whoever asked last."""
    with stamping():
        until_stamped()
        yield


def until_stamped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = dial((socket.AF_INET, listener.getsockname()), 5)
        peer, _ = listener.accept()
    with peer, closing(line):
        for _ in range(1000):
            peer.sendall(b"x")
            if got(line.receive()).lag_ns is not None:
                return
            clock.sleep(0.001)
    raise AssertionError("the kernel does not stamp")
