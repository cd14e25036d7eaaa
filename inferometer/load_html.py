"""Knows where the pages of load tests are written, and which script and style draw them; refuses to judge a run.

    report.html         of a run, of two targets at once, and of a sweep, in its directory
    compare-RUN.html    of a comparison, in the directory of the later run
    gate.html           of a gate, in the directory of the candidate's first run

A page is one file that asks for nothing, so it can be sent, kept as an artefact of a pipeline and opened without a
network. It is written last: whatever comes of it, the figures are in the other files already.

Source: spec/loadtest.md 18; `loadtest.report_page`.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from inferometer.errors import InferometerError
from inferometer.load_files import REPORT
from inferometer.load_kept import REPORT_BYTES_MAX, Kept
from inferometer.load_objectives import limits
from loadtest import paired, report_compare, report_run, report_sweep
from loadtest.plan_spec import Objectives
from loadtest.report_look import Look
from loadtest.report_page import page
from loadtest.report_shapes import Sheet
from loadtest.rows import Row

PAGE, STEPS, PROFILE = "report.html", "steps.csv", "profile.json"
SCRIPTS = ("report_format.js", "report_charts.js", "report_rows.js", "report.js")
"""Parts of the script, in order: each uses those before it."""
STYLE = "report.css"
ROWS_MAX = 50_000
"""About the most attempts that a page is drawn from."""
_WORDS = frozenset({"verdict", "loop"})


def write_run(
    directory: Path, report: Mapping[str, Any], rows: Iterable[Row], objectives: Mapping[str, Objectives]
) -> Path:
    """Write the page of a run and return it.

    Args:
        directory: Of the run.
        report: What it came to.
        rows: Every attempt; of a longer run the page shows every so many-th arrival, and says so.
        objectives: Of each workload class.

    Raises:
        InferometerError: The disk takes no more.
    """
    step = -(-int(report["receipt"]["rows"]) // ROWS_MAX) or 1
    drawn = [row for row in rows if row.j % step == 0]
    return _written(directory / PAGE, report_run.sheet(report, drawn, objectives))


def write_sweep(directory: Path) -> Path:
    """Write the page of a sweep from its files, and return it.

    Raises:
        InferometerError: They cannot be read, or the disk takes no more.
    """
    try:
        with (directory / STEPS).open(newline="") as file:
            steps = [{name: _value(name, text) for name, text in row.items()} for row in csv.DictReader(file)]
        profile = json.loads((directory / PROFILE).read_bytes()) if (directory / PROFILE).exists() else None
    except OSError as error:
        raise InferometerError(f"{error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise InferometerError(f"{directory}: not a sweep of this version: {error}") from None
    reports = list(_reports(directory))
    ordered = sorted(steps, key=lambda step: float(step.get("users") or step.get("rate_rps") or 0.0))
    return _written(directory / PAGE, report_sweep.sheet(directory.name, ordered, profile, reports))


def write_compare(before: Kept, after: Kept, metrics: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Path:
    """Write the page of a comparison and return it.

    Args:
        before: The first run.
        after: The later one.
        metrics: Each change, as `load gate --output json` tells it.
        labels: What a reader must know.

    Raises:
        InferometerError: Rows cannot be read, or the disk takes no more.
    """
    arms = _arm(f"a: {before.run_id}", [before]), _arm(f"b: {after.run_id}", [after])
    title = f"{before.run_id} and {after.run_id}"
    sheet = report_compare.sheet(f"Comparison of {title}", arms, metrics, verdict=None, labels=labels)
    return _written(after.directory / f"compare-{before.run_id}.html", sheet)


def write_gate(baseline: Sequence[Kept], candidate: Sequence[Kept], found: Mapping[str, Any]) -> str:
    """Write the page of a gate; its verdict stands without one.

    Args:
        baseline: Its runs, at least one.
        candidate: Its runs, at least one.
        found: The gate, as `load gate --output json` tells it.

    Returns:
        Where it is, or why there is none, in a line for people.

    Raises:
        InferometerError: Rows cannot be read.
    """
    objections = [f"{one['name']}: {one['message']}" for one in found["objections"]]
    arms = _arm("baseline", baseline), _arm("candidate", candidate)
    sheet = report_compare.sheet("Release gate", arms, found["metrics"], verdict=found["verdict"], labels=objections)
    try:
        return f"page: {_written(candidate[0].directory / 'gate.html', sheet)}"
    except InferometerError as error:
        return f"no page: {error}"


def write_ab(
    directory: Path, report: Mapping[str, Any], rows: Sequence[Row], objectives: Mapping[str, Objectives]
) -> Path:
    """Write the page of two targets at once and return it.

    Args:
        directory: Of the run.
        report: What it came to, as `load ab` keeps it.
        rows: Every attempt.
        objectives: Of each workload class.

    Raises:
        InferometerError: The disk takes no more.
    """
    found, is_judged = report["gate"], report["false_alarms"] is None
    looks = [
        Look(report=_half(report, name, target), rows=part, limits=objectives)
        for name, target, part in zip(report["arms"], report["targets"], paired.arms(rows), strict=True)
    ]
    one, other = (
        report_compare.Arm(name=f"{name}: {target}", looks=[look])
        for name, target, look in zip(report["arms"], report["targets"], looks, strict=True)
    )
    labels = [f"{case['name']}: {case['message']}" for case in found["objections"]]
    title = f"Two targets at once, {report['run_id']}"
    verdict = found["verdict"] if is_judged else None
    sheet = report_compare.sheet(title, (one, other), found["metrics"], verdict=verdict, labels=labels)
    return _written(directory / PAGE, sheet)


def _half(report: Mapping[str, Any], name: str, target: str) -> dict[str, Any]:
    """Return what a page asks of a run, of one arm of two."""
    arm, window_ns = report["arms"][name], report["window_ns"]
    span_s = (window_ns[1] - window_ns[0]) / 1e9
    return {
        "run_id": f"{report['run_id']} {name}: {target}",
        "loop": "open",
        "fit": report["fit"],
        "key": report["key"],
        "population": {"n": arm["n"], "window_ns": window_ns},
        "throughput": {
            "offered_per_s": arm["n"] / span_s if span_s > 0 else None,
            "tokens_out_per_s": arm["tokens_out_per_s"],
        },
        "attainment": {"joint": arm["joint"]},
    }


def is_sweep(directory: Path) -> bool:
    """Return whether a directory is that of a sweep."""
    return (directory / STEPS).is_file()


def _arm(name: str, runs: Sequence[Kept]) -> report_compare.Arm:
    looks = [Look(report=run.report, rows=run.rows(), limits=limits(run.spec.plan)) for run in runs]
    return report_compare.Arm(name=name, looks=looks)


def write_sheet(path: Path, sheet: Sheet) -> Path:
    """Write any sheet as a page and return it.

    Raises:
        InferometerError: The disk takes no more.
    """
    return _written(path, sheet)


def _written(path: Path, sheet: Sheet) -> Path:
    static = files("loadtest").joinpath("static")
    script = "\n".join(static.joinpath(name).read_text() for name in SCRIPTS)
    try:
        path.write_text(page(sheet, script, static.joinpath(STYLE).read_text()))
    except OSError as error:
        raise InferometerError(f"{path}: {error.strerror}") from None
    return path


def _value(name: str, text: str) -> float | str | None:
    if not text:
        return None
    return text if name in _WORDS else float(text)


def _reports(directory: Path) -> Iterable[dict[str, Any]]:
    """Return the reports of the runs beside a sweep, in their order; what cannot be read is left out."""
    found = directory.parent.glob(f"{directory.name}-*/{REPORT}")
    for path in sorted(found, key=lambda path: (len(path.parent.name), path.parent.name)):
        try:
            if path.stat().st_size <= REPORT_BYTES_MAX:
                yield json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
