"""Knows how a load test is run from the command line: checks, start, progress, report; refuses to send a request.

Source: spec/loadtest.md 1 (exit codes), 2 to 6, 18; issue: Ctrl-C drains and reports, a dead target says so.
"""

import json
import resource
import shlex
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from inferometer import (
    data_directory,
    load_baseline,
    load_columns,
    load_files,
    load_html,
    load_key,
    load_objectives,
    load_report,
    load_roofline,
    load_ship,
    load_show,
    load_target,
)
from inferometer.config_schema import Config
from inferometer.engine_facts import merged
from inferometer.errors import ConfigurationError, InferometerError
from inferometer.load_burn import BurnWatch, ended, watched_endpoint
from inferometer.load_calibration import ceiling
from inferometer.load_guard import Guard
from inferometer.load_looks import looks
from inferometer.load_options import Options, plan_spec, planned, run_spec, with_warm_up, workers
from inferometer.load_order import Ordered
from inferometer.load_process import LoadProcess, locust, must_be_installed
from inferometer.load_progress import Progress
from inferometer.load_warm import Warming
from inferometer.load_words import with_words
from inferometer.slo_gate import address
from loadtest import closed
from loadtest.baseline import Key
from loadtest.cases import junit
from loadtest.conductor import Ending, Halt, unmeasured, unsent
from loadtest.digest import digest
from loadtest.environment import Finding, unfit, voided
from loadtest.fitness import Fit
from loadtest.flags import flags
from loadtest.goodput import goodput
from loadtest.plan import Plan
from loadtest.planner import receipt
from loadtest.rows import Row
from loadtest.run_spec import IDLE_S_MAX, RunSpec, Window
from telemetry.clock import monotonic_ns, wall_ms

DESCRIPTORS_SPARE = 256
"""Descriptors beside those of requests in flight."""
NAME = "load run"
"""Of its test suite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A run that was carried out.

    Attributes:
        run: The run.
        plan: Its plan.
        ending: What it came to.
        directory: Its files.
        guard: What watched its surroundings; None if nobody did.
        environment: What that found, the worst first; nothing before its rows are there (`surrounded`).
        start_ns: Start of its plan, monotonic; None if it never started.
    """

    run: RunSpec
    plan: Plan
    ending: Ending
    directory: Path
    guard: Guard | None = None
    environment: tuple[Finding, ...] = ()
    start_ns: int | None = None


def run(config: Config, options: Options, output: str, runs: Path | None) -> int:
    """Run one load test and print its report.

    Args:
        config: The configuration.
        options: What was typed.
        output: Format on stdout.
        runs: Where the directory of the run is made; None: below the data directory.

    Returns:
        Exit code: 0 sent as planned; 3 the target went away, or objectives were not kept; 4 the client or its
        surroundings were not fit, or nobody can tell whether objectives were kept; 130 interrupted.

    Raises:
        InferometerError: It cannot be started (2, 5), or its rows cannot be kept (1).
    """
    must_be_installed()
    measured_s, options = options.seconds, with_warm_up(options)
    engine = load_key.UNKNOWN if options.engine_file is None else load_key.engine(Path(options.engine_file))
    plan = planned(plan_spec(options), config.load, options.trace_path)
    where = load_target.reached(options.target, config.load.allowed_targets)
    model = options.model or load_target.first_model(where, options.key_file)
    data = data_directory.resolve(config.data)
    run_id = load_files.new_run_id()
    directory = (runs or data.root / "runs") / run_id
    made = run_spec(options, plan.spec, config.load, run_id=run_id, directory=str(directory), model=model)
    made = msgspec.structs.replace(made, ceiling_chunks_per_s=ceiling(data.root))
    warming = Warming(directory, measured_s) if options.until_warm and measured_s else None
    carried = carry(config, options, made, plan, None if warming is None else _until(warming))
    if warming is not None:
        found, ending = warming.told(carried.run, carried.ending)
        carried = replace(carried, run=found, ending=ending)
    report = reported(carried, data, options.goodput_ratio, engine, lambda key: load_baseline.standing(config, key))
    load_show.show(report, NAME, output)
    sys.stderr.write(f"{load_report.markdown_head(report)}\nfiles: {directory}\n")
    load_ship.ship(config)
    return int(report["verdict"]["code"])


def _until(warming: Warming) -> Callable[[str], bool]:
    def shown(line: str) -> bool:
        on_terminal(f"{line}, {warming.state}")
        return warming.is_enough()

    return shown


def carry(
    config: Config, options: Options, run: RunSpec, plan: Plan, shown: Callable[[str], bool | None] | None = None
) -> Carried:
    """Carry a run out until its end, or until live objectives burn if that is to end it.

    Args:
        config: Says whether it is, unless that was typed.
        options: What was typed.
        run: The run.
        plan: Its plan.
        shown: As of `carry_out`; None shows progress on a terminal.

    Raises:
        InferometerError: It could not be started, or ended without a word.
    """
    count, told = workers(options, plan, load_files.cores()), shown or on_terminal
    if not (config.load.abort_on_burn if options.abort_on_burn is None else options.abort_on_burn):
        return guarded(run, plan, count, told, idle_s=options.idle_wait)
    whom = address(config, options.burn_from or config.load.burn_from, "--burn-from")
    with BurnWatch(whom, endpoint=watched_endpoint(config, options)) as watch:
        if watch.stop:
            carried = _unsent(run, plan, Halt.BURN)
        else:
            carried = guarded(run, plan, count, watch.ends(told), idle_s=options.idle_wait)
        return replace(carried, ending=ended(carried.ending, watch))


def guarded(
    run: RunSpec,
    plan: Plan,
    count: int,
    shown: Callable[[str], bool | None],
    *,
    idle_s: float = IDLE_S_MAX,
) -> Carried:
    """Carry a run out and watch its surroundings; nothing is sent where they are unfit before the start.

    Args:
        run: The run.
        plan: Its plan.
        count: Number of workers.
        shown: As of `carry_out`.
        idle_s: Longest wait for the engine to be idle.

    Raises:
        InferometerError: It could not be started, or ended without a word.
    """
    run = with_words(run, plan)  # before anything is counted
    with Guard(run, idle_s) as guard:
        if unfit(guard.before()):
            carried = _unsent(run, plan, Halt.ENVIRONMENT)
        else:
            carried = carry_out(run, plan, count, shown, guard.began)
            guard.ended()
    return replace(carried, guard=guard)


def surrounded(carried: Carried, rows: Iterable[Row]) -> Carried:
    """Return a run with what was found in its surroundings, and what that makes of its ending."""
    if carried.guard is None:
        return carried
    environment = carried.guard.findings(rows, carried.plan)
    return replace(carried, ending=voided(carried.ending, environment), environment=environment)


def _unsent(run: RunSpec, plan: Plan, why: Halt) -> Carried:
    directory = Path(run.directory)
    load_files.made(directory, run)
    return Carried(run=run, plan=plan, ending=unsent(plan, why), directory=directory)


def _unwatched(start_ns: int) -> None:
    del start_ns


def carry_out(
    run: RunSpec,
    plan: Plan,
    count: int,
    shown: Callable[[str], bool | None],
    began: Callable[[int], object] = _unwatched,
) -> Carried:
    """Start the processes of a run and wait for its ending.

    Args:
        run: The run.
        plan: Its plan.
        count: Number of workers.
        shown: Is given the line of progress; returns True once enough is known, and the run is drained.
        began: Is given the start of the plan, monotonic nanoseconds, as soon as it is known.

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
                began(start_ns)
            elif event["event"] == "progress":
                progress = Progress(
                    planned=None if plan.spec.slots else len(plan),
                    end_s=end_s,
                    elapsed_s=(monotonic_ns() - start_ns) / 1e9,
                )
                if shown(progress.line(event)):
                    process.settle()
            elif event["event"] == "ending":
                ending = msgspec.convert(event["ending"], Ending, strict=False)
            elif event["event"] == "end" and ending is None:
                raise InferometerError(f"the load test could not run: {event['message']}")
        words = process.last_words()
    if ending is None:
        raise InferometerError(f"the load test ended without a word: {words}")
    return Carried(run=run, plan=plan, ending=ending, directory=directory, start_ns=start_ns or None)


def _no_baseline(key: Key) -> str:
    del key
    return ""


def reported(
    carried: Carried,
    data: data_directory.DataDirectory,
    goodput_ratio: float,
    engine: load_key.Engine,
    baseline_of: Callable[[Key], str] = _no_baseline,
) -> dict[str, Any]:
    """Read the rows of a run, write its files and return its report.

    Args:
        carried: The run.
        data: Whose spool gets the rows.
        goodput_ratio: Share of the requests that must keep the objectives, if there are any.
        engine: What is known of the engine.
        baseline_of: Names the baseline that a run of a key is compared with; empty if there is none.

    Raises:
        InferometerError: The disk or the spool takes no more.
    """
    with Ordered(carried.directory, warmup_s=carried.run.warmup_s) as found:
        return _reported(carried, found, data, goodput_ratio, engine, baseline_of)


def _reported(
    carried: Carried,
    found: Ordered,
    data: data_directory.DataDirectory,
    goodput_ratio: float,
    engine: load_key.Engine,
    baseline_of: Callable[[Key], str],
) -> dict[str, Any]:
    refused = load_files.refused(data, carried.run.run_id, found)  # first: whoever is killed below loses no request
    sums = load_files.written(carried.directory, found)
    carried = surrounded(carried, found)
    run, plan = carried.run, carried.plan
    engine = merged(engine, carried.guard.facts) if carried.guard else engine
    told = {
        "plan_sha256": plan.sha256,
        "rows_sha256": sums,
        "rows": len(found),
        "spool": load_files.spool_of(data, carried.run.run_id),
        "versions": {name: version(name) for name in ("inferometer", "locust", "gevent")},
        "rerun": shlex.join(["inferometer", *sys.argv[1:]]),
        "run": json.loads(msgspec.json.encode(run)),
        "engine": msgspec.to_builtins(engine),
    }
    window_ns = _measured_ns(carried, found)
    ratio = goodput_ratio if load_objectives.are_asked(run.plan) else None
    key, sums_of = load_key.key(run, plan, engine), digest(found, window_ns)
    carried = replace(carried, ending=unmeasured(carried.ending, sums_of.offered))
    report = load_report.document(
        run,
        receipt(plan),
        carried.ending,
        sums_of,
        window_ns=window_ns,
        key=key,
        attained=load_objectives.attainment(goodput(found, load_objectives.limits(run.plan)), ratio),
        receipt=told,
        environment=carried.environment,
        flags=flags(found, window_ns),
        roofline=load_roofline.told(engine, found, window_ns, users=run.plan.slots, is_fit=_is_fit(carried.ending))
        or None,
        baseline_id=baseline_of(key),
        energy_j=looks(carried.directory, window_ns).energy_j,
    )
    plain: dict[str, Any] = json.loads(msgspec.json.encode(report))
    records = load_columns.records(plain, run, plan, found, wall_ms())
    refused = load_files.refused(data, f"{run.run_id}-told", (), records) or refused
    load_files.write_report(carried.directory, plain, junit(load_objectives.cases(plain), NAME))
    if refused:
        raise InferometerError(f"{refused}; the report is in {carried.directory}")
    load_html.write_run(carried.directory, plain, found, load_objectives.limits(run.plan))
    return plain


def _is_fit(ending: Ending) -> bool:
    """Return whether nothing shows that the client was the limit."""
    return ending.fitness is not None and ending.fitness.fit in {Fit.FIT, Fit.UNPROVEN}


def _measured_ns(carried: Carried, found: Iterable[Row]) -> tuple[int, int]:
    """Return the measured part of a run; of one that ended early, up to its last arrival."""
    window_ns = Window(carried.run, carried.plan).measured_ns
    if carried.ending.halt:
        last_ns = 1000 * (1 + max((row.t_sched_us for row in found), default=0))
        window_ns = window_ns[0], max(window_ns[0], min(window_ns[1], last_ns))
    last = (deque(rows, maxlen=1).pop() for _, rows in groupby(found, key=attrgetter("j")))
    return closed.measured_ns(carried.plan, window_ns, (row.t_sched_us + row.record.elapsed_us for row in last))


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
