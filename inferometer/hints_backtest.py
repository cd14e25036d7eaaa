"""Knows how `hints backtest` replays policies and prints what they are worth; refuses to scale anything.

Every seed has arrivals, shifts and cold starts of its own, the same for all policies. Exit code 4 where no policy keeps
the objective.

Source: spec/scaling.md 2 (whatif), 7; design.md (outputs, exit codes).
"""

import json
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from inferometer import hints_backtest_page, load_html
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.hints_backtest_case import Case, burst_of, given, replayed
from inferometer.hints_backtest_rank import Ranked, ranked, winner
from inferometer.hints_backtest_traffic import Test, Traced, case_of, engine_of, kind_of, recorded
from inferometer.listing import show
from inferometer.reading import source
from inferometer.since import instant_ms
from loadtest.fleet.score import Score
from loadtest.fleet.spec import FleetSpec, Signals
from loadtest.plan_spec import TraceFormat
from loadtest.scaling_profile import Limits
from loadtest.trace_formats import TraceRow, of_store
from slo.scaling.codes import Reason
from slo.scaling.manifests import Kind, Wanted, manifest
from slo.scaling.policies.catalogue import build
from slo.scaling.verdicts import Burst
from telemetry.clock import wall_ms
from telemetry.queries.asked import Asked as Rows
from telemetry.queries.asked import Dim
from telemetry.queries.replayed import replayed as question

EXIT_INCONCLUSIVE = 4

_UNNAMED = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for.

    Attributes:
        policies: Names.
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

    policies: Sequence[str]
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
    rows = None if asked.recorded is None else _rows(config, asked, asked.recorded)
    first = case(asked, rows, 0)
    among = ranked(_runs(asked, rows, first), asked.usd_per_gpu_hour)
    burst = burst_of(first, asked.cold_s, asked.usd_per_gpu_hour)
    best = winner(among, asked.limits.target)
    _say(asked, among, best, burst)
    if asked.html is not None:
        facts = {"seeds": str(asked.seeds), "cold start": f"{asked.cold_s:.0f} s", "objective": _objective(asked)}
        page = hints_backtest_page.sheet(_title(asked), among, asked.limits.target, best, facts)
        load_html.write_sheet(asked.html, page)
    return 0 if best is not None and best.attainment.mean >= asked.limits.target else EXIT_INCONCLUSIVE


def case(asked: Asked, rows: Sequence[TraceRow] | None, seed: int, test: Test | None = None) -> Case:
    """Return what a seed replays; without a load test one is made.

    Raises:
        ConfigurationError: It cannot be read, or no rate keeps the objective.
    """
    fleet = FleetSpec(
        engine=engine_of(asked.profile),
        replicas=1,
        limits=asked.limits,
        life_s=asked.life_s,
        slowness=(asked.slow,) if asked.slow != 1 else (),
        signals=Signals(loss_ratio=asked.loss_ratio),
    )
    if rows is not None:
        return recorded(rows, asked.recorded or "", fleet, asked.gpus, seed, test)
    path = asked.trace or Path()
    trace = Traced(
        path=path,
        kind=asked.kind or kind_of(path),
        start_s=asked.start_s,
        scale=asked.scale,
        seconds=asked.seconds,
    )
    return case_of(trace, fleet, asked.gpus, seed, test)


def _runs(asked: Asked, rows: Sequence[TraceRow] | None, first: Case) -> dict[str, list[Score]]:
    """Return the scores of each policy; seeds run side by side."""
    for name in asked.policies:
        try:
            build(name, given(first, asked.cold_s))
        except ValueError as error:
            raise ConfigurationError(f"--policy: {error}") from None
    work = partial(_seed, replace(asked, html=None), rows, (first.goodput, first.mix))
    if asked.jobs == 1 or asked.seeds == 1:
        found = [work(seed) for seed in range(asked.seeds)]
    else:
        with ProcessPoolExecutor(asked.jobs) as pool:
            found = list(pool.map(work, range(asked.seeds)))
    return {name: [scores[at] for scores in found] for at, name in enumerate(asked.policies)}


def _seed(asked: Asked, rows: Sequence[TraceRow] | None, test: Test, seed: int) -> list[Score]:
    whole = case(asked, rows, seed, test)
    return [replayed(whole, name, asked.cold_s, seed) for name in asked.policies]


def _rows(config: Config, asked: Asked, endpoint: str) -> list[TraceRow]:
    now_ms = wall_ms()
    since_ms = instant_ms(asked.since, now_ms, "--from")
    until_ms = instant_ms(asked.until, now_ms, "--to")
    if since_ms >= until_ms:
        raise ConfigurationError(f"--from: found {asked.since!r}, which is not before --to {asked.until!r}")
    window = Rows(since_ms=since_ms, until_ms=until_ms, where={Dim.ENDPOINT: (endpoint,)})
    return list(of_store(source(config).rows(question(window))))


def _say(asked: Asked, among: Sequence[Ranked], best: Ranked | None, burst: Burst | None) -> None:
    if asked.output == "json":
        document = {
            "traffic": _title(asked),
            "cold_start_s": asked.cold_s,
            "target_ratio": asked.limits.target,
            "policies": [hints_backtest_page.row(one) for one in among],
            "burst": None if burst is None else {"code": Reason.BURST_UNFOLLOWABLE, **asdict(burst)},
            "winner": None if best is None else best.policy,
            "manifest": _manifest(asked, best),
        }
        sys.stdout.write(json.dumps(document) + "\n")
        return
    people = asked.output == "table"
    rows = [hints_backtest_page.brief(one) if people else hints_backtest_page.row(one) for one in among]
    names = hints_backtest_page.BRIEF if people else hints_backtest_page.NAMES
    show(rows, names, f"{_title(asked)}, cold start {asked.cold_s:.0f} s, {_objective(asked)}", asked.output)
    if asked.output != "csv" and burst is not None:
        sys.stdout.write(f"\n{_words(burst)}\n")
    if asked.output != "csv" and best is not None:
        kept = best.attainment.mean >= asked.limits.target
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
    """Return what a cluster applies for the winner; None unless it is ours, which alone has one."""
    if best is None or best.policy != "ours":
        return None
    name = _UNNAMED.sub("-", _title(asked).lower()).strip("-")[:63] or "target"
    return manifest(Kind.KEDA, Wanted(target=name))


def _title(asked: Asked) -> str:
    return asked.recorded or (asked.trace.name if asked.trace is not None else "")


def _objective(asked: Asked) -> str:
    limits = asked.limits
    return f"{limits.target:.1%} within {limits.ttft_s} s and {limits.tpot_s} s a token"
