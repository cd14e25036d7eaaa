import gc
import socket
import struct
import threading
from collections.abc import Iterator
from errno import ECONNREFUSED, ENETUNREACH, ETIMEDOUT
from select import EPOLLIN, poll

import pytest
from link_bench import bench
from tee_rig import LOOPBACK, WAIT_S, Rig, read_all, read_exactly, rig

from collector import link
from collector.frames import PAYLOAD_BYTES_MAX, Frame, Kind
from collector.link import SALVAGE_READS_MAX, UNSENT_BYTES_MAX
from collector.target import Address

RESET = struct.pack("ii", 1, 0)
OPENING = [Kind.ACCEPTED, Kind.CONNECTED]


@pytest.fixture(scope="module")
def worker() -> Iterator[Rig]:
    with rig() as made:
        yield made


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


def wait_for_hang_up(sock: socket.socket) -> None:
    waiting = poll()
    waiting.register(sock, 0)  # errors and hang-ups are always reported

    assert waiting.poll(WAIT_S * 1000)


def is_reset(sock: socket.socket) -> bool:
    try:
        sock.recv(1)
    except ConnectionResetError:
        return True
    return False


def kinds(frames: list[Frame]) -> list[int]:
    """Return the kinds in order, neighbours of one kind as one: how bytes are cut is not fixed."""
    found = [frame.kind for frame in frames if frame.conn]
    return [kind for at, kind in enumerate(found) if not at or found[at - 1] != kind]


def payload(frames: list[Frame], kind: Kind) -> bytes:
    return b"".join(frame.payload for frame in frames if frame.kind == kind)


def test_bytes_and_ends_pass_both_ways_and_every_step_is_a_frame() -> None:
    with bench() as stage:
        stage.begin()
        server = stage.server()
        stage.client.sendall(b"ask")
        stage.client.shutdown(socket.SHUT_WR)
        server.sendall(b"answer")
        server.shutdown(socket.SHUT_WR)
        frames = stage.run()

        assert (b"ask", b"answer") == (read_all(server), read_all(stage.client))
        assert {*OPENING, 5, 6, Kind.CLIENT_EOF, Kind.UPSTREAM_EOF, Kind.CLOSED} == set(kinds(frames))
        assert (b"ask", b"answer") == (payload(frames, Kind.REQUEST_BYTES), payload(frames, Kind.RESPONSE_BYTES))
        assert b"192.0.2.7:5" == payload(frames, Kind.ACCEPTED)
        assert b"127.0.0.1:%d" % stage.upstream.getsockname()[1] == payload(frames, Kind.CONNECTED)
        assert Kind.CLOSED == frames[-1].kind
        assert sorted(frame.at_ns for frame in frames) == [frame.at_ns for frame in frames]
        assert (0, 0) == (len(stage.heads), len(stage.connects))
        server.close()


def test_a_link_that_is_gone_leaves_no_cycle_behind() -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            with bench() as stage:
                stage.begin()
                stage.client.close()
                stage.server().close()
                stage.run()
        left = [one for one in gc.get_objects() if isinstance(one, link.Link | link.Side)]
    finally:
        gc.enable()

    assert [] == left


def test_an_upstream_that_refuses_resets_the_client_without_a_byte() -> None:
    with bench() as stage:
        stage.upstream.close()
        stage.begin()
        frames = stage.run()

        assert is_reset(stage.client)
        assert [Kind.ACCEPTED, Kind.CONNECT_FAILED, Kind.CLOSED] == kinds(frames)
        assert b"%d" % ECONNREFUSED == payload(frames, Kind.CONNECT_FAILED)


def test_the_next_address_is_tried_and_remembered() -> None:
    with bench() as stage, socket.create_server(LOOPBACK) as closed:
        stage.addresses.insert(0, (socket.AF_INET, closed.getsockname()))
        closed.close()
        stage.begin()
        stage.client.close()
        threading.Thread(target=lambda: stage.server().close()).start()
        frames = stage.run()

        assert Kind.CONNECTED in kinds(frames)
        assert stage.addresses[1] == stage.target.addresses[0]


def test_a_name_without_an_address_is_refused() -> None:
    with bench() as stage:
        stage.addresses.clear()
        stage.begin()

        assert b"%d" % ENETUNREACH == payload(stage.run(), Kind.CONNECT_FAILED)
        assert is_reset(stage.client)


def test_an_upstream_that_does_not_answer_in_time_is_given_up() -> None:
    # A listener whose queue is full leaves the next SYN unanswered: backlog 0 holds one connection.
    with bench() as stage, socket.socket() as full, socket.socket() as first:
        full.bind(LOOPBACK)
        full.listen(0)
        first.connect(full.getsockname())
        stage.addresses[:] = [(socket.AF_INET, full.getsockname())]
        stage.client.sendall(b"ask")
        stage.begin()

        assert 1 == len(stage.connects)

        stage.hurry_ns = 5_000_000_000
        frames = stage.run()

        assert b"%d" % ETIMEDOUT == payload(frames, Kind.CONNECT_FAILED)
        assert is_reset(stage.client)


def test_a_client_that_says_nothing_is_closed() -> None:
    with bench() as stage:
        stage.begin()
        server = stage.server()
        stage.hurry_ns = 30_000_000_000
        frames = stage.run()

        assert (b"", b"") == (read_all(stage.client), read_all(server))
        assert [*OPENING, Kind.CLOSED] == kinds(frames)
        server.close()


def test_a_half_closed_client_still_gets_its_answer(worker: Rig) -> None:
    client, server = worker.link()
    with client, server:
        client.sendall(b"ask")
        client.shutdown(socket.SHUT_WR)

        assert b"ask" == read_all(server)

        server.sendall(b"answer")

        assert b"answer" == read_exactly(client, 6)

        server.sendall(b"more")
        server.shutdown(socket.SHUT_WR)

        assert b"more" == read_all(client)


def test_an_upstream_may_end_first(worker: Rig) -> None:
    client, server = worker.link()
    with client, server:
        server.sendall(b"early")
        server.shutdown(socket.SHUT_WR)

        assert b"early" == read_all(client)

        client.sendall(b"late")
        client.shutdown(socket.SHUT_WR)

        assert b"late" == read_all(server)


@pytest.mark.parametrize("said", [b"", b"x"], ids=["before a byte", "after a byte"])
def test_a_client_that_resets_resets_the_upstream(worker: Rig, said: bytes) -> None:
    client, server = worker.link()
    with server:
        client.sendall(said)
        read_exactly(server, len(said))
        reset(client)

        assert is_reset(server)


def test_an_upstream_that_resets_resets_the_client_after_its_bytes(worker: Rig) -> None:
    client, server = worker.link()
    with client:
        server.sendall(b"half an ans")

        assert b"half an ans" == read_exactly(client, 11)

        reset(server)

        assert is_reset(client)


def test_a_client_that_has_gone_is_noticed_by_the_next_chunk(worker: Rig) -> None:
    client, server = worker.link()
    with server:
        client.sendall(b"ask")
        read_exactly(server, 3)
        client.close()

        assert b"" == server.recv(1)

        server.sendall(b"chunk")  # the client's host answers it with a reset
        wait_for_hang_up(server)

        with pytest.raises(ConnectionError):
            server.sendall(b"chunk")


def test_what_an_upstream_said_before_it_broke_still_arrives() -> None:
    # The answer waits in the kernel while writing to the upstream already fails: as if 413 came amid a large upload.
    with bench() as stage:
        stage.begin()
        server = stage.server()
        stage.link().upstream.sock.send(b"upload")
        server.sendall(b"413 too large")
        server.close()  # with unread bytes: a reset, which the next send meets
        stage.client.sendall(b"more")
        stage.link().client.ready(EPOLLIN)
        frames = stage.run()

        assert b"413 too large" == read_exactly(stage.client, 13)
        assert is_reset(stage.client)
        assert [*OPENING, Kind.RESPONSE_BYTES, Kind.UPSTREAM_RESET, Kind.CLOSED] == kinds(frames)
        assert b"413 too large" == payload(frames, Kind.RESPONSE_BYTES)
        assert SALVAGE_READS_MAX * PAYLOAD_BYTES_MAX >= UNSENT_BYTES_MAX


@pytest.mark.parametrize("asks", [b"", b"ask"], ids=["silent client", "asking client"])
def test_an_upstream_that_answers_and_resets_before_the_connect_is_noticed_is_heard(
    monkeypatch: pytest.MonkeyPatch, asks: bytes
) -> None:
    # As over a network, where the answer and the reset may both have come by the time the socket is writable.
    def dial(address: Address) -> tuple[socket.socket | None, int]:
        sock = socket.socket()
        sock.settimeout(0)
        error = sock.connect_ex(address[1])
        server = stage.server()
        server.sendall(b"429 too many")
        reset(server)
        return sock, error

    with bench() as stage:
        monkeypatch.setattr(link, "dial", dial)
        stage.client.sendall(asks)
        stage.begin()
        frames = stage.run()

        assert b"429 too many" == read_exactly(stage.client, 12)
        assert is_reset(stage.client)
        assert b"429 too many" == payload(frames, Kind.RESPONSE_BYTES)
        assert Kind.CONNECT_FAILED not in kinds(frames)
        assert [Kind.UPSTREAM_RESET, Kind.CLOSED] == kinds(frames)[-2:]


@pytest.mark.parametrize("size", [1, *range(PAYLOAD_BYTES_MAX - 1, PAYLOAD_BYTES_MAX + 2), 9_000_001])
def test_bodies_of_any_size_pass_both_ways(worker: Rig, size: int) -> None:
    body = bytes(range(251)) * (size // 251 + 1)
    body = body[:size]
    client, server = worker.link()
    with client, server:
        writer = threading.Thread(target=lambda: (client.sendall(body), client.shutdown(socket.SHUT_WR)))
        writer.start()

        assert body == read_all(server)

        writer.join()
        writer = threading.Thread(target=lambda: (server.sendall(body), server.shutdown(socket.SHUT_WR)))
        writer.start()

        assert body == read_all(client)

        writer.join()


def test_the_watermark_pauses_and_resumes_reading() -> None:
    with bench() as stage:
        stage.begin()
        server = stage.server()
        one = stage.link()
        one.upstream.hold(bytes(UNSENT_BYTES_MAX))

        assert one.client.mask & EPOLLIN

        one.upstream.hold(b"x")

        assert not one.client.mask & EPOLLIN

        reader = threading.Thread(target=lambda: read_all(server))
        reader.start()
        stage.client.close()
        threading.Thread(target=lambda: (reader.join(), server.close())).start()
        frames = stage.run()

        assert Kind.CLIENT_EOF in kinds(frames)
