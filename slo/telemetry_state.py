"""Knows what the absence of requests means: no traffic, nobody there, or nobody looking; refuses to know burn rates.

Decided for each objective and instant from three things: how fresh the collectors' heartbeats are, whether requests
came, and what probes say. Missing data never resolves an alert and never counts as good.

| heartbeats | requests | probe ok | no probe | probe failing |
|---|---|---|---|---|
| fresh | some | ok | ok | ok |
| fresh | none | no_traffic | no_traffic | down |
| some stale | some | partial | partial | partial |
| some stale | none | partial | partial | down |
| all stale | either | blind | blind | down_or_blind |
| not counted | either | blind | blind | down_or_blind |
| store gone | either | blind | blind | blind |

The fourth row is not in the specification: the requests may have gone where nobody looks, so they are not called 0.
Nor is the sixth: of an objective that is new, or was not looked at for long, the last hours are still being counted.

Source: spec/slo.md 7; pyrra#448 (two weeks blind, unnoticed).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from slo.burn_catalogue import Severity

STALE_S = 120
"""A collector whose last heartbeat is older than this is stale."""
COVERAGE_RATIO = 0.9
"""Below this share of fresh collectors nothing is resolved, and a ticket says so."""
BLIND_TICKET_S = 120
"""Blind for longer than this raises a ticket."""
BLIND_PAGE_S = 600
"""Blind for longer than this pages."""


class Heartbeats(StrEnum):
    """How much of the telemetry arrives."""

    FRESH = "fresh"
    SOME_STALE = "some_stale"
    ALL_STALE = "all_stale"
    NOT_COUNTED = "not_counted"
    """Requests of the last hours are still being counted."""
    STORE_GONE = "store_gone"
    """The store did not answer, or not in time."""


class ProbeSays(StrEnum):
    """What synthetic requests find."""

    OK = "ok"
    NONE = "none"
    FAILING = "failing"


class State(StrEnum):
    """What is known at one instant."""

    OK = "ok"
    NO_TRAFFIC = "no_traffic"
    DOWN = "down"
    PARTIAL = "partial"
    BLIND = "blind"
    DOWN_OR_BLIND = "down_or_blind"


class BlindCause(StrEnum):
    """What is to be repaired."""

    COLLECTOR = "collector"
    STORE = "store"
    CLOCK = "clock"
    SCRAPE = "scrape"
    COUNTING = "counting"
    """Nothing: it will pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A span of time in which nobody looked.

    Attributes:
        start_s: Start, unix seconds.
        end_s: End, excluded.
        cause: What was to be repaired.
    """

    start_s: int
    end_s: int
    cause: BlindCause

    @property
    def length_s(self) -> int:
        """How long it was."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a state does to the alerts of an objective.

    Attributes:
        evaluates: Whether burn rates say anything.
        resolves: Whether an alert may be resolved; of `PARTIAL` only with enough coverage.
        is_blind: Whether states are frozen, and the budget is that of the last instant that was seen.
        endpoint_down: Whether `EndpointDown` pages.
    """

    evaluates: bool
    resolves: bool
    is_blind: bool
    endpoint_down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTraffic:
    """What an objective makes of an instant without requests.

    Attributes:
        hold_last: Whether its alerts stay as they are; else nothing burns.
        alert_after_s: Seconds without requests after which a ticket says so; None: never.
    """

    hold_last: bool = False
    alert_after_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What is known, and what follows.

    Attributes:
        state: What is known.
        evaluates: As in `Effect`.
        resolves: As in `Effect`, coverage considered.
        is_blind: As in `Effect`.
        endpoint_down: As in `Effect`.
        has_gap: Whether `TelemetryGap` raises a ticket.
    """

    state: State
    evaluates: bool
    resolves: bool
    is_blind: bool
    endpoint_down: bool
    has_gap: bool


_OK, _NONE, _FAILING = ProbeSays.OK, ProbeSays.NONE, ProbeSays.FAILING
_BLIND: dict[ProbeSays, State] = dict.fromkeys(ProbeSays, State.BLIND)

STATES: dict[tuple[Heartbeats, bool], dict[ProbeSays, State]] = {
    (Heartbeats.FRESH, True): dict.fromkeys(ProbeSays, State.OK),
    (Heartbeats.FRESH, False): {_OK: State.NO_TRAFFIC, _NONE: State.NO_TRAFFIC, _FAILING: State.DOWN},
    (Heartbeats.SOME_STALE, True): dict.fromkeys(ProbeSays, State.PARTIAL),
    (Heartbeats.SOME_STALE, False): {_OK: State.PARTIAL, _NONE: State.PARTIAL, _FAILING: State.DOWN},
    (Heartbeats.ALL_STALE, True): {**_BLIND, _FAILING: State.DOWN_OR_BLIND},
    (Heartbeats.ALL_STALE, False): {**_BLIND, _FAILING: State.DOWN_OR_BLIND},
    (Heartbeats.NOT_COUNTED, True): {**_BLIND, _FAILING: State.DOWN_OR_BLIND},
    (Heartbeats.NOT_COUNTED, False): {**_BLIND, _FAILING: State.DOWN_OR_BLIND},
    (Heartbeats.STORE_GONE, True): _BLIND,
    (Heartbeats.STORE_GONE, False): _BLIND,
}
"""Heartbeats, whether requests came, what probes say -> what is known."""

CAUSES: dict[Heartbeats, BlindCause] = {
    Heartbeats.ALL_STALE: BlindCause.COLLECTOR,
    Heartbeats.NOT_COUNTED: BlindCause.COUNTING,
    Heartbeats.STORE_GONE: BlindCause.STORE,
}
"""Why an objective is blind."""

EFFECTS: dict[State, Effect] = {
    State.OK: Effect(evaluates=True, resolves=True, is_blind=False, endpoint_down=False),
    State.NO_TRAFFIC: Effect(evaluates=False, resolves=True, is_blind=False, endpoint_down=False),
    State.DOWN: Effect(evaluates=False, resolves=False, is_blind=False, endpoint_down=True),
    State.PARTIAL: Effect(evaluates=True, resolves=True, is_blind=False, endpoint_down=False),
    State.BLIND: Effect(evaluates=False, resolves=False, is_blind=True, endpoint_down=False),
    State.DOWN_OR_BLIND: Effect(evaluates=False, resolves=False, is_blind=True, endpoint_down=True),
}
"""What is known -> what follows."""


def heartbeats(ages_s: Sequence[float]) -> tuple[Heartbeats, float]:
    """Return how fresh the collectors of an objective are, and the share of them that is (coverage).

    Args:
        ages_s: Age of the last heartbeat of each expected collector; infinity for one that never sent any.

    Returns:
        All stale and 0 without any expected collector: nobody looks.
    """
    fresh = sum(age_s <= STALE_S for age_s in ages_s)
    coverage = fresh / len(ages_s) if ages_s else 0.0
    if not fresh:
        return Heartbeats.ALL_STALE, coverage
    return (Heartbeats.FRESH if fresh == len(ages_s) else Heartbeats.SOME_STALE), coverage


def assess(seen: Heartbeats, requests: int, probe: ProbeSays, coverage_ratio: float) -> Assessment:
    """Return what is known of an objective at one instant, and what follows.

    Args:
        seen: How much of the telemetry arrives.
        requests: Eligible requests in the short window, overdue ones included.
        probe: What synthetic requests find.
        coverage_ratio: Share of the expected collectors that is fresh.
    """
    state = STATES[seen, requests > 0][probe]
    effect = EFFECTS[state]
    has_gap = state is State.PARTIAL and coverage_ratio < COVERAGE_RATIO
    return Assessment(
        state=state,
        evaluates=effect.evaluates,
        resolves=effect.resolves and not has_gap,
        is_blind=effect.is_blind,
        endpoint_down=effect.endpoint_down,
        has_gap=has_gap,
    )


def blind_severity(blind_s: float) -> Severity | None:
    """Return who is told that an objective has been blind for this long (`SLOBlind`)."""
    if blind_s > BLIND_PAGE_S:
        return Severity.PAGE
    return Severity.TICKET if blind_s > BLIND_TICKET_S else None


def blind_s(spans: Iterable[Blind]) -> int:
    """Return how long nobody looked."""
    return sum(one.length_s for one in spans)


def no_traffic_severity(policy: NoTraffic, silent_s: float) -> Severity | None:
    """Return who is told that no request came for this long."""
    after_s = policy.alert_after_s
    return Severity.TICKET if after_s is not None and silent_s >= after_s else None
