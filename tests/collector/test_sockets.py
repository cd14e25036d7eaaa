import socket

from tee_rig import LOOPBACK

from collector import sockets


def test_sockets_send_at_once_and_notice_a_silent_peer() -> None:
    with socket.create_server(LOOPBACK) as listener:
        sockets.set_options(listener)
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with client, accepted:
            seen = [accepted.getsockopt(level, option) for level, option, _ in sockets.OPTIONS]

            assert [1, 1, 60, 10, 6, 120_000] == seen
            assert (60, 10, 6) == sockets.KEEPALIVE_S
            assert 120_000 == sockets.USER_TIMEOUT_MS
