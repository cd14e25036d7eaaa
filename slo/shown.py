"""Knows how objectives look from outside: what was evaluated, as plain records; refuses to know routes.

Every number has the name of what it is; what is not known is None. Times are RFC 3339 in UTC, 64-bit identities are 16
hexadecimal digits, for numbers of that size are not safe in JSON.

Source: spec/slo.md 17 (fields), 7 (`as of`, never 100 % while blind).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from slo import budget
from slo.alarms import Judged
from slo.alertmanager_body import rfc3339
from slo.budget import Budget
from slo.composites import CompositeShown, composites
from slo.evaluation import Evaluated
from slo.objective import Objective, Rolling
from slo.sliced import is_sliced
from slo.telemetry_state import State
from slo.terms import Condition, written
from slo.view import EngineView
from slo.watched import HOUR_S
from slo.wholes import events
from slo.words import span

METHOD = "exact"
"""Counts are of requests, each judged by itself; a method of its own would say so here."""


REQUESTS, SLICES = "requests", "slices"
"""What a budget is counted in."""


class ShownState(StrEnum):
    """How an objective stands, worst first."""

    INVALID = "invalid"
    """Its counts cannot be; the value is withheld."""
    BLIND = "blind"
    DOWN = "down"
    DOWN_OR_BLIND = "down_or_blind"
    EXHAUSTED = "exhausted"
    """The budget of the period is spent."""
    BURNING = "burning"
    """A rule is true and speaks."""
    PARTIAL = "partial"
    NO_TRAFFIC = "no_traffic"
    OK = "ok"
    UNKNOWN = "unknown"
    """Nothing has been evaluated yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowShown:
    """Over which time a budget is.

    Attributes:
        kind: `rolling` or `calendar`.
        length_s: Its length; of a calendar's, that of its unit in general.
        unit: `d`, `w`, `M`, `Q` or `Y` of a calendar's.
        count: Units of a calendar's.
        zone: Time zone of a calendar's.
    """

    kind: str
    length_s: int
    unit: str | None = None
    count: int | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionShown:
    """What an objective counts.

    Attributes:
        good: What a request must be; None leaves it to the class of its outcome.
        only: Which requests are meant; None is all.
        eligible: Which of them count; None leaves it to the class of their outcome.
        group_by: What it is counted by.
        traffic: Whose requests.
        budgeting: What the budget is made of.
        template: What it was made from; empty if from nothing.
        description: For people.
    """

    good: str | None
    only: str | None
    eligible: str | None
    group_by: tuple[str, ...]
    traffic: str
    budgeting: str
    template: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnadjustedShown:
    """A budget with everything that people took out of it; alerts look at this one.

    Attributes:
        sli: Share that was good.
        n: Requests that count, or slices.
        bad: The bad of them; None where the method has no such number.
        remaining: Share of the budget that is left.
    """

    sli: float | None
    n: float
    bad: float | None
    remaining: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhaustionShown:
    """When a budget of requests is spent, if the last hour goes on.

    Attributes:
        minutes: Minutes until then; 0 if it is spent.
        bad_left: Bad requests that may still come.
        requests_left: Requests until then, at the share of bad ones of the last hour.
    """

    minutes: float
    bad_left: float
    requests_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SloShown:
    """One objective and group at the last instant.

    Attributes:
        name: Of the objective.
        service: What it is promised of.
        group: Values that it is grouped by.
        definition: What is counted.
        definition_hash: Changes with what counts, and with nothing else.
        target: Share that is to be good.
        window: Over which time.
        sli: Share that was good; None if nothing could be judged, or nobody looks.
        counts_of: What is counted: `requests`, `flows`, `items`, or `slices` where the budget is made of those.
        n: Those that count, over the window.
        good: The good of them; None where the method has no such number.
        bad: The bad of them.
        remaining: Share of the budget that is left, negative if it is exceeded.
        projected_remaining: What will be left of it if nothing bad comes any more; None of slices.
        burn: Window to burn rate; 1 spends the budget in exactly the window. Empty while nobody looks.
        exhaustion_at: When the budget is spent if the last hour goes on; None: never, or of slices.
        exhaustion: The same in minutes and in requests.
        state: How it stands.
        method: How it was counted.
        coverage: Share of the expected collectors that is heard.
        unadjusted: The same with what people took out of the period; None if they took nothing.
        actions: What the policy asks for now because little is left.
        blind_minutes: For how long nobody looked in the window.
        blind_cause: Why nobody looks now; None if somebody does.
        as_of: The instant that the budget is of; while nobody looks, the last one that was seen.
    """

    name: str
    service: str
    group: Mapping[str, str]
    definition: DefinitionShown
    definition_hash: str
    target: float
    window: WindowShown
    sli: float | None = None
    counts_of: str = REQUESTS
    n: int | None = None
    good: int | None = None
    bad: int | None = None
    remaining: float | None = None
    projected_remaining: float | None = None
    burn: Mapping[str, float] = field(default_factory=dict[str, float])
    exhaustion_at: str | None = None
    exhaustion: ExhaustionShown | None = None
    state: ShownState = ShownState.UNKNOWN
    method: str = METHOD
    coverage: float | None = None
    unadjusted: UnadjustedShown | None = None
    actions: tuple[str, ...] = ()
    blind_minutes: float | None = None
    blind_cause: str | None = None
    as_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlosShown:
    """Every objective and group.

    Attributes:
        as_of: The last instant; None before the first.
        lag_s: How far behind the wall clock it was.
        blind_cause: Why nothing is seen; None if something is.
        problems: What is wrong with the evaluation itself.
        slos: Least budget first, unknown last.
        composites: SLOs that are made of several of these, by name.
    """

    as_of: str | None
    lag_s: float
    blind_cause: str | None
    problems: tuple[str, ...]
    slos: tuple[SloShown, ...]
    composites: tuple[CompositeShown, ...]


def slos_shown(view: EngineView) -> SlosShown:
    """Return every objective and group as it was seen last."""
    at_s = seen_at_s(view)
    return SlosShown(
        as_of=instant(at_s),
        lag_s=view.lag_s,
        blind_cause=view.blind_cause or None,
        problems=tuple(view.problems),
        slos=tuple(sorted((slo_shown(one, at_s) for one in known(view)), key=_worst_first)),
        composites=composites(known(view)),
    )


def known(view: EngineView) -> Sequence[Judged]:
    """Return what was judged last, without groups that only stand for others; before that the objectives themselves."""
    own = tuple(one for one in view.judged if not one.is_wider)
    return own or tuple(Judged(watched=one) for one in view.watched)


def seen_at_s(view: EngineView) -> int | None:
    """Return the instant that was judged last; None if none was since the engine started and has objectives."""
    return view.at_s if view.judged or not view.watched else None


def found_in(view: EngineView, name: str, group: Mapping[str, str] | None) -> Judged | None:
    """Return an objective's group as it was seen last; None if there is none.

    Args:
        view: What was seen.
        name: Of the objective.
        group: Its values; None for the group with the least budget left.
    """
    own = [one for one in known(view) if one.watched.objective.name == name]
    if group is None:
        return min(own, key=lambda one: _worst_first(slo_shown(one, seen_at_s(view))), default=None)
    return next((one for one in own if dict(one.group) == dict(group)), None)


def slo_shown(one: Judged, at_s: int | None) -> SloShown:
    """Return one objective and group."""
    objective = one.watched.objective
    named = SloShown(
        name=objective.name,
        service=objective.service,
        group=dict(one.group),
        definition=_definition(objective),
        definition_hash=hexadecimal(one.watched.definition_hash),
        target=objective.target,
        window=_window(objective),
        state=ShownState.UNKNOWN if at_s is None else ShownState.INVALID,
        as_of=instant(at_s),
    )
    return named if one.found is None else _judged(named, objective, one.found)


def instant(at_s: int | None) -> str | None:
    """Return an instant as RFC 3339, UTC."""
    return None if at_s is None else rfc3339(at_s)


def hexadecimal(number: int) -> str:
    """Return an identity of 64 bits."""
    return f"{number:016x}"


def spans(burn: Mapping[int, float]) -> dict[str, float]:
    """Return burn rates by windows as people call them, shortest first."""
    return {span(window_s): rate for window_s, rate in sorted(burn.items())}


def _judged(named: SloShown, objective: Objective, found: Evaluated) -> SloShown:
    left, facts = found.left, found.facts
    end = None
    if not is_sliced(objective):
        end = budget.exhaustion(left, objective.target, objective.period_s, found.burn.get(HOUR_S, 0.0))
    seen = left.sli is not None or not found.known.is_blind
    return replace(
        named,
        sli=left.sli,
        counts_of=SLICES if is_sliced(objective) else events(objective.whole),
        n=int(left.judged) if seen else None,
        good=int(left.judged) - int(left.bad) if seen and left.bad is not None else None,
        bad=int(left.bad) if seen and left.bad is not None else None,
        remaining=left.remaining,
        projected_remaining=_projected(objective, found),
        burn={} if found.known.is_blind else spans(found.burn),
        exhaustion_at=None if end is None else rfc3339(min(facts.at_s + round(end.minutes * 60), _LATEST_S)),
        exhaustion=None if end is None else ExhaustionShown(**asdict(end)),
        state=_state(found),
        coverage=facts.coverage_ratio,
        unadjusted=_unadjusted(found.budget) if facts.adjusted else None,
        blind_minutes=found.blind_minutes,
        blind_cause=found.blind_cause,
        as_of=instant(found.as_of_s),
    )


def _projected(objective: Objective, found: Evaluated) -> float | None:
    """Return what will be left; what was taken out is not expected either."""
    left, expected = found.left, found.facts.expected
    if is_sliced(objective) or left.bad is None or expected is None:
        return None
    whole = max(expected - (found.budget.judged - left.judged), left.judged)
    return budget.projected_remaining(left.bad, objective.target, whole)


def _unadjusted(whole: Budget) -> UnadjustedShown:
    return UnadjustedShown(sli=whole.sli, n=whole.judged, bad=whole.bad, remaining=whole.remaining)


_LATEST_S = 253_402_300_799
"""The last second that RFC 3339 can write."""
_STATES = {
    State.BLIND: ShownState.BLIND,
    State.DOWN: ShownState.DOWN,
    State.DOWN_OR_BLIND: ShownState.DOWN_OR_BLIND,
}
_QUIET_STATES = {State.OK: ShownState.OK, State.NO_TRAFFIC: ShownState.NO_TRAFFIC, State.PARTIAL: ShownState.PARTIAL}


def _state(found: Evaluated) -> ShownState:
    state = found.known.state
    if state in _STATES:
        return _STATES[state]
    if found.left.remaining is not None and found.left.remaining <= 0:
        return ShownState.EXHAUSTED
    return ShownState.BURNING if found.speaking else _QUIET_STATES[state]


def _worst_first(one: SloShown) -> tuple[bool, float, str, list[tuple[str, str]]]:
    left = one.remaining
    return left is None, 0.0 if left is None else left, one.name, sorted(one.group.items())


def _window(objective: Objective) -> WindowShown:
    window = objective.window
    if isinstance(window, Rolling):
        return WindowShown(kind="rolling", length_s=window.length_s)
    return WindowShown(
        kind="calendar", length_s=objective.period_s, unit=window.unit.value, count=window.count, zone=window.zone
    )


def _definition(objective: Objective) -> DefinitionShown:
    indicator = objective.indicator
    return DefinitionShown(
        good=_text(indicator.good),
        only=_text(indicator.only),
        eligible=_text(indicator.eligible),
        group_by=tuple(dim.value for dim in indicator.group_by),
        traffic=indicator.traffic.value,
        budgeting=objective.budgeting.value,
        template=objective.template,
        description=objective.description,
    )


def _text(condition: Condition | None) -> str | None:
    return None if condition is None else written(condition)
