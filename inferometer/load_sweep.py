"""Knows how the highest good rate of a target is searched: run after run, and the profile that is handed over.

Refuses to know which rate comes next (`loadtest.search`). A run whose client was not fit may not blame the target: it
is left out and made again, and the third such run in a row ends the search without a profile. Where nobody says at
which rate the target is about saturated, closed loops show it first (`inferometer.load_opening`); a sweep of users is
nothing but such loops, and finds no rate.

Source: spec/loadtest.md 1 (exit codes), 7 (search), 18 (`steps.csv`), 19 (scaling profile, only of fit runs).
"""

import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import msgspec

from inferometer import listing, load_columns, load_objectives, load_ship
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, InferometerError
from inferometer.load_beside import beside
from inferometer.load_files import new_run_id
from inferometer.load_html import PROFILE, STEPS, write_sweep
from inferometer.load_key import CLOSED
from inferometer.load_opening import Opening, climbed, opened
from inferometer.load_options import Options, plan_spec, planned
from inferometer.load_process import must_be_installed
from inferometer.load_profile import Beside, Found, made
from inferometer.load_step import Carrier
from loadtest.conductor import EXIT_FAILED, EXIT_OK
from loadtest.scaling_profile import VALID_S, CurvePoint, ScalingProfile
from loadtest.search import Next, Step, next_step, step_verdict
from loadtest.sweep import ClosedPoint, Measured, Tried, tried
from telemetry.clock import wall_ms
from telemetry.load_records import ProfileRow

COLUMNS = (*CurvePoint.__struct_fields__, "verdict")
COLUMNS_CLOSED = (*(field.name for field in fields(ClosedPoint)), "loop")


Carry = Callable[[float], tuple[str, int, Measured]]
"""Carries out a run at a rate; returns its id, exit code and rows."""
Choose = Callable[[Sequence[Step]], Next]
"""Says what to try after these steps."""


def run(
    config: Config, options: Options, around_rps: float | None, steps_max: int, output: str, *, climbs: bool
) -> int:
    """Search the highest rate at which objectives are kept, and print the curve.

    Args:
        config: The configuration.
        options: What was typed; its rate is not used.
        around_rps: Rate at which the target is thought to be saturated; None: closed loops show it.
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
    if not load_objectives.are_asked(planned(plan_spec(options), config.load).spec):
        raise ConfigurationError("a sweep needs an objective: --slo PRESET, --ttft-max or --tpot-max")
    carrier = Carrier(config, options, new_run_id())
    opening = Opening() if around_rps is not None else opened(carrier.of_users, options, lambda: carrier.engine)
    around_rps = around_rps if opening.saturated is None else opening.saturated.rate_rps
    if not around_rps:
        return _told(carrier, opening.code or EXIT_FAILED)
    found = searched(carrier.at_rate, options, _choose(config, options, around_rps, climbs=climbs), steps_max)
    ratio = options.goodput_ratio
    rows = [msgspec.structs.asdict(one.point) | {"verdict": step_verdict(one.step, ratio)} for one in found.steps]
    _keep_steps(carrier.directory, COLUMNS, rows)
    name = carrier.directory.name
    load_ship.keep(config, f"steps-{name}", load_columns.searched(name, found.steps, ratio))
    listing.show(rows, COLUMNS, "sweep", output)
    if found.code != EXIT_OK:
        return _told(carrier, found.code)
    if found.bracket.accepted_rps is None:
        sys.stderr.write("no rate that was tried is proven good\n")
        return EXIT_FAILED
    _publish(config, carrier, made(found, opening, options, carrier.engine, _beside(config, carrier)))
    return EXIT_OK


def run_closed(config: Config, options: Options, output: str) -> int:
    """Ask as 1, 2, 4 and more users until output no longer grows, and print the curve; it finds no rate.

    Returns:
        Exit code: 0; 3 the target went away; 4 a client was not fit; 130 interrupted.

    Raises:
        InferometerError: It cannot be started.
    """
    must_be_installed()
    carrier = Carrier(config, options, new_run_id())
    seen = climbed(carrier.of_users, options, factor=2)
    rows = [asdict(point) | {"loop": CLOSED} for point in seen.points]
    _keep_steps(carrier.directory, COLUMNS_CLOSED, rows)
    load_ship.ship(config)
    listing.show(rows, COLUMNS_CLOSED, "sweep of users, closed loop", output)
    return _told(carrier, seen.code) if seen.code != EXIT_OK else EXIT_OK


def searched(carry: Carry, options: Options, choose: Choose, steps_max: int) -> Found:
    """Try rates until there is none to try, a run says nothing, or enough were tried.

    Args:
        carry: Carries out a run.
        options: What was typed.
        choose: Says which rate comes next.
        steps_max: Most rates to try; the last one still goes on to its end.
    """
    limits, length_s = {"default": options.objectives}, (options.seconds or 0.0) - options.warm_up
    steps: list[Tried] = []
    runs: list[Measured] = []
    ids: list[str] = []
    while True:
        bracket = choose([one.step for one in steps])
        if bracket.rate_rps is None or (len(steps) >= steps_max and not bracket.longer):
            return Found(steps=tuple(steps), bracket=bracket, code=EXIT_OK, run_ids=tuple(ids))
        run_id, code, measured = carry(bracket.rate_rps)
        if code != EXIT_OK:
            return Found(steps=tuple(steps), bracket=bracket, code=code, run_ids=tuple(ids))
        ids.append(run_id)
        runs = [*runs, measured] if bracket.longer else [measured]
        steps = [*(steps[:-1] if bracket.longer else steps), tried(bracket.rate_rps, runs, limits, length_s)]


def _choose(config: Config, options: Options, around_rps: float, *, climbs: bool) -> Choose:
    most = config.load.rate_rps_max
    target = options.goodput_ratio
    return lambda steps: next_step(steps, target, around_rps, rate_rps_max=most, bisect=not climbs)


def _beside(config: Config, carrier: Carrier) -> Beside:
    return Beside() if carrier.last is None else beside(config, carrier.last)


def _told(carrier: Carrier, code: int) -> int:
    sys.stderr.write(f"no verdict: the last run ended with {code}; files: {carrier.directory}*\n")
    return code


def _keep_steps(directory: Path, columns: Sequence[str], rows: Sequence[listing.Row]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / STEPS).open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise InferometerError(f"{directory / STEPS}: {error.strerror}") from None
    write_sweep(directory)


def _publish(config: Config, carrier: Carrier, profile: ScalingProfile) -> None:
    """Write the profile beside the steps, and hand it over to the store."""
    directory, text = carrier.directory, msgspec.json.encode(profile)
    try:
        (directory / PROFILE).write_bytes(msgspec.json.format(text) + b"\n")
    except OSError as error:
        raise InferometerError(f"{directory / PROFILE}: {error.strerror}") from None
    made_ms = wall_ms()
    row = ProfileRow(
        target=carrier.where.name,
        baseline_id=profile.baseline_id,
        mu_star_per_s=profile.goodput_rps,
        made_at=made_ms,
        valid_until=made_ms + VALID_S * 1000,
        profile_json=text.decode(),
    )
    rejected = profile.rejected_rps
    bound = "no rate was rejected" if rejected is None else f"below {rejected:.4g}"
    sys.stderr.write(f"goodput: {profile.goodput_rps:.4g} requests a second, {bound}; files: {directory}*\n")
    write_sweep(directory)
    load_ship.keep(config, f"profile-{directory.name}", [row])
