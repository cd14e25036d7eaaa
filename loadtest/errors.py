"""Knows the errors of this room, one class per thing that a caller can do differently.

    LoadError
    ├── PlanError          a plan's parameters cannot be; the message names key, found, allowed (exit 2)
    ├── PlanMismatchError  a worker built another plan than the master; nothing was sent (exit 1)
    ├── TargetError        where load may not go, or no URL; nothing was sent (exit 2)
    └── TraceError         a trace file is not what its format says; the message names the line (exit 2)

Source: spec/loadtest.md 1 (exit codes), 2 (the hash of a plan), 10 (traces).
"""


class LoadError(Exception):
    """Root of this room's errors."""


class PlanError(LoadError):
    """Parameters of a plan that are refused."""


class PlanMismatchError(LoadError):
    """Two processes that must hold one plan hold two."""


class TargetError(LoadError):
    """A target that is refused."""


class TraceError(LoadError):
    """A trace that cannot be replayed.

    Attributes:
        line: Its line in the file, counted from 1; None if no single line is at fault.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        """Keep the line and put it before the message."""
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line
