"""Knows when a series of an endpoint is far from what it usually is at this hour of the week; refuses to say why.

Series are output tokens a second, the share of errors, P95 of the time to first output and the queue of a replica, in
steps of five minutes; the last three must be far from the same hour of four weeks, to the same side (`slo.anomaly`). It
is a ticket, never a page, and knows nothing until an endpoint is a week old: other rules know what is wrong.

Naive: the last step is more than three standard deviations away from the mean of the hour before.

Error: as `slo.anomaly`. Steps with fewer than `min_events` requests count in no share and no percentile. A step in
which nothing was seen is not 0, so an endpoint that falls silent is not known here, and after 75 minutes not named.

Source: spec/slo.md 13 (generic `anomaly`, off until 7 d of history).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.anomaly import DEVIATIONS, INSTANTS, Usual, is_naively_off, is_off, usual, with_chance
from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.chosen import least_events
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from telemetry.queries.question import Question
from telemetry.queries.usual import STEP_S, queue_steps, request_steps

EVENTS_MIN = 30

_Step = tuple[float, int]
"""A value, and of how many requests it is; 0 if of none."""
_Steps = dict[int, _Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """A figure: its column, the count behind it, whether it is a share, the smallest change that matters, its unit."""

    column: str
    n: str = ""
    is_share: bool = False
    least: float
    unit: str


SERIES = {
    "throughput": _Series(column="tokens_per_s", least=10.0, unit=" tokens/s"),
    "error_ratio": _Series(column="error_ratio", n="eligible", is_share=True, least=0.01, unit=" of requests"),
    "ttft_p95": _Series(column="ttft_p95_s", n="n_ttft", least=0.05, unit=" s"),
    "queue": _Series(column="queued", least=5.0, unit=" waiting in a replica"),
}
"""What is looked at, by the label `series`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyRule:
    """Series that are off; `threshold` is how many deviations are far."""

    settings: Settings
    id: RuleId = field(default=RuleId.ANOMALY, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=STEP_S, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        return {"requests": request_steps(at_s), "queues": queue_steps(at_s)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        """Return what is off, of every series that is seen now; of queues also where nobody sees them any more."""
        found: list[Found] = []
        for name, series in SERIES.items():
            of: dict[str, list[Row]] = {}
            for row in rows["queues" if name == "queue" else "requests"]:
                of.setdefault(row["endpoint"], []).append(row)
            found += [
                self._found(at_s, endpoint, name, self._values(series, own))
                for endpoint, own in of.items()
                if name == "queue" or any(row["weeks_ago"] == 0 for row in own)
            ]
        return found

    def _values(self, series: _Series, rows: Sequence[Row]) -> dict[int, _Steps]:
        """Return the values of a series that are known: of each week, by the start of the step."""
        least = least_events(self.settings, EVENTS_MIN)
        found: dict[int, _Steps] = {}
        for row in rows:
            n = row[series.n] if series.n else 0
            if row[series.column] is not None and (not series.n or n >= least):
                found.setdefault(row["weeks_ago"], {})[row["t_unix_s"]] = row[series.column], n
        return found

    def _found(self, at_s: int, endpoint: str, name: str, values: Mapping[int, _Steps]) -> Found:
        series, now = SERIES[name], values.get(0, {})
        since_s = at_s - INSTANTS * STEP_S
        steps = [now[t] for t in range(since_s, at_s, STEP_S) if t in now]
        last = [value for value, _ in steps]
        of = _usual(series, [step for week, past in values.items() if week for step in past.values()], steps)
        far = DEVIATIONS if self.settings.threshold is None else self.settings.threshold
        is_sound = of is not None and is_off(last, of, series.least, far)
        is_naive = bool(last) and is_naively_off([value for t, (value, _) in now.items() if t < since_s], last[-1])
        return Found(
            labels={"endpoint": endpoint, "series": name},
            sound=Verdict.TICKET if is_sound else Verdict.SILENT,
            naive=Verdict.TICKET if is_naive else Verdict.SILENT,
            words={"summary": f"{endpoint}: {_words(name, series, last, of)}"},
            is_known=of is not None and len(last) == INSTANTS,
        )


def _usual(series: _Series, past: Sequence[_Step], now: Sequence[_Step]) -> Usual | None:
    of = usual([value for value, _ in past])
    return with_chance(of, past, min(n for _, n in now)) if of and now and series.is_share else of


def _words(name: str, series: _Series, last: Sequence[float], of: Usual | None) -> str:
    now = f"{name} is {last[-1]:.3g}{series.unit}" if last else f"{name} is unknown"
    if of is None:
        return f"{now}; nothing is usual before a week was seen"
    return f"{now}, at this hour of the week usually {of.median:.3g} with a deviation of {of.deviation:.2g}"
