"""Knows how to play an SSE server and its clients in one lean loop, so that a proxy between them is the bottleneck.

Both ends live in one process: the source sends the next chunk of a stream when told by a clock (`paced`) or by the
client end that got the previous one (`closed_loop`), so chunks never coalesce before the proxy and each is one wake-up
of the proxy's socket. A chunk is one SSE event in one HTTP chunk, about the size that vLLM sends per token.
"""

import select
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from telemetry.clock import monotonic_ns

EVENT = (
    b'data: {"id":"chatcmpl-9a41c0de","object":"chat.completion.chunk","created":1700000000,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]}\n\n'
)
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
LAST = b"0\r\n\r\n"
TINY = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
BODY = b'{"model":"m","messages":[{"role":"user","content":"why is the sky blue"}],"stream":true}'
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nx-stream: %d\r\n"
    b"content-length: " + str(len(BODY)).encode() + b"\r\n\r\n" + BODY
)
GET = b"GET /health HTTP/1.1\r\nhost: bench\r\n\r\n"
_READ_BYTES = 65_536
_TIMEOUT_S = 20.0
_QUIET_S = 0.02
_SETTLE_S = 2.0

Got = Callable[["Client", bytes], None]


@dataclass(slots=True)
class Client:
    """One client connection; `asked_ns` is 0 while no answer is due."""

    sock: socket.socket
    number: int
    asked_ns: int = 0


@dataclass(slots=True)
class Source:
    """The server's end of one stream; `left` chunks are to come, None for an endless stream."""

    sock: socket.socket
    left: int | None


@dataclass(slots=True)
class Tally:
    """What a phase has moved, and in what time."""

    chunks: int = 0
    requests: int = 0
    elapsed_ns: int = 0
    ttft_ns: list[int] = field(default_factory=list[int])


class Load:
    """An SSE source with its own listener, and clients that reach it through whatever they are pointed at."""

    def __init__(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._epoll = select.epoll()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.settimeout(0)
        self.port: int = self._listener.getsockname()[1]
        self._handlers: dict[int, Callable[[], None]] = {}
        self._sources: dict[int, Source] = {}
        self._accepted: list[socket.socket] = []
        self._stream_chunks: int | None = None
        self._watch(self._listener, self._accept)

    @contextmanager
    def clients(self, port: int, n: int) -> Generator[list[Client]]:
        """Open `n` connections to `port`, and close them and what they led to afterwards."""
        made = [Client(_connect(port), number) for number in range(n)]
        try:
            yield made
        finally:
            for client in made:
                self._forget(client.sock)
            self.settle()
            for sock in self._accepted:
                self._forget(sock)
            self._accepted.clear()
            self._sources.clear()

    def answers(self, port: int) -> bool:
        """Say whether a small request through `port` is answered within a second."""
        try:
            client = Client(_connect(port), 0)
        except ConnectionRefusedError:
            return False
        got: list[bytes] = []
        self._watch(client.sock, lambda: got.append(_read(client.sock)))
        client.sock.send(GET)
        deadline_ns = monotonic_ns() + 1e9
        while not got and monotonic_ns() < deadline_ns:
            self._step(_QUIET_S)
        self._forget(client.sock)
        return bool(got) and got[0].startswith(b"HTTP/1.1 200")

    def settle(self) -> None:
        """Work off what is there until nothing has happened for a moment, or it has gone on for long enough."""
        deadline_ns = monotonic_ns() + _SETTLE_S * 1e9
        while self._step(_QUIET_S) and monotonic_ns() < deadline_ns:
            pass

    def open_streams(self, clients: list[Client], stream_chunks: int | None) -> None:
        """Begin one stream per client and wait until each has its first chunk; None makes endless streams."""
        self._stream_chunks = stream_chunks
        self._sources.clear()
        tally = Tally()
        for client in clients:
            self._listen(client, self._measured(tally))
            _ask(client)
        deadline_ns = monotonic_ns() + _TIMEOUT_S * 1e9
        while len(tally.ttft_ns) < len(clients) and monotonic_ns() < deadline_ns:
            self._step(_QUIET_S)
        if len(tally.ttft_ns) < len(clients):
            raise TimeoutError(f"{len(clients) - len(tally.ttft_ns)} of {len(clients)} streams did not begin")

    def closed_loop(self, clients: list[Client], seconds: float) -> Tally:
        """Send each endless stream's next chunk as soon as its client has the previous one, as fast as that goes."""
        tally = Tally()
        send = {number: source.sock.send for number, source in self._sources.items()}

        def on_chunk(client: Client, data: bytes) -> None:
            n = data.count(b"\n\n")
            if n:
                tally.chunks += n
                send[client.number](CHUNK)

        for client in clients:
            self._listen(client, on_chunk)
            send[client.number](CHUNK)
        self._run(seconds, tally)
        for client in clients:
            self._listen(client, _unheeded)
        self.settle()
        return tally

    def paced(self, clients: list[Client], rate_per_s: float, seconds: float) -> Tally:
        """Send chunks round robin at `rate_per_s` in all; a stream that ends is asked for again at once."""
        tally, gap_ns, k = Tally(), 1e9 / rate_per_s, 0
        for client in clients:
            self._listen(client, self._measured(tally))
        start_ns = now_ns = monotonic_ns()
        end_ns = start_ns + seconds * 1e9
        while now_ns < end_ns:
            while start_ns + k * gap_ns <= now_ns:
                self._emit(self._sources[k % len(clients)])
                k += 1
            self._step((start_ns + k * gap_ns - monotonic_ns()) / 1e9)
            now_ns = monotonic_ns()
        tally.elapsed_ns = now_ns - start_ns
        return tally

    def tiny(self, clients: list[Client], seconds: float) -> Tally:
        """Send small keep-alive requests, one at a time per client, as fast as that goes."""
        tally = Tally()

        def on_answer(client: Client, data: bytes) -> None:
            tally.requests += data.startswith(b"HTTP/1.1 200")
            client.sock.send(GET)

        for client in clients:
            self._listen(client, on_answer)
            client.sock.send(GET)
        self._run(seconds, tally)
        for client in clients:
            self._listen(client, _unheeded)
        self.settle()
        return tally

    def _measured(self, tally: Tally) -> Got:
        def on_data(client: Client, data: bytes) -> None:
            n = data.count(b"\n\n\r\n")
            tally.chunks += n
            if n and client.asked_ns:
                tally.ttft_ns.append(monotonic_ns() - client.asked_ns)
                client.asked_ns = 0
            if data.endswith(LAST):
                _ask(client)

        return on_data

    def _emit(self, source: Source) -> None:
        if source.left is None:
            source.sock.send(CHUNK)
        elif source.left:
            source.left -= 1
            source.sock.send(CHUNK if source.left else CHUNK + LAST)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accepted.append(sock)
        self._watch(sock, lambda: self._on_request(sock))

    def _on_request(self, sock: socket.socket) -> None:
        data = _read(sock)
        if data.startswith(b"GET"):
            sock.send(TINY)
        elif data.startswith(b"POST"):
            number = int(data.partition(b"x-stream: ")[2].partition(b"\r\n")[0])
            left = self._stream_chunks
            self._sources[number] = Source(sock, left if left is None else left - 1)
            sock.send(HEAD + CHUNK)
        elif not data:
            self._epoll.unregister(sock.fileno())

    def _listen(self, client: Client, got: Got) -> None:
        def on_event() -> None:
            data = _read(client.sock)
            if not data:
                raise ConnectionError(f"client {client.number} was cut off")
            got(client, data)

        self._watch(client.sock, on_event)

    def _run(self, seconds: float, tally: Tally) -> None:
        start_ns = now_ns = monotonic_ns()
        end_ns = start_ns + seconds * 1e9
        while now_ns < end_ns:
            self._step(_QUIET_S)
            now_ns = monotonic_ns()
        tally.elapsed_ns = now_ns - start_ns

    def _step(self, wait_s: float) -> bool:
        if wait_s > 0:  # select waits in microseconds, epoll in milliseconds
            select.select([self._epoll], [], [], wait_s)
        ready = self._epoll.poll(0, 256)
        handlers = self._handlers
        for fd, _ in ready:
            handlers[fd]()
        return bool(ready)

    def _watch(self, sock: socket.socket, handler: Callable[[], None]) -> None:
        if sock.fileno() not in self._handlers:
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._handlers[sock.fileno()] = handler

    def _forget(self, sock: socket.socket) -> None:
        self._handlers.pop(sock.fileno(), None)
        sock.close()


def _connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(0)
    return sock


def _ask(client: Client) -> None:
    client.asked_ns = monotonic_ns()
    client.sock.send(REQUEST % client.number)


def _unheeded(client: Client, data: bytes) -> None:
    """Leave the rest of a phase uncounted."""


def _read(sock: socket.socket) -> bytes:
    try:
        return sock.recv(_READ_BYTES)
    except BlockingIOError:
        return b"\0"
    except OSError:
        return b""
