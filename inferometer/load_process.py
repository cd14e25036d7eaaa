"""Knows how the processes of a load test are started, heard and ended; refuses to know what a run is.

Locust runs in a session of its own: Ctrl-C reaches us alone, and we ask its master to drain. It tells what happens in
lines of JSON on a pipe; its own log goes to a file. Whatever happens here, no process of it is left behind.

Source: spec/loadtest.md 3 (layout); Locust 2.47 main.py (`--processes`); setsid(2), killpg(3).
"""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from secrets import randbelow
from types import FrameType, TracebackType
from typing import Any, Self

import msgspec

from inferometer.address import Address
from inferometer.defaults import LOOPBACK
from inferometer.errors import ConfigurationError, InferometerError
from inferometer.listen import free_port

EVENTS_VARIABLE = "INFEROMETER_LOAD_EVENTS"
"""Where the harness finds the descriptor (`loadtest.harness`, which only Locust may import)."""
LEAVE_S_MAX = 20.0
"""Longest wait for the processes to end behind the last event."""
PORT_FIRST = 20_000
"""Lowest port of a master; with the others it lies below those that Linux gives to connections (ip(7), from 32,768 on),
so that none takes it between our look and its start."""
_PORTS = 12_000
_LOCUSTFILE = Path(__file__).parent.parent / "loadtest" / "locustfile.py"
_READ_BYTES = 1 << 16


class LoadProcess:
    """Locust with its workers; use it as a context manager.

    Args:
        command: What to start: `locust`.
        log: File for what it says.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        """Know what to start."""
        self._command, self._log = command, log
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = -1
        self._before: dict[signal.Signals, Any] = {}
        self._is_interrupted = False

    def __enter__(self) -> Self:
        """Start."""
        self._reader, writer = os.pipe()
        env = os.environ | {EVENTS_VARIABLE: str(writer)}
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and file
                    self._command,
                    env=env,
                    pass_fds=(writer,),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        finally:
            os.close(writer)
        self._before = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End whatever still runs."""
        os.close(self._reader)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LEAVE_S_MAX if kind is None else 0.1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # stopped workers too
        self._process.wait()

    def events(self) -> Iterator[dict[str, Any]]:
        """Return what the run tells, until its processes are gone.

        Raises:
            KeyboardInterrupt: On the second Ctrl-C, or the first before the run could drain; else that makes it drain.
        """
        received = b""
        while data := os.read(self._reader, _READ_BYTES):
            *lines, received = (received + data).split(b"\n")
            for line in lines:
                event = msgspec.json.decode(line, type=dict[str, Any])
                yield event
                if event["event"] == "end":
                    return
        if self._is_interrupted:
            raise KeyboardInterrupt

    def settle(self) -> None:
        """Ask a run that goes on to end, for enough is known; it drains."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGUSR1)

    def last_words(self, lines: int = 5) -> str:
        """Return the end of Locust's log, for an error."""
        with contextlib.suppress(OSError):
            return " | ".join(self._log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Ask the run to drain; asked twice, give up."""
        del number, frame
        if self._is_interrupted or self._process is None:
            raise KeyboardInterrupt
        self._is_interrupted = True
        os.kill(self._process.pid, signal.SIGINT)


def must_be_installed() -> None:
    """Check that Locust is there, without importing it.

    Raises:
        ConfigurationError: It is not.
    """
    if importlib.util.find_spec("locust") is None:
        raise ConfigurationError("load tests need Locust: pip install 'inferometer[loadtest]'")
    if not _LOCUSTFILE.is_file():
        raise InferometerError(f"{_LOCUSTFILE} is missing")


def locust(run_file: Path, workers: int) -> list[str]:
    """Return the command of Locust for a run.

    Args:
        run_file: The run, JSON.
        workers: How many processes carry it out, beside the master.
    """
    first = PORT_FIRST + randbelow(_PORTS)
    port = str(free_port(Address(host=LOOPBACK, port=first), "the port of Locust's master", auto=True))
    count = str(workers)
    return [
        *(sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--load-run", str(run_file)),
        *("--headless", "--only-summary", "--processes", count, "-u", count, "-r", count),
        *("--master-bind-host", LOOPBACK, "--master-bind-port", port),
        *("--master-host", LOOPBACK, "--master-port", port),
    ]
