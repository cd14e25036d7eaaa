"""Knows the errors of this room, one class per thing that a caller can do differently.

    TelemetryError
    ├── SpoolError            the spool cannot be opened or written; the caller says where and stops
    │   ├── SpoolOwnedError        another process owns the directory
    │   └── SpoolVersionError      written by a newer version; nothing was touched
    ├── FetchError            a question to a server got no usable answer; `kind` says why (telemetry.fetch_error)
    └── StoreError            the store refused or did not answer
        ├── StoreUnreachableError  certainly not executed: try again later
        ├── StoreAmbiguousError    may have been executed: ask before a retry
        ├── StoreBusyError         refused for load, not executed: back off
        ├── StoreDeniedError       credentials or rights are missing
        ├── StoreDriftError        the schema is not the one we know
        └── StorePoisonError       the rows themselves were refused

Source: spec/store.md 10.
"""


class TelemetryError(Exception):
    """Root of this room's errors."""


class SpoolError(TelemetryError):
    """The spool cannot be opened or written."""


class SpoolOwnedError(SpoolError):
    """Another process owns the spool directory."""


class SpoolVersionError(SpoolError):
    """The spool was written by a newer version."""


class StoreError(TelemetryError):
    """The store refused or did not answer; `code` is ClickHouse's error code, None if there was none."""

    def __init__(self, message: str, code: int | None = None) -> None:
        """Keep the message and ClickHouse's error code."""
        super().__init__(message)
        self.code = code


class StoreUnreachableError(StoreError):
    """Certainly not executed; a retry is safe."""


class StoreAmbiguousError(StoreError):
    """May have been executed; ask before a retry."""


class StoreBusyError(StoreError):
    """Refused for load and not executed."""


class StoreDeniedError(StoreError):
    """Credentials or rights are missing."""


class StoreDriftError(StoreError):
    """The store's schema is not the one that this version writes."""


class StorePoisonError(StoreError):
    """The rows themselves were refused."""
