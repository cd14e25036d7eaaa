"""Knows how a load test is run from the command line: checks, start, progress, report; refuses to send a request.

Source: spec/loadtest.md 1 (exit codes), 2 to 6, 18; issue: Ctrl-C drains and reports, a dead target says so.
"""

import csv
import json
import resource
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec

from inferometer import data_directory, load_files, load_key, load_objectives, load_report
from inferometer.address import Address
from inferometer.ask import Answer, get
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from inferometer.load_calibration import ceiling
from inferometer.load_options import Options, plan_spec, planned, run_spec, workers
from inferometer.load_process import LoadProcess, locust, must_be_installed
from inferometer.load_progress import Progress
from inferometer.load_told import tell_pipeline
from inferometer.report_tables import csv_cell, markdown
from loadtest.cases import junit
from loadtest.conductor import Ending
from loadtest.digest import Figure, digest
from loadtest.errors import TargetError
from loadtest.goodput import goodput
from loadtest.line import addresses
from loadtest.plan import Plan
from loadtest.planner import receipt
from loadtest.run_spec import RunSpec, Window
from loadtest.target import Target, must_be_allowed, target
from telemetry.clock import monotonic_ns, wall_ms

DESCRIPTORS_SPARE = 256
"""Descriptors beside those of requests in flight."""
NAME = "load run"
"""Of its test suite."""
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A run that was carried out.

    Attributes:
        run: The run.
        plan: Its plan.
        ending: What it came to.
        directory: Its files.
    """

    run: RunSpec
    plan: Plan
    ending: Ending
    directory: Path


def run(config: Config, options: Options, output: str, runs: Path | None) -> int:
    """Run one load test and print its report.

    Args:
        config: The configuration.
        options: What was typed.
        output: Format on stdout.
        runs: Where the directory of the run is made; None: below the data directory.

    Returns:
        Exit code: 0 sent as planned; 3 the target went away, or objectives were not kept; 4 the client was not fit, or
        nobody can tell whether they were; 130 interrupted.

    Raises:
        InferometerError: It cannot be started (2, 5), or its rows cannot be kept (1).
    """
    must_be_installed()
    engine = load_key.UNKNOWN if options.engine_file is None else load_key.engine(Path(options.engine_file))
    spec = plan_spec(options)
    plan = planned(spec, config.load, options.trace_path)
    where = reached(options.target, config.load.allowed_targets)
    model = options.model or first_model(where, options.key_file)
    data = data_directory.resolve(config.data)
    run_id = f"{wall_ms():x}"
    directory = (runs or data.root / "runs") / run_id
    made = run_spec(options, spec, config.load, run_id=run_id, directory=str(directory), model=model)
    made = msgspec.structs.replace(made, ceiling_chunks_per_s=ceiling(data.root))
    carried = carry_out(made, plan, workers(options, plan, load_files.cores()), on_terminal)
    report = reported(carried, data, options.goodput_ratio, engine)
    show(report, output)
    sys.stderr.write(f"{load_report.markdown_head(report)}\nfiles: {directory}\n")
    return int(report["verdict"]["code"])


def carry_out(run: RunSpec, plan: Plan, count: int, shown: Callable[[str], object]) -> Carried:
    """Start the processes of a run and wait for its ending.

    Args:
        run: The run.
        plan: Its plan.
        count: Number of workers.
        shown: Is given the line of progress.

    Raises:
        InferometerError: It could not be started, or ended without a word.
    """
    _allow_descriptors(run.in_flight_max)
    directory = Path(run.directory)
    file = load_files.made(directory, run)
    ending: Ending | None = None
    with LoadProcess(locust(file, count), directory / load_files.LOG) as process:
        start_ns, end_s = 0, 0.0
        for event in process.events():
            if event["event"] == "go":
                start_ns, end_s = monotonic_ns() + round(event["starts_in_s"] * 1e9), event["end_s"]
            elif event["event"] == "progress":
                progress = Progress(planned=len(plan), end_s=end_s, elapsed_s=(monotonic_ns() - start_ns) / 1e9)
                shown(progress.line(event))
            elif event["event"] == "ending":
                ending = msgspec.convert(event["ending"], Ending, strict=False)
            elif event["event"] == "end" and ending is None:
                raise InferometerError(f"the load test could not run: {event['message']}")
        words = process.last_words()
    if ending is None:
        raise InferometerError(f"the load test ended without a word: {words}")
    return Carried(run=run, plan=plan, ending=ending, directory=directory)


def reported(
    carried: Carried, data: data_directory.DataDirectory, goodput_ratio: float, engine: load_key.Engine
) -> dict[str, Any]:
    """Read the rows of a run, write its files and return its report.

    Args:
        carried: The run.
        data: Whose spool gets the rows.
        goodput_ratio: Share of the requests that must keep the objectives, if there are any.
        engine: What is known of the engine.

    Raises:
        InferometerError: The disk or the spool takes no more.
    """
    found = list(load_files.rows(carried.directory))
    sums = load_files.written(carried.directory, found)
    run, plan = carried.run, carried.plan
    told = {
        "plan_sha256": plan.sha256,
        "rows_sha256": sums,
        "rows": len(found),
        "spool": load_files.spool_of(data, carried.run.run_id),
        "versions": {name: version(name) for name in ("inferometer", "locust", "gevent")},
        "rerun": shlex.join(["inferometer", *sys.argv[1:]]),
        "run": json.loads(msgspec.json.encode(run)),
    }
    window_ns = Window(run, plan).measured_ns
    ratio = goodput_ratio if load_objectives.are_asked(run.plan) else None
    report = load_report.document(
        run,
        receipt(plan),
        carried.ending,
        digest(found, window_ns),
        window_ns=window_ns,
        key=load_key.key(run, plan, engine),
        attained=load_objectives.attainment(goodput(found, load_objectives.limits(run.plan)), ratio),
        receipt=told,
    )
    plain: dict[str, Any] = json.loads(msgspec.json.encode(report))
    load_files.write_report(carried.directory, plain, junit(load_objectives.cases(plain), NAME))
    try:
        load_files.spooled(data, run.run_id, found)
    except InferometerError as error:
        raise InferometerError(f"{error}; the report is in {carried.directory}") from None
    return plain


def show(report: dict[str, Any], output: str) -> None:
    """Print a report."""
    summary = "\n".join(markdown(table) for table in load_report.tables(report))
    if tell_pipeline(load_objectives.cases(report), NAME, summary, output):
        return
    if output == "json":
        sys.stdout.write(json.dumps(report) + "\n")
    elif output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        names = Figure.__struct_fields__
        writer.writerows([names, *([csv_cell(one[name]) for name in names] for one in report["metrics"])])
    elif output == "markdown":
        sys.stdout.write(summary)
    else:
        from inferometer.screen import console, drawn  # noqa: PLC0415 -- rich costs 0.1 s that JSON need not pay

        console().print(drawn(load_report.tables(report)))


def reached(url: str, allowed: tuple[str, ...]) -> Target:
    """Return the target, which may be loaded and answers.

    Raises:
        ConfigurationError: It is none, or may not be loaded.
        UnreachableError: Nobody answers.
    """
    try:
        where = target(url)
        found = addresses(where.place.host, where.place.port)
        must_be_allowed(where, [ip_address(place[0]) for _, place in found], allowed)
    except TargetError as error:
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        raise UnreachableError(f"{url}: {error.strerror}") from None
    try:
        _models(where, {})
    except OSError as error:
        raise UnreachableError(f"{url} does not answer: {error.strerror or error}") from None
    return where


def first_model(where: Target, key_file: str | None = None) -> str:
    """Return the model that a target lists first.

    Args:
        where: The target.
        key_file: File with its API key; None without one.

    Raises:
        ConfigurationError: It lists none, or the key cannot be read.
    """
    try:
        headers = {"Authorization": f"Bearer {Path(key_file).read_text().strip()}"} if key_file else {}
    except OSError as error:
        raise ConfigurationError(f"--key-file: {key_file}: {error.strerror}") from None
    try:
        answer = _models(where, headers)
        told: dict[str, Any] = json.loads(answer.body) if answer.status == _OK else {}
        return str(told["data"][0]["id"])
    except (OSError, ValueError, LookupError, TypeError):
        raise ConfigurationError("the target does not list its models: name one with --model") from None


def _models(where: Target, headers: Mapping[str, str]) -> Answer:
    """Ask for the models, which every engine lists."""
    address = Address(host=where.place.host, port=where.place.port)
    return get(address, f"{where.base}/v1/models", headers=headers, is_secure=where.place.scheme == "https")


def _allow_descriptors(in_flight_max: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = in_flight_max + DESCRIPTORS_SPARE
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ConfigurationError(
            f"{in_flight_max} requests in flight need {wanted} descriptors, found a limit of {hard}: "
            "lower --in-flight-max, or raise ulimit -n"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def on_terminal(line: str) -> None:
    """Show progress on stderr: in place on a terminal, nothing else elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()
