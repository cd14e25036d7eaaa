"""Knows the files of a run: what lies in its directory, and how its rows reach the spool; refuses to judge.

    run.json        the run, as it was carried out
    requests.jsonl  every attempt, in the order of the plan; no prompt and no answer
    report.json     what it came to
    receipt.json    what it takes to repeat it: the run, versions, hashes, the command
    junit.xml       its verdicts for a pipeline
    locust.log      what Locust said
    engine.jsonl, gpu.jsonl   what was seen beside it, if anything was (`load_guard_lines`)

Rows also go to a spool of the data directory, with what the store keeps of the run itself: `inferometer.load_ship` or
`inferometer up` finds it and ships it.

Source: spec/loadtest.md 18 (files), 2 (receipt); spec/store.md 11 (one spool directory per writing process).
"""

import fcntl
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from io import FileIO
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec

from inferometer.data_directory import DataDirectory
from inferometer.errors import InferometerError, UnreachableError
from loadtest.errors import LoadError
from loadtest.rows import Row, place, read
from loadtest.run_spec import RunSpec, encoded
from telemetry.clock import wall_ms
from telemetry.errors import SpoolError
from telemetry.load_records import LoadRecord
from telemetry.spool import Spool
from telemetry.spool_keeper import RESERVE_NAME

RUN, REQUESTS, REPORT, LOG = "run.json", "requests.jsonl", "report.json", "locust.log"
ROWS = "rows-*.jsonl"
"""Files of the workers."""
SCENARIO = "scenario.json"
"""What a spike, or a run from cold, came to beside its report."""
RECEIPT, JUNIT = "receipt.json", "junit.xml"
GROUP_ROWS_MAX = 1000
"""Rows that go to the spool by one write."""
_NODE = re.compile("[^A-Za-z0-9.-]+")
_MARK = "-load-"


def new_run_id() -> str:
    """Return an id that no other run has, whoever starts one in the same millisecond; later ones sort behind."""
    return f"{wall_ms():x}{token_hex(3)}"


def made(directory: Path, run: RunSpec) -> Path:
    """Make the directory of a run and write the run there; returns the file.

    Raises:
        UnreachableError: It is there already, or cannot be made.
    """
    try:
        directory.mkdir(parents=True)
        (directory / RUN).write_bytes(encoded(run) + b"\n")
    except OSError as error:
        raise UnreachableError(f"directory of the run {directory}: {error.strerror}") from None
    return directory / RUN


def rows(directory: Path) -> Iterator[Row]:
    """Return the rows of all workers in the order of the plan; all are held (`load_order` holds a bound of them)."""
    return iter(sorted(streamed(directory), key=place))


def streamed(directory: Path) -> Iterator[Row]:
    """Return the rows of all workers, one by one; a last line that was cut off is passed over.

    Raises:
        InferometerError: A line is no row.
    """
    for path in sorted(directory.glob(ROWS)):
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    yield read(line)
                except LoadError as error:
                    raise InferometerError(f"{path}:{number}: {error}") from None


def written(directory: Path, found: Iterable[Row]) -> str:
    """Write the requests with their names in place of the workers' files; returns their SHA-256.

    Raises:
        InferometerError: The disk takes no more; the workers' files stay.
    """
    digest = sha256()
    try:
        with (directory / REQUESTS).open("wb") as file:
            for row in found:
                line = msgspec.json.encode(named(row)) + b"\n"
                digest.update(line)
                file.write(line)
        for path in directory.glob(ROWS):
            path.unlink()
    except OSError as error:
        raise InferometerError(f"{directory / REQUESTS}: {error.strerror}; the rows are in rows-*.jsonl") from None
    return digest.hexdigest()


def named(row: Row) -> dict[str, Any]:
    """Return a row by name, the record's columns beside its own."""
    told = msgspec.structs.asdict(row)
    del told["record"]
    return told | msgspec.structs.asdict(row.record) | {"trace_id": row.record.trace_id.hex()}


def write_report(directory: Path, report: Mapping[str, Any], junit: str) -> None:
    """Write the report, its receipt and its verdicts.

    Raises:
        InferometerError: The disk takes no more.
    """
    files = {RECEIPT: _json(report["receipt"]), JUNIT: junit.encode(), REPORT: _json(report)}
    for name, data in files.items():  # the report last: a directory that has one has all
        try:
            (directory / name).write_bytes(data)
        except OSError as error:
            raise InferometerError(f"{directory / name}: {error.strerror}") from None


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"


def spool_of(data: DataDirectory, name: str) -> str:
    """Return the spool of a run, or of what else load tests keep."""
    return str(data.spool / f"{node()}{_MARK}{name}")


def is_spool(name: str) -> bool:
    """Return whether a directory of the spool is one of ours."""
    return _MARK in name


def spooled(data: DataDirectory, name: str, found: Iterable[Row], kept: Sequence[LoadRecord] = ()) -> str:
    """Put the records of a run into a spool of the data directory, where `inferometer up` looks for such.

    Args:
        data: The data directory.
        name: Of the spool: the run id.
        found: Its rows.
        kept: What the store keeps beside its requests.

    Returns:
        The spool's directory, as `spool_of` names it.

    Raises:
        InferometerError: The spool cannot be used.
    """
    directory = spool_of(data, name)
    try:
        data.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        spool = Spool(Path(directory), node=node())
        try:
            rows = iter(found)
            while group := [row.record for row in islice(rows, GROUP_ROWS_MAX)]:
                spool.append_requests(group)
            spool.append_samples(kept)
        finally:
            spool.close()
        if not spool.status().faults:
            Path(directory, RESERVE_NAME).unlink(missing_ok=True)  # 1 MiB for drops; whoever ships makes it anew
    except OSError as error:
        raise InferometerError(f"{data.spool}: {error.strerror}") from None
    except SpoolError as error:
        raise InferometerError(str(error)) from None
    return directory


def refused(
    data: DataDirectory, name: str, found: Iterable[Row], kept: Sequence[LoadRecord] = ()
) -> InferometerError | None:
    """Put records into a spool as `spooled` does, and return why it took none; None if it took them.

    The rows are looked at twice, so they must be there the second time.
    """
    try:
        if kept or any(True for _ in found):  # an empty spool would stay for good
            spooled(data, name, found, kept)
    except InferometerError as error:
        return error
    return None


def whole_lines(data: bytes) -> bytes:
    """Return the lines that were written to their end: a writer may have been killed, or its disk full."""
    return data[: data.rfind(b"\n") + 1]


def add_line(path: Path, bytes_max: int, line: Callable[[bytes], bytes]) -> bytes:
    """Add a line to a file to which one process at a time adds; of one that the disk does not take nothing stays.

    Args:
        path: The file, made if there is none.
        bytes_max: Longest file to which lines are added.
        line: Makes the line, with its end, of those before it.

    Returns:
        The line.

    Raises:
        InferometerError: The disk takes no more, or the file is too long; or as `line` raises.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: who reads the last line is the one that follows it
            if file.seek(0, os.SEEK_END) > bytes_max:
                raise InferometerError(f"{path}: longer than {bytes_max} bytes; put it away, and a new one begins")
            file.seek(0)
            before = whole_lines(file.readall())
            made = line(before)
            _durable(file, made, len(before))
    except OSError as error:
        raise InferometerError(f"{path}: {error.strerror}") from None
    return made


def _durable(file: FileIO, line: bytes, at: int) -> None:
    """Write a line where the whole ones end, to the disk; or nothing."""
    file.truncate(at)
    try:
        left = line
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(at)
        raise


def node() -> str:
    """Return the name of this machine, as it stands in names of directories."""
    return _NODE.sub("-", socket.gethostname()) or "node"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))
