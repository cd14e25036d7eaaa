"""Knows how `hints backtest` replays policies and prints what they are worth; refuses to scale anything.

Exit code 4 where no policy keeps the objective.

Source: spec/scaling.md 2 (whatif), 7; design.md (outputs, exit codes).
"""

import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from inferometer import hints_backtest_page, load_html
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.hints_backtest_rank import Ranked
from inferometer.hints_backtest_traffic import Key, Recorded, ReplayError, Traced, engine_of, kept_of, kind_of, stored
from inferometer.hints_manifest import followed
from inferometer.hints_replay import Found, Replay, Traffic, replay
from inferometer.listing import show
from inferometer.reading import source
from inferometer.since import instant_ms
from loadtest.fleet.spec import FleetSpec, Signals
from loadtest.plan_spec import TraceFormat
from loadtest.scaling_profile import Limits
from slo.scaling.codes import Reason
from slo.scaling.manifests import Wanted
from slo.scaling.policies.catalogue import listed
from slo.scaling.verdicts import Burst
from telemetry.clock import wall_ms

EXIT_INCONCLUSIVE = 4

_UNNAMED = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for.

    Attributes:
        policy: Names, separated by commas.
        trace: A file; None for recorded traffic.
        kind: Its format; None as it looks.
        recorded: Endpoint whose requests are replayed; None for a trace.
        since: Start of those, as typed.
        until: End of those, as typed.
        start_s: Where a trace begins.
        seconds: Longest part of a trace; None all of it.
        scale: Of a trace.
        cold_s: Median of cold starts.
        seeds: Runs of each policy.
        limits: Objectives.
        gpus: Of each replica.
        usd_per_gpu_hour: Price; None if unknown.
        profile: File of a scaling profile; None for four H100.
        loss_ratio: Share of scrapes that get lost.
        slow: Factor on the steps of one replica; 1 is as fast as the rest.
        life_s: Mean time from ready to a failure; None never.
        jobs: Processes.
        output: As of `listing.show`.
        html: Where to write the page; None nowhere.
    """

    policy: str
    trace: Path | None = None
    kind: TraceFormat | None = None
    recorded: str | None = None
    since: str = "1d"
    until: str = "now"
    start_s: float = 0.0
    seconds: float | None = None
    scale: float = 1.0
    cold_s: float = 300.0
    seeds: int = 10
    limits: Limits
    gpus: int = 4
    usd_per_gpu_hour: float | None = None
    profile: Path | None = None
    loss_ratio: float = 0.0
    slow: float = 1.0
    life_s: float | None = None
    jobs: int = 1
    output: str = "table"
    html: Path | None = None


def run(config: Config, asked: Asked) -> int:
    """Replay, print and return the exit code.

    Raises:
        InferometerError: What was typed or written is wrong, or the store cannot be asked.
    """
    if (asked.trace is None) == (asked.recorded is None):
        raise ConfigurationError("hints backtest: found both or none of --trace and --recorded; allowed: one")
    traffic = _traffic(config, asked)
    found = replay(_replay(asked), traffic)
    _say(asked, found)
    if asked.html is not None:
        facts = {"seeds": str(asked.seeds), "cold start": f"{asked.cold_s:.0f} s", "objective": kept_of(asked.limits)}
        page = hints_backtest_page.sheet(_title(asked), found.among, asked.limits.target, found.best, facts)
        load_html.write_sheet(asked.html, page)
    return 0 if found.keeps_objective else EXIT_INCONCLUSIVE


def _replay(asked: Asked) -> Replay:
    fleet = FleetSpec(
        engine=engine_of(asked.profile),
        replicas=1,
        limits=asked.limits,
        life_s=asked.life_s,
        slowness=(asked.slow,) if asked.slow != 1 else (),
        signals=Signals(loss_ratio=asked.loss_ratio),
    )
    return Replay(
        policies=_policies(asked.policy),
        fleet=fleet,
        gpus=asked.gpus,
        cold_s=asked.cold_s,
        seeds=asked.seeds,
        usd_per_gpu_hour=asked.usd_per_gpu_hour,
        jobs=asked.jobs,
    )


def _policies(text: str) -> tuple[str, ...]:
    try:
        return listed(text)
    except ValueError as error:
        raise ReplayError(Key.POLICY, str(error)) from None


def _traffic(config: Config, asked: Asked) -> Traffic:
    if asked.recorded is not None:
        return _recorded(config, asked, asked.recorded)
    path = asked.trace or Path()
    return Traced(
        path=path,
        kind=asked.kind or kind_of(path),
        start_s=asked.start_s,
        scale=asked.scale,
        seconds=asked.seconds,
    )


def _recorded(config: Config, asked: Asked, endpoint: str) -> Recorded:
    now_ms = wall_ms()
    since_ms = instant_ms(asked.since, now_ms, "--from")
    until_ms = instant_ms(asked.until, now_ms, "--to")
    if since_ms >= until_ms:
        raise ConfigurationError(f"--from: found {asked.since!r}, which is not before --to {asked.until!r}")
    return stored(source(config).rows, endpoint, "", (since_ms, until_ms))


def _say(asked: Asked, found: Found) -> None:
    among, best, burst = found.among, found.best, found.burst
    if asked.output == "json":
        document = {
            "traffic": _title(asked),
            "cold_start_s": asked.cold_s,
            "target_ratio": asked.limits.target,
            "policies": [hints_backtest_page.row(one) for one in among],
            "burst": None if burst is None else asdict(hints_backtest_page.shown_burst(burst)),
            "winner": None if best is None else best.policy,
            "manifest": _manifest(asked, best),
        }
        sys.stdout.write(json.dumps(document) + "\n")
        return
    people = asked.output == "table"
    rows = [hints_backtest_page.brief(one) if people else hints_backtest_page.row(one) for one in among]
    names = hints_backtest_page.BRIEF if people else hints_backtest_page.NAMES
    show(rows, names, f"{_title(asked)}, cold start {asked.cold_s:.0f} s, {kept_of(asked.limits)}", asked.output)
    if asked.output != "csv" and burst is not None:
        sys.stdout.write(f"\n{_words(burst)}\n")
    if asked.output != "csv" and best is not None:
        kept = found.keeps_objective
        why = "the fewest GPU-hours within the objective" if kept else "none keeps the objective; it comes nearest"
        sys.stdout.write(f"\nwinner: {best.policy} ({why})\n")
        if text := _manifest(asked, best):
            sys.stdout.write(f"\n{text}")


def _words(of: Burst) -> str:
    cost = "" if of.usd_per_month is None else f" ({of.usd_per_month:,.0f} USD a month)"
    return (
        f"{Reason.BURST_UNFOLLOWABLE}: bursts of {of.length_s:.0f} s, {of.ratio:.0f} times the mean, are over before "
        f"a cold start is: hold a floor of {of.floor}{cost}, or let them queue"
    )


def _manifest(asked: Asked, best: Ranked | None) -> str | None:
    name = _UNNAMED.sub("-", _title(asked).lower()).strip("-")[:63] or "target"
    return None if best is None else followed(best.policy, Wanted(target=name))


def _title(asked: Asked) -> str:
    return asked.recorded or (asked.trace.name if asked.trace is not None else "")
