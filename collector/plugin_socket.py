"""Knows the socket on which the vLLM plugin is heard; refuses to know the layout of what it says.

The plugin may start first, and be there when we are not: whoever binds the path next is heard next. A socket that a
dead process left behind is taken over, one on which somebody listens is not.

Source: unix(7) (a datagram socket keeps boundaries; binding makes a file, which outlives its process).
"""

import errno
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from collector.plugin_rows import DATAGRAM_BYTES_MAX, PluginRows
from telemetry.record import RequestRecord

READ_BURST_MAX = 64
"""Most datagrams of one call of `records`, so that a busy engine does not hold up the tees' frames."""
_MODE = 0o660  # owner and group: vLLM may run as another user of the same group


class PluginSocket:
    """The receiving end; `records` returns what is there now and never waits.

    Args:
        path: Where to listen; the kernel takes at most 107 bytes.
        rows: Makes the rows.

    Attributes:
        rows: As given; it counts.

    Raises:
        OSError: The path cannot be taken.
    """

    def __init__(self, path: Path, rows: PluginRows) -> None:
        self.rows = rows
        self._path = path
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._sock.settimeout(0)
            _remove_dead(path)
            self._sock.bind(str(path))
            path.chmod(_MODE)
        except OSError:
            self._sock.close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._sock.fileno()

    def records(self, now_ms: int) -> list[RequestRecord]:
        """Return the records of what is there now, at most `READ_BURST_MAX` datagrams.

        Args:
            now_ms: Our wall clock, unix milliseconds.
        """
        return [record for datagram in self._datagrams() for record in self.rows.records(datagram, now_ms)]

    def close(self) -> None:
        """Stop to listen; the path is free again."""
        self._sock.close()
        self._path.unlink(missing_ok=True)

    def _datagrams(self) -> Iterator[bytes]:
        for _ in range(READ_BURST_MAX):
            try:
                yield self._sock.recv(DATAGRAM_BYTES_MAX)  # a longer one comes cut off, so it is malformed
            except OSError:
                return


def _remove_dead(path: Path) -> None:
    """Remove a socket on which nobody listens; anything else is left alone, and binding says so."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        if path.is_socket() and asking.connect_ex(str(path)) == errno.ECONNREFUSED:
            path.unlink()
