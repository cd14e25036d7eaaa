"""Knows the embedded store as a service: one process that owns a chDB directory and serves ClickHouse's HTTP protocol.

Requests are taken apart by `store_wire`, judged by `store_gate`, run by `store_engine`; here they meet a user, a
deadline and a bound. The body of an insert is complete before the engine sees its first byte, so a client that goes
away half-way leaves nothing behind.

Source: spec/store.md 8 (service), 8.4 (limits); https://asgi.readthedocs.io/en/latest/specs/www.html.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from inferometer import (
    store_belt,
    store_control,
    store_gate,
    store_listen,
    store_lock,
    store_open,
    store_orders,
    store_secrets,
    store_wire,
)
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from inferometer.store_engine import READ_S_MAX, Engine, EngineError, Result
from inferometer.store_listen import Receive, Scope, Send
from inferometer.store_pool import BusyError, Work
from inferometer.store_wire import Answer, Asked, WireError

REQUEST_S_MAX = 60.0
BODY_S_MAX = 30.0
"""Longest time in which a body may arrive."""


class StoreApp:
    """The ASGI application over one engine.

    Attributes:
        engine: That engine.
        belt: What is known of it.
    """

    def __init__(self, engine: Engine, users: Mapping[str, str], hosts: frozenset[str]) -> None:
        """Keep the parts.

        Args:
            engine: An open store.
            users: Secret by user.
            hosts: Names by which we may be addressed, without port.
        """
        self.engine, self._users, self._hosts = engine, users, hosts
        self.belt = store_belt.Belt(engine.read)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        answer = await self._answered(scope, headers, receive)
        answer = store_wire.compressed(answer, headers.get("accept-encoding", ""))
        await store_listen.sent(answer, send)

    async def _answered(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> Answer:
        if headers.get("host", "").rsplit(":", 1)[0].strip("[]") not in self._hosts:
            return _plain(421, "this store does not go by that name\n")
        if scope["path"] in {"/ping", "/metrics"}:
            return _plain(200, "Ok.\n" if scope["path"] == "/ping" else self.belt.page())
        if scope["path"] != "/" or scope["method"] not in {"GET", "POST"}:
            return _plain(404, "There is no such page; the store answers /ping, /metrics and /\n")
        try:
            return await self._run(scope, headers, receive)
        except EngineError as error:
            return store_wire.engine_failure(str(error), self.engine.version)
        except _SlowBodyError as error:
            return store_wire.closing(store_wire.failure(error.code, str(error), self.engine.version))
        except (WireError, store_gate.RefusedError) as error:
            return store_wire.failure(error.code, str(error), self.engine.version)
        except BusyError as error:
            return store_wire.failure(202, f"Too many simultaneous queries: {error}", self.engine.version)

    async def _run(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> Answer:
        if len(scope["query_string"]) + sum(map(len, headers.values())) > store_wire.HEADER_BYTES_MAX:
            raise WireError(307, f"target and headers are longer than {store_wire.HEADER_BYTES_MAX} bytes")
        user = store_secrets.user_of(self._users, *store_wire.credentials(headers))
        if user is None:
            raise WireError(516, "Authentication failed: password is incorrect, or there is no such user")
        body = await _body(receive)
        asked = store_wire.asked(scope["query_string"], headers, body)
        if len(asked.statement.encode()) > store_gate.SQL_BYTES_MAX:
            raise WireError(62, f"the statement is longer than {store_gate.SQL_BYTES_MAX} bytes")
        hello = store_wire.grafana_hello(asked.statement, asked.options, self.engine.version)
        if hello is not None and user != "writer":
            return store_wire.answer(hello, "Native")
        if user == "writer":
            return await self._written(asked, receive, method=scope["method"])
        return await self._read(asked, receive)

    async def _written(self, asked: Asked, receive: Receive, *, method: str) -> Answer:
        refused = asked.options.keys() - store_wire.TRANSPORT_NAMES - store_wire.ENGINE_SETTINGS
        if refused:
            raise WireError(115, f"Setting {', '.join(sorted(refused))} is not one that a writer may change")
        if store_gate.is_writers_question(asked.statement):
            return await self._asked(asked, receive)
        if method != "POST":
            raise WireError(164, "Cannot execute query in readonly mode: GET only reads")
        settings = {name: asked.options[name] for name in sorted(store_wire.ENGINE_SETTINGS & asked.options.keys())}
        inserting = store_gate.insert(asked.statement)
        done = await _inserted(self.engine.insert(inserting, {"async_insert": "0", **settings}, asked.data))
        summary = {"written_rows": done.rows, "written_bytes": done.size}
        return store_wire.answer(b"", done.output, query_id=asked.options.get("query_id", ""), summary=summary)

    async def _asked(self, asked: Asked, receive: Receive) -> Answer:
        statement, output = store_gate.split_format(asked.statement)
        work = self.engine.ask(statement, output or _output(asked), asked.parameters)
        return _rows(await _found(work, READ_S_MAX, receive), asked)

    async def _read(self, asked: Asked, receive: Receive) -> Answer:
        self.belt.ignore(asked.options.keys() - store_wire.TRANSPORT_NAMES)
        if store_gate.is_handshake(asked.statement):
            return await self._asked(asked, receive)
        seconds, database = _seconds(asked.options), asked.options.get("database", "")
        work = self.engine.read(asked.statement, _output(asked), asked.parameters, database)
        return _rows(await _found(work, seconds, receive), asked)


def serve(data: Path, host: str, port: int, days: Mapping[str, int]) -> int:
    """Own the directory and serve until SIGTERM or SIGINT; then finish what runs and close.

    Args:
        data: The directory.
        host: Loopback address to listen on.
        port: Port to listen on; 0 takes a free one.
        days: How long tables keep their rows, where that is not what the schema says.

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
        with store_open.owned(data, url), contextlib.closing(store_open.opened(data, days)) as engine:
            hosts = frozenset({host, "127.0.0.1", "localhost", "::1"})
            app = StoreApp(engine, store_secrets.ensure(data), hosts)
            ready = f"store {data} answers at {url} (engine {engine.version}, RSS {_rss_mib()} MiB)"
            return asyncio.run(_serving(app, listener, data, ready))


async def _serving(app: StoreApp, listener: socket.socket, data: Path, ready: str) -> int:
    async with store_control.answering(data, partial(_carry_out, app)), asyncio.TaskGroup() as group:
        watching = group.create_task(app.belt.watch())
        try:
            return await store_listen.served(app, listener, partial(_say, ready))
        finally:
            watching.cancel()


def _carry_out(app: StoreApp, order: store_control.Order) -> store_control.Order:
    if order == store_orders.SETTINGS:
        return {"settings": dict(app.belt.ignored)}
    return store_orders.carry_out(app.engine, order)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the store from the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="inferometer store", description="Serve the embedded store.")
    parser.add_argument("--data", type=Path, required=True, help="directory that holds the store; one owner at a time")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--port", type=int, default=8300, help="port to listen on; 0 takes a free one")
    parser.add_argument("--days", type=json.loads, default={}, help="JSON: days for which a table keeps its rows")
    options = parser.parse_args(arguments)
    try:
        return serve(options.data, options.host, options.port, options.days)
    except InferometerError as error:
        _say(str(error))
        return error.exit_code


class _SlowBodyError(WireError):
    """A body that does not come, so that its connection can carry nothing else."""


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    more = True
    try:
        async with asyncio.timeout(BODY_S_MAX):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise WireError(store_wire.UNKNOWN_ERROR, "the client left before its request was complete")
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > store_wire.BODY_BYTES_MAX:
                    raise WireError(307, f"the body is larger than {store_wire.BODY_BYTES_MAX} bytes")
    except TimeoutError:
        raise _SlowBodyError(159, f"the body did not arrive within {BODY_S_MAX:.0f} s") from None
    return bytes(body)


async def _inserted(work: Work[Result]) -> Result:
    """Wait for an insert, which is let alone when the time is over: its rows may be stored already."""
    try:
        async with asyncio.timeout(REQUEST_S_MAX):
            return await asyncio.wrap_future(work.future)
    except TimeoutError:
        raise WireError(159, f"Timeout exceeded: the insert took more than {REQUEST_S_MAX:.0f} s") from None


async def _found(work: Work[Result], seconds: float, receive: Receive) -> Result:
    """Wait for rows; the statement ends with the time it was given, or with the client that wanted them."""
    future = asyncio.wrap_future(work.future)
    try:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(_stop_when_left(work, receive))
            await asyncio.wait([future], timeout=seconds)
            watch.cancel()
        if not future.done():
            raise WireError(159, f"Timeout exceeded: maximum: {seconds:g} s")
    finally:
        if not future.done():
            work.stop()
            future.cancel()
    if future.cancelled():
        raise WireError(394, "Query was cancelled: the client left")
    return future.result()


async def _stop_when_left(work: Work[Result], receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    work.stop()


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
            listener.listen(store_listen.CONNECTIONS_MAX)
        except (OSError, OverflowError) as error:
            raise UnreachableError(f"--port {port} of {host} cannot be used: {error}; choose another port") from None
        yield listener


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
