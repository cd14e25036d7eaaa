"""Knows what the API asks the store for beyond the last instant; refuses to know routes.

Source: spec/slo.md 17 (series, history), 18 (incidents over 90 d).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slo import mttr, pages
from slo.alarms import Judged
from slo.asking import asks, counted_flows
from slo.counts import Counts
from slo.evidence import Operated
from slo.mttr import Incident, Page
from slo.objective import Objective
from slo.pages import Occurrence
from slo.stages import Times, times
from slo.watched import Watched
from slo.wholes import Flow
from telemetry.queries import told
from telemetry.queries.asked import Dim
from telemetry.queries.flow_times import flow_times
from telemetry.queries.spent import CountedGroup, series, spent
from telemetry.store import Store

PAGES_MAX = 200
"""Pages that incidents are made of, newest first."""
_AT_ONCE_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """Incidents of the last 90 days.

    Attributes:
        found: Oldest first; `service` is the endpoint, where the alert names one.
        is_cut: Whether there were more pages than are looked at.
    """

    found: Sequence[Incident]
    is_cut: bool


class Lookback:
    """Questions of the API to the store; every method may be called from any thread.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._over: dict[tuple[int, int], Page] = {}  # what is over does not change any more

    def spent(self, one: Judged, since_s: int, until_s: int) -> Mapping[str, Any]:
        """Return what the requests of a group were.

        Raises:
            StoreError: The store did not answer; so for every method.
        """
        return self._store.query(spent(_counted(one.watched, one.group), since_s, until_s))[0]

    def series(self, one: Judged, since_s: int, until_s: int, step_s: int) -> Sequence[Mapping[str, Any]]:
        """Return the counts of a group by step.

        Raises:
            ValueError: The step is no multiple of the bucket, or there are too many.
        """
        return self._store.query(series(_counted(one.watched, one.group), since_s, until_s, step_s))

    def stages(self, one: Judged, since_ms: int, until_ms: int) -> Sequence[Times]:
        """Return how long the flows of a group took, and each of their stages; nothing of an objective without any."""
        whole = one.watched.objective.whole
        if not isinstance(whole, Flow) or not whole.stages:
            return ()
        group = {Dim(name): value for name, value in one.group.items()}
        question = flow_times(counted_flows(one.watched.objective), since_ms, until_ms, group)
        return times(self._store.query(question), whole.stages, whole.budget_s)

    def counted_anew(self, objective: Objective, since_s: int, until_s: int) -> Sequence[Mapping[str, Any]]:
        """Return the buckets [since, until) of an objective, counted from the requests themselves."""
        rows: list[Mapping[str, Any]] = []
        ask = asks(objective)
        for at_s in range(since_s, until_s, _AT_ONCE_S):
            end_s = min(at_s + _AT_ONCE_S, until_s)
            question = ask(at_s * 1000, end_s * 1000)
            rows += [] if question is None else self._store.query(question)
        return rows

    def changes(
        self, since_s: int, until_s: int, *, slo: str = "", severity: str = "", fingerprint: int = 0
    ) -> Sequence[Mapping[str, Any]]:
        """Return the changes of alerts in [since, until), newest first."""
        asked = told.alert_changes(since_s * 1000, until_s * 1000, slo=slo, severity=severity, fingerprint=fingerprint)
        return self._store.query(asked)

    def incidents(self, watched: Sequence[Watched], now_s: int) -> Incidents:
        """Return the incidents of the last 90 days."""
        since_s = now_s - mttr.WINDOW_S
        rows = self._store.query(told.pages(since_s * 1000, (now_s + 1) * 1000))
        found = pages.occurrences(rows)
        acks = self._store.query(told.acknowledgements(since_s * 1000, (now_s + 1) * 1000))
        of = {one.objective.name: one for one in watched}
        own = [(one, self._page(one, of.get(one.labels.get("slo", "")), acks)) for one in found[-PAGES_MAX:]]
        self._over = {_key(one): page for one, page in own if one.resolved_s is not None}
        is_cut = len(found) > PAGES_MAX or len(rows) >= told.TOLD_ROWS_MAX
        return Incidents(found=mttr.incidents([page for _, page in own], now_s), is_cut=is_cut)

    def operated(self, now_s: int) -> Operated:
        """Return what markers and tokens of the last time say of how the service is operated."""
        rows = self._store.query(told.markers((now_s - mttr.WINDOW_S) * 1000, (now_s + 1) * 1000))
        month_s = 30 * 86_400
        (tokens,) = self._store.query(told.tokens_out((now_s - month_s) * 1000, now_s * 1000))
        return Operated(markers=rows, tokens_per_month=int(str(tokens["tokens"])))

    def _page(self, one: Occurrence, of: Watched | None, acks: Sequence[Mapping[str, Any]]) -> Page:
        known = self._over.get(_key(one))
        if known is not None:
            return known
        minutes: dict[int, Counts] = {}
        needed = 0.0
        if of is not None and one.alertname == of.objective.name:
            needed = pages.needed(of)
            minutes = self._minutes(one, of)
        return pages.page(one, minutes, needed, pages.acked_s(one, acks))

    def _minutes(self, one: Occurrence, of: Watched) -> dict[int, Counts]:
        """Return the minutes before a page, and those before its end, which may be days later."""
        spans = [(one.fired_s - pages.LOOK_BACK_S, one.fired_s)]
        if one.resolved_s is not None:
            spans.append((max(one.fired_s, one.resolved_s - pages.LOOK_BACK_S), one.resolved_s))
        group = {dim.value: one.labels.get(dim.value, "") for dim in of.objective.indicator.group_by}
        found: dict[int, Counts] = {}
        for since_s, until_s in spans:
            first_s = since_s // pages.MINUTE_S * pages.MINUTE_S
            if first_s < until_s:
                rows = self._store.query(series(_counted(of, group), first_s, until_s, pages.MINUTE_S))
                found |= {int(str(row["t_unix_s"])): _counts(row) for row in rows}
        return found


def _key(one: Occurrence) -> tuple[int, int]:
    return one.fingerprint, one.number


def _counts(row: Mapping[str, Any]) -> Counts:
    return Counts(eligible=int(row["eligible"]), bad=int(row["eligible"]) - int(row["good"]))


def _counted(of: Watched, group: Mapping[str, str]) -> CountedGroup:
    return CountedGroup(slo=of.objective.name, definition_hash=of.definition_hash, group=group)
