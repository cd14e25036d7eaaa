"""Knows the little shared memory in which a sampler says what it is doing; refuses to know what the calls mean.

A call into a hung driver cannot report itself, so the sampler writes its name here before it enters, and the watchdog
reads it from outside. Writing is a copy of a few bytes: no system call, no lock.

Source: spec/reliability.md 5.4 (a hung driver is a gap); memfd_create(2).
"""

import mmap
import os
import struct
from dataclasses import dataclass

from telemetry.clock import monotonic_ns

OPEN_S_MAX = 30.0
"""Deadline of the first call: without a persistence daemon the driver wakes every GPU in it."""
CALL_S_MAX = 2.0
"""Deadline of every other call."""

_LAYOUT = struct.Struct("<QQi44s")
_IDLE = _LAYOUT.pack(0, 0, 0, b"")
NO_GPU = -1
"""Index of a call that concerns no single GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call under way.

    Attributes:
        name: Function, cut to 44 bytes.
        gpu_index: GPU it concerns; `NO_GPU` for none.
        since_ns: Monotonic clock at its start.
        until_ns: Monotonic clock at its deadline.
    """

    name: str
    gpu_index: int
    since_ns: int
    until_ns: int


class Board:
    """The shared memory; `fd` is what a child process inherits."""

    def __init__(self, fd: int) -> None:
        """Map the memory behind a descriptor."""
        self.fd = fd
        self._memory = mmap.mmap(fd, _LAYOUT.size)

    @classmethod
    def create(cls) -> "Board":
        """Make new, empty memory."""
        fd = os.memfd_create("nvml-board")
        os.ftruncate(fd, _LAYOUT.size)
        return cls(fd)

    def enter(self, name: str, gpu_index: int, limit_s: float) -> None:
        """Say that a call begins and how long it may take."""
        now_ns = monotonic_ns()
        self._memory[:] = _LAYOUT.pack(now_ns, now_ns + int(limit_s * 1e9), gpu_index, name.encode())

    def leave(self) -> None:
        """Say that the call returned."""
        self._memory[:] = _IDLE

    def overdue(self, now_ns: int) -> Call | None:
        """Return the call that is past its deadline; None if there is none.

        Subtle: the bytes may be torn by a writer, so they count only if two looks agree; a call that hangs does not
        write.
        """
        looks = [bytes(self._memory[:]) for _ in range(2)]
        since_ns, until_ns, gpu_index, name = _LAYOUT.unpack(looks[0])
        if looks[0] != looks[1] or not since_ns or now_ns <= until_ns:
            return None
        return Call(name=name.rstrip(b"\0").decode(), gpu_index=gpu_index, since_ns=since_ns, until_ns=until_ns)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self.fd)
