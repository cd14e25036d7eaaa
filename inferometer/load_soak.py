"""Knows how a target is loaded for hours and what grows meanwhile; refuses to hold the rows of such a run.

Rows pass once, file by file, as the workers wrote them: into sums, into `requests.jsonl`, into the spool, a thousand at
a time. A soak has no percentiles and is no run to gate: for those is `load run`.

Source: spec/loadtest.md 7 (`soak`), 18 (files), 1 (exit codes).
"""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import msgspec

from inferometer import data_directory, listing, load_files, load_run, load_ship, load_target
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.load_calibration import ceiling
from inferometer.load_gauges import KV, RSS, Gauges
from inferometer.load_guard import key_headers
from inferometer.load_options import Options, must_measure, plan_spec, planned, run_spec
from inferometer.load_process import must_be_installed
from inferometer.load_run import Carried
from inferometer.load_stream import Stream
from inferometer.load_told import tell_pipeline
from loadtest.cases import Case, junit
from loadtest.conductor import EXIT_FAILED, EXIT_OK
from loadtest.fitness import Fit
from loadtest.planner import receipt
from loadtest.run_spec import Window
from loadtest.soak import Growth, Points, Stretches, growth, thinned, untold
from loadtest.verdict import EXIT_CODES, Verdict, overall
from telemetry.outcome import DEFS_VERSION

SCHEMA = "inferometer.load_soak/v1"
NAME = "load soak"
"""Of its test suite."""
_UNITS = {RSS: "bytes", KV: "ratio"}
COLUMNS = ("metric", "verdict", "level", "unit", "per_hour", "growth", "low", "high", "stretches")


def run(config: Config, options: Options, growth_max: float, output: str) -> int:
    """Load a target for long, print what grew and return the exit code.

    Args:
        config: The configuration.
        options: What was typed.
        growth_max: How much anything may grow from the first stretch to the last.
        output: Format on stdout.

    Returns:
        Exit code: 0 nothing grew by more; 3 something did, or the target went away, or live objectives burn; 4 nobody
        can tell; 130 interrupted.

    Raises:
        InferometerError: It cannot be started (2, 5), or its rows cannot be kept (1).
    """
    must_be_installed()
    must_measure(options)
    plan = planned(plan_spec(options), config.load)
    where = load_target.reached(options.target, config.load.allowed_targets)
    model = options.model or load_target.first_model(where, options.key_file)
    data = data_directory.resolve(config.data)
    run_id = load_files.new_run_id()
    directory = data.root / "runs" / run_id
    made = run_spec(options, plan.spec, config.load, run_id=run_id, directory=str(directory), model=model)
    made = msgspec.structs.replace(made, ceiling_chunks_per_s=ceiling(data.root))
    with Gauges(where, key_headers(options.key_file), (plan.spec.duration_s or 0.0) + options.idle_wait) as gauges:
        carried = load_run.carry(config, options, made, plan)
    carried = load_run.surrounded(carried, load_files.streamed(directory))
    told, report = _told(carried, data, growth_max, followed(gauges, carried, growth_max))
    load_files.write_report(directory, report, junit(told, NAME))
    show(report["growth"], told, output)
    load_ship.ship(config)
    sys.stderr.write(f"{run_id}: {overall(one.verdict for one in told)}\nfiles: {directory}\n")
    return carried.ending.code if carried.ending.code != EXIT_OK else EXIT_CODES[overall(one.verdict for one in told)]


def followed(gauges: Gauges, carried: Carried, growth_max: float) -> list[Growth]:
    """Judge what the target's page of metrics told while it was loaded; what it does not tell is not judged."""
    window_ns = Window(carried.run, carried.plan).measured_ns
    found: list[Growth] = []
    for name, unit in _UNITS.items():
        points: Points = [] if carried.start_ns is None else gauges.points(name, carried.start_ns, window_ns)
        why = f" ({gauges.why})" if gauges.why else ""
        note = "not judged: nothing was sent" if carried.start_ns is None else f"not judged: not on /metrics{why}"
        found.append(growth(name, unit, thinned(points), growth_max) if points else untold(name, unit, 0, None, note))
    return found


def _told(
    carried: Carried, data: DataDirectory, growth_max: float, sampled: Sequence[Growth]
) -> tuple[list[Case], dict[str, Any]]:
    """Let the rows pass, and return what they come to as verdicts and as a report."""
    stretches, sums, rows = passed(carried, data)
    grown = [growth(name, "s", stretches.means(name), growth_max) for name in ("tpot", "ttft")]
    grown += [stretches.failing(growth_max), *sampled]
    told = cases(carried, grown)
    receipt_of = {"rows_sha256": sums, "rows": rows}
    return told, document(carried, stretches, grown, told, receipt_of)


def passed(carried: Carried, data: DataDirectory) -> tuple[Stretches, str, int]:
    """Let the rows of a run pass into its sums, its files and the spool; returns the sums, a hash and how many.

    Raises:
        InferometerError: The disk or the spool takes no more.
    """
    stretches = Stretches(Window(carried.run, carried.plan).measured_ns)
    with Stream(carried.directory, data, carried.run.run_id) as stream:
        for row in load_files.streamed(carried.directory):
            stretches.add(row)
            stream.add(row)
    return stretches, stream.sha256, stream.rows


def cases(carried: Carried, grown: Sequence[Growth]) -> list[Case]:
    """Return the verdicts: the run itself, then each thing that may grow, of which an unfit run says nothing."""
    ending = carried.ending
    is_fit = ending.fitness is not None and ending.fitness.fit is Fit.FIT and ending.code == EXIT_OK
    verdict = Verdict.FAILED if ending.code == EXIT_FAILED else Verdict.PASSED if is_fit else Verdict.INCONCLUSIVE
    run_case = Case(name="run", verdict=verdict, message=ending.message or "sent as planned")
    return [
        run_case,
        *(
            Case(name=one.name, verdict=one.verdict if is_fit else Verdict.INCONCLUSIVE, message=_words(one))
            for one in grown
            if one.verdict is not None
        ),
    ]


def document(
    carried: Carried, stretches: Stretches, grown: Sequence[Growth], told: Sequence[Case], rows: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the report."""
    run, fitness = carried.run, carried.ending.fitness
    planned_as = receipt(carried.plan)
    return {
        "schema": SCHEMA,
        "defs_version": DEFS_VERSION,
        "run_id": run.run_id,
        "target": run.targets[0],
        "model": run.model,
        "plan": {name: getattr(planned_as, name) for name in ("seed", "sha256", "process", "shape")},
        "fit": None if fitness is None else {"state": fitness.fit, "checks": [asdict(one) for one in fitness.checks]},
        "environment": msgspec.to_builtins(carried.environment),
        "population": {"n": stretches.offered, "bad": stretches.bad, "outcomes": stretches.outcomes},
        "growth": [asdict(one) for one in grown],
        "verdicts": [{"name": one.name, "verdict": one.verdict, "message": one.message} for one in told],
        "receipt": {
            "plan_sha256": carried.plan.sha256,
            **rows,
            "versions": {name: version(name) for name in ("inferometer", "locust", "gevent")},
            "rerun": shlex.join(["inferometer", *sys.argv[1:]]),
            "run": json.loads(msgspec.json.encode(run)),
        },
    }


def show(grown: Sequence[Mapping[str, Any]], told: Sequence[Case], output: str) -> None:
    """Print what grew, and on stderr what is not passed or not judged."""
    by_name = {one.name: one for one in told}
    rows: list[listing.Row] = [
        {
            "metric": one["name"],
            "verdict": by_name[one["name"]].verdict.value if one["name"] in by_name else None,
            "stretches": one["n"],
            **{name: _rounded(one[name]) for name in ("level", "per_hour", "growth", "low", "high")},
            "unit": one["unit"],
        }
        for one in grown
    ]
    if not tell_pipeline(told, NAME, "".join(f"- {one.name}: {one.verdict}, {one.message}\n" for one in told), output):
        listing.show(rows, COLUMNS, f"{NAME}: {overall(one.verdict for one in told)}", output)
    sys.stderr.write("".join(f"{one.name}: {one.message}\n" for one in told if one.verdict is not Verdict.PASSED))
    sys.stderr.write("".join(f"{one['name']}: {one['note']}\n" for one in grown if one["name"] not in by_name))


def _words(one: Growth) -> str:
    if one.growth is None or one.low is None or one.high is None:
        return f"{one.n} stretches with a value, too few for a slope, or nothing to begin with"
    unit = "points" if one.unit == "ratio" else "%"
    low, high = (f"{100 * end:+.1f}" for end in (one.low, one.high))
    said = f"grows by {100 * one.growth:+.1f} {unit} [{low}, {high}] over the run"
    return f"{said}; {one.note}" if one.note else said


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
