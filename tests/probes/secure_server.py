"""A TLS server on a port of 127.0.0.1 that answers every question alike."""

import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

WAIT_S = 10.0
"""A peer that says nothing for so long keeps nobody from ending."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@contextmanager
def secure_server(
    certificate: Path, answer: bytes = OK, greeted: Callable[[], object] = lambda: None
) -> Generator[tuple[int, list[str | None]]]:
    """Serve in a thread; gives the port and, filled meanwhile, the server names that were asked for.

    An empty answer closes the connection after the handshake; `greeted` is called in the middle of it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    asked: list[str | None] = []

    def named(_line: object, name: str | None, _context: object) -> None:
        asked.append(name)
        greeted()

    context.sni_callback = named
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, context, answer), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, context: ssl.SSLContext, answer: bytes) -> None:
    with suppress(OSError):  # the listener was shut
        while True:
            connection, _ = listener.accept()
            connection.settimeout(WAIT_S)
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as line:
                _answer(line, answer)


def _answer(line: ssl.SSLSocket, answer: bytes) -> None:
    received = b""
    while data := line.recv(4096):
        received += data
        if received.endswith(b"\r\n\r\n"):
            if not answer:
                return
            line.sendall(answer)
