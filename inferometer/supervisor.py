"""Knows how to keep child processes alive and how to end them in order; refuses to know what they do.

One thread, one wait: on the children's pidfds and on a socket that signals write to. Children sit in sessions of their
own, so Ctrl-C reaches only the supervisor; the kernel sends them SIGTERM when the supervisor dies (PR_SET_PDEATHSIG).

Source: spec/reliability.md 4.1 (restarts, order of stopping); pidfd_open(2); prctl(2); signal(7).
"""

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Protocol, Self

from inferometer.restarts import Restarts
from telemetry.clock import monotonic_ns

_PR_SET_PDEATHSIG = 1
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LIBC = ctypes.CDLL(None, use_errno=True)


class Log(Protocol):
    """Where events go: a short text and its fields."""

    def __call__(self, event: str, /, **fields: object) -> None:
        """Write one event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process to keep alive.

    Attributes:
        role: Its name, unique among its siblings.
        argv: What to run.
        calm_argv: What to run instead after too many crashes; None keeps `argv`.
        env: Its environment; None is ours.
        pass_fds: Descriptors that it inherits.
        stop_rank: Children of a lower rank are ended, and waited for, before those of a higher one.
        stop_s_max: Seconds between SIGTERM and SIGKILL.
    """

    role: str
    argv: tuple[str, ...]
    calm_argv: tuple[str, ...] | None = None
    env: Mapping[str, str] | None = None
    pass_fds: tuple[int, ...] = ()
    stop_rank: int = 0
    stop_s_max: float = 10.0


@dataclass(slots=True, kw_only=True)
class _Running:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    pidfd: int = -1
    due_s: float = 0.0
    started_s: float = 0.0
    restarts: Restarts = field(default_factory=Restarts)
    calm: bool = False
    stopping: bool = False


class Supervisor:
    """Starts children, restarts those that end, and ends all of them in order.

    Attributes:
        ended_by: The first SIGINT, SIGTERM or SIGHUP that came; None so far.
    """

    def __init__(self, children: Iterable[Child], *, log: Log, changed: Callable[[], None] = lambda: None) -> None:
        """Keep the children's descriptions; nothing runs before `start`.

        Args:
            children: What to run.
            log: Where starts, crashes and ends are told.
            changed: Called after a child started or ended.
        """
        self.ended_by: int | None = None
        self._all = {child.role: _Running(child=child) for child in children}
        self._log, self._changed = log, changed
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._signals = 0
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        """Take over the ending signals."""
        self._wake_read.settimeout(0)
        self._wake_write.settimeout(0)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._on_signal) for number in _ENDING}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End what still runs, and give the signals back."""
        self.stop()
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()

    def start(self) -> None:
        """Start every child."""
        for running in self._all.values():
            self._spawn(running)

    def step(self, wait_s: float) -> None:
        """Wait until something happens, at most `wait_s` seconds, and restart what ended and is due."""
        now_s = _now_s()
        due = [one.due_s - now_s for one in self._all.values() if one.process is None and not one.stopping]
        self._wait(max(0.0, min([wait_s, *due])))
        for running in self._all.values():
            if running.process is None and not running.stopping and running.due_s <= _now_s():
                self._spawn(running)

    def stop(self) -> None:
        """End all children, rank by rank; a second ending signal cuts the waiting of the rank short."""
        for rank in sorted({one.child.stop_rank for one in self._all.values()}):
            self._stop_rank([one for one in self._all.values() if one.child.stop_rank == rank])

    def children(self) -> Mapping[str, dict[str, object]]:
        """Return pid, restarts and the age in seconds of each child by role; pid None while it does not run."""
        now_s = _now_s()
        return {
            role: {
                "pid": one.process.pid if one.process else None,
                "restarts": one.restarts.crashes,
                "age_s": round(now_s - one.started_s, 3) if one.process else None,
                "calm": one.calm,
            }
            for role, one in self._all.items()
        }

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        self.ended_by = self.ended_by or number

    def _spawn(self, running: _Running) -> None:
        child = running.child
        argv = child.calm_argv if running.calm and child.calm_argv else child.argv
        try:
            running.process = self._opened(argv, child)
        except OSError as error:
            self._crashed(running, f"could not start: {error.strerror}")
            return
        running.started_s = _now_s()
        running.pidfd = os.pidfd_open(running.process.pid)
        self._selector.register(running.pidfd, selectors.EVENT_READ, running)
        self._changed()

    @staticmethod
    def _opened(argv: tuple[str, ...], child: Child) -> subprocess.Popen[bytes]:
        parent = os.getpid()
        return subprocess.Popen(  # noqa: S603  # our own argv, no shell
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # stdout is data, and a child has none
            env=child.env,
            pass_fds=child.pass_fds,
            start_new_session=True,
            preexec_fn=lambda: die_with(parent),  # noqa: PLW1509  # this process has one thread
        )

    def _wait(self, wait_s: float) -> None:
        for key, _ in self._selector.select(wait_s):
            if isinstance(key.data, _Running):
                self._reap(key.data)
            else:
                self._wake_read.recv(4096)

    def _reap(self, running: _Running) -> None:
        assert running.process is not None  # noqa: S101  # its pidfd was registered with it
        status = running.process.wait()
        self._selector.unregister(running.pidfd)
        os.close(running.pidfd)
        running.process = None
        if not running.stopping:
            self._crashed(running, _words(status))
        self._changed()

    def _crashed(self, running: _Running, status: str) -> None:
        wait_s = running.restarts.crashed(_now_s())
        running.due_s = _now_s() + wait_s
        self._log("child ended, restarting", role=running.child.role, status=status, wait_s=wait_s)
        if running.restarts.too_many and running.child.calm_argv and not running.calm:
            running.calm = True
            self._log("child crashes again and again: restarting with its tap off", role=running.child.role)

    def _stop_rank(self, rank: list[_Running]) -> None:
        asked, until_s = self._signals, _now_s() + max(one.child.stop_s_max for one in rank)
        for one in rank:
            one.stopping = True
            if one.process:
                one.process.send_signal(signal.SIGTERM)
        while (left := [one for one in rank if one.process]) and _now_s() < until_s and self._signals == asked:
            self.step(until_s - _now_s())
        for one in left:
            if one.process:
                self._log("child did not end in time, killed", role=one.child.role)
                one.process.kill()
        while any(one.process for one in rank):
            self._wait(1.0)


def die_with(parent: int) -> None:
    """Ask for SIGTERM when the parent dies, and end if it died before the asking; between fork and exec, or behind.

    Args:
        parent: Its process id.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _now_s() -> float:
    return monotonic_ns() / 1e9


def _words(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit {status}"
