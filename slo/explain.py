"""Knows what is asked when an alert begins to fire, and within which time; refuses to judge, and never raises.

Questions go out one after the other, the most telling first. Each has its own time limit, all of one instant have five
seconds together. What fails is left out and named in `explanation_gaps`; a store that does not answer is asked no more.

Source: spec/slo.md 12 (annotations, `link`, deterministic), 1 (the objective's own expression); spec/ui.md 6 (URL).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from slo import explain_around, explain_words
from slo.alarms import Judged
from slo.alert import Alert
from slo.asking import counted_flows
from slo.burn_catalogue import Severity
from slo.contributors import endpoints, top_contributors
from slo.evaluation import Evaluated
from slo.explain_around import Change
from slo.explain_words import DETAIL_BYTES_MAX, Part
from slo.explaining import GAPS, Explain
from slo.notice import ANNOTATIONS_BYTES_MAX
from slo.objective import counted
from slo.outage import SHORT_S
from slo.sight import Row
from slo.stages import times
from slo.watched import HOUR_S, Watched
from slo.wholes import Flow
from telemetry.errors import StoreError, StoreUnreachableError
from telemetry.queries import Question, around, bad_events
from telemetry.queries.asked import Dim
from telemetry.queries.bad_events import Scope
from telemetry.queries.excess import contributors_of
from telemetry.queries.flow_times import flow_times
from telemetry.store import Store

EXPLAIN_S_MAX = 5.0
"""Longest time for all alerts that begin to fire at one instant."""
WINDOW_S_MAX = 6 * HOUR_S
"""Longest window that is looked into: seven more of its length are read beside it."""
AROUND_S, CHANGED_S = 300, HOUR_S
"""How far back GPUs and engines are looked at, and changes."""
LIMITS_S: Mapping[str, float] = {
    "impact": 1.0,
    "stages": 1.0,
    "error_classes": 1.0,
    "top_contributors": 2.0,
    "changes": 0.5,
    "phase_split": 2.0,
    "exemplars": 1.0,
    "engine": 0.5,
    "gpu": 0.5,
}
"""Longest time for each question of a part, in the order in which they are asked."""
_LEAST_S = 0.05
"""With less time than this left nothing is asked any more."""
LINK_CHARACTERS_MAX = 2_000
"""Longest link; a longer one goes without its filters."""
_RESERVE_BYTES = 1 << 10
"""Left to what an alert says later: that it flaps, that nobody looks."""
_HTTP = "HTTP statuses of 500 and more alone show"

Hint = Callable[[Sequence[str]], str]
"""Given endpoints, none of them meaning all."""


def _no_hint(_endpoints: Sequence[str]) -> str:
    return ""


def explainer(
    store: Store,
    base_url: str,
    clock: Callable[[], float],
    limits_s: Mapping[str, float] = LIMITS_S,
    hint: Hint = _no_hint,
) -> Explain:
    """Return what says more about an alert that begins to fire; for one thread.

    Args:
        store: Asked as who may read. Its own time limit bounds a store that hangs, once an instant: a few seconds.
        base_url: Where the web UI is, without `/ui`; empty for no link.
        clock: Monotonic, seconds.
        limits_s: Longest time for each question, by part.
        hint: What scaling hints say of endpoints; empty if nothing is to be said. It asks nobody.
    """
    return _Explainer(store, base_url.rstrip("/"), clock, limits_s, hint)


class _Explainer:
    def __init__(
        self, store: Store, base_url: str, clock: Callable[[], float], limits_s: Mapping[str, float], hint: Hint
    ) -> None:
        self._store, self._base_url, self._clock, self._limits_s = store, base_url, clock, limits_s
        self._hint = hint
        self._at_s, self._until_s, self._is_gone = -1, 0.0, False

    def __call__(self, judged: Judged, alert: Alert) -> Mapping[str, str]:
        try:
            return self._explained(judged, alert)
        except Exception:  # noqa: BLE001 -- an alert must go out, whatever its explanation lacks
            return {GAPS: "everything"}

    def _explained(self, judged: Judged, alert: Alert) -> dict[str, str]:
        found = judged.found
        if found is None or found.known.is_blind:
            return self._pointers(judged, alert, alert.record.at_s or 0, HOUR_S)
        case = _case(judged, alert, found)
        if case.at_s != self._at_s:
            self._at_s, self._until_s, self._is_gone = case.at_s, self._clock() + EXPLAIN_S_MAX, False
        parts = {name: part for name in self._limits_s if (part := self._part(name, case))}
        words = {name: part.words for name, part in parts.items()}
        if "impact" in alert.annotations:
            words.pop("impact", None)  # that of the alert itself goes with the time
        words |= {"method": case.method} | _naive_verdict(case)
        if said := self._hint(case.endpoints):
            words["hint"] = said
        words |= self._pointers(judged, alert, case.at_s, case.window_s)
        if case.gaps:
            words[GAPS] = ", ".join(case.gaps)
        facts: dict[str, object] = {name: part.facts for name, part in parts.items()}
        about = {"at": case.at_s, "window_s": case.window_s, "method": case.method, "gaps": case.gaps}
        room = ANNOTATIONS_BYTES_MAX - _RESERVE_BYTES - _bytes({**alert.annotations, **words})
        return words | {"detail": explain_words.detail(facts | about, min(room, DETAIL_BYTES_MAX))}

    def _part(self, name: str, case: "_Case") -> Part | None:
        """Return what was found out; None if nothing was, which the case then names, or there is nothing to ask."""
        try:
            return _PARTS[name](lambda question: self._asked(name, question), case)
        except Exception:  # noqa: BLE001 -- one part must not cost the others
            case.gaps.append(name)
            return None

    def _asked(self, name: str, question: Question) -> list[Row]:
        left_s = min(self._limits_s[name], self._until_s - self._clock())
        if self._is_gone or left_s < min(_LEAST_S, self._limits_s[name]):
            raise TimeoutError
        try:
            return [*self._store.query(replace(question, seconds_max=round(left_s, 3)))]
        except StoreUnreachableError:
            self._is_gone = True
            raise

    def _pointers(self, judged: Judged, alert: Alert, at_s: int, window_s: int) -> dict[str, str]:
        """Return where to look and what to do."""
        found: dict[str, str] = {}
        if self._base_url:
            found["link"] = _link(self._base_url, judged, alert, at_s, max(window_s, HOUR_S))
        for label in ("runbook", "runbook_url"):
            if told := judged.watched.objective.labels.get(label):
                found["runbook"] = told[0]
                break
        return found


@dataclass(slots=True, kw_only=True)
class _Case:
    """One alert to be explained, and what is known of it already.

    Attributes:
        watched: Its objective.
        severity: Its severity.
        found: What was evaluated.
        at_s: The instant.
        window_s: How far back its bad requests are looked at.
        scope: These requests.
        endpoints: Endpoints to look around at; none means all.
        gaps: What was not found out.
        method: `exact`, or `estimated`: what is usual is that of a part of the seconds.
        n: Requests that counted; 0 if unknown.
        bad_http: Bad ones that an HTTP status shows.
    """

    watched: Watched
    severity: Severity
    found: Evaluated
    at_s: int
    window_s: int
    scope: Scope
    endpoints: tuple[str, ...]
    gaps: list[str] = field(default_factory=list[str])
    method: str = "exact"
    n: int = 0
    bad_http: int = 0


def _case(judged: Judged, alert: Alert, found: Evaluated) -> _Case:
    severity = Severity(alert.labels["severity"])
    at_s, window_s = found.facts.at_s, _window_s(found, severity)
    group = {Dim(name): value for name, value in judged.group.items()}
    (objective,) = counted([judged.watched.objective])
    scope = Scope(objective=objective, since_ms=(at_s - window_s) * 1000, until_ms=at_s * 1000, group=group)
    named = (group[Dim.ENDPOINT],) if group.get(Dim.ENDPOINT) else ()
    return _Case(
        watched=judged.watched,
        severity=severity,
        found=found,
        at_s=at_s,
        window_s=window_s,
        scope=scope,
        endpoints=named,
    )


def _window_s(found: Evaluated, severity: Severity) -> int:
    """Return the shortest window of the rule that speaks: what is bad there is going on now."""
    spoken = found.speaking.get(severity, ())
    looked_at = [one.lookback_s for one in spoken[0].rule.conditions if one.lookback_s] if spoken else []
    return min(max(min(looked_at, default=SHORT_S), AROUND_S), WINDOW_S_MAX)


_Ask = Callable[[Question], Sequence[Row]]


def _impact(ask: _Ask, case: _Case) -> Part:
    (row,) = ask(bad_events.impact(case.scope))
    case.n, case.bad_http = int(row["n"]), int(row["bad_http"])
    return explain_words.impact(row, case.window_s, case.found.facts.overdue)


def _contributors(ask: _Ask, case: _Case) -> Part:
    rows = ask(contributors_of(case.scope))
    case.endpoints = case.endpoints or endpoints(rows)
    if any(int(row["one_in"]) > 1 for row in rows):
        case.method = "estimated"
    return top_contributors(rows)


def _stages(ask: _Ask, case: _Case) -> Part | None:
    """Return how long flows and their stages took; None of an objective that has no stages."""
    objective, scope = case.watched.objective, case.scope
    if not isinstance(objective.whole, Flow) or not objective.whole.stages:
        return None
    rows = ask(flow_times(counted_flows(objective), scope.since_ms, scope.until_ms, scope.group))
    return explain_words.stages(times(rows, objective.whole.stages, objective.whole.budget_s))


_CHANGES: Mapping[str, tuple[Callable[..., Question], Callable[[Sequence[Row]], list[Change]]]] = {
    "markers": (around.marked, explain_around.of_markers),
    "engines": (around.engine_changes, explain_around.of_engines),
    "replicas": (around.replica_changes, explain_around.of_replicas),
    "newcomers": (around.newcomers, explain_around.of_newcomers),
}


def _changes(ask: _Ask, case: _Case) -> Part:
    found: list[Change] = []
    failed: list[str] = []
    for name, (question, read) in _CHANGES.items():
        try:
            found += read(ask(question(case.endpoints, (case.at_s - CHANGED_S) * 1000, case.at_s * 1000)))
        except (StoreError, TimeoutError):
            failed.append(f"changes of {name}")
    if len(failed) == len(_CHANGES):
        raise TimeoutError
    case.gaps += failed
    return explain_around.changes(found, case.at_s)


def _around(case: _Case) -> tuple[Sequence[str], int, int]:
    return case.endpoints, (case.at_s - AROUND_S) * 1000, case.at_s * 1000


_PARTS: Mapping[str, Callable[[_Ask, _Case], Part | None]] = {
    "impact": _impact,
    "stages": _stages,
    "error_classes": lambda ask, case: explain_words.error_classes(ask(bad_events.endings(case.scope))),
    "top_contributors": _contributors,
    "changes": _changes,
    "phase_split": lambda ask, case: explain_words.phase_split(ask(bad_events.phases(case.scope))),
    "exemplars": lambda ask, case: explain_words.exemplars(ask(bad_events.exemplars(case.scope)), case.at_s),
    "engine": lambda ask, case: explain_around.engine(ask(around.engines(*_around(case)))),
    "gpu": lambda ask, case: explain_around.gpu(ask(around.gpus(*_around(case)))),
}


def _naive_verdict(case: _Case) -> dict[str, str]:
    """Return what a look at HTTP statuses alone would have said, of a rule that burns."""
    spoken = case.found.speaking.get(case.severity, ())
    rule = spoken[0].rule.gated_by if spoken else None
    if rule is None or not case.n:
        return {}
    burn = case.bad_http / case.n / (1 - case.watched.objective.target)
    verdict = case.severity.value if burn > rule.burn else "silent"
    naive = f"{verdict}: {_HTTP} {case.bad_http} of {case.n} requests, a burn of {burn:.3g} of {rule.burn:g}"
    return {"naive_verdict": naive}


_URL_NAMES = {Dim.WORKLOAD_CLASS: "class"}


def _link(base_url: str, judged: Judged, alert: Alert, at_s: int, window_s: int) -> str:
    """Return the page of the alert with its window and its filters."""
    shown = {"from": _instant(at_s - window_s), "to": _instant(at_s)}
    filters = {_URL_NAMES.get(Dim(name), name): value for name, value in sorted(judged.group.items())}
    page = f"{base_url}/ui/alerts/{alert.fingerprint:016x}"
    whole = f"{page}?{urlencode(shown | filters | {'tz': 'utc'})}"
    return whole if len(whole) <= LINK_CHARACTERS_MAX else f"{page}?{urlencode(shown | {'tz': 'utc'})}"


def _bytes(words: Mapping[str, str]) -> int:
    return sum(len(f"{name}{text}".encode(errors="replace")) for name, text in words.items())


def _instant(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
