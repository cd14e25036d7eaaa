"""Knows how another process gives an order to the owner of a store directory: JSON lines on a socket file.

Orders change what no user of the store's HTTP address may change, so they take another way, one that only the owner of
the files can go: `<data>/run/store.sock`, mode 0600 below a directory of mode 0700. Refuses to know what is ordered.

Source: spec/store.md 8.3 (an admin's statements never come over HTTP); unix(7).
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import cast

from inferometer.errors import ConfigurationError, InferometerError, UnreachableError

LINE_BYTES_MAX = 64 * 1024
"""Longest order, and longest answer."""
ORDER_S_MAX = 3600.0
"""Longest wait for an answer: a backup copies the whole store."""
_NAME = "store.sock"

Order = Mapping[str, object]
CarryOut = Callable[[Order], Order]
"""Does what was ordered; raises InferometerError if it cannot."""


class NobodyThereError(Exception):
    """No store runs on the directory."""


@asynccontextmanager
async def answering(data: Path, carry_out: CarryOut) -> AsyncGenerator[None]:
    """Carry orders out, one after another, while the block runs."""
    turn = asyncio.Lock()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):  # a line above the limit, a client that left
            line = await reader.readline()
            async with turn:
                said = await asyncio.to_thread(_answered, line, carry_out)
            writer.write(said)
            await writer.drain()
        writer.close()

    with _place(data) as path:
        server = await asyncio.start_unix_server(answer, path, limit=LINE_BYTES_MAX)
        path.chmod(0o600)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)


def ordered(data: Path, order: Order) -> Order:
    """Have the store that runs on a directory carry out an order.

    Raises:
        NobodyThereError: None runs there.
        InferometerError: It could not; the message is its own.
    """
    with _place(data) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            raise NobodyThereError from None
        connection.settimeout(ORDER_S_MAX)
        try:
            connection.sendall(json.dumps(order).encode() + b"\n")
            line = connection.makefile("rb").readline(LINE_BYTES_MAX)
        except OSError as error:
            raise InferometerError(f"the store on {data} did not answer: {error}") from None
    if not line:
        raise InferometerError(f"the store on {data} ended before it answered")
    said = cast("Order", json.loads(line))
    if "error" in said:
        kinds = (ConfigurationError, UnreachableError)
        kind = next((one for one in kinds if one.exit_code == said.get("exit_code")), InferometerError)
        raise kind(str(said["error"]))
    return said


def _answered(line: bytes, carry_out: CarryOut) -> bytes:
    try:
        said = carry_out(cast("Order", json.loads(line)))
    except (InferometerError, ValueError) as error:
        said = {"error": " ".join(str(error).split()), "exit_code": getattr(error, "exit_code", None)}
    return json.dumps(said).encode() + b"\n"


@contextmanager
def _place(data: Path) -> Generator[Path]:
    """Yield the socket's path in a form that is short: an address holds 107 bytes, a data directory's path may not."""
    run = data / "run"
    with suppress(OSError):  # no directory, no store
        run.mkdir(mode=0o700, exist_ok=True)
    try:
        descriptor = os.open(run, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        raise NobodyThereError from None
    try:
        yield Path(f"/proc/self/fd/{descriptor}/{_NAME}")
    finally:
        os.close(descriptor)
