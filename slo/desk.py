"""Knows what people decided that the engine must heed: silences, acks, adjustments, markers, overrides, freezes.

Refuses to know how they are asked for. What is put on the desk is on disk before anybody is told that it holds, so it
survives a restart and needs no store; in the same write stands who did it (`slo.audit`). It is copied to the store,
where replicas find it: `refresh`, once per instant, copies what is new, reads what others put there, and clears away
what is over.

Source: spec/slo.md 4 (adjustments), 10 (silences, acks), 16 (freeze, override), 17 (markers); design.md (SQLite as
write-ahead).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, TypeVar

from slo import adjustments, audit, freeze
from slo.adjustments import Agreed
from slo.alarms import Judged, Quiet
from slo.alert_moves import AlertState
from slo.audit import Act, By, Deed
from slo.desk_records import Ack, Marker, Override, check_override
from slo.desk_store import DeskStore
from slo.errors import DeskFullError
from slo.freeze import DEFAULT_POLICY, Action, Policy
from slo.gate import MIN_EVENTS
from slo.ledger import Ledger
from slo.low_budget import Low
from slo.shelf import Shelf
from slo.shown import known
from slo.silence import SILENCE_S_MAX, Silence, check
from slo.view import EngineView
from telemetry.errors import StoreError

SILENCES_MAX = 1_000
"""Silences that are not forgotten yet."""
MARKERS_MAX = 1_000
"""Markers that wait for the store."""
OVERRIDES_MAX = 100
"""Overrides that hold."""
ADJUSTMENTS_MAX = 500
"""Adjustments that are not forgotten yet, those that were withdrawn among them."""
ACTS_MAX = 10_000
"""Acts that wait for the store; without a trail nothing more is changed."""
FORGOTTEN_S = SILENCE_S_MAX
"""How long after its end a silence can be looked at."""
_NEVER_S = 1 << 62

T = TypeVar("T")


class Desk:
    """The decisions of one engine; every method may be called from any thread.

    Args:
        ledger: Where they are written down first.
        store: Where replicas find them.
        policy: What low budgets ask for.
    """

    def __init__(self, ledger: Ledger, store: DeskStore, policy: Policy = DEFAULT_POLICY) -> None:
        self._store, self._policy = store, policy
        self._silences: Shelf[Silence] = Shelf(ledger, "silence", Silence)
        self._acks: Shelf[Ack] = Shelf(ledger, "ack", Ack)
        self._markers: Shelf[Marker] = Shelf(ledger, "marker", Marker)
        self._overrides: Shelf[Override] = Shelf(ledger, "override", Override)
        self._adjustments: Shelf[Agreed] = Shelf(ledger, "adjustment", Agreed)
        self._acts: Shelf[Act] = Shelf(ledger, "act", Act)
        self._crossed: Shelf[tuple[float, ...]] = Shelf(ledger, "crossed", tuple[float, ...])
        self._low: Sequence[Low] | None = None
        self._lock = Lock()
        self._fired_s: Mapping[int, int] | None = None

    def quiet(self, at_s: int) -> Quiet:
        """Return what keeps notices back at an instant; asks nobody."""
        silences = (*self._silences.items().values(), *adjustments.muting(self.agreed(), at_s))
        return Quiet(silences=silences, acknowledged=frozenset(self.acks(at_s)))

    def silences(self) -> Mapping[str, Silence]:
        """Return all silences that are not forgotten, by id."""
        return self._silences.items()

    def adjustments(self) -> Mapping[str, Agreed]:
        """Return all adjustments that are not forgotten, by id."""
        return self._adjustments.items()

    def agreed(self) -> Sequence[Agreed]:
        """Return the adjustments that were not withdrawn."""
        return tuple(one for one in self._adjustments.items().values() if one.excluded_percent)

    def acts(self, since_s: int, until_s: int) -> list[Act]:
        """Return what was changed here in [since, until), as far as it is not forgotten, newest first."""
        own = [one for one in self._acts.items().values() if since_s * 1000 <= one.at_ms < until_s * 1000]
        return own[::-1]

    def acks(self, at_s: int) -> dict[int, Ack]:
        """Return who took on which alert that fires, by fingerprint."""
        fired_s = self._fired_s
        return {
            one.fingerprint: one
            for one in self._acks.items().values()
            if (one.until_s is None or at_s < one.until_s)
            and (fired_s is None or one.at_s >= fired_s.get(one.fingerprint, _NEVER_S))
        }

    def waiting_markers(self) -> Sequence[Marker]:
        """Return the markers, and what withdraws some, that the store does not have yet."""
        return tuple(self._markers.items().values())

    def standing_markers(self, stored: Iterable[Marker]) -> list[Marker]:
        """Return the markers that stand: those that the store has and those that wait, less what was withdrawn."""
        waiting = self.waiting_markers()
        gone = {one.id for one in waiting if one.withdrawn}
        return [one for one in {*stored, *waiting} if not one.withdrawn and one.id not in gone]

    def asked(self, slo: str, group: Mapping[str, str]) -> frozenset[Action]:
        """Return what the policy asks for because of the budget of an objective and group."""
        return freeze.actions(self._policy, frozenset(self._crossed.items().get(_key(slo, group), ())))

    def frozen(self, action: Action = Action.FREEZE_RELEASES) -> frozenset[str]:
        """Return the objectives whose budget asks for an action."""
        crossed = self._crossed.items().items()
        return frozenset(
            _slo_of(key) for key, over in crossed if action in freeze.actions(self._policy, frozenset(over))
        )

    def low(self) -> Sequence[Low] | None:
        """Return the thresholds that somebody is to be told of; None if nothing was judged since the start."""
        return self._low

    def override(self, at_s: int, service: str, slo: str) -> Override | None:
        """Return an override that covers what the gate is asked for: one for all, or for the same."""
        holding = self.overrides(at_s)
        return next((one for one in holding if one.service in {"", service} and one.slo in {"", slo}), None)

    def overrides(self, at_s: int) -> list[Override]:
        """Return the overrides that hold, newest first."""
        holding = [one for one in self._overrides.items().values() if one.at_s <= at_s < one.until_s]
        return sorted(holding, key=lambda one: -one.at_s)

    def silence(self, silence: Silence, by: By) -> None:
        """Make a silence.

        Raises:
            ObjectiveError: It is too long, too wide, or unexplained.
            DeskFullError: There are too many.
            LedgerError: It cannot be written down, so it does not hold.
        """
        check(silence)
        with self._lock:
            _refuse_full(self._silences, SILENCES_MAX, "silences")
            made = replace(silence, changed_at_s=by.at_s)
            self._keep(self._silences, silence.id, made, Deed.SILENCE_MADE, by)

    def end_silence(self, silence: Silence, by: By) -> None:
        """Replace a silence by one that ends sooner.

        Raises:
            LedgerError: It cannot be written down.
        """
        with self._lock:
            was_s = self._silences.items().get(silence.id, silence).changed_at_s or 0
            ended = replace(silence, changed_at_s=max(by.at_s, was_s + 1))  # the later one holds, whosever clock lags
            self._keep(self._silences, silence.id, ended, Deed.SILENCE_ENDED, by)

    def agree(self, agreed: Agreed, by: By) -> None:
        """Let a time count less.

        Raises:
            ObjectiveError: It is too long, too far away, too wide, or unexplained.
            DeskFullError: There are too many.
            LedgerError: It cannot be written down, so it does not hold.
        """
        adjustments.check(agreed)
        with self._lock:
            _refuse_full(self._adjustments, ADJUSTMENTS_MAX, "adjustments")
            self._keep(self._adjustments, agreed.id, agreed, Deed.ADJUSTMENT_MADE, by)

    def withdraw(self, agreed: Agreed, by: By) -> Agreed:
        """Let a time count again, as if nothing had been agreed; returns what is kept of it.

        Raises:
            LedgerError: It cannot be written down.
        """
        gone = replace(agreed, excluded_percent=0)
        with self._lock:
            self._keep(self._adjustments, agreed.id, gone, Deed.ADJUSTMENT_WITHDRAWN, by)
        return gone

    def acknowledge(self, ack: Ack, by: By) -> None:
        """Take an alert on.

        Raises:
            LedgerError: It cannot be written down.
        """
        with self._lock:
            self._keep(self._acks, f"{ack.fingerprint:016x}", ack, Deed.ALERT_TAKEN_ON, by)
            if self._fired_s is not None:
                self._fired_s = {ack.fingerprint: ack.at_s, **self._fired_s}

    def mark(self, name: str, marker: Marker, by: By) -> None:
        """Keep a marker until the store has it.

        Raises:
            DeskFullError: Too many wait.
            LedgerError: It cannot be written down.
        """
        with self._lock:
            _refuse_full(self._markers, MARKERS_MAX, "markers that wait for the store")
            self._keep(self._markers, name, marker, Deed.MARKER_MADE, by)

    def withdraw_marker(self, marker: Marker, by: By) -> None:
        """Take a marker back.

        Raises:
            DeskFullError: Too many wait.
            LedgerError: It cannot be written down.
        """
        gone = replace(marker, withdrawn=True)
        with self._lock:
            _refuse_full(self._markers, MARKERS_MAX, "markers that wait for the store")
            self._markers.put(
                {f"{marker.id}-withdrawn": gone},
                (self._acts, self._act(Deed.MARKER_WITHDRAWN, marker.id, by, (marker, gone))),
            )

    def let_pass(self, name: str, override: Override, by: By) -> None:
        """Let releases pass the gate for a while.

        Raises:
            ObjectiveError: It is too long, or nobody answers for it.
            DeskFullError: There are too many.
            LedgerError: It cannot be written down.
        """
        check_override(override)
        with self._lock:
            _refuse_full(self._overrides, OVERRIDES_MAX, "overrides")
            self._keep(self._overrides, name, override, Deed.GATE_OVERRIDDEN, by)

    def note(self, deed: Deed, of: str, by: By, after: object = None) -> None:
        """Write down something that was done and changes nothing here.

        Raises:
            DeskFullError: Too many acts wait for the store.
            LedgerError: It cannot be written down.
        """
        with self._lock:
            self._acts.put(self._act(deed, of, by, (None, after)))

    def refresh(self, view: EngineView, now_s: int) -> str:
        """Copy to the store what it does not have, read what others put there, and clear away what is over.

        Returns:
            Why the store has no part in it now; empty if it has.

        Raises:
            LedgerError: What is new cannot be written down.
        """
        trouble = ""
        self._fired_s = {
            key: alert.record.fired_at_s or 0
            for key, alert in view.alerts.items()
            if alert.record.state is AlertState.FIRING
        }
        try:
            self._copy(now_s)
            if strange := self._read(now_s):
                trouble = f"{strange} adjustments in the store were not made here and take nothing out"
        except StoreError as error:
            trouble = f"silences and acknowledgements are not shared now: {error}"
        with self._lock:
            self._clear(now_s)
            self._ask(view)
        return trouble

    def _keep(self, shelf: Shelf[T], name: str, record: T, deed: Deed, by: By) -> None:
        """Put a record on its shelf, and who did it into the trail, both or none."""
        act = self._act(deed, name, by, (shelf.items().get(name), record))
        shelf.put({name: record}, (self._acts, act))

    def _act(self, deed: Deed, of: str, by: By, states: tuple[object, object]) -> dict[str, Act]:
        acts = self._acts.items()
        _refuse_full(self._acts, ACTS_MAX, "acts that wait for the store")
        last = max(acts, default="0")
        before = acts[last].hash if last in acts else audit.FIRST_HASH
        return {f"{int(last) + 1:012}": audit.act(deed, of, by, states, before)}

    def _copy(self, now_s: int) -> None:
        self._send(self._silences, self._store.put_silences, now_s)
        self._send(self._acks, self._store.put_acks, now_s)
        self._send(self._markers, self._store.put_markers, now_s)
        self._send(self._adjustments, self._store.put_adjustments, now_s)
        self._send(self._acts, self._store.put_acts, now_s)

    def _send(self, shelf: Shelf[T], put: Callable[[Mapping[str, T], int], None], now_s: int) -> None:
        if waiting := shelf.waiting():
            put(waiting, now_s)
            with self._lock:
                shelf.copied(waiting)

    def _read(self, now_s: int) -> int:
        """Take over what others decided; returns how many adjustments could not be read."""
        silences = self._store.silences(now_s - FORGOTTEN_S - SILENCE_S_MAX, now_s)
        found = self._store.adjustments(now_s - adjustments.BACK_S_MAX, now_s + adjustments.AHEAD_S_MAX)
        fired_s = self._fired_s or {}
        acks = self._store.acks(min(fired_s.values(), default=now_s), now_s)
        with self._lock:
            kept = {name: one for name, one in silences.items() if not _is_forgotten(one, now_s)}
            self._silences.put_copies(kept)
            own, others = self._adjustments.items(), [one for one in found.values() if one is not None]
            self._adjustments.put_copies(
                {one.id: adjustments.last_state([own.get(one.id, one), one]) for one in others}
            )
            held = {n: one for n, one in acks.items() if one.at_s >= fired_s.get(one.fingerprint, _NEVER_S)}
            self._acks.put_copies(held)
        return len(found) - len(others)

    def _clear(self, now_s: int) -> None:
        """Forget what is over, and what the store keeps from here on."""
        over = [name for name, one in self._silences.items().items() if _is_forgotten(one, now_s)]
        self._silences.drop(over)
        self._markers.drop(name for name in self._markers.items() if self._markers.is_copied(name))
        self._overrides.drop(name for name, one in self._overrides.items().items() if now_s >= one.until_s)
        agreed = self._adjustments.items().items()
        self._adjustments.drop(name for name, one in agreed if now_s - one.over_s > adjustments.BACK_S_MAX)
        *acts, _newest = sorted(self._acts.items()) or [""]  # the next act follows the newest
        self._acts.drop(name for name in acts if self._acts.is_copied(name))
        holding = self.acks(now_s)
        gone = [name for name, one in self._acks.items().items() if one.fingerprint not in holding]
        self._acks.drop(name for name in gone if self._acks.is_copied(name))

    def _ask(self, view: EngineView) -> None:
        """Follow the policy: which budget asks for what."""
        if view.watched and not view.judged:
            return
        before = self._crossed.items()
        own = known(view)
        now = {_key(one.watched.objective.name, one.group): _over(self._policy, one, before) for one in own}
        self._crossed.put({key: over for key, over in now.items() if over and before.get(key) != over})
        self._crossed.drop(key for key in before if not now.get(key))
        self._low = [low for one in own for low in self._lows(one)]

    def _lows(self, one: Judged) -> Iterator[Low]:
        objective = one.watched.objective
        over = self._crossed.items().get(_key(objective.name, one.group), ())
        for threshold in self._policy.thresholds:
            if threshold.remaining in over and Action.NOTIFY in threshold.actions:
                yield Low(
                    judged=one,
                    threshold=threshold.remaining,
                    remaining=_remaining(one),
                    actions=tuple(sorted(self.asked(objective.name, one.group))),
                )


def _over(policy: Policy, one: Judged, before: Mapping[str, tuple[float, ...]]) -> tuple[float, ...]:
    was = before.get(_key(one.watched.objective.name, one.group), ())
    return tuple(sorted(freeze.crossed(policy, _remaining(one), frozenset(was))))


def _remaining(one: Judged) -> float | None:
    """Return what is left; None if that is unknown, or rests on too little."""
    left = None if one.found is None else one.found.left
    return None if left is None or left.judged < MIN_EVENTS else left.remaining


def _refuse_full(shelf: Shelf[Any], most: int, what: str) -> None:
    if len(shelf.items()) >= most:
        raise DeskFullError(f"there are {most} {what}, and no more are taken")


def _is_forgotten(one: Silence, now_s: int) -> bool:
    return now_s - one.ends_at_s > FORGOTTEN_S


def _key(name: str, group: Mapping[str, str]) -> str:
    return "\n".join((name, *(f"{dim}={value}" for dim, value in sorted(group.items()))))


def _slo_of(key: str) -> str:
    return key.partition("\n")[0]
