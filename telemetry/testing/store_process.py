"""Knows how to run the embedded store as a child process; refuses to know how it works inside.

For tests and benchmarks: it starts on a free port, is ready when the constructor returns, and is ended by its pid.
"""

import re
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from telemetry.store import Store

_READY = re.compile(r"answers at (http://\S+) \(.*RSS (\d+) MiB\)")
_END_S = 20.0


class StoreProcess:
    """A running `python -m inferometer.store_server`.

    Attributes:
        data: Its data directory.
        url: Where it answers.
        rss_mib: Resident memory when it became ready, MiB.
    """

    def __init__(self, data: Path, *, port: int = 0) -> None:
        """Start it and wait until it is ready.

        Raises:
            RuntimeError: It ended instead; the message is what it said.
        """
        self.data = data
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "inferometer.store_server", "--data", str(data), "--port", str(port)],
            stderr=subprocess.PIPE,
            text=True,
        )
        said: list[str] = []
        ready = None
        for line in self._process.stderr or ():
            said.append(line.strip())
            if ready := _READY.search(line):
                break
        if ready is None:
            self.end()
            raise RuntimeError(f"the store did not start: {said[-1] if said else ''}")
        self.url, self.rss_mib = ready[1], int(ready[2])

    def __enter__(self) -> Self:
        """Return the running store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.end()

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return int(self.url.rpartition(":")[2])

    def store(self, user: str) -> Store:
        """Return a client for one of the store's users."""
        return Store(self.url, user=user, password=self.secret(user))

    def secret(self, user: str) -> str:
        """Return a user's secret."""
        return (self.data / "secrets" / f"store_{user}").read_text().strip()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code (negative: ended by that signal)."""
        self._process.send_signal(number)
        code = self._process.wait(_END_S)
        if self._process.stderr:
            self._process.stderr.close()
        return code
