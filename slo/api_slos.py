"""Knows the routes about objectives: what they are, their rules, their counts over time; refuses to judge.

Source: spec/slo.md 17.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response

from slo.adjuster import period_start_s
from slo.alarms import Judged
from slo.alertmanager_body import rfc3339
from slo.api_asked import GroupAsked, Nothing, SeriesAsked
from slo.api_parts import DAY_S, Parts, invalid, judged_of, span_s
from slo.api_reply import reply
from slo.desk_records import NAME_CHARS_MAX
from slo.shown import SloShown, hexadecimal, instant, known, seen_at_s, slo_shown, slos_shown
from slo.shown_rules import rules_shown
from slo.windows import BUCKET_S
from telemetry.errors import StoreError

SloName = Annotated[str, Path(max_length=NAME_CHARS_MAX, description="Name of the objective.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindShown:
    """A span of time in which nobody looked.

    Attributes:
        start: Its start.
        end: Its end, excluded.
        cause: What was to be repaired.
    """

    start: str
    end: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SloWhole(SloShown):
    """One objective and group, with what its requests were by the rows that the store has now; None if it has none.

    Attributes:
        groups: Every group that the objective has.
        blind: When nobody looked in the window, oldest first.
        censored_bad: The bad requests whose end was not seen.
        bad_by_outcome: Outcome to bad requests.
        excluded: Outcome to requests that do not count.
        n_null: Column to requests whose value was needed and unknown.
    """

    groups: tuple[Mapping[str, str], ...]
    blind: tuple[BlindShown, ...]
    censored_bad: int | None = None
    bad_by_outcome: Mapping[str, int] | None = None
    excluded: Mapping[str, int] | None = None
    n_null: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Counts of one step.

    Attributes:
        t: Its start.
        n: Requests that count.
        good: The good of them.
        bad: The bad of them.
        censored_bad: Those of the bad whose end was not seen.
    """

    t: str
    n: int
    good: int
    bad: int
    censored_bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesShown:
    """Counts over time.

    Attributes:
        name: Of the objective.
        group: Values that it is grouped by.
        definition_hash: Of what counts; what was counted by another definition is left out.
        since: Start.
        until: End, excluded.
        step_s: Seconds of a step.
        method: How it was counted.
        points: Oldest first; steps without requests may be absent.
    """

    name: str
    group: Mapping[str, str]
    definition_hash: str
    since: str
    until: str
    step_s: int
    method: str
    points: tuple[Point, ...]


class SloRoutes:
    """Routes about objectives.

    Args:
        parts: What they speak to.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def slos(self, request: Request, _asked: Annotated[Nothing, Query()]) -> Response:
        """Every objective and group at the last instant, least budget first."""
        shown = slos_shown(self._parts.engine.view)
        return reply(request, replace(shown, slos=tuple(map(self._asked, shown.slos))))

    def slo(self, request: Request, name: SloName, asked: Annotated[GroupAsked, Query()]) -> Response:
        """One objective and group, with what its requests were."""
        view = self._parts.engine.view
        one = judged_of(view, name, asked)
        at_s = seen_at_s(view)
        groups = tuple(dict(other.group) for other in known(view) if other.watched.objective.name == name)
        shown = self._asked(slo_shown(one, at_s))
        told = {field.name: getattr(shown, field.name) for field in fields(shown)}
        return reply(request, SloWhole(**told, groups=groups, blind=_blind(one), **self._spent(one, at_s)))

    def rules(self, request: Request, name: SloName, asked: Annotated[GroupAsked, Query()]) -> Response:
        """The rules of an objective, what they can see, and why those that are true keep silent."""
        view = self._parts.engine.view
        return reply(request, rules_shown(judged_of(view, name, asked), seen_at_s(view)))

    def series(self, request: Request, name: SloName, asked: Annotated[SeriesAsked, Query()]) -> Response:
        """The counts of an objective by step."""
        view = self._parts.engine.view
        one = judged_of(view, name, asked)
        end_s = view.at_s if view.at_s is not None else self._parts.now_s()
        since_s, until_s = span_s(asked.since, asked.until, end_s, DAY_S)
        since_s = since_s // BUCKET_S * BUCKET_S
        try:
            rows = self._parts.lookback.series(one, since_s, until_s, asked.step_s)
        except ValueError as error:
            raise invalid("query.step_s", str(error)) from None
        shown = slo_shown(one, view.at_s)
        found = SeriesShown(
            name=name,
            group=shown.group,
            definition_hash=hexadecimal(one.watched.definition_hash),
            since=instant(since_s) or "",
            until=instant(until_s) or "",
            step_s=asked.step_s,
            method=shown.method,
            points=tuple(map(_point, rows)),
        )
        return reply(request, found)

    def _asked(self, one: SloShown) -> SloShown:
        """Return an objective with what the policy asks for."""
        return replace(one, actions=tuple(sorted(self._parts.desk.asked(one.name, one.group))))

    def _spent(self, one: Judged, at_s: int | None) -> dict[str, Any]:
        if at_s is None:
            return {}
        since_s = period_start_s(one.watched.objective, at_s)
        try:
            row = self._parts.lookback.spent(one, since_s, at_s)
        except StoreError:  # what was evaluated stands without it
            return {}
        return {
            "censored_bad": int(row["censored_bad"]),
            "bad_by_outcome": _by(row["bad"]),
            "excluded": _by(row["excluded"]),
            "n_null": _by(row["n_null"]),
        }


def _blind(one: Judged) -> tuple[BlindShown, ...]:
    spans = () if one.found is None else one.found.facts.blind
    return tuple(
        BlindShown(start=rfc3339(span.start_s), end=rfc3339(span.end_s), cause=span.cause.value) for span in spans
    )


def _by(counts: Mapping[Any, Any]) -> dict[str, int]:
    return {str(key): int(n) for key, n in counts.items()}


def _point(row: Mapping[str, Any]) -> Point:
    n, good = int(row["eligible"]), int(row["good"])
    at = instant(int(row["t_unix_s"])) or ""
    return Point(t=at, n=n, good=good, bad=n - good, censored_bad=int(row["censored_bad"]))
