import socket
from contextlib import closing

import pytest

from telemetry.clock import monotonic_ns, sleep
from telemetry.testing.client import ask, exchange, request
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.fault_proxy import Fault, FaultProxy
from telemetry.testing.steps import AwaitBytes, AwaitEnd, AwaitToken, Close, Pause, Send
from telemetry.testing.wire import Ending, Transcript

ASKED = request("POST", "/", b"INSERT rows")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nOk.\n"
ANSWERING = [AwaitToken(b"rows"), Send(ANSWER), AwaitToken(b"rows"), Send(ANSWER)]


def address(proxy: FaultProxy) -> tuple[str, int]:
    return ("127.0.0.1", int(proxy.url.rpartition(":")[2]))


def through(fault: Fault, begins_with: bytes, ending: Ending | None) -> tuple[Transcript, bytes]:
    """What a client sees of a fault, and what the server saw of the client."""
    hangs = Pause(0.05) if not begins_with else AwaitBytes(len(begins_with))
    with Endpoint(ANSWERING) as server, FaultProxy(server.address, lambda _: fault) as proxy:
        seen = exchange(address(proxy), [Send(ASKED), AwaitEnd() if ending else hangs, Close()])
        end_ns = monotonic_ns() + 10 * 10**9
        while not proxy.met and monotonic_ns() < end_ns:  # a client that has left may be heard later
            sleep(0.01)

        assert proxy.met == {fault: 1}
        return seen, server.transcripts(1)[0].received if fault not in UNSEEN else b""


UNSEEN = {Fault.RESET_BEFORE, Fault.HANG_BEFORE, Fault.ERROR_BEFORE, Fault.TOO_MANY_PARTS}


@pytest.mark.parametrize(
    ("fault", "begins_with", "ending"),
    [
        (Fault.NONE, ANSWER, None),
        (Fault.RESET_BEFORE, b"", Ending.RESET),
        (Fault.RESET_AFTER, b"", Ending.RESET),
        (Fault.RESET_SENT, b"", Ending.RESET),
        (Fault.HANG_BEFORE, b"", None),
        (Fault.HANG_AFTER, b"", None),
        (Fault.ERROR_BEFORE, b"HTTP/1.1 500", None),
        (Fault.ERROR_AFTER, b"HTTP/1.1 500", None),
        (Fault.TOO_MANY_PARTS, b"HTTP/1.1 500 Internal Server Error\r\nX-ClickHouse-Exception-Code: 252\r\n", None),
        (Fault.CUT, ANSWER[: len(ANSWER) // 2], Ending.EOF),
    ],
)
def test_each_fault_is_what_it_says(fault: Fault, begins_with: bytes, ending: Ending | None) -> None:
    seen, served = through(fault, begins_with, ending)

    assert seen.received.startswith(begins_with)
    assert bool(seen.received) == bool(begins_with)
    assert ending in (None, seen.ending)
    assert served == (b"" if fault in UNSEEN else ASKED)


def test_the_choice_sees_every_request_of_a_connection_whole() -> None:
    requests: list[bytes] = []
    faults = iter([Fault.NONE, Fault.RESET_BEFORE])

    def choice(data: bytes) -> Fault:
        requests.append(data)
        return next(faults)

    with Endpoint(ANSWERING) as server, FaultProxy(server.address, choice) as proxy:
        seen = exchange(address(proxy), ask(ASKED + ASKED))

    assert requests == [ASKED, ASKED]
    assert (seen.received, seen.ending) == (ANSWER, Ending.RESET)


def test_half_a_request_never_reaches_the_server() -> None:
    with Endpoint(ANSWERING) as server, FaultProxy(server.address, lambda _: Fault.NONE) as proxy:
        exchange(address(proxy), [Send(ASKED[:-1]), Close()])

        assert not proxy.met
        assert server.transcripts(0) == []


def test_a_server_that_is_away_resets_the_client() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as nobody:
        port: int = nobody.getsockname()[1]
    with FaultProxy(("127.0.0.1", port), lambda _: Fault.NONE) as proxy:
        assert exchange(address(proxy), ask(ASKED)).ending is Ending.RESET
