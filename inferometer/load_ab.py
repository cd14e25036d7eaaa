"""Knows how two targets are compared in one run, and one target with itself; refuses to compare runs of before.

    pairs      equal requests, one to each target in an order that a coin decides: drift and time of day cancel
    A, B       the baseline and the candidate of the gate, its blocks of ten seconds resampled in pairs
    A against  the same target twice: nothing may be found, and how often something would be is kept
    itself     (`load_alarms`); no metric has a verdict then, only that rate

Source: spec/loadtest.md 14 (A/B, standing A/A), 13 (verdicts), 18 (files), 1 (unfit outranks failed).
"""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from inferometer import (
    data_directory,
    load_alarms,
    load_files,
    load_gate,
    load_html,
    load_key,
    load_objectives,
    load_run,
    load_ship,
    load_target,
)
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.engine_facts import merged
from inferometer.errors import InferometerError
from inferometer.load_calibration import ceiling
from inferometer.load_gate import BLOCKS_LEAST, Answer, judgeable, untold
from inferometer.load_options import Options, must_measure, plan_spec, planned, run_spec
from inferometer.load_process import must_be_installed
from inferometer.load_run import Carried
from loadtest.baseline import Key
from loadtest.cases import Case, junit
from loadtest.compare import BLOCK_S
from loadtest.conductor import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_OK, Ending
from loadtest.digest import digest
from loadtest.fitness import Fit
from loadtest.gate import Metric, Run, gate
from loadtest.gate_rows import gated_run
from loadtest.goodput import goodput
from loadtest.paired import RELABELLINGS, FalseAlarms, arms, false_alarms
from loadtest.plan_spec import PlanSpec
from loadtest.planner import receipt
from loadtest.rows import Row
from loadtest.run_spec import Window
from loadtest.verdict import Verdict
from telemetry.outcome import DEFS_VERSION

SCHEMA = "inferometer.load_ab/v1"
NAME = "load ab"
"""Of its test suite."""
VARIANTS = ("a", "b")
"""Names of the arms, in rows too."""
_JUDGED = {EXIT_OK, EXIT_FAILED, EXIT_INCONCLUSIVE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a run of two arms came to.

    Attributes:
        answer: The gate's.
        alarms: False alarms of this run; None unless both arms are one target, and may be compared.
    """

    answer: Answer
    alarms: FalseAlarms | None


def run(config: Config, options: Options, output: str, runs: Path | None) -> int:
    """Run both targets at once, print what differs and return the exit code.

    Args:
        config: The configuration.
        options: What was typed, with two targets.
        output: Format on stdout.
        runs: Where the directory of the run is made; None: below the data directory.

    Returns:
        Exit code: 0 the second is not worse by more than the margins, or one target raises as few false alarms as
        promised; 3 worse; 4 nobody can tell; 130 interrupted.

    Raises:
        InferometerError: It cannot be started (2, 5), or its rows cannot be kept (1).
    """
    must_be_installed()
    must_measure(options)
    engine = load_key.UNKNOWN if options.engine_file is None else load_key.engine(Path(options.engine_file))
    plan = planned(plan_spec(options), config.load)
    where = [load_target.reached(url, config.load.allowed_targets) for url in options.targets]
    model = options.model or load_target.first_model(where[0], options.key_file)
    data = data_directory.resolve(config.data)
    run_id = load_files.new_run_id()
    directory = (runs or data.root / "runs") / run_id
    made = run_spec(options, plan.spec, config.load, run_id=run_id, directory=str(directory), model=model)
    made = msgspec.structs.replace(made, ceiling_chunks_per_s=ceiling(data.root), variants=VARIANTS)
    carried = load_run.carry(config, options, made, plan)
    engine = merged(engine, carried.guard.facts) if carried.guard else engine  # as the key of a run for a gate has it
    key = load_key.key(made, plan, engine)
    known = load_alarms.objections(data.root, key) if where[0] != where[1] else None
    found = told(carried, data, key, known)
    sys.stderr.write(f"{run_id}: {found.answer.verdict}\nfiles: {directory}\n")
    code = load_gate.show(found.answer, output, NAME)
    load_ship.ship(config)
    return carried.ending.code if carried.ending.code not in _JUDGED else code


def told(carried: Carried, data: DataDirectory, key: Key, known: Sequence[Case] | None) -> Found:
    """Read the rows of a run, judge it and write its files.

    Args:
        carried: The run.
        data: Where false alarms are kept, and whose spool gets the rows.
        key: Of the run.
        known: What else stands in the way of a verdict; None if both arms are one target.

    Raises:
        InferometerError: The disk or the spool takes no more, or false alarms of before cannot be read.
    """
    directory, run_id = carried.directory, carried.run.run_id
    rows = list(load_files.rows(directory))
    refused = load_files.refused(data, run_id, rows)  # first: whoever is killed below loses no request
    carried = load_run.surrounded(carried, rows)
    sums = load_files.written(directory, rows)
    found = judged(carried, rows, known or ())
    if known is None:
        found = with_itself(found, carried, rows)
        if found.alarms is not None:
            standing = load_alarms.keep(data.root, key, run_id, found.alarms)
            found = replace(found, answer=alarmed(found.answer, standing))
    report = document(carried, found, rows, key, sums)
    load_files.write_report(directory, report, junit(found.answer.cases, NAME))
    if refused:
        raise InferometerError(f"{refused}; the report is in {directory}")
    load_html.write_ab(directory, report, rows, load_objectives.limits(carried.run.plan))
    return found


def judged(carried: Carried, rows: Sequence[Row], known: Sequence[Case]) -> Found:
    """Compare the arms of a run.

    Args:
        carried: The run.
        rows: All of its rows.
        known: What else stands in the way of a verdict.
    """
    spec, window_ns = carried.run, Window(carried.run, carried.plan).measured_ns
    before, after = _runs(carried, rows)
    objections = (*known, *objected(carried.ending, window_ns))
    gated = gate([before], [after], spec.plan.seed, paired=True, metrics=_metrics(carried, [before, after]))
    answer = Answer(
        baseline=spec.targets[:1],
        candidate=spec.targets[1:],
        objections=objections,
        gated=untold(gated) if objections else gated,
        verdict=Verdict.INCONCLUSIVE if objections else gated.verdict,
    )
    return Found(answer=answer, alarms=None)


def with_itself(found: Found, carried: Carried, rows: Sequence[Row]) -> Found:
    """Return what a run says whose arms are one target: no verdict of any metric, but false alarms."""
    gated = untold(found.answer.gated, "one target: whatever differs is chance")
    answer = replace(found.answer, gated=gated, verdict=Verdict.INCONCLUSIVE, is_judged=False)
    if answer.objections:
        return Found(answer=answer, alarms=None)
    sys.stderr.write(f"counting false alarms over {RELABELLINGS} falls of the coins\n")
    metrics = [one.metric for one in gated.metrics]
    limits = load_objectives.limits(carried.run.plan)
    window_ns = Window(carried.run, carried.plan).measured_ns
    seed = carried.run.plan.seed
    alarms = false_alarms(rows, window_ns, limits, seed, metrics=metrics, n=RELABELLINGS)
    return Found(answer=answer, alarms=alarms)


def alarmed(answer: Answer, standing: FalseAlarms) -> Answer:
    """Return the answer of a target against itself, by all false alarms of its key."""
    verdict = Verdict.INCONCLUSIVE if standing.blocks else Verdict.PASSED
    case = Case(name="false_alarms", verdict=verdict, message=load_alarms.words(standing))
    return replace(answer, objections=(case,), verdict=verdict)


def objected(ending: Ending, window_ns: tuple[int, int]) -> list[Case]:
    """Return what keeps a run of two arms from a verdict; that both are gone is no fault of the second alone."""
    fit = ending.fitness
    found: list[Case] = []
    if ending.code != EXIT_OK or fit is None or fit.fit is not Fit.FIT:
        found.append(Case(name="run", verdict=Verdict.INCONCLUSIVE, message=ending.message or "not proven fit"))
    measured_s, least_s = (window_ns[1] - window_ns[0]) / 1e9, BLOCKS_LEAST * BLOCK_S
    if measured_s < least_s:
        message = f"{measured_s:.0f} s measured, needed: {least_s:.0f} s"
        found.append(Case(name="length", verdict=Verdict.INCONCLUSIVE, message=message))
    return found


def document(carried: Carried, found: Found, rows: Sequence[Row], key: Key, sums: str) -> dict[str, Any]:
    """Return the report."""
    run, plan, fitness = carried.run, carried.plan, carried.ending.fitness
    window_ns = Window(run, plan).measured_ns
    planned_as = receipt(plan)
    return {
        "schema": SCHEMA,
        "defs_version": DEFS_VERSION,
        "run_id": run.run_id,
        "targets": list(run.targets),
        "model": run.model,
        "key": msgspec.to_builtins(key),
        "plan": {name: getattr(planned_as, name) for name in ("seed", "sha256", "process", "shape")},
        "fit": None if fitness is None else {"state": fitness.fit, "checks": [asdict(one) for one in fitness.checks]},
        "environment": msgspec.to_builtins(carried.environment),
        "window_ns": list(window_ns),
        "arms": {name: _arm(arm, window_ns, run.plan) for name, arm in zip(VARIANTS, arms(rows), strict=True)},
        "gate": load_gate.document(found.answer),
        "false_alarms": None if found.alarms is None else asdict(found.alarms),
        "receipt": {
            "plan_sha256": plan.sha256,
            "rows_sha256": sums,
            "rows": len(rows),
            "versions": {name: version(name) for name in ("inferometer", "locust", "gevent")},
            "rerun": shlex.join(["inferometer", *sys.argv[1:]]),
            "run": json.loads(msgspec.json.encode(run)),
        },
    }


def _arm(rows: Sequence[Row], window_ns: tuple[int, int], plan: PlanSpec) -> dict[str, Any]:
    found = digest(rows, window_ns)
    joint = goodput(rows, load_objectives.limits(plan)).joint if load_objectives.are_asked(plan) else None
    return {
        "n": found.offered,
        "joint": joint.good / joint.judged if joint is not None and joint.judged else None,
        "outcomes": found.outcomes,
        "tokens_out_per_s": found.tokens_out_per_s,
        "metrics": [msgspec.to_builtins(figure) for figure in found.figures],
    }


def _runs(carried: Carried, rows: Sequence[Row]) -> tuple[Run, Run]:
    window_ns, limits = Window(carried.run, carried.plan).measured_ns, load_objectives.limits(carried.run.plan)
    one, other = (gated_run(arm, window_ns, limits) for arm in arms(rows))
    return one, other


def _metrics(carried: Carried, both: Sequence[Run]) -> list[Metric]:
    return judgeable(both, has_objectives=load_objectives.are_asked(carried.run.plan))
