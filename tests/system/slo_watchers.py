"""Ours and a real Prometheus, each through the same worlds: when do their alerts stand?

A span runs from the instant at which an alert fires to the instant from which on its condition is calm. Ours resolves
`keep_firing` after that, which is taken off; spans of Prometheus that lie no further apart are joined, as its
`keep_firing_for` joins them (rules have it since 2.42).
"""

import json
import re
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
from rig import answers, binary, free_port, process, wait_until
from slo_worlds import BLOCK_S, START_S, STEP_S, World

from slo.alarms import Judged, advance
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import default_timers, keep_firing_s
from slo.burn_catalogue import Severity
from slo.counts import allowed_ratio, exact
from slo.evaluation import Evaluated, evaluate
from slo.gates import Gate
from slo.past import Replay
from slo.prometheus_rules import BAD, BURN, ELIGIBLE, rules, sloth
from slo.telemetry_state import ProbeSays

Span = tuple[int, int | None]
"""First instant that an alert stands, and first that its condition does not; None if it stands at the end."""
_GAUGE = re.compile(re.escape(BURN) + r'\{[^}]*window="(\w+)"\}')
_LIVE = frozenset({AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED})
_CONFIG = "global: {evaluation_interval: 30s}\n"


@dataclass(kw_only=True)
class Lived:
    """What ours said.

    Attributes:
        spans: Of each alert, by name and severity.
        gates: Those that kept a true rule silent.
        last: What was evaluated last.
    """

    spans: dict[tuple[str, Severity], list[Span]] = field(default_factory=dict[tuple[str, Severity], list[Span]])
    gates: set[Gate] = field(default_factory=set[Gate])
    last: Evaluated | None = None

    def of(self, world: World, severity: Severity) -> list[Span]:
        return self.spans.get((world.name, severity), [])


def lived(world: World) -> Lived:
    """Ours, instant by instant: the replay of a backtest, the evaluator and the states of the engine."""
    found, replay, past = Lived(), Replay(world.past, START_S), world.past
    alerts: Mapping[int, Alert] = {}
    for at_s in range(START_S, world.until_s, STEP_S):
        replay.advance()
        if (
            replay.is_calm
            and at_s not in world.down
            and not any(alert.record.state in _LIVE for alert in alerts.values())
        ):
            continue  # as a backtest does: nothing can change
        facts = replay.facts()
        if at_s in world.down:
            facts = replace(facts, probe=ProbeSays.FAILING)
        found.last = evaluate(past.watched, facts)
        found.gates |= {silence.gate for reading in found.last.readings for silence in reading.silenced_by}
        moved = advance([Judged(watched=past.watched, group={}, found=found.last)], alerts, at_s)
        alerts = moved.alerts
        for alert, change in moved.transitions:
            if change.after is AlertState.FIRING:
                found.spans.setdefault(_key(alert.labels), []).append((at_s, None))
            if change.ends:
                flapped = alert.record.is_flapping and not change.begins_to_flap
                start_s, _ = found.spans[_key(alert.labels)][-1]
                calm_s = at_s - _keep_s(alert, flapped=flapped)
                found.spans[_key(alert.labels)][-1] = (start_s, calm_s)
    return found


def held(above: set[int], near: set[int], until_s: int) -> set[int]:
    """Return the instants at which a rule is true, or was and has been near ever since."""
    found: set[int] = set()
    for at_s in range(START_S, until_s, STEP_S):
        if at_s in above or (at_s in near and at_s - STEP_S in found):
            found.add(at_s)
    return found


def standing(above: set[int], near: set[int], severity: Severity, until_s: int) -> list[Span]:
    """Return the spans of an alert that begins at instants `above` and is held at instants `near`."""
    keep_s = default_timers(severity, is_burn_rule=True).keep_firing_s
    found: list[Span] = []
    for at_s in range(START_S, until_s, STEP_S):
        start_s, end_s = found[-1] if found else (at_s, START_S - keep_s - STEP_S)
        stands, lately = end_s is None, end_s is not None and at_s - end_s <= keep_s
        if lately and at_s in near:
            found[-1] = (start_s, None)
        elif not stands and at_s in above:
            found.append((at_s, None))
        elif stands and at_s not in near:
            found[-1] = (start_s, at_s)
    return found


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A real Prometheus that has scraped the worlds."""

    url: str

    def spans(self, world: World, severity: Severity, near_ratio: Fraction = Fraction(1)) -> list[Span]:
        """Return when an exported rule of this severity was true, each held while it burnt by a part of that."""
        exported: Any = rules([world.one.objective])["groups"]
        of_severity = [rule for rule in exported[0]["rules"] if rule["labels"]["severity"] == severity]
        exprs = [counted(world, rule["expr"]) for rule in of_severity]
        above, near = set[int](), set[int]()
        for expr in exprs:
            own = set(self._true(expr, world))
            above |= own
            nearly = own if near_ratio == 1 else set(self._true(_lowered(expr, near_ratio), world))
            near |= held(own, nearly, world.until_s)
        return standing(above, near, severity, world.until_s)

    def last(self, expr: str, world: World) -> str:
        """Return the one value of an expression at the end of a world."""
        answer = httpx.get(
            f"{self.url}/api/v1/query", params={"query": expr, "time": world.until_s}, timeout=60.0
        ).json()
        assert answer["status"] == "success", answer
        return str(answer["data"]["result"][0]["value"][1])

    def version(self) -> str:
        return str(httpx.get(f"{self.url}/api/v1/status/buildinfo", timeout=10.0).json()["data"]["version"])

    def _true(self, expr: str, world: World) -> list[int]:
        asked = {"query": expr, "start": START_S, "end": world.until_s - STEP_S, "step": STEP_S}
        answer = httpx.get(f"{self.url}/api/v1/query_range", params=asked, timeout=60.0).json()
        assert answer["status"] == "success", answer
        return [int(at_s) for series in answer["data"]["result"] for at_s, _ in series["values"]]


def counted(world: World, expr: str) -> str:
    """Return an exported expression over counters: each gauge is the ratio of the exported Sloth spec, as a burn."""
    exported: Any = sloth("chat", [world.one.objective])["slos"]
    spec: dict[str, str] = exported[0]["sli"]["events"]
    allowed = float(allowed_ratio(world.one.objective.target))

    def burn(found: re.Match[str]) -> str:
        errors, total = (spec[query].replace("{{.window}}", found[1]) for query in ("error_query", "total_query"))
        return f"({errors} / {total} / {allowed!r})"

    return _GAUGE.sub(burn, expr)


def _lowered(expr: str, ratio: Fraction) -> str:
    return re.sub(r"> ([0-9.]+)", lambda found: f"> {float(exact(float(found[1])) * ratio)!r}", expr)


@contextmanager
def prometheus(worlds: Sequence[World], folder: Path) -> Generator[Prometheus]:
    """Run a real Prometheus over the counters of all worlds until the block ends."""
    _fill(worlds, folder)
    (folder / "prometheus.yml").write_text(_CONFIG)
    port = free_port()
    argv = (
        binary("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=20y",
        "--storage.tsdb.min-block-duration=2h",
        "--storage.tsdb.max-block-duration=2h",  # nothing to compact
        f"--web.listen-address=127.0.0.1:{port}",
    )
    with process(*argv, log=folder / "log", stop_s=10.0):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/-/ready"), "Prometheus")
        yield Prometheus(url)


def _fill(worlds: Sequence[World], folder: Path) -> None:
    """Write the blocks; promtool reads its whole input anew for each block, so that each has a file of its own."""
    blocks: dict[int, tuple[list[str], list[str]]] = {}
    for world in worlds:
        slo = json.dumps(world.name)
        for replica, at_s, eligible, bad in world.scrapes():
            of_eligible, of_bad = blocks.setdefault(at_s // BLOCK_S, ([], []))
            labels = f'{{slo={slo},instance="{replica}"}}'
            of_eligible.append(f"{ELIGIBLE}{labels} {eligible} {at_s}")
            of_bad.append(f"{BAD}{labels} {bad} {at_s}")
    page = folder / "page"
    for _, (of_eligible, of_bad) in sorted(blocks.items()):
        heads = [f"# TYPE {name.removesuffix('_total')} counter" for name in (ELIGIBLE, BAD)]
        page.write_text("\n".join([heads[0], *of_eligible, heads[1], *of_bad, "# EOF\n"]))
        argv = [binary("promtool"), "tsdb", "create-blocks-from", "openmetrics", "-q", str(page), f"{folder}/data"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _keep_s(alert: Alert, *, flapped: bool) -> int:
    severity = Severity(alert.labels["severity"])
    timers = default_timers(severity, is_burn_rule=True)
    return keep_firing_s(replace(alert.record, is_flapping=flapped), timers)


def _key(labels: Mapping[str, str]) -> tuple[str, Severity]:
    return labels["alertname"], Severity(labels["severity"])
