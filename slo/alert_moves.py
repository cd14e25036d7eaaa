"""Knows the states of an alert and which move each event makes, as data; refuses to know timers.

| state | bad | near | ok | no_traffic | held | blind |
|---|---|---|---|---|---|---|
| unknown | start | clear | clear | clear | clear | stay |
| inactive | start | stay | stay | stay | stay | stay |
| pending | ripen | clear | clear | clear | stay | pause |
| firing | fire | fire | calm | calm | stay | pause |
| resolved | restart | stay | age | age | age | stay |

The table is complete: no event is illegal in any state.

Source: spec/slo.md 7 (missing data never resolves an alert), 9.
"""

from enum import StrEnum

from slo.telemetry_state import Assessment


class AlertState(StrEnum):
    """Where an alert stands."""

    UNKNOWN = "unknown"
    """Nothing is remembered, or too old a thing."""
    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    """For 15 minutes, in which the end is told again."""


class AlertEvent(StrEnum):
    """What an instant says of a rule."""

    BAD = "bad"
    """It is true and passes its gates."""
    NEAR = "near"
    """It is nearly true: the burn is above nine tenths."""
    OK = "ok"
    NO_TRAFFIC = "no_traffic"
    """No requests, so nothing burns."""
    HELD = "held"
    """No requests, and what was last known is to hold."""
    BLIND = "blind"
    """Nobody looks, or not enough do to say that all is well."""


class Move(StrEnum):
    """What an event does to an alert."""

    STAY = "stay"
    CLEAR = "clear"
    """To inactive."""
    START = "start"
    """To pending, and to firing if the rule waits for nothing."""
    RIPEN = "ripen"
    """To firing once it has been pending for long enough."""
    FIRE = "fire"
    """Stay firing; the timer that resolves starts anew."""
    CALM = "calm"
    """To resolved once it has been calm for long enough."""
    PAUSE = "pause"
    """Stay; timers stand still, because nobody looks."""
    RESTART = "restart"
    """As START, as the next occurrence of the same alert."""
    AGE = "age"
    """To inactive once its end has been told for long enough."""


MOVES: dict[AlertState, dict[AlertEvent, Move]] = {
    AlertState.UNKNOWN: {
        AlertEvent.BAD: Move.START,
        AlertEvent.NEAR: Move.CLEAR,
        AlertEvent.OK: Move.CLEAR,
        AlertEvent.NO_TRAFFIC: Move.CLEAR,
        AlertEvent.HELD: Move.CLEAR,
        AlertEvent.BLIND: Move.STAY,
    },
    AlertState.INACTIVE: {
        AlertEvent.BAD: Move.START,
        AlertEvent.NEAR: Move.STAY,
        AlertEvent.OK: Move.STAY,
        AlertEvent.NO_TRAFFIC: Move.STAY,
        AlertEvent.HELD: Move.STAY,
        AlertEvent.BLIND: Move.STAY,
    },
    AlertState.PENDING: {
        AlertEvent.BAD: Move.RIPEN,
        AlertEvent.NEAR: Move.CLEAR,
        AlertEvent.OK: Move.CLEAR,
        AlertEvent.NO_TRAFFIC: Move.CLEAR,
        AlertEvent.HELD: Move.STAY,
        AlertEvent.BLIND: Move.PAUSE,
    },
    AlertState.FIRING: {
        AlertEvent.BAD: Move.FIRE,
        AlertEvent.NEAR: Move.FIRE,
        AlertEvent.OK: Move.CALM,
        AlertEvent.NO_TRAFFIC: Move.CALM,
        AlertEvent.HELD: Move.STAY,
        AlertEvent.BLIND: Move.PAUSE,
    },
    AlertState.RESOLVED: {
        AlertEvent.BAD: Move.RESTART,
        AlertEvent.NEAR: Move.STAY,
        AlertEvent.OK: Move.AGE,
        AlertEvent.NO_TRAFFIC: Move.AGE,
        AlertEvent.HELD: Move.AGE,
        AlertEvent.BLIND: Move.STAY,
    },
}


def event_of(known: Assessment, *, is_true: bool, is_near: bool, hold_last: bool) -> AlertEvent:
    """Return what an instant says of a rule.

    Args:
        known: What is known of the objective at this instant.
        is_true: Whether the rule is true and passes its gates.
        is_near: Whether it is nearly true.
        hold_last: Whether the objective holds its alerts while no requests come; while nobody is there they are held
            anyway.
    """
    if known.is_blind:
        return AlertEvent.BLIND
    if not known.evaluates:
        return AlertEvent.HELD if hold_last or not known.resolves else AlertEvent.NO_TRAFFIC
    if is_true:
        return AlertEvent.BAD
    if not known.resolves:
        return AlertEvent.BLIND
    return AlertEvent.NEAR if is_near else AlertEvent.OK
