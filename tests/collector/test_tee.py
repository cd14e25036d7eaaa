import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from select import select

import pytest
from tee_rig import LOOPBACK, WAIT_S, Rig, read_all, read_exactly, rig

from collector import channel, tee
from collector.frames import Kind
from collector.tee import ACCEPTS_MAX, BACKLOG_MAX, CONNECTIONS_MAX, FDS_PER_CONNECTION, Limits, Notices


def ping(through: Rig) -> bool:
    client, server = through.link()
    with client, server:
        client.sendall(b"ping")
        server.sendall(read_exactly(server, 4))
        return read_exactly(client, 4) == b"ping"


def test_a_worker_says_hello_and_copies() -> None:
    with rig() as made:
        [hello] = made.frames_until(Kind.HELLO)

        assert (0, b"%d" % made.worker.pid) == (hello.conn, hello.payload)
        assert ping(made)
        assert 0 == made.terminate()
        assert (b"", b"") == made.worker.communicate()


def test_the_first_sigterm_drains_and_ends_with_the_last_connection() -> None:
    with rig() as made:
        client, server = made.link()
        made.worker.terminate()
        with client, server:
            client.sendall(b"still here")

            assert b"still here" == read_exactly(server, 10)

            server.shutdown(socket.SHUT_WR)
            client.shutdown(socket.SHUT_WR)

            assert 0 == made.worker.wait(WAIT_S)


def test_the_second_sigterm_ends_at_once() -> None:
    with rig() as made:
        client, server = made.link()
        with client, server:
            made.worker.terminate()
            client.sendall(b"drained?")
            read_exactly(server, 8)

            assert 0 == made.terminate()


def test_the_drain_has_an_end() -> None:
    with rig("--drain-s-max", "0.01") as made:
        client, server = made.link()
        with client, server:
            assert 0 == made.terminate()


def test_at_the_connection_limit_accepting_stops_and_goes_on() -> None:
    with rig("--connections-max", "2") as made:
        first, second = made.link(), made.link()
        with made.connect() as third:
            third.sendall(b"later")
            first[0].sendall(b"x")
            read_exactly(first[1], 1)
            made.upstream.settimeout(0)
            with pytest.raises(BlockingIOError):
                made.upstream.accept()

            made.upstream.settimeout(WAIT_S)
            for sock in first:
                sock.close()
            with made.accept() as server:
                assert b"later" == read_exactly(server, 5)
        for sock in second:
            sock.close()
        made.terminate()

        assert b"connection limit reached" in made.worker.communicate()[1]


def test_running_out_of_descriptors_only_delays_new_connections() -> None:
    with rig() as made:
        client, server = made.link()
        _, hard = resource.prlimit(made.worker.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(made.worker.pid, resource.RLIMIT_NOFILE, (24, hard))
        crowd = crowd_of(made, 40)
        frames = made.frames_until(*[Kind.ACCEPTED] * 6)
        with client, server:
            client.sendall(b"x")

            assert b"x" == read_exactly(server, 1)
            assert len([frame for frame in frames if frame.kind == Kind.ACCEPTED]) < 24

        for sock in crowd:
            sock.close()
        while not arrives(made, b"back"):
            pass
        made.worker.terminate()
        made.worker.terminate()

        assert b"cannot accept (Too many open files)" in made.worker.communicate()[1]


def crowd_of(made: Rig, count: int) -> list[socket.socket]:
    """Connect so often; whom the worker resets for want of a descriptor upstream may hear of it within `connect`."""
    found: list[socket.socket] = []
    for _ in range(count):
        with suppress(ConnectionResetError):
            found.append(made.connect())
    return found


def arrives(through: Rig, message: bytes) -> bool:
    """Send a message on a new connection; say whether the upstream gets it, on whichever connection."""
    with through.connect() as client:
        client.sendall(message)
        while client not in select([client, through.upstream], [], [], WAIT_S)[0]:
            with through.accept() as server:
                if server.recv(len(message)) == message:
                    return True
    return False


def test_a_client_that_says_nothing_is_closed_and_a_silent_stream_is_not() -> None:
    with rig("--head-s-max", "0.01") as made:
        mute, mute_server = made.link()
        with mute, mute_server:
            assert b"" == mute.recv(1)
            assert b"" == mute_server.recv(1)

    assert (30.0, 5.0, 0.0) == (Limits().head_s_max, Limits().connect_s_max, Limits().idle_s_max)


def test_silence_ends_a_connection_only_if_asked_to() -> None:
    with rig("--idle-s-max", "0.01") as made:
        client, server = made.link()
        with client, server:
            client.sendall(b"x")

            assert b"x" == read_all(server)
            assert b"" == client.recv(1)


def test_workers_share_a_listening_socket() -> None:
    with rig() as made:
        reader, writer = channel.pair()
        fds = (made.front.fileno(), writer.fileno())
        host, port = made.upstream.getsockname()
        argv = [sys.executable, "-m", "collector.tee", "--listen-fd", str(fds[0]), "--channel-fd", str(fds[1])]
        with (
            closing(reader),
            closing(writer),
            subprocess.Popen([*argv, "--target", f"{host}:{port}"], pass_fds=fds) as second,
        ):
            assert all(ping(made) for _ in range(8))

            made.worker.kill()
            made.worker.wait(WAIT_S)

            assert all(ping(made) for _ in range(8))

            second.terminate()


def test_a_killed_worker_refuses_nobody() -> None:
    with rig() as made:
        assert ping(made)

        made.worker.kill()
        made.worker.wait(WAIT_S)
        with made.connect() as client:  # waits in the kernel for the next worker
            client.sendall(b"hello")


def test_an_observer_that_stops_reading_or_goes_is_never_waited_for() -> None:
    body = b"x" * 1_000_000
    with rig() as made:
        client, server = made.link()
        with client, server:
            for _ in range(50):  # 50 MB into 8 + 32 MiB of buffers
                client.sendall(body)

                assert body == read_exactly(server, len(body))

            frames = made.frames_until(Kind.LOST)
            client.sendall(b"after")
            read_exactly(server, 5)
            frames += made.frames_until(Kind.REQUEST_BYTES)
            lost = [frame for frame in frames if frame.kind in {Kind.LOST, Kind.GAP}]

            assert [Kind.LOST, Kind.GAP] == [frame.kind for frame in lost]

            seen = sum(len(frame.payload) for frame in frames if frame.kind == Kind.REQUEST_BYTES)

            assert 50_000_005 == seen + int(lost[1].payload)


def test_without_a_channel_bytes_still_flow() -> None:
    with socket.socket() as probe:
        probe.bind(LOOPBACK)
        port = probe.getsockname()[1]
    upstream = socket.create_server(LOOPBACK)
    argv = [sys.executable, "-m", "collector.tee", "--listen", f"127.0.0.1:{port}"]
    target = f"127.0.0.1:{upstream.getsockname()[1]}"
    with upstream, subprocess.Popen([*argv, "--target", target]) as worker:
        while True:
            try:
                client = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
            except ConnectionRefusedError:
                assert worker.poll() is None
                continue
            break
        with client, closing(upstream.accept()[0]) as server:
            client.sendall(b"hi")

            assert b"hi" == read_exactly(server, 2)

        worker.terminate()


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param([], id="nothing given"),
        pytest.param(["--listen-fd", "3", "--target", "nowhere"], id="a target without a port"),
        pytest.param(["--listen-fd", "3", "--listen", "127.0.0.1:0", "--target", "h:1"], id="two places to listen"),
    ],
)
def test_a_wrong_command_line_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        tee.arguments(argv)

    assert 2 == ended.value.code
    assert "error:" in capsys.readouterr().err


def test_the_defaults_are_those_of_the_specification() -> None:
    assert (10_000, 4096, 3) == (CONNECTIONS_MAX, BACKLOG_MAX, FDS_PER_CONNECTION)
    assert (CONNECTIONS_MAX, 600.0) == (Limits().connections_max, Limits().drain_s_max)
    assert ACCEPTS_MAX == 16


def test_the_connection_limit_follows_the_descriptor_limit(capfd: pytest.CaptureFixture[str]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert 5 == tee.affordable(5)
    assert (hard - tee.FDS_RESERVED) // FDS_PER_CONNECTION == tee.affordable(hard)
    assert "allows" in capfd.readouterr().err

    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_listening_socket_is_made_from_text() -> None:
    with tee.listen("127.0.0.1:0".replace(":0", f":{_free_port()}")) as sock:
        assert "127.0.0.1" == sock.getsockname()[0]


def _free_port() -> int:
    with socket.create_server(LOOPBACK) as probe:
        port: int = probe.getsockname()[1]
    return port


def test_notices_are_told_rarely_and_with_their_number(capfd: pytest.CaptureFixture[str]) -> None:
    notices = Notices()
    notices.tell(tee.NOTICE_PERIOD_NS)

    assert "" == capfd.readouterr().err

    notices.count("limit")
    notices.count("limit")
    notices.tell(tee.NOTICE_PERIOD_NS)
    notices.count("limit")
    notices.tell(tee.NOTICE_PERIOD_NS + 1)

    assert "tee: limit, 2 times\n" == capfd.readouterr().err

    notices.tell(2 * tee.NOTICE_PERIOD_NS)

    assert "tee: limit, 1 times\n" == capfd.readouterr().err


def test_a_supervised_worker_leaves_sigint_to_its_supervisor() -> None:
    with rig() as made:
        assert ping(made)

        made.worker.send_signal(signal.SIGINT)

        assert ping(made)
        assert os.getpid() != made.worker.pid
