"""Knows the embedded store as a service: one process that owns a chDB directory and serves ClickHouse's HTTP protocol.

Requests are taken apart by `store_wire`, judged by `store_gate`, run by `store_engine`; here they meet a user, a
deadline and a bound. The body of an insert is complete before the engine sees its first byte, so a client that goes
away half-way leaves nothing behind.

Source: spec/store.md 8 (service), 8.4 (limits); https://asgi.readthedocs.io/en/latest/specs/www.html.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from importlib.metadata import version as installed_version
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvicorn

from inferometer import migrate, store_gate, store_lock, store_secrets, store_wire
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from inferometer.store_engine import READ_S_MAX, BusyError, Engine, EngineError, Result
from inferometer.store_wire import Answer, Asked, WireError

CONNECTIONS_MAX = 64
"""Open connections; one more is answered 503 before anything is executed."""
REQUEST_S_MAX = 60.0
BODY_S_MAX = 30.0
"""Longest time in which a body may arrive."""
DRAIN_S = 10
FREE_BYTES_MIN = 1 << 30
"""Free space below which a store does not start."""
_IDLE_CONNECTION_S = 120
_INTERRUPTED = 130

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class StoreApp:
    """The ASGI application over one engine."""

    def __init__(self, engine: Engine, users: Mapping[str, str], hosts: frozenset[str]) -> None:
        """Keep the parts.

        Args:
            engine: An open store.
            users: Secret by user.
            hosts: Names by which we may be addressed, without port.
        """
        self._engine, self._users, self._hosts = engine, users, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        answer = await self._answered(scope, headers, receive)
        answer = store_wire.compressed(answer, headers.get("accept-encoding", ""))
        raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in answer.headers]
        raw.append((b"Content-Length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answered(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> Answer:
        if headers.get("host", "").rsplit(":", 1)[0].strip("[]") not in self._hosts:
            return _plain(421, "this store does not go by that name\n")
        if scope["path"] == "/ping":
            return _plain(200, "Ok.\n")
        if scope["path"] != "/" or scope["method"] not in {"GET", "POST"}:
            return _plain(404, "There is no such page; the store answers /ping and /\n")
        try:
            return await self._run(scope, headers, receive)
        except EngineError as error:
            return store_wire.engine_failure(str(error), self._engine.version)
        except (WireError, store_gate.RefusedError) as error:
            return store_wire.failure(error.code, str(error), self._engine.version)
        except BusyError as error:
            return store_wire.failure(202, f"Too many simultaneous queries: {error}", self._engine.version)
        except TimeoutError:
            return store_wire.failure(159, "Timeout exceeded", self._engine.version)

    async def _run(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> Answer:
        if len(scope["query_string"]) + sum(map(len, headers.values())) > store_wire.HEADER_BYTES_MAX:
            raise WireError(307, f"target and headers are longer than {store_wire.HEADER_BYTES_MAX} bytes")
        user = store_secrets.user_of(self._users, *store_wire.credentials(headers))
        if user is None:
            raise WireError(516, "Authentication failed: password is incorrect, or there is no such user")
        async with asyncio.timeout(BODY_S_MAX):
            body = await _body(receive)
        asked = store_wire.asked(scope["query_string"], headers, body)
        if len(asked.statement.encode()) > store_gate.SQL_BYTES_MAX:
            raise WireError(62, f"the statement is longer than {store_gate.SQL_BYTES_MAX} bytes")
        hello = store_wire.grafana_hello(asked.statement, asked.options, self._engine.version)
        if hello is not None and user != "writer":
            return store_wire.answer(hello, "Native")
        if user == "writer":
            return await self._written(asked, method=scope["method"])
        return await self._read(asked)

    async def _written(self, asked: Asked, *, method: str) -> Answer:
        refused = asked.options.keys() - store_wire.TRANSPORT_NAMES - store_wire.ENGINE_SETTINGS
        if refused:
            raise WireError(115, f"Setting {', '.join(sorted(refused))} is not one that a writer may change")
        if store_gate.is_writers_question(asked.statement):
            return await self._asked(asked)
        if method != "POST":
            raise WireError(164, "Cannot execute query in readonly mode: GET only reads")
        settings = {name: asked.options[name] for name in sorted(store_wire.ENGINE_SETTINGS & asked.options.keys())}
        done = await _within(
            REQUEST_S_MAX,
            self._engine.insert(store_gate.insert(asked.statement), {"async_insert": "0", **settings}, asked.data),
        )
        summary = {"written_rows": done.rows, "written_bytes": done.size}
        return store_wire.answer(b"", done.output, query_id=asked.options.get("query_id", ""), summary=summary)

    async def _asked(self, asked: Asked) -> Answer:
        statement, output = store_gate.split_format(asked.statement)
        found = self._engine.ask(statement, output or _output(asked), asked.parameters)
        return _rows(await _within(READ_S_MAX, found), asked)

    async def _read(self, asked: Asked) -> Answer:
        if store_gate.is_handshake(asked.statement):
            return await self._asked(asked)
        database = asked.options.get("database", "")
        found = self._engine.read(asked.statement, _output(asked), asked.parameters, database)
        return _rows(await _within(_seconds(asked.options), found), asked)


def serve(data: Path, host: str, port: int) -> int:
    """Own the directory and serve until SIGTERM or SIGINT; then finish what runs and close.

    Returns:
        Exit code: 130 if it was interrupted, else 0.

    Raises:
        ConfigurationError: Another process owns the directory, or the address is none of ours.
        UnreachableError: The port is taken, or the directory cannot be used.
    """
    data = data.expanduser().resolve()
    store_lock.refuse_owned(data)
    store_lock.refuse_unwritable(data)
    with _bound(host, port) as listener:
        url = f"http://{host}:{listener.getsockname()[1]}"
        with _owned(data, url), contextlib.closing(_opened(DataDirectory(root=data).store)) as engine:
            hosts = frozenset({host, "127.0.0.1", "localhost", "::1"})
            app = StoreApp(engine, store_secrets.ensure(data), hosts)
            _say(f"store {data} answers at {url} (engine {engine.version}, RSS {_rss_mib()} MiB)")
            return asyncio.run(_served(app, listener))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the store from the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="inferometer store", description="Serve the embedded store.")
    parser.add_argument("--data", type=Path, required=True, help="directory that holds the store; one owner at a time")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--port", type=int, default=8300, help="port to listen on; 0 takes a free one")
    options = parser.parse_args(arguments)
    try:
        return serve(options.data, options.host, options.port)
    except InferometerError as error:
        _say(str(error))
        return error.exit_code


async def _served(app: StoreApp, listener: socket.socket) -> int:
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX + 1,
            timeout_keep_alive=_IDLE_CONNECTION_S,
            timeout_graceful_shutdown=DRAIN_S,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop, number)
    await server.serve(sockets=[listener])
    return _INTERRUPTED if server.ended_by is signal.SIGINT else 0


class _Server(uvicorn.Server):
    """A server whose signals are handled by its owner, which has an engine to close after it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    ended_by: signal.Signals | None = None

    def stop(self, number: signal.Signals) -> None:
        self.ended_by = self.ended_by or number
        self.should_exit = True


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise WireError(store_wire.UNKNOWN_ERROR, "the client left before its request was complete")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > store_wire.BODY_BYTES_MAX:
            raise WireError(307, f"the body is larger than {store_wire.BODY_BYTES_MAX} bytes")
    return bytes(body)


async def _within(seconds: float, found: Future[Result]) -> Result:
    async with asyncio.timeout(seconds):
        return await asyncio.wrap_future(found)


def _output(asked: Asked) -> str:
    return asked.options.get("default_format") or "TabSeparated"


def _rows(found: Result, asked: Asked) -> Answer:
    summary = {"read_rows": found.rows, "read_bytes": found.size}
    return store_wire.answer(found.body, found.output, query_id=asked.options.get("query_id", ""), summary=summary)


def _seconds(options: Mapping[str, str]) -> float:
    try:
        wanted = float(options.get("max_execution_time") or READ_S_MAX)
    except ValueError:
        raise WireError(36, "max_execution_time is not a number of seconds") from None
    return min(wanted, READ_S_MAX) if wanted > 0 else READ_S_MAX


def _plain(status: int, text: str) -> Answer:
    return Answer(status=status, headers=(("Content-Type", "text/plain; charset=UTF-8"),), body=text.encode())


@contextlib.contextmanager
def _bound(host: str, port: int) -> Generator[socket.socket]:
    if not _is_loopback(host):
        raise ConfigurationError(f"--host {host!r}: the embedded store listens on loopback only, such as 127.0.0.1")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Subtle: asyncio sets TCP_NODELAY only on a socket whose protocol is named; without it an answer takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with listener:
        try:
            listener.bind((host, port))
            # Subtle: two sockets may be bound to one port until one of them listens. Early clients wait in its queue.
            listener.listen(CONNECTIONS_MAX)
        except (OSError, OverflowError) as error:
            raise UnreachableError(f"--port {port} of {host} cannot be used: {error}; choose another port") from None
        yield listener


@contextlib.contextmanager
def _owned(data: Path, url: str) -> Generator[None]:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(data).free
    except OSError as error:
        raise UnreachableError(f"data directory {data}: {error.strerror}; choose another with --data") from None
    if free < FREE_BYTES_MIN:
        raise UnreachableError(f"data directory {data}: {free >> 20} MiB are free, {FREE_BYTES_MIN >> 20} are needed")
    with store_lock.own(data, url, installed_version("inferometer")):
        yield


def _opened(path: Path) -> Engine:
    try:
        engine = Engine(path)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{error}: install inferometer[embedded], or set store.url to a server") from None
    except (EngineError, RuntimeError) as error:
        raise UnreachableError(f"store {path} does not open: {' '.join(str(error).split())}") from None
    try:
        migrate.apply(engine.execute, by=f"inferometer {installed_version('inferometer')}")
        migrate.verify(engine.execute)
    except (EngineError, migrate.SchemaDriftError) as error:
        engine.close()
        raise ConfigurationError(f"store {path}: {' '.join(str(error).split())}") from None
    return engine


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _rss_mib() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") >> 20


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # whoever read stderr may be gone
        sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
