"""Knows how a target is loaded with a spike, and from cold, and what is said of either; refuses to judge latencies.

Both are runs of their own with all files of one; beside them lies `scenario.json`.

Source: spec/loadtest.md 7 (`spike`, `cold`), 18 (files), 1 (exit codes).
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from inferometer import data_directory, listing, load_kept, load_key, load_run, load_ship, load_target
from inferometer.config_schema import Config
from inferometer.errors import InferometerError
from inferometer.load_calibration import ceiling
from inferometer.load_files import SCENARIO, new_run_id
from inferometer.load_options import Options, plan_spec, planned, run_spec
from inferometer.load_process import must_be_installed
from loadtest.conductor import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_OK
from loadtest.fitness import Fit
from loadtest.gate_rows import population
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.prompts import Calibration
from loadtest.recovery import COLD_LEAST, GROUP, Recovery, cold, recovery
from loadtest.rows import Row
from telemetry.clock import sleep
from telemetry.outcome import Outcome

SCHEMA = "inferometer.load_scenario/v1"
SPIKE_COLUMNS: tuple[str, ...] = ("before_p95_s", "during_p95_s", "back_s", "n_before", "n_during", "n_behind")
COLD_COLUMNS: tuple[str, ...] = ("first_ttft_s", "steady_ttft_s", "extra_s", "slow_requests", "stable_s", "n")
_US = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """A spike of load.

    Attributes:
        before_s: Of the usual rate.
        for_s: Of the spike.
        after_s: Of the usual rate again.
        times: So many times the usual rate.
    """

    before_s: float
    for_s: float
    after_s: float
    times: float

    @property
    def edges_s(self) -> tuple[float, float]:
        """Beginning and end."""
        return self.before_s, self.before_s + self.for_s

    def plan(self, spec: PlanSpec) -> PlanSpec:
        """Return a plan of a steady rate with the spike in it."""
        since_s, until_s = self.edges_s
        usual = spec.rate.points[0][1] if spec.rate else 0.0
        rate = RateCurve(points=((0.0, usual), (since_s, usual * self.times), (until_s, usual)))
        return msgspec.structs.replace(spec, rate=rate, duration_s=until_s + self.after_s, count=None)


def spike(config: Config, options: Options, asked: Spike, output: str) -> int:
    """Load a target with a spike, print how long it took to be as before and return the exit code.

    Returns:
        Exit code: 0 it came back; 3 it did not, or went away; 4 the client was not fit, or too few requests to tell;
        130 interrupted.

    Raises:
        InferometerError: It cannot be started (2, 5), or its rows cannot be kept (1).
    """
    report, rows = _carried(config, options, asked.plan(plan_spec(options)))
    found = recovery([(row.t_sched_us / _US, _ttft_s(row)) for row in population(rows)], asked.edges_s)
    told: dict[str, object] = dict(
        zip(SPIKE_COLUMNS, (found.before_s, found.during_s, found.back_s, *found.n), strict=True)
    )
    _show(config, report, told, SPIKE_COLUMNS, {"scenario": "spike", **asdict(asked)}, output)
    ended = ended_with(report)
    if ended != EXIT_OK or found.back_s is not None:
        return ended
    return not_back(found)


def not_back(found: Recovery) -> int:
    """Say why nobody saw a target come back, and return the exit code: it did not, or that cannot be told."""
    if found.before_s is None:
        sys.stderr.write(f"nobody can tell: {found.n[0]} requests before it, needed: {GROUP}, and few that fail\n")
        return EXIT_INCONCLUSIVE
    if found.n[2] < 2 * GROUP:
        sys.stderr.write(f"nobody can tell: {found.n[2]} requests behind it, needed: {2 * GROUP}\n")
        return EXIT_INCONCLUSIVE
    sys.stderr.write("not back to what it was before within the run\n")
    return EXIT_FAILED


def from_cold(config: Config, options: Options, idle_s: float, output: str) -> int:
    """Send a few requests one at a time after an idle time, print how slow the first ones are, return the exit code.

    Args:
        config: The configuration.
        options: What was typed, of a closed loop.
        idle_s: Waits so long before the first.
        output: Format on stdout.

    Raises:
        InferometerError: It cannot be started (2, 5), or its rows cannot be kept (1).
    """
    report, rows = _carried(config, options, plan_spec(options), idle_s)
    told_of = population(rows)
    ttfts_s = [_ttft_s(row) for row in told_of]
    found = cold(ttfts_s)
    stable_s = None if found.slow is None else (told_of[found.slow].t_sched_us - told_of[0].t_sched_us) / _US
    told: dict[str, object] = dict(
        zip(COLD_COLUMNS, (found.first_s, found.steady_s, found.extra_s, found.slow, stable_s, found.n), strict=True)
    )
    _show(config, report, told, COLD_COLUMNS, {"scenario": "cold", "idle_s": idle_s}, output)
    return answered_with(ended_with(report), ttfts_s)


def answered_with(ended: int, ttfts_s: Sequence[float]) -> int:
    """Return the exit code of a run from cold, and say so if a failed request keeps it from telling how slow one is.

    Args:
        ended: Of the run.
        ttfts_s: Of its requests; a failure is +infinity.
    """
    failed = sum(map(math.isinf, ttfts_s))
    if ended != EXIT_OK or (not failed and len(ttfts_s) >= COLD_LEAST):
        return ended
    sys.stderr.write(f"nobody can tell: {failed} of {len(ttfts_s)} requests failed\n")
    return EXIT_INCONCLUSIVE


def ended_with(report: Mapping[str, Any]) -> int:
    """Return the exit code of a run that may speak only if its client was fit."""
    ended, fit = int(report["verdict"]["ended"]), report["fit"]
    is_fit = fit is not None and fit["state"] == Fit.FIT
    return EXIT_INCONCLUSIVE if ended == EXIT_OK and not is_fit else ended


def _carried(config: Config, options: Options, spec: PlanSpec, idle_s: float = 0.0) -> tuple[dict[str, Any], list[Row]]:
    """Carry a run out and return its report and its rows."""
    must_be_installed()
    engine = load_key.UNKNOWN if options.engine_file is None else load_key.engine(Path(options.engine_file))
    plan = planned(spec, config.load)
    where = load_target.reached(options.target, config.load.allowed_targets)
    model = options.model or load_target.first_model(where, options.key_file)
    data = data_directory.resolve(config.data)
    run_id = new_run_id()
    directory = data.root / "runs" / run_id
    made = run_spec(options, plan.spec, config.load, run_id=run_id, directory=str(directory), model=model)
    made = msgspec.structs.replace(made, ceiling_chunks_per_s=ceiling(data.root))
    if spec.slots is not None:  # from cold: whoever asks before the first request has warmed the engine
        made = msgspec.structs.replace(made, calibration=Calibration(why="the first request of all is measured"))
    if idle_s:
        sys.stderr.write(f"idle for {idle_s:.0f} s\n")
        sleep(idle_s)
    carried = load_run.carry(config, options, made, plan)
    report = load_run.reported(carried, data, options.goodput_ratio, engine)
    return report, load_kept.kept(directory).rows()


def _ttft_s(row: Row) -> float:
    """Return the TTFT of a request; infinite where it failed."""
    us = row.record.ttft_us
    return math.inf if us is None or row.record.outcome is not Outcome.OK else us / _US


def _show(
    config: Config,
    report: Mapping[str, Any],
    told: Mapping[str, object],
    names: tuple[str, ...],
    asked: Mapping[str, object],
    output: str,
) -> None:
    """Print what was found, and keep it beside the run."""
    directory = data_directory.resolve(config.data).root / "runs" / report["run_id"]
    kept = {"schema": SCHEMA, "run_id": report["run_id"], **asked, **told}
    try:
        (directory / SCENARIO).write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
    except OSError as error:
        raise InferometerError(f"{directory / SCENARIO}: {error.strerror}") from None
    listing.show([{name: _rounded(told[name]) for name in names}], names, str(asked["scenario"]), output)
    message = report["verdict"]["message"] or "sent as planned"
    load_ship.ship(config)
    sys.stderr.write(f"{report['run_id']}: {message}\nfiles: {directory}\n")


def _rounded(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value
