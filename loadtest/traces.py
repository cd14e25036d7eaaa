"""Knows how to read a trace from its file, and to write one of our own; refuses to know what is made of it.

The file's digest stands in the plan, so that a rerun replays the same bytes or nothing. A gzip file is unpacked. A
trace of ServeGen is one joined file, or the published folder of a model: `chunk-<n>-trace.csv` for each client, and
`chunk-<n>-dataset.json` with its lengths where there is one.

Source: spec/loadtest.md 10.
"""

import gzip
import hashlib
import math
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from loadtest import servegen
from loadtest.errors import TraceError
from loadtest.plan import Plan
from loadtest.plan_spec import PlanSpec, TraceFormat, TraceSpec
from loadtest.planner import build
from loadtest.trace_formats import Trace, TraceRow, read, store_line

TRACE_BYTES_MAX = 4 << 30
"""Largest trace, unpacked."""
LINE_BYTES_MAX = 16 << 20
"""Longest line."""
LENGTHS_BYTES_MAX = 256 << 20
"""Largest file of a client's lengths."""

_GZIP = b"\x1f\x8b"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, for `TraceSpec.sha256`; of a folder that of its chunks' names and digests.

    Raises:
        TraceError: It cannot be read.
    """
    try:
        if path.is_dir():
            lines = [f"{file.name} {_of_file(file)}\n" for file in sorted(path.glob("chunk-*"))]
            return hashlib.sha256("".join(lines).encode()).hexdigest()
        return _of_file(path)
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


def built(spec: PlanSpec, path: str | None) -> Plan:
    """Build a plan, with its trace if it replays one.

    Args:
        spec: Its parameters.
        path: The file of its trace; None for synthetic arrivals.

    Raises:
        PlanError: The spec's values cannot be a plan.
        TraceError: The trace cannot be read, or nothing is left to replay.
    """
    return build(spec, None if path is None else load(Path(path), spec))


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


def windows(path: Path) -> dict[str, list[servegen.Window]]:
    """Return the windows of each client of a trace of ServeGen.

    Raises:
        TraceError: It cannot be read, or is none.
    """
    try:
        return _clients(path)[0]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: {error}") from error


def first_line(path: Path) -> str:
    """Return the first line of a file, unpacked.

    Raises:
        TraceError: It cannot be read.
    """
    try:
        return next(iter(_lines(path)), "").rstrip()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: {error}") from error


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path, spec: TraceSpec, plan: PlanSpec) -> Trace:
    if spec.format is TraceFormat.SERVEGEN:
        until_s = spec.start_s + plan.duration_s * spec.compress if plan.duration_s else math.inf
        windows, laws = _clients(path)
        return servegen.arrived(windows, plan.seed, (spec.start_s, until_s), laws)
    return read(spec.format, _lines(path))


def _clients(path: Path) -> tuple[dict[str, list[servegen.Window]], dict[str, servegen.Lengths]]:
    """Return the windows of each client, and the laws of its lengths where there are any."""
    if not path.is_dir():
        return servegen.clients(_lines(path)), {}
    windows: dict[str, list[servegen.Window]] = {}
    laws: dict[str, servegen.Lengths] = {}
    for file in sorted(path.glob("chunk-*-trace.csv")):
        client = file.name.removesuffix("-trace.csv")
        windows[client] = [window for spans in servegen.clients(_lines(file)).values() for window in spans]
        beside = path / f"{client}-dataset.json"
        if beside.exists():
            laws[client] = servegen.lengths(_whole(beside))
    return windows, laws


def _whole(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(LENGTHS_BYTES_MAX + 1)
    if len(data) > LENGTHS_BYTES_MAX:
        raise TraceError(f"{path}: found more than {LENGTHS_BYTES_MAX} bytes, allowed {LENGTHS_BYTES_MAX}")
    return data


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    left_bytes = TRACE_BYTES_MAX
    with gzip.open(path) if packed else path.open("rb") as file:
        while line := file.readline(LINE_BYTES_MAX + 1):
            left_bytes -= len(line)
            if len(line) > LINE_BYTES_MAX or left_bytes < 0:
                raise TraceError(f"found a line of more than {LINE_BYTES_MAX} bytes, or {TRACE_BYTES_MAX} in all")
            yield line.decode()
