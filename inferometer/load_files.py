"""Knows the files of a run: what lies in its directory, and how its rows reach the spool; refuses to judge.

    run.json        the run, as it was carried out
    requests.jsonl  every attempt, in the order of the plan; no prompt and no answer
    report.json     what it came to
    receipt.json    what it takes to repeat it: the run, versions, hashes, the command
    junit.xml       its verdicts for a pipeline
    locust.log      what Locust said

Rows also go to a spool of the data directory, if there is one: `inferometer up` finds it and ships it to the store.

Source: spec/loadtest.md 18 (files), 2 (receipt); spec/store.md 11 (one spool directory per writing process).
"""

import heapq
import os
import re
import socket
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from inferometer.data_directory import DataDirectory
from inferometer.errors import InferometerError, UnreachableError
from loadtest.errors import LoadError
from loadtest.rows import Row, read
from loadtest.run_spec import RunSpec, encoded
from telemetry.errors import SpoolError
from telemetry.spool import Spool

RUN, REQUESTS, REPORT, LOG = "run.json", "requests.jsonl", "report.json", "locust.log"
RECEIPT, JUNIT = "receipt.json", "junit.xml"
GROUP_ROWS_MAX = 1000
"""Rows that go to the spool by one write."""
_NODE = re.compile("[^A-Za-z0-9.-]+")


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
    """Return the rows of all workers in the order of the plan; a last line that was cut off is passed over."""
    parts = [_sorted(path) for path in sorted(directory.glob("rows-*.jsonl"))]
    return heapq.merge(*parts, key=_place)


def written(directory: Path, found: list[Row]) -> str:
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
        for path in directory.glob("rows-*.jsonl"):
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


def spool_of(data: DataDirectory, run_id: str) -> str:
    """Return the spool of a run; empty if there is no data directory, so nobody would look there."""
    return str(data.spool / f"{_node()}-load-{run_id}") if data.spool.is_dir() else ""


def spooled(data: DataDirectory, run_id: str, found: list[Row]) -> str:
    """Put the records of a run into a spool of the data directory, where `inferometer up` looks for such.

    Returns:
        The spool's directory, as `spool_of` names it.

    Raises:
        InferometerError: The spool cannot be used.
    """
    directory = spool_of(data, run_id)
    if not directory:
        return ""
    try:
        spool = Spool(Path(directory), node=_node())
        try:
            for at in range(0, len(found), GROUP_ROWS_MAX):
                spool.append_requests([row.record for row in found[at : at + GROUP_ROWS_MAX]])
        finally:
            spool.close()
    except SpoolError as error:
        raise InferometerError(str(error)) from None
    return directory


def _node() -> str:
    return _NODE.sub("-", socket.gethostname()) or "node"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def _sorted(path: Path) -> list[Row]:
    found: list[Row] = []
    *lines, last = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            found.append(read(line))
        except LoadError as error:
            raise InferometerError(f"{path}:{number}: {error}") from None
    del last  # empty, or a row whose writer was killed
    return sorted(found, key=_place)


def _place(row: Row) -> tuple[int, int, int]:
    return row.j, row.turn, row.record.attempt
