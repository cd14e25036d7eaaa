"""Knows how `slo backtest` prints what a policy would have said; refuses to judge.

Source: spec/slo.md 15; design.md (outputs, exit codes: 4 if there is nothing to go on).
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from inferometer import slo_files
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.listing import show
from inferometer.reading import source
from inferometer.since import instant_ms
from inferometer.slo_history import History
from inferometer.slo_incidents import incidents
from slo.backtest import Alarm, Backtest, backtest
from slo.burn_catalogue import CATALOGUES
from slo.watched import watched
from telemetry.clock import wall_ms

EXIT_INCONCLUSIVE = 4
NAMES = ("start", "end", "severity", "slo", "group", "alert", "rule", "burn", "gates")
TOTALS = ("figure", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for.

    Attributes:
        since: Start, as typed.
        until: End, as typed.
        policies: SLO files or folders; none means those of the configuration.
        marked: File of incidents; None without one.
        output: As of `listing.show`.
    """

    since: str
    until: str
    policies: Sequence[Path]
    marked: Path | None
    output: str


def run(config: Config, asked: Asked) -> int:
    """Print what the policies would have said, and return the exit code.

    Raises:
        InferometerError: What was typed or written is wrong, or the store cannot be asked.
    """
    now_ms = wall_ms()
    since_s = instant_ms(asked.since, now_ms, "--from") // 1000
    until_s = instant_ms(asked.until, now_ms, "--to") // 1000
    if since_s >= until_s:
        raise ConfigurationError(f"--from: found {asked.since!r}, which is not before --to {asked.until!r}")
    policies = asked.policies or [Path(path).expanduser() for path in config.slo.objectives]
    if not policies:
        raise ConfigurationError("--policy: found nothing; allowed: SLO files, here or as slo.objectives")
    objectives = slo_files.loaded(policies).objectives
    marked = incidents(asked.marked) if asked.marked else []
    history = History(source(config), since_s, until_s)
    pasts = history.pasts(*(watched(one, CATALOGUES[one.catalogue]) for one in objectives))
    sys.stderr.write("".join(f"inferometer: warning: {note}\n" for note in history.notes))
    if not pasts:
        sys.stderr.write("inferometer: nothing was counted of these objectives in that time\n")
        return EXIT_INCONCLUSIVE
    say(backtest(pasts, since_s, until_s, marked), asked.output)
    return 0


def say(found: Backtest, output: str) -> None:
    """Print a backtest: as one JSON object, or its alarms and then its figures."""
    if output == "json":
        sys.stdout.write(json.dumps(document(found), sort_keys=True) + "\n")
        return
    show([_row(alarm) for alarm in found.alarms], NAMES, "pages and tickets", output)
    if output == "table":
        show([dict(zip(TOTALS, pair, strict=True)) for pair in _totals(found)], TOTALS, "in all", output)


def document(found: Backtest) -> dict[str, object]:
    """Return a backtest as JSON has it; times are RFC 3339, UTC."""
    return {
        "from": _time(found.since_s),
        "to": _time(found.until_s),
        "alarms": [{**_row(alarm), "group": dict(alarm.group), "gates": list(alarm.gates)} for alarm in found.alarms],
        **dict(_totals(found)),
        "silenced": {gate: {"times": one.times, "seconds": one.seconds} for gate, one in found.silenced.items()},
        "incidents": [{"detect_s": delay_s} for delay_s in found.score.found],
        "budget": [
            {"slo": one.slo, "group": dict(one.group), "remaining": [[_time(at_s), left] for at_s, left in one.points]}
            for one in found.curves
        ],
    }


def _row(alarm: Alarm) -> dict[str, object]:
    values = (
        _time(alarm.start_s),
        None if alarm.end_s is None else _time(alarm.end_s),
        alarm.severity.value,
        alarm.slo,
        " ".join(alarm.group.values()),
        alarm.alertname,
        alarm.rule,
        None if alarm.burn is None else round(alarm.burn, 3),
        " ".join(alarm.gates),
    )
    return dict(zip(NAMES, values, strict=True))


def _totals(found: Backtest) -> Iterator[tuple[str, object]]:
    pages = sum(alarm.severity == "page" for alarm in found.alarms)
    yield "pages", pages
    yield "tickets", len(found.alarms) - pages
    yield "pages_per_week", round(found.pages_per_week, 3)
    yield "precision_ratio", found.score.precision_ratio
    yield "recall_ratio", found.score.recall_ratio
    yield "detect_s", found.score.detect_s
    yield "silenced", {gate.value: one.times for gate, one in found.silenced.items()}


def _time(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
