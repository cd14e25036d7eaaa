"""Knows how a TCP socket of the tee is set up and how it begins to connect; refuses to know what it carries.

Source: tcp(7), connect(2); linux net/ipv4/tcp_input.c (tcp_reset: a connect that was refused is ECONNREFUSED, one that
was made and then reset ECONNRESET or EPIPE) and net/ipv4/af_inet.c (a second connect after a reset disconnects, which
throws the received bytes away).
"""

import socket
from errno import EINPROGRESS

from collector.target import Address

KEEPALIVE_S = (60, 10, 6)
"""Seconds until the first probe, seconds between probes, and number of probes."""
USER_TIMEOUT_MS = 120_000
"""Unacknowledged bytes end a connection after this many milliseconds."""

OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S[0]),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S[1]),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_S[2]),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
)


def dial(address: Address) -> tuple[socket.socket | None, int]:
    """Begin to connect.

    Returns:
        The socket with 0 (connected) or an errno (still connecting); None with the errno of a failure.
    """
    try:
        sock = socket.socket(address[0], socket.SOCK_STREAM)
    except OSError as fault:
        return None, fault.errno or 0
    sock.settimeout(0)
    set_options(sock)
    error = sock.connect_ex(address[1])
    if error == EINPROGRESS and _is_connected(sock):  # on loopback it is by now, which saves a round through epoll
        error = 0
    if error in {0, EINPROGRESS}:
        return sock, error
    sock.close()
    return None, error


def _is_connected(sock: socket.socket) -> bool:
    """Ask, without a second connect, which throws away what a peer said before it reset (tcp_disconnect)."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def set_options(sock: socket.socket) -> None:
    """Send small chunks at once and notice a silent peer; a listener's accepted sockets inherit all of it."""
    for level, option, value in OPTIONS:
        sock.setsockopt(level, option, value)
