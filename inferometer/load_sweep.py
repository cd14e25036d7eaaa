"""Knows how the highest good rate of a target is searched: run after run, and the profile that is handed over.

Refuses to know which rate comes next (`loadtest.search`). A run whose client was not fit may not blame the target: it
is left out and made again, and the third such run in a row ends the search without a profile.

Source: spec/loadtest.md 1 (exit codes), 7 (search), 18 (`steps.csv`), 19 (scaling profile, only of fit runs).
"""

import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from inferometer import data_directory, listing, load_book, load_files, load_kept, load_key, load_objectives, load_run
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from inferometer.load_calibration import ceiling
from inferometer.load_options import Options, plan_spec, planned, run_spec, workers
from inferometer.load_process import must_be_installed
from loadtest.baseline import mix_id
from loadtest.conductor import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_OK
from loadtest.fitness import Fit
from loadtest.plan import Plan
from loadtest.scaling_profile import (
    VALID_S,
    CurvePoint,
    Limits,
    ProfileMix,
    ScalingProfile,
    Thresholds,
)
from loadtest.search import Next, next_step, step_verdict
from loadtest.sweep import Measured, Tried, knee_rps, step_model, tried
from telemetry.clock import wall_ms
from telemetry.outcome import DEFS_VERSION
from telemetry.schema.loads import SCALING_PROFILES

PROFILE, STEPS = "profile.json", "steps.csv"
TRIES_MAX = 3
"""Runs of unfit clients in a row that end a search."""
COLUMNS = (*CurvePoint.__struct_fields__, "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to.

    Attributes:
        steps: Each rate that was tried.
        bracket: Highest accepted and lowest rejected rate.
        code: Exit code of the run that ended it early; 0 if none did.
        run_ids: Runs that it rests on.
    """

    steps: tuple[Tried, ...]
    bracket: Next
    code: int
    run_ids: tuple[str, ...]


Carry = Callable[[float, int], tuple[str, int, Measured]]
"""Carries out a run at a rate, given its number in the search; returns its id, exit code and rows."""


def run(config: Config, options: Options, around_rps: float, steps_max: int, output: str, *, climbs: bool) -> int:
    """Search the highest rate at which objectives are kept, and print the curve.

    Args:
        config: The configuration.
        options: What was typed; its rate is not used.
        around_rps: Rate at which the target is thought to be saturated.
        steps_max: Most rates to try.
        output: Format on stdout.
        climbs: Whether to climb from low rates, for the whole curve.

    Returns:
        Exit code: 0 a rate was found; 3 not even the lowest one is good, or the target went away; 4 a client was not
        fit; 130 interrupted.

    Raises:
        InferometerError: It cannot be started, or no objective was typed.
    """
    must_be_installed()
    plan = planned(plan_spec(replace(options, rate=around_rps)), config.load)
    if not load_objectives.are_asked(plan.spec):
        raise ConfigurationError("a sweep needs an objective: --slo PRESET, --ttft-max or --tpot-max")
    name = f"{wall_ms():x}"
    carrier = _Carrier(config, options, name)
    ratio = options.goodput_ratio
    found = searched(
        carrier.carry, options, around_rps, steps_max, rate_rps_max=config.load.rate_rps_max, climbs=climbs
    )
    rows = [msgspec.structs.asdict(one.point) | {"verdict": step_verdict(one.step, ratio)} for one in found.steps]
    _keep_steps(carrier.root / name, rows)
    listing.show(rows, COLUMNS, "sweep", output)
    if found.code != EXIT_OK:
        sys.stderr.write(f"no verdict: the last run ended with {found.code}; files: {carrier.root / name}*\n")
        return found.code
    if found.bracket.accepted_rps is None:
        sys.stderr.write("no rate that was tried is proven good\n")
        return EXIT_FAILED
    _publish(config, carrier, found, made(found, options, plan, carrier.engine), carrier.root / name)
    return EXIT_OK


def searched(
    carry: Carry, options: Options, around_rps: float, steps_max: int, *, rate_rps_max: float, climbs: bool
) -> Found:
    """Try rates until the highest good one is found, a run says nothing, or enough were tried."""
    limits = {"default": options.objectives}
    steps: list[Tried] = []
    runs: list[Measured] = []
    ids: list[str] = []
    number = unfit = 0
    while True:
        judged = [one.step for one in steps]
        bracket = next_step(judged, options.goodput_ratio, around_rps, rate_rps_max=rate_rps_max, bisect=not climbs)
        if bracket.rate_rps is None or (len(steps) >= steps_max and not bracket.longer):
            return Found(steps=tuple(steps), bracket=bracket, code=EXIT_OK, run_ids=tuple(ids))
        run_id, code, measured = carry(bracket.rate_rps, number)
        number += 1
        unfit = unfit + 1 if code == EXIT_INCONCLUSIVE else 0
        if 0 < unfit < TRIES_MAX:
            continue
        if code != EXIT_OK:
            return Found(steps=tuple(steps), bracket=bracket, code=code, run_ids=tuple(ids))
        ids.append(run_id)
        runs = [*runs, measured] if bracket.longer else [measured]
        steps = [*(steps[:-1] if bracket.longer else steps), tried(bracket.rate_rps, runs, limits)]


def made(found: Found, options: Options, plan: Plan, engine: load_key.Engine) -> ScalingProfile:
    """Return the profile of a search that accepted a rate."""
    accepted = found.bracket.accepted_rps or 0.0
    best = next(one for one in found.steps if one.step.rate_rps == accepted)
    model = step_model(found.steps, options.goodput_ratio)
    arrivals = list(plan.mine(0, 1))
    limit = options.objectives
    return ScalingProfile(
        baseline_id="",
        run_ids=found.run_ids,
        defs_version=DEFS_VERSION,
        made_at=datetime.fromtimestamp(wall_ms() / 1000, UTC).isoformat(timespec="seconds"),
        gpus_per_replica=engine.gpus,
        slo=Limits(ttft_s=limit.ttft_s, tpot_s=limit.tpot_s, target=options.goodput_ratio),
        mix=ProfileMix(
            mix_id=mix_id(plan),
            in_mean=sum(one.len_in for one in arrivals) / len(arrivals),
            out_mean=sum(one.len_out for one in arrivals) / len(arrivals),
            prefix_hit_ratio=None,
        ),
        goodput_rps=accepted,
        accepted_rps=accepted,
        rejected_rps=found.bracket.rejected_rps,
        knee_rps=knee_rps(found.steps),
        tokens_out_per_s=best.point.tokens_out_per_s,
        curve=tuple(sorted((one.point for one in found.steps), key=lambda point: point.rate_rps)),
        thresholds=Thresholds(tau_q_s=None, queue_star=None, kv_at_mu_star=None, gpu_util_at_mu_star=None),
        fit=Fit.FIT,
        repeats=1,
        cv=None,
        step_alpha_us=None if model is None else model.alpha_s * 1e6,
        step_beta_us=None if model is None else model.beta_s * 1e6,
        step_gamma_us=None if model is None else model.gamma_s * 1e6,
        step_r2=None if model is None else model.r2,
    )


class _Carrier:
    """Carries out the runs of one search."""

    def __init__(self, config: Config, options: Options, name: str) -> None:
        self._config, self._options, self._name = config, options, name
        self._data = data_directory.resolve(config.data)
        self.where = load_run.reached(options.target, config.load.allowed_targets)
        self._model = options.model or load_run.first_model(self.where, options.key_file)
        self.root = self._data.root / "runs"
        self.engine = load_key.UNKNOWN if options.engine_file is None else load_key.engine(Path(options.engine_file))

    def carry(self, rate_rps: float, number: int) -> tuple[str, int, Measured]:
        """Carry out a run at a rate."""
        options = replace(self._options, rate=rate_rps, seed=self._options.seed + number)
        spec = plan_spec(options)
        plan = planned(spec, self._config.load)
        run_id = f"{self._name}-{number}"
        directory = self.root / run_id
        run = run_spec(options, spec, self._config.load, run_id=run_id, directory=str(directory), model=self._model)
        run = msgspec.structs.replace(run, ceiling_chunks_per_s=ceiling(self._data.root))
        sys.stderr.write(f"{run_id}: {rate_rps:.4g} requests a second, {len(plan)} arrivals\n")
        count = workers(options, plan, load_files.cores())
        carried = load_run.carry_out(run, plan, count, load_run.on_terminal)
        report = load_run.reported(carried, self._data, options.goodput_ratio, self.engine)
        fitness = carried.ending.fitness
        code = carried.ending.code
        if code == EXIT_OK and (fitness is None or fitness.fit is not Fit.FIT):
            code = EXIT_INCONCLUSIVE
        if code != EXIT_OK:
            sys.stderr.write(f"{run_id}: {report['verdict']['message'] or 'not proven fit'}\n")
        kept = load_kept.kept(directory)
        return run_id, code, Measured(rows=kept.rows(), window_ns=kept.window_ns)


def _keep_steps(directory: Path, rows: Sequence[listing.Row]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / STEPS).open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise InferometerError(f"{directory / STEPS}: {error.strerror}") from None


def _publish(config: Config, carrier: _Carrier, found: Found, profile: ScalingProfile, directory: Path) -> None:
    """Write the profile beside the steps, and into the store if there is one."""
    text = msgspec.json.encode(profile)
    try:
        (directory / PROFILE).write_bytes(msgspec.json.format(text) + b"\n")
    except OSError as error:
        raise InferometerError(f"{directory / PROFILE}: {error.strerror}") from None
    made_ms = wall_ms()
    values = {
        "target": carrier.where.name,
        "baseline_id": profile.baseline_id,
        "mu_star_per_s": profile.goodput_rps,
        "made_at": made_ms,
        "valid_until": made_ms + VALID_S * 1000,
        "profile_json": text.decode(),
    }
    rejected = found.bracket.rejected_rps
    bound = "no rate was rejected" if rejected is None else f"below {rejected:.4g}"
    sys.stderr.write(f"goodput: {profile.goodput_rps:.4g} requests a second, {bound}; files: {directory}*\n")
    try:
        load_book.add_row(config, SCALING_PROFILES, values, f"profile-{directory.name}")
    except UnreachableError as error:
        sys.stderr.write(f"the profile is in {directory / PROFILE} only: {error}\n")
