"""Knows the errors that end a verb, one class per exit code; refuses to know what was being done.

    InferometerError       1  our fault
    ├── ConfigurationError 2  what was typed or written is wrong; nothing was touched
    └── UnreachableError   5  a target, store, port or directory cannot be reached or used

Source: design.md, exit codes.
"""


class InferometerError(Exception):
    """Root of this room's errors: our fault. The message is one line that a user can act on."""

    exit_code = 1


class ConfigurationError(InferometerError):
    """Wrong usage or configuration; also a data directory that another process owns."""

    exit_code = 2


class UnreachableError(InferometerError):
    """A target or store that does not answer, a taken port, a directory that cannot be written."""

    exit_code = 5
