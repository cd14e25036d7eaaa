"""Knows runs that were kept: where they lie, what they asked for, their rows; refuses to compare and to carry out any.

A run is named by its directory, or by its run id below the data directory. Its rows must be those of its report.

Source: spec/loadtest.md 18 (files), 2 (receipt: the hash of the rows).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import msgspec

from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError
from inferometer.load_files import REPORT, REQUESTS, RUN
from inferometer.load_objectives import limits
from inferometer.load_report import SCHEMA
from loadtest.baseline import Key
from loadtest.conductor import EXIT_OK
from loadtest.errors import PlanError
from loadtest.fitness import Fit
from loadtest.gate import Run
from loadtest.gate_rows import gated_run
from loadtest.rows import Row
from loadtest.run_spec import RunSpec, decoded
from telemetry.record import RequestRecord

REPORT_BYTES_MAX = 16 << 20
"""Longest file of a run, or of a report, that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A run with its report.

    Attributes:
        directory: Its files.
        spec: The run.
        report: What it came to.
        key: What must be equal to compare it.
        given: Its rows, if they come from elsewhere than its directory.
    """

    directory: Path
    spec: RunSpec
    report: Mapping[str, Any]
    key: Key
    given: tuple[Row, ...] | None = None

    @property
    def run_id(self) -> str:
        """Its name in every row."""
        return self.spec.run_id

    @property
    def plan_sha256(self) -> str:
        """Of its plan."""
        return str(self.report["plan"]["sha256"])

    @property
    def ended(self) -> int:
        """Exit code that it had without its objectives."""
        return int(self.report["verdict"]["ended"])

    @property
    def is_fit(self) -> bool:
        """Whether its client is proven fit, and it came to its end."""
        fit = self.report["fit"]
        return fit is not None and fit["state"] == Fit.FIT and self.ended == EXIT_OK

    @property
    def window_ns(self) -> tuple[int, int]:
        """Beginning and end of the measured part, after the start of the plan."""
        first_ns, until_ns = self.report["population"]["window_ns"]
        return int(first_ns), int(until_ns)

    def rows(self) -> list[Row]:
        """Read its rows.

        Raises:
            ConfigurationError: They are not those of the report.
        """
        if self.given is not None:
            return list(self.given)
        path = self.directory / REQUESTS
        data = _read(path, None)
        if sha256(data).hexdigest() != self.report["receipt"]["rows_sha256"]:
            raise ConfigurationError(f"{path}: not the rows of {REPORT}, which has another hash")
        try:
            return [unnamed(line) for line in data.splitlines()]
        except (ValueError, LookupError, TypeError) as error:
            raise ConfigurationError(f"{path}: not rows of this version: {error}") from None

    def gated(self) -> Run:
        """Return it as a gate compares it.

        Raises:
            ConfigurationError: Its rows are not those of the report.
        """
        return gated_run(self.rows(), self.window_ns, limits(self.spec.plan))


def kept(directory: Path) -> Kept:
    """Read a run.

    Raises:
        ConfigurationError: There is none, or not of this version.
    """
    data, run = _read(directory / REPORT, REPORT_BYTES_MAX), _read(directory / RUN, REPORT_BYTES_MAX)
    try:
        return told(directory, json.loads(data), decoded(run))
    except (ValueError, LookupError, TypeError, PlanError) as error:
        raise ConfigurationError(f"{directory}: not a run of this version: {error!r}") from None


def told(directory: Path, report: Mapping[str, Any], spec: RunSpec) -> Kept:
    """Return a run of which report and spec are known.

    Raises:
        ConfigurationError: The report is of another version.
        ValueError, LookupError, TypeError: It is no report.
    """
    if report["schema"] != SCHEMA:
        raise ConfigurationError(f"{directory / REPORT}: found {report['schema']}, allowed: {SCHEMA}")
    found = Kept(directory=directory, spec=spec, report=report, key=msgspec.convert(report["key"], Key))
    _ = found.plan_sha256, found.ended, found.is_fit, found.window_ns, report["receipt"]["rows_sha256"]
    return found


def place(data: DataDirectory, name: str) -> Path | None:
    """Return the directory of a run that is named by it or by its run id; None if there is none."""
    candidates = (Path(name), data.root / "runs" / name)
    return next((path for path in candidates if (path / REPORT).is_file()), None)


def found(data: DataDirectory, names: Sequence[str]) -> list[Kept]:
    """Return the runs of these names.

    Raises:
        ConfigurationError: One is not there, cannot be read, or is named twice.
    """
    runs: list[Kept] = []
    for name in names:
        where = place(data, name)
        if where is None:
            raise ConfigurationError(f"no run {name}: neither a directory with {REPORT} nor below {data.root / 'runs'}")
        runs.append(kept(where))
    ids = [run.run_id for run in runs]
    if len(set(ids)) < len(ids):
        raise ConfigurationError(f"a run is named twice: {', '.join(ids)}")
    return runs


def unnamed(line: bytes) -> Row:
    """Read a row that was written by name (`load_files.named`).

    Raises:
        ValueError, LookupError, TypeError: It is none.
    """
    told = cast("dict[str, Any]", json.loads(line))
    told["trace_id"] = bytes.fromhex(told["trace_id"])
    record = msgspec.convert([told[name] for name in RequestRecord.__struct_fields__], RequestRecord, str_keys=True)
    return msgspec.convert(
        {name: told[name] for name in Row.__struct_fields__ if name != "record"} | {"record": record}, Row
    )


def _read(path: Path, bytes_max: int | None) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read() if bytes_max is None else file.read(bytes_max + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    if bytes_max is not None and len(data) > bytes_max:
        raise ConfigurationError(f"{path}: longer than {bytes_max} bytes")
    return data
