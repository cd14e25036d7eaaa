"""The receiving socket: whose path it takes, whose it leaves, and how much it reads at a time."""

import errno
import socket
import stat
from pathlib import Path
from random import Random

import pytest
from plugin_requests import NOW_MS, datagram, finished

from collector.labels import Labels
from collector.plugin_rows import DATAGRAM_BYTES_MAX, PluginRows
from collector.plugin_socket import READ_BURST_MAX, PluginSocket
from collector.rows import Dimensions


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plugin.sock"


def listening(path: Path) -> PluginSocket:
    return PluginSocket(path, PluginRows(Dimensions(endpoint="e"), Labels(), random=Random(1)))  # noqa: S311 -- seeded


def send(path: Path, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        for one in datagrams:
            sock.sendto(one, str(path))


def test_what_is_said_becomes_records_and_the_path_is_free_afterwards(path: Path) -> None:
    with listening(path) as heard:
        send(path, datagram(finished(0), finished(1)), b"noise", datagram(finished(2)))
        records = heard.records(NOW_MS)

        assert heard.records(NOW_MS) == []
    assert [record.tokens_in for record in records] == [100, 101, 102]
    assert (heard.rows.taken, heard.rows.malformed) == (3, 1)
    assert not path.exists()


def test_owner_and_group_may_speak_and_nobody_else(path: Path) -> None:
    with listening(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_one_call_reads_no_more_than_the_burst(path: Path) -> None:
    with listening(path) as heard, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0)
        sent, one = 0, datagram(finished())
        try:
            while sent <= READ_BURST_MAX:
                sock.sendto(one, str(path))
                sent += 1
        except BlockingIOError:
            pass  # the kernel holds net.unix.max_dgram_qlen of them
        taken = [len(heard.records(NOW_MS)) for _ in range(2)]

    assert [min(sent, READ_BURST_MAX), max(0, sent - READ_BURST_MAX)] == taken


@pytest.mark.parametrize(("size", "malformed"), [(DATAGRAM_BYTES_MAX, 1), (DATAGRAM_BYTES_MAX + 1, 1)])
def test_a_datagram_as_long_as_any_is_read_and_refused(path: Path, size: int, malformed: int) -> None:
    with listening(path) as heard:
        send(path, bytes(size))

        assert heard.records(NOW_MS) == []
        assert heard.rows.malformed == malformed


def test_a_socket_that_a_dead_process_left_is_taken_over(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    with listening(path) as heard:
        send(path, datagram(finished()))

        assert len(heard.records(NOW_MS)) == 1


def test_a_socket_on_which_somebody_listens_is_left_to_them(path: Path) -> None:
    with listening(path) as first:
        with pytest.raises(OSError, match="in use") as refused:
            listening(path)
        send(path, datagram(finished()))

        assert refused.value.errno == errno.EADDRINUSE
        assert len(first.records(NOW_MS)) == 1


def test_a_file_at_the_path_stays_as_it_is(path: Path) -> None:
    path.write_text("precious")

    with pytest.raises(OSError, match="in use"):
        listening(path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["x" * 120, "no/such/folder"])
def test_a_path_that_cannot_be_bound_is_refused(tmp_path: Path, name: str) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(OSError, match=r"path too long|No such file"):
        listening(tmp_path / name)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
