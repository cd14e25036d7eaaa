"""Knows how `slo flows` prints how long workflows and their stages took; refuses to judge.

The percentiles of stages are never added up to one of the flow: the flow has its own. Their sum stands in a row by
itself, called the upper bound that it is.

Source: spec/slo.md 2 (media_pipeline), 3 (n beside every percentile); design.md (exit codes: 4 if there is nothing).
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from inferometer import slo_files
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.listing import show
from inferometer.reading import source
from inferometer.since import instant_ms
from slo.asking import counted_flows
from slo.stages import UPPER_BOUND, Times, slowest, times, unusual, upper_bound_s
from slo.wholes import Flow
from telemetry.clock import wall_ms
from telemetry.queries.flow_times import flow_times

EXIT_INCONCLUSIVE = 4
NAMES = ("slo", "stage", "n", "done", "p50_s", "p95_s", "p99_s", "mean_s", "budget_s", "over_s", "over_ratio", "note")
BRIEF = ("slo", "stage", "n", "p50_s", "p95_s", "p99_s", "budget_s", "over_ratio", "note")
"""What fits a terminal."""
WINDOW_S_MAX = 7 * 86_400
"""Longest window."""
BUCKET_MS = 30_000


def run(config: Config, paths: Sequence[Path], since: str, output: str) -> int:
    """Print the times of every objective that counts flows, and return the exit code.

    Args:
        config: Says which store, and which objectives if no paths do.
        paths: SLO files or folders; none means those of the configuration.
        since: Start of the window, as typed; it ends now.
        output: As of `listing.show`.

    Raises:
        InferometerError: What was typed or written is wrong, or the store cannot be asked.
    """
    now_ms = wall_ms() // BUCKET_MS * BUCKET_MS
    since_ms = instant_ms(since, now_ms, "--since")
    if not 0 < now_ms - since_ms <= WINDOW_S_MAX * 1000:
        raise ConfigurationError(f"--since: found {since!r}; allowed: up to {WINDOW_S_MAX // 86_400}d ago")
    chosen = paths or [Path(path).expanduser() for path in config.slo.objectives]
    if not chosen:
        raise ConfigurationError("FILE: found nothing; allowed: SLO files, here or as slo.objectives")
    asked = source(config)
    rows: list[dict[str, object]] = []
    for one in slo_files.loaded(chosen).objectives:
        if isinstance(one.whole, Flow):
            answer = asked.rows(flow_times(counted_flows(one), since_ms, now_ms))
            rows += flow_rows(one.name, times(answer, one.whole.stages, one.whole.budget_s))
    show(rows, BRIEF if output == "table" else NAMES, "workflows", output)
    if not rows:
        sys.stderr.write("inferometer: no workflow ended in that time; rows need target.workflow_header\n")
    return 0 if rows else EXIT_INCONCLUSIVE


def flow_rows(slo: str, found: Sequence[Times]) -> list[dict[str, object]]:
    """Return the rows of one objective: the flow, its stages, and the sum of their P99s as the bound that it is."""
    if not found:
        return []
    over_s = sum(one.over_s for one in found if one.name)
    most = slowest(found)
    rows = [
        {
            **{name: getattr(one, name) for name in Times.__slots__ if name != "name"},
            "slo": slo,
            "stage": one.name or "(flow)",
            "over_ratio": one.over_s / over_s if one.name and over_s else None,
            "note": ", ".join(_notes(one, is_most=most is not None and most[0] is one)),
        }
        for one in found
    ]
    if any(one.name for one in found):
        rows.append({"slo": slo, "stage": "(sum of stages)", "p99_s": upper_bound_s(found), "note": UPPER_BOUND})
    return [{name: _rounded(row.get(name)) for name in NAMES} for row in rows]


def _notes(one: Times, *, is_most: bool) -> Iterator[str]:
    if is_most:
        yield "most time over budget"
    yield from unusual(one)
    if one.p99_s is None:
        yield f"{one.n - one.done} not done: no P99"


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
