import errno
import socket
import ssl
import struct
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from secure_server import OK, secure_server

from loadtest.line import LAG_NS_MAX, READ_BYTES_MAX, Line, addresses, dial, kernel_lag_ns
from loadtest.line import got as got_of
from telemetry import clock

pytestmark = pytest.mark.usefixtures("stamped")

MS = 1_000_000


@contextmanager
def connected() -> Generator[tuple[Line, socket.socket]]:
    """A line and the socket at its other end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = dial((socket.AF_INET, listener.getsockname()), 5)
        peer, _ = listener.accept()
        with peer, closing(line):
            yield line, peer


def dialled(port: int) -> closing[Line]:
    return closing(dial((socket.AF_INET, ("127.0.0.1", port)), 5))


def send(peer: socket.socket, data: bytes) -> int:
    at_ns = clock.monotonic_ns()
    peer.sendall(data)
    return at_ns


def test_a_read_carries_the_kernels_stamp_and_not_that_of_a_reader_who_slept() -> None:
    with connected() as (line, peer):
        sent_ns = send(peer, b"late")
        clock.sleep(0.04)
        read_ns = clock.monotonic_ns()
        got = got_of(line.receive())

    assert b"late" == got.data
    assert sent_ns - MS < got.at_ns < read_ns - 20 * MS  # clocks that are being set differ by less than a millisecond
    assert got.lag_ns is not None
    assert got.lag_ns > 20 * MS


def test_the_peers_end_is_empty() -> None:
    with connected() as (line, peer):
        peer.close()
        got = got_of(line.receive())

    assert (b"", None) == (got.data, got.lag_ns)


def test_a_wait_has_an_end() -> None:
    with connected() as (line, _):
        line.wait_s(0.01)
        with pytest.raises(TimeoutError):
            line.receive()


def test_a_shutdown_wakes_whoever_waits() -> None:
    with connected() as (line, _):
        threading.Timer(0.02, line.shutdown).start()

        assert b"" == line.receive()[0]


def test_a_read_is_bounded() -> None:
    with connected() as (line, peer):
        thread = threading.Thread(target=peer.sendall, args=(bytes(3 * READ_BYTES_MAX),), daemon=True)
        thread.start()
        reads: list[int] = []
        while sum(reads) < 3 * READ_BYTES_MAX:
            reads.append(len(line.receive()[0]))
        thread.join()

    assert max(reads) <= READ_BYTES_MAX


@pytest.mark.parametrize(
    ("age_ns", "lag_ns"),
    [
        pytest.param(5, 5, id="a fresh one"),
        pytest.param(LAG_NS_MAX, LAG_NS_MAX, id="at the bound"),
        pytest.param(LAG_NS_MAX + 1, None, id="one past it"),
        pytest.param(-1, None, id="of the future"),
        pytest.param(3_600_000 * MS, None, id="the clock was set an hour ahead"),
        pytest.param(-3_600_000 * MS, None, id="the clock was set an hour back"),
    ],
)
def test_a_stamp_across_a_step_of_the_clock_is_no_stamp(age_ns: int, lag_ns: int | None) -> None:
    wall = 1_764_000_000_123_456_789
    stamp = struct.pack("@qq", *divmod(wall - age_ns, 1_000_000_000))

    assert lag_ns == kernel_lag_ns([(socket.SOL_SOCKET, 1, b""), (socket.SOL_SOCKET, 35, stamp)], wall)


def test_no_stamp_is_no_lag() -> None:
    assert kernel_lag_ns([], 1) is None


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()

    with pytest.raises(OSError) as caught:  # noqa: PT011 -- its number says it
        dial((socket.AF_INET, place), 1)
    assert errno.ECONNREFUSED == caught.value.errno


def test_tls_is_read_from_memory(certificate: Path) -> None:
    context = ssl.create_default_context(cafile=str(certificate))
    with secure_server(certificate) as (port, asked), dialled(port) as line:
        line.secure(context, "probe.test")
        line.send(b"GET / HTTP/1.1\r\n\r\n")
        got = got_of(line.receive())

    assert (OK, ["probe.test"]) == (got.data, asked)
    assert got.lag_ns is not None


def test_an_unknown_authority_is_refused(certificate: Path) -> None:
    with (
        secure_server(certificate) as (port, _),
        dialled(port) as line,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        line.secure(ssl.create_default_context(), "probe.test")


def test_a_tls_peer_that_ends_is_an_end(certificate: Path) -> None:
    context = ssl.create_default_context(cafile=str(certificate))
    with secure_server(certificate, answer=b"") as (port, _), dialled(port) as line:
        line.secure(context, "probe.test")
        line.send(b"GET / HTTP/1.1\r\n\r\n")
        got = got_of(line.receive())

    assert b"" == got.data


def test_a_name_has_addresses() -> None:
    assert (socket.AF_INET, ("127.0.0.1", 80)) in addresses("127.0.0.1", 80)
    with pytest.raises(OSError, match=r"."):
        addresses("a" * 64, 80)  # no part of a name may be so long, so nobody else is asked
