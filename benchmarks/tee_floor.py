"""Knows the least that a relay in Python can do: epoll_wait, recv, send. No frames, no limits, no ends, no care.

It is what the tee is measured against; `python -m benchmarks.tee_floor LISTEN_FD TARGET_PORT`.
"""

import gc
import select
import socket
import sys


def main(listen_fd: int, port: int) -> None:
    """Relay between the clients of a listening socket and a port of 127.0.0.1, for ever."""
    listener, epoll = socket.socket(fileno=listen_fd), select.epoll()
    epoll.register(listener, select.EPOLLIN)
    gc.disable()
    pairs: dict[int, tuple[socket.socket, socket.socket]] = {}
    poll = epoll.poll
    while True:
        for fd, _ in poll():
            if fd == listen_fd:
                for source, sink in _pair(listener, port):
                    pairs[source.fileno()] = source, sink
                    epoll.register(source, select.EPOLLIN | select.EPOLLET)
                continue
            source, sink = pairs[fd]
            try:
                data = source.recv(4096)
                if data:
                    sink.send(data)
                    continue
            except OSError:
                data = b""
            epoll.unregister(fd)
            sink.close()


def _pair(listener: socket.socket, port: int) -> list[tuple[socket.socket, socket.socket]]:
    client, _ = listener.accept()
    upstream = socket.create_connection(("127.0.0.1", port))
    for sock in (client, upstream):
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return [(client, upstream), (upstream, client)]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
