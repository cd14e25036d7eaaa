"""Knows how to read a trace from its file, and to write one of our own; refuses to know what is made of it.

The file's digest stands in the plan, so that a rerun replays the same bytes or nothing. A gzip file is unpacked.

Source: spec/loadtest.md 10.
"""

import gzip
import hashlib
import math
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path

from loadtest import servegen
from loadtest.errors import TraceError
from loadtest.plan_spec import PlanSpec, TraceFormat, TraceSpec
from loadtest.trace_formats import Trace, TraceRow, read, store_line

TRACE_BYTES_MAX = 4 << 30
"""Largest trace, unpacked."""
LINE_BYTES_MAX = 16 << 20
"""Longest line."""

_GZIP = b"\x1f\x8b"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, for `TraceSpec.sha256`.

    Raises:
        TraceError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}") from error


def load(path: Path, plan: PlanSpec) -> Trace:
    """Read the trace that a plan replays.

    Args:
        path: The file.
        plan: Its parameters, with a trace.

    Raises:
        TraceError: It is not the file of the plan, cannot be read, or is not what its format says.
    """
    spec = plan.trace
    if spec is None:
        raise TraceError("found no trace in the plan, allowed: one")
    found = digest(path)
    if found != spec.sha256:
        raise TraceError(f"{path}: found the file {found[:16]}.., allowed: {spec.sha256[:16]}..")
    try:
        return _read(path, spec, plan)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: {error}") from error


def write(path: Path, rows: Iterable[TraceRow]) -> str:
    """Write rows as a trace of our own and return its digest.

    Raises:
        TraceError: The file cannot be written.
    """
    try:
        with path.open("wb") as file:
            file.writelines(map(store_line, rows))
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}") from error
    return digest(path)


def _read(path: Path, spec: TraceSpec, plan: PlanSpec) -> Trace:
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    with gzip.open(path) if packed else path.open("rb") as file:
        lines = _lines(file)
        return _servegen(lines, spec, plan) if spec.format is TraceFormat.SERVEGEN else read(spec.format, lines)


def _servegen(lines: Iterable[str], spec: TraceSpec, plan: PlanSpec) -> Trace:
    until_s = spec.start_s + plan.duration_s * spec.compress if plan.duration_s else math.inf
    return servegen.arrived(servegen.clients(lines), plan.seed, spec.start_s, until_s)


def _lines(file: BufferedIOBase) -> Iterator[str]:
    left_bytes = TRACE_BYTES_MAX
    while line := file.readline(LINE_BYTES_MAX + 1):
        left_bytes -= len(line)
        if len(line) > LINE_BYTES_MAX or left_bytes < 0:
            raise TraceError(f"found a line of more than {LINE_BYTES_MAX} bytes, or more than {TRACE_BYTES_MAX} in all")
        yield line.decode()
