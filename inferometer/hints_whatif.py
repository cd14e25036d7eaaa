"""Knows the process that replays policies over a target's recorded traffic for the API; refuses to know HTTP.

It is one process for one question: nothing that it computes can hold up whoever answers controllers. It reads the
store itself, yields the processor, takes no more memory than it may, and ends when the process does that asked it.
What it found, or why it found nothing, is one line on stdout.

The replay is that of `inferometer hints backtest`, so the numbers are, for equal traffic, limits, engine and cold
start. Minimum and maximum of the target do not bound it: policies are compared by what they ask for.

Source: spec/scaling.md 2 (whatif), 5 (baseline), 6.9 (cold starts), 7; prctl(2), setrlimit(2).
"""

import argparse
import os
import resource
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import msgspec

from inferometer.errors import ConfigurationError
from inferometer.hints_backtest_page import shown, shown_burst
from inferometer.hints_backtest_traffic import H100_TP4, Key, Recorded, ReplayError, engine_told, stored
from inferometer.hints_manifest import followed, wanted
from inferometer.hints_replay import Found, Replay, replay
from inferometer.hints_whatif_told import Refused, Said, WhatIf
from inferometer.supervisor import die_with
from loadtest.fleet.engine import Engine
from loadtest.fleet.spec import ColdStart, FleetSpec
from loadtest.scaling_profile import Limits
from slo.alertmanager_body import rfc3339
from slo.hints_profile import Tested, load_test_of
from slo.hints_replayed import ReplayShown
from slo.hints_starts import HintStarts
from slo.hints_target import Hinted
from slo.problem import ProblemCode
from slo.scaling.cold_start import ColdStarts
from telemetry.clock import wall_ms
from telemetry.errors import StoreError
from telemetry.handed import handed, secret
from telemetry.queries.profiles import profiles
from telemetry.store import Store

REQUESTS_MAX = 150_000
"""Requests of one replay; the store answers with 200,000 rows at most."""
MEMORY_BYTES_MAX = 2 << 30
"""Address space of the process."""
NICE = 10
USAGE = 2
_USUAL = FleetSpec(engine=H100_TP4, replicas=1)
_USUAL_ENGINE = "llama2-70b on 4 H100"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the store knows of a target.

    Attributes:
        traffic: Its requests.
        starts: How long its replicas took; None if none was measured.
        tested: The newest load test; None without one.
        profile_json: What that says; None without one.
    """

    traffic: Recorded
    starts: ColdStarts | None
    tested: Tested | None
    profile_json: str | None


def said(told: WhatIf, store: Store) -> Said:
    """Return what policies would have made of the traffic of a target, or why that is not known."""
    try:
        return Said(found=_shown(told, _past(told, store)))
    except ReplayError as error:
        return Said(refused=_refused(told.target.name, error))
    except ConfigurationError as error:
        return Said(refused=Refused(code=ProblemCode.CONFLICT, text=str(error)))
    except StoreError as error:
        return Said(refused=Refused(code=ProblemCode.STORE_UNREACHABLE, text=str(error)))
    except MemoryError:
        text = f"the replay needs more than {MEMORY_BYTES_MAX >> 20} MiB; ask for a shorter time"
        return Said(refused=Refused(code=ProblemCode.TOO_MUCH, text=text))


def _refused(name: str, error: ReplayError) -> Refused:
    if error.key is Key.LIMITS:
        return Refused(code=ProblemCode.CONFLICT, text=f"target {name}: {error.text}")
    where = "body.policy" if error.key is Key.POLICY else "body.from"
    return Refused(code=ProblemCode.INVALID_REQUEST, text=error.text, where=where)


def _past(told: WhatIf, store: Store) -> Past:
    one, asked = told.target, told.asked
    traffic = stored(store.query, one.endpoint, one.model, (asked.since_s * 1000, asked.until_s * 1000), REQUESTS_MAX)
    now_ms = wall_ms()
    rows = cast("list[dict[str, Any]]", store.query(profiles(now_ms)))
    return Past(
        traffic=traffic,
        starts=HintStarts(store, store, [one]).known(now_ms // 1000).get(one.name),
        tested=load_test_of(one, rows, now_ms // 1000),
        profile_json=next((str(row["profile_json"]) for row in rows if row["target"] == one.endpoint), None),
    )


def _shown(told: WhatIf, past: Past) -> ReplayShown:
    one, asked = told.target, told.asked
    limits, assumed = _limits(told)
    engine, engine_basis = _engine(past)
    cold_s, cold_basis = _cold(past)
    gpus = one.settings.target.gpus_per_replica
    how = Replay(
        policies=asked.policies,
        fleet=replace(_USUAL, engine=engine, limits=limits),
        gpus=gpus or 1,
        cold_s=cold_s,
        seeds=asked.seeds,
        settings=one.settings,
        usd_per_gpu_hour=one.settings.usd_per_gpu_hour,
    )
    found = replay(how, past.traffic)
    manifest, odd = _manifest(one, found)
    none = [] if gpus else ["its replicas have no GPU: GPU-hours are hours of replicas"]
    return ReplayShown(
        target=one.name,
        endpoint=one.endpoint,
        since=rfc3339(asked.since_s),
        until=rfc3339(asked.until_s),
        requests=len(past.traffic.rows),
        seeds=asked.seeds,
        cold_start_s=cold_s,
        cold_start_basis=cold_basis,
        engine_basis=engine_basis,
        gpus_per_replica=gpus,
        ttft_s=limits.ttft_s,
        itl_s=limits.tpot_s,
        objective_ratio=limits.target,
        policies=tuple(map(shown, found.among)),
        burst=None if found.burst is None else shown_burst(found.burst),
        winner=None if found.best is None else found.best.policy,
        keeps_objective=found.keeps_objective,
        manifest=manifest,
        notes=(*assumed, *none, *odd),
    )


def _limits(told: WhatIf) -> tuple[Limits, list[str]]:
    """Return the objective of a target, and what had to be assumed of it."""
    settings, usual, notes = told.target.settings, _USUAL.limits, list[str]()
    ttft_s, itl_s, ratio = settings.ttft_s, settings.itl_s, told.asked.objective_ratio
    if not settings.has_objectives:
        ttft_s, itl_s = usual.ttft_s, usual.tpot_s
        notes.append(f"the target names neither ttft_s nor itl_s: {ttft_s} s and {itl_s} s are taken")
    if not ratio:
        ratio = usual.target
        notes.append(f"the target has no objective: {ratio:.0%} of its requests shall be good")
    return Limits(ttft_s=ttft_s, tpot_s=itl_s, target=ratio), notes


def _engine(past: Past) -> tuple[Engine, str]:
    if past.profile_json is None:
        return H100_TP4, f"{_USUAL_ENGINE}: the target has no scaling profile"
    try:
        engine = engine_told(past.profile_json)
    except ValueError as error:
        return H100_TP4, f"{_USUAL_ENGINE}: of the scaling profile of the target, {error}"
    if past.tested is None:
        return engine, "loadtest"
    test = past.tested.load_test
    return engine, test.basis if test.same_config else f"{test.basis}, of another number of GPUs"


def _cold(past: Past) -> tuple[float, str]:
    """Return how long a start takes, as hints have it: measured here, else by a load test."""
    if past.starts is not None:
        return past.starts.lead.p50_s, f"p50 of last {past.starts.lead.n} cold starts"
    if past.tested is not None and past.tested.starts is not None:
        return past.tested.starts.p50_s, f"p50 of {past.tested.starts.n} cold starts of the load test"
    return ColdStart().median_s, "none was measured"


def _manifest(one: Hinted, found: Found) -> tuple[str | None, list[str]]:
    """Return what a cluster applies for the winner, and why it has nothing to."""
    if found.best is None:
        return None, []
    try:
        return followed(found.best.policy, wanted(one.settings)), []
    except ValueError as error:
        return None, [f"there is no manifest: {error}"]


def _yield_to_others() -> None:
    """Take what nobody else wants; where memory ends it is this process that goes, and no other of the service."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    with suppress(OSError):  # where the kernel does not let it be told
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> int:
    """Read the command line, replay, and print the one line."""
    parser = argparse.ArgumentParser(prog="python -m inferometer.hints_whatif")
    parser.add_argument("--config", required=True, help="WhatIf as JSON")
    try:
        told = handed(parser.parse_args().config, WhatIf)
        die_with(told.parent)
        _yield_to_others()
        store = Store(told.store_url, user=told.reader, password=secret(told.reader_password_file))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"inferometer: cannot replay: {error}\n")
        return USAGE
    sys.stdout.write(msgspec.json.encode(said(told, store)).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
