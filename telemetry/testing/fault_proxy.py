"""Knows how to stand between an HTTP client and its server and to spoil the answer to one request at a time.

The request is always read to its end before anything happens, so "before" means that the server saw nothing of it, and
"after" that it saw all of it and has answered. Refuses to know SQL; only messages with a Content-Length are understood,
which is all that our client and the embedded store send.

Source: spec/reliability.md 5.3, 6 (FP); socket(7): SO_LINGER with time 0 makes close() send RST.
"""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from enum import StrEnum
from io import BufferedReader
from types import TracebackType
from typing import Self


class Fault(StrEnum):
    """What happens to one request and its answer."""

    NONE = "none"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    RESET_SENT = "reset_sent"
    """The server has the whole request, and the client is reset while the server still works on it."""
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    ERROR_BEFORE = "error_before"
    """HTTP 500 without an error code, from something in between."""
    ERROR_AFTER = "error_after"
    TOO_MANY_PARTS = "too_many_parts"
    """ClickHouse's code 252: nothing was stored."""
    CUT = "cut"
    """Half of the server's answer, then the end of the connection."""


_UNSEEN = frozenset({Fault.RESET_BEFORE, Fault.HANG_BEFORE, Fault.ERROR_BEFORE, Fault.TOO_MANY_PARTS})
"""Faults of requests that the server never sees."""
_RESETS = frozenset({Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.RESET_SENT})
_HANGS = frozenset({Fault.HANG_BEFORE, Fault.HANG_AFTER})
_NO_LINGER = struct.pack("ii", 1, 0)
_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nOops\n"
_PARTS = b"Code: 252. DB::Exception: Too many parts. Merges are processing significantly slower than inserts."
_TOO_MANY_PARTS = (
    b"HTTP/1.1 500 Internal Server Error\r\nX-ClickHouse-Exception-Code: 252\r\nContent-Length: %d\r\n\r\n%s"
)
_ANSWERS = {
    Fault.ERROR_BEFORE: _ERROR,
    Fault.ERROR_AFTER: _ERROR,
    Fault.TOO_MANY_PARTS: _TOO_MANY_PARTS % (len(_PARTS), _PARTS),
}

Choice = Callable[[bytes], Fault]
"""Says what happens to a request, given all its bytes."""


class FaultProxy:
    """A proxy on a free port of 127.0.0.1; use it as a context manager.

    Attributes:
        met: How often each fault has happened so far.
    """

    def __init__(self, upstream: tuple[str, int], choice: Choice) -> None:
        """Take a port; connections wait in the kernel until the proxy is entered.

        Args:
            upstream: Address of the server; one that nobody listens on resets the client.
            choice: Asked once per request, one at a time.
        """
        self.met: Counter[Fault] = Counter()
        self._upstream, self._choice = upstream, choice
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._main = threading.Thread(target=self._accept, name="fault-proxy", daemon=True)

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Serve."""
        self._main.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection and wait for the threads."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._main.join()
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            self._watch(client)
            thread.start()

    def _watch(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.add(sock)

    def _serve(self, client: socket.socket) -> None:
        try:
            with suppress(OSError):
                self._relay(client)
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _relay(self, client: socket.socket) -> None:
        """Carry requests up and answers down, until one of them is spoilt or the client leaves."""
        server: socket.socket | None = None
        try:
            with client.makefile("rb") as requests:
                while (request := _message(requests)) is not None:
                    fault = self._fault_of(request)
                    if server is None and fault not in _UNSEEN:
                        server = self._connect(client)
                        if server is None:
                            return
                    if not self._carry(client, server, request, fault):
                        return
        finally:
            if server is not None:
                server.close()

    def _connect(self, client: socket.socket) -> socket.socket | None:
        """Connect to the server; without one the client is reset."""
        try:
            return socket.create_connection(self._upstream)
        except OSError:
            _reset(client)
            return None

    def _fault_of(self, request: bytes) -> Fault:
        with self._lock:
            fault = self._choice(request)
            self.met[fault] += 1
        return fault

    def _carry(self, client: socket.socket, server: socket.socket | None, request: bytes, fault: Fault) -> bool:
        """Do to one request what its fault says; False if the connection ends with it."""
        answer = b""
        if server is not None and fault not in _UNSEEN:
            server.sendall(request)
            if fault is not Fault.RESET_SENT:
                with closing(server.makefile("rb")) as answers:
                    answer = _message(answers) or b""
        if fault in _RESETS or (not answer and fault not in _UNSEEN):
            _reset(client)
            return False
        if fault in _HANGS:
            client.recv(1)  # until it gives up
            return False
        answer = _ANSWERS.get(fault, answer)
        client.sendall(answer[: len(answer) // 2] if fault is Fault.CUT else answer)
        return fault is not Fault.CUT


def _reset(client: socket.socket) -> None:
    """Let the next close send RST; the buffered reader holds the socket open until then."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


def _message(source: BufferedReader) -> bytes | None:
    """Read one HTTP message; None if the other side ended before it was whole."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = source.readline()
        if not line:
            return None
        head += line
    length = next((int(value) for name, value in map(_field, head.splitlines()) if name == b"content-length"), 0)
    body = source.read(length)
    return head + body if len(body) == length else None


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), value.strip()
