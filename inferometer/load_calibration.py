"""Knows what a worker of this machine was seen to take, and for how long that holds; refuses to measure it.

Source: spec/loadtest.md 5 (cached 7 days per host and version).
"""

import socket
from importlib.metadata import version
from pathlib import Path

import msgspec

from inferometer.errors import UnreachableError
from telemetry.clock import wall_ms

VALID_DAYS = 7
"""For so long a calibration holds."""
_DAY_MS = 86_400_000
_NAME = "load_calibration.json"


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """One calibration.

    Attributes:
        host: Machine.
        version: Of inferometer.
        made_at: Wall time, unix milliseconds.
        chunks_per_s: Most reads a second at which one worker was fit.
        requests_per_s: Requests a second of that step.
        truth_p50_us: How far its stamps were from the server's, median; None if unknown.
        truth_p99_us: The same, 99th percentile.
    """

    host: str
    version: str
    made_at: int
    chunks_per_s: float
    requests_per_s: float
    truth_p50_us: float | None
    truth_p99_us: float | None


def here(chunks_per_s: float, requests_per_s: float, truth_us: tuple[float | None, float | None]) -> Calibration:
    """Return a calibration of this machine, made now."""
    return Calibration(
        host=socket.gethostname(),
        version=version("inferometer"),
        made_at=wall_ms(),
        chunks_per_s=chunks_per_s,
        requests_per_s=requests_per_s,
        truth_p50_us=truth_us[0],
        truth_p99_us=truth_us[1],
    )


def keep(root: Path, made: Calibration) -> None:
    """Keep a calibration in a data directory.

    Raises:
        UnreachableError: It cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        (root / _NAME).write_bytes(msgspec.json.encode(made) + b"\n")
    except OSError as error:
        raise UnreachableError(f"{root / _NAME}: {error.strerror}") from None


def ceiling(root: Path) -> float | None:
    """Return what a worker can take; None if nobody measured it here, with this version, within `VALID_DAYS`."""
    try:
        found = msgspec.json.decode((root / _NAME).read_bytes(), type=Calibration)
    except (OSError, msgspec.MsgspecError):
        return None
    is_ours = (found.host, found.version) == (socket.gethostname(), version("inferometer"))
    is_fresh = wall_ms() - found.made_at < VALID_DAYS * _DAY_MS
    return found.chunks_per_s if is_ours and is_fresh else None
