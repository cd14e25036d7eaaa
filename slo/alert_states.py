"""Knows how an alert lives from instant to instant, and what of it must be remembered; refuses to know rules.

A fold: `step` takes the record of the last instant, one event and the instant, and returns the next record and what
changed. All that matters is in the record, so that a restart between any two instants changes nothing.

Timers: `for_s` from pending to firing, `keep_firing_s` of calm from firing to resolved, `RESOLVED_S` from resolved to
inactive. While nobody looks both of the first stand still: blindness neither ripens an alert nor resolves it.

An alert that fires and resolves more than three times in half an hour flaps: it is said once, calm must then last four
times as long (an hour at most), and an hour without a change ends it.

Source: spec/slo.md 9.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from slo.alert_moves import MOVES, AlertEvent, AlertState, Move
from slo.burn_catalogue import Severity

RESOLVED_S = 900
"""How long an end is told again."""
FLAP_WINDOW_S = 1_800
"""Changes within this time are counted."""
FLAP_CHANGES_MAX = 3
"""More changes than this are flapping."""
FLAP_FACTOR = 4
"""Calm must last this many times longer while an alert flaps."""
FLAP_KEEP_S_MAX = 3_600
"""And no longer than this."""
FLAP_CALM_S = 3_600
"""Without a change for this long it flaps no more."""
FORGET_S = 3_600
"""What is older than this when an engine starts is not trusted."""

_KEEP_FIRING_S = {Severity.PAGE: 120, Severity.TICKET: 600}
_FOR_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """What a rule waits for.

    Attributes:
        for_s: How long it must be true; 0 for burn rules, whose long window is the delay.
        keep_firing_s: How long it must be calm.
    """

    for_s: int
    keep_firing_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What must be remembered of an alert; written before anything is sent.

    Attributes:
        fingerprint: Identity of the alert (`slo.identity`).
        definition_hash: Of the objective that it was evaluated for.
        state: Where it stands.
        at_s: The last instant, unix time; None before the first.
        active_at_s: Since when it is pending or firing, less the time that nobody looked.
        fired_at_s: When this occurrence began to fire; of a resolved or forgotten alert, too.
        clear_since_s: Since when it has been calm while firing, less the time that nobody looked.
        resolved_at_s: When this occurrence ended.
        last_sent_at_s: When it was told last; the notifier's.
        occurrence: How many times it has fired, from 1 on; 0 before the first.
        changed_at_s: The last times at which it fired or resolved, oldest first.
        is_flapping: Whether it fires and resolves all the time.
        is_blind: Whether it fires and nobody looks.
    """

    fingerprint: int
    definition_hash: int
    state: AlertState = AlertState.UNKNOWN
    at_s: int | None = None
    active_at_s: int | None = None
    fired_at_s: int | None = None
    clear_since_s: int | None = None
    resolved_at_s: int | None = None
    last_sent_at_s: int | None = None
    occurrence: int = 0
    changed_at_s: tuple[int, ...] = ()
    is_flapping: bool = False
    is_blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of state.

    Attributes:
        at_s: The instant.
        before: The state that was left.
        after: The state that was entered.
        occurrence: Of the alert, after the change.
        ends: Whether people who were told of the alert are to be told that it is over.
        begins_to_flap: Whether this change is one too many.
    """

    at_s: int
    before: AlertState
    after: AlertState
    occurrence: int
    ends: bool
    begins_to_flap: bool


def default_timers(severity: Severity, *, is_burn_rule: bool) -> Timers:
    """Return the timers that a rule has unless it says otherwise."""
    return Timers(for_s=0 if is_burn_rule else _FOR_S, keep_firing_s=_KEEP_FIRING_S[severity])


def step(
    record: Record, event: AlertEvent, at_s: int, timers: Timers, *, may_start: bool = True
) -> tuple[Record, Transition | None]:
    """Return an alert after one instant.

    Args:
        record: Of the last instant.
        event: What this instant says.
        at_s: This instant, unix time, later than the last.
        timers: What the rule waits for.
        may_start: Whether an alert may begin to fire; not for one short window after a step of the clock.
    """
    if not may_start and event is AlertEvent.BAD and record.state is not AlertState.FIRING:
        event = AlertEvent.BLIND
    calm = _without_flapping(record, at_s)
    moved = _MOVES[MOVES[record.state][event]](calm, at_s, timers)
    blind = event is AlertEvent.BLIND and moved.state is AlertState.FIRING
    after = _with_change(record, replace(moved, at_s=at_s, is_blind=blind), at_s)
    if after.state is record.state:
        return after, None
    return after, Transition(
        at_s=at_s,
        before=record.state,
        after=after.state,
        occurrence=after.occurrence,
        ends=_ends(record, after),
        begins_to_flap=after.is_flapping and not calm.is_flapping,
    )


def resumed(record: Record, now_s: int, definition_hash: int) -> Record:
    """Return what an engine that starts may trust of a record.

    A record of the last hour is taken as it is, and the missed instants are to be replayed. An older one, and one of
    another definition, is unknown again; it keeps its occurrence, and when it fired, so that its end can be told.
    """
    if record.at_s is not None and now_s - record.at_s <= FORGET_S and record.definition_hash == definition_hash:
        return record
    return Record(
        fingerprint=record.fingerprint,
        definition_hash=definition_hash,
        fired_at_s=record.fired_at_s if record.state is AlertState.FIRING or _was_forgotten(record) else None,
        last_sent_at_s=record.last_sent_at_s,
        occurrence=record.occurrence,
    )


def keep_firing_s(record: Record, timers: Timers) -> int:
    """Return how long this alert must be calm to be resolved."""
    if not record.is_flapping:
        return timers.keep_firing_s
    return max(timers.keep_firing_s, min(timers.keep_firing_s * FLAP_FACTOR, FLAP_KEEP_S_MAX))


def _stay(record: Record, _at_s: int, _timers: Timers) -> Record:
    return record


def _clear(record: Record, _at_s: int, _timers: Timers) -> Record:
    return replace(
        record,
        state=AlertState.INACTIVE,
        active_at_s=None,
        fired_at_s=None,
        clear_since_s=None,
        resolved_at_s=None,
    )


def _start(record: Record, at_s: int, timers: Timers) -> Record:
    return _ripen(replace(record, state=AlertState.PENDING, active_at_s=at_s, resolved_at_s=None), at_s, timers)


def _restart(record: Record, at_s: int, timers: Timers) -> Record:
    return _start(replace(record, fired_at_s=None), at_s, timers)


def _ripen(record: Record, at_s: int, timers: Timers) -> Record:
    if record.active_at_s is None or at_s - record.active_at_s < timers.for_s:
        return record
    if record.fired_at_s is not None:  # it fired before it was forgotten: the same occurrence goes on
        return replace(record, state=AlertState.FIRING)
    return replace(record, state=AlertState.FIRING, fired_at_s=at_s, occurrence=record.occurrence + 1)


def _fire(record: Record, _at_s: int, _timers: Timers) -> Record:
    return replace(record, clear_since_s=None)


def _calm(record: Record, at_s: int, timers: Timers) -> Record:
    since_s = at_s if record.clear_since_s is None else record.clear_since_s
    if at_s - since_s < keep_firing_s(record, timers):
        return replace(record, clear_since_s=since_s)
    return replace(record, state=AlertState.RESOLVED, active_at_s=None, clear_since_s=None, resolved_at_s=at_s)


def _pause(record: Record, at_s: int, _timers: Timers) -> Record:
    blind_s = 0 if record.at_s is None else at_s - record.at_s
    pending = record.state is AlertState.PENDING
    return replace(
        record,
        active_at_s=_later(record.active_at_s, blind_s) if pending else record.active_at_s,
        clear_since_s=_later(record.clear_since_s, blind_s),
    )


def _age(record: Record, at_s: int, timers: Timers) -> Record:
    since_s = at_s if record.resolved_at_s is None else record.resolved_at_s
    return _clear(record, at_s, timers) if at_s - since_s >= RESOLVED_S else record


def _later(at_s: int | None, by_s: int) -> int | None:
    return None if at_s is None else at_s + by_s


_MOVES: dict[Move, Callable[[Record, int, Timers], Record]] = {
    Move.STAY: _stay,
    Move.CLEAR: _clear,
    Move.START: _start,
    Move.RIPEN: _ripen,
    Move.FIRE: _fire,
    Move.CALM: _calm,
    Move.PAUSE: _pause,
    Move.RESTART: _restart,
    Move.AGE: _age,
}


def _without_flapping(record: Record, at_s: int) -> Record:
    """Return a record that flaps no more, if it has been calm for long enough."""
    over = record.is_flapping and (not record.changed_at_s or at_s - record.changed_at_s[-1] >= FLAP_CALM_S)
    return replace(record, is_flapping=False) if over else record


def _with_change(before: Record, after: Record, at_s: int) -> Record:
    """Return a record that remembers that it fired or resolved, and whether that was once too often."""
    if after.state is before.state or after.state not in {AlertState.FIRING, AlertState.RESOLVED}:
        return after
    changes = (*(s for s in before.changed_at_s if at_s - s <= FLAP_WINDOW_S), at_s)[-(FLAP_CHANGES_MAX + 1) :]
    return replace(after, changed_at_s=changes, is_flapping=after.is_flapping or len(changes) > FLAP_CHANGES_MAX)


def _ends(before: Record, after: Record) -> bool:
    forgotten = _was_forgotten(before) and after.state is AlertState.INACTIVE
    return after.state is AlertState.RESOLVED or forgotten


def _was_forgotten(record: Record) -> bool:
    """Return whether an alert fired before it became unknown, and nobody was told of an end since."""
    return record.state in {AlertState.UNKNOWN, AlertState.PENDING} and record.fired_at_s is not None
