"""Knows what people and programs did with hints: acks, freezes, reports of replicas; refuses to judge them.

An act is on disk before anybody is told that it holds. It is copied to the store, where other replicas find it:
`refresh`, once per instant, copies what is new, reads what others put there, and forgets what is old or was overtaken:
of a target the last word is what counts, and whoever scales may report its replicas every minute of a year.

    ack        a hint was carried out, with so many replicas; also a report of them
    report     so many replicas are asked for now, whoever asked
    freeze     nothing is to change until a time
    unfreeze   it may again

Source: spec/scaling.md 2 (ack, freeze), 3 (a manual change is adopted); spec/slo.md 8 (replicas); spec/store.md 3
(`hint_acks`).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock
from typing import Protocol

import msgspec

from slo.errors import DeskFullError
from slo.hints_score import LATE_S
from slo.hints_spec import Report
from slo.hints_target import SCORED_LEAD_S_MAX
from slo.ledger import Ledger
from slo.scaling.settings import Freeze
from slo.shelf import Shelf

FREEZE_S_MAX = 7 * 86_400
"""Longest freeze."""
REMEMBERED_S = FREEZE_S_MAX + 3_600
"""How long an act is remembered here; the store keeps it for longer."""
ACTS_MAX = 10_000
"""Acts that are remembered."""
FREEZES_MAX = 1_000
"""Of them, places that only a freeze or its end may take."""
_SOON_S = 3_600
"""Clocks of replicas differ; what another one wrote a little ahead of ours is read, too."""
_NEAR_MS = 60_000
"""A new act is put behind one that is so far ahead of our clock; what is farther ahead is of a clock that is wrong."""
_ASKED_BACK_MS = 120_000
"""Instants are asked about a little after them, so what holds now may not have held then."""
_ACKS_MS = (SCORED_LEAD_S_MAX + 2 * LATE_S) * 1000
"""How long an ack is looked for by its hint."""


class ActKind(StrEnum):
    """What was done."""

    ACK = "ack"
    REPORT = "report"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"


_FREEZES = frozenset({ActKind.FREEZE, ActKind.UNFREEZE})
_REPORTS = frozenset({ActKind.ACK, ActKind.REPORT})


@dataclass(frozen=True, slots=True, kw_only=True)
class HintAct:
    """One act.

    Attributes:
        at_ms: When, unix milliseconds.
        target: Of which target.
        kind: What.
        actor: Who.
        hint_id: Of the hint; empty if it is about none.
        applied: Replicas that are asked for since; 0 if it is not about any.
        until_ms: Until when a freeze holds; None for the others.
        reason: Why; empty if nobody said.
    """

    at_ms: int
    target: str
    kind: ActKind
    actor: str
    hint_id: str = ""
    applied: int = 0
    until_ms: int | None = None
    reason: str = ""

    @property
    def id(self) -> str:
        """Its name: what says the same has the same."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:32]


class SharedActs(Protocol):
    """What of it is in the store."""

    def put_acts(self, acts: Sequence[HintAct]) -> None:
        """Write acts; a resend changes nothing.

        Raises:
            StoreError: Not written, or not known to be.
        """
        ...

    def acts(self, since_s: int, until_s: int) -> Sequence[HintAct]:
        """Return the acts of [since, until).

        Raises:
            StoreError: The store did not answer.
        """
        ...


class HintActs:
    """The acts of one service; every method may be called from any thread.

    Args:
        ledger: Where they are written down first.
        shared: Where replicas find them.
    """

    def __init__(self, ledger: Ledger, shared: SharedActs) -> None:
        self._shared = shared
        self._acts: Shelf[HintAct] = Shelf(ledger, "hint_act", HintAct)
        self._lock, self._sharing = Lock(), Lock()

    def put(self, act: HintAct) -> HintAct:
        """Keep an act, and return it as it is kept: later than what was said before it within the same second.

        Raises:
            DeskFullError: There are too many.
            LedgerError: It cannot be written down, so it does not hold.
        """
        with self._lock:
            before = self.last(act)
            if before is not None and before.at_ms >= act.at_ms and before != act:
                act = replace(act, at_ms=before.at_ms + 1)  # the later one holds, whosever clock lags
            self._make_room(act)
            self._acts.put({act.id: act})
        return act

    def last(self, act: HintAct) -> HintAct | None:
        """Return the act that another one overtakes; None if it is the first of its sort."""
        kinds = _FREEZES if act.kind in _FREEZES else _REPORTS
        return self._last(act.target, (act.at_ms + _NEAR_MS) / 1000, lambda one: one.kind in kinds)

    def freeze(self, target: str, at_s: float) -> Freeze | None:
        """Return who froze a target at a time; None if nobody did."""
        last = self._last(target, at_s, lambda act: act.kind in _FREEZES)
        if last is None or last.kind is ActKind.UNFREEZE or last.until_ms is None or last.until_ms <= at_s * 1000:
            return None
        return Freeze(until_s=last.until_ms / 1000, who=last.actor, reason=last.reason)

    def report(self, target: str, at_s: float) -> Report | None:
        """Return how many replicas somebody last said were asked for, at a time."""
        last = self._last(target, at_s, lambda act: act.kind in _REPORTS)
        return None if last is None else Report(at_s=last.at_ms // 1000, replicas=last.applied)

    def ack(self, target: str, hint_id: str, at_s: float) -> HintAct | None:
        """Return the last ack of a hint at a time; None if there is none."""
        return self._last(target, at_s, lambda act: act.kind is ActKind.ACK and act.hint_id == hint_id)

    def refresh(self, now_s: int) -> None:
        """Copy to the store what it does not have, read what others put there, and forget what is old.

        Raises:
            StoreError: The store did not take or give them.
            LedgerError: What is new cannot be written down.
        """
        self.share()
        self.look(now_s)

    def share(self) -> None:
        """Copy to the store what it does not have.

        Raises:
            StoreError: The store did not take them.
            LedgerError: That it did cannot be written down.
        """
        with self._sharing:  # two copies of one act would be two rows
            if waiting := self._acts.waiting():
                self._shared.put_acts(list(waiting.values()))
                with self._lock:
                    self._acts.copied(waiting)

    def look(self, now_s: int) -> None:
        """Read what others put into the store, and forget what is old or overtaken.

        Raises:
            StoreError: The store did not give them.
            LedgerError: What is new cannot be written down.
        """
        found = {act.id: act for act in self._shared.acts(now_s - REMEMBERED_S, now_s + _SOON_S)}
        with self._lock:
            held = self._acts.items()
            needed = _needed({**found, **held}, now_s * 1000)
            self._acts.put_copies({name: act for name, act in found.items() if name in needed})
            self._acts.drop(name for name in held if name not in needed and self._acts.is_copied(name))

    def _make_room(self, act: HintAct) -> None:
        """Forget what was overtaken, if that is needed; places for freezes are kept free of all else."""
        most = ACTS_MAX if act.kind in _FREEZES else ACTS_MAX - FREEZES_MAX
        if len(self._acts.items()) >= most:
            needed = _needed(self._acts.items(), act.at_ms)
            self._acts.drop([name for name in self._acts.items() if name not in needed])
        if len(self._acts.items()) >= most:
            raise DeskFullError(f"there are {most} acts about hints, and no more are taken")

    def _last(self, target: str, at_s: float, wanted: Callable[[HintAct], bool]) -> HintAct | None:
        own = [
            act
            for act in self._acts.items().values()
            if act.target == target and act.at_ms <= at_s * 1000 and wanted(act)
        ]
        return max(own, key=_order, default=None)


def _order(act: HintAct) -> tuple[int, str]:
    return act.at_ms, act.id


def _needed(acts: Mapping[str, HintAct], now_ms: int) -> set[str]:
    """Return the names of acts that may still be asked for: the last of each sort, and what it overtook lately.

    Of an ack that is also the last one of each hint that is not scored yet.
    """
    needed = set[str]()
    last: dict[tuple[str, ...], str] = {}
    for name, act in sorted(acts.items(), key=lambda one: _order(one[1])):
        if act.at_ms < now_ms - REMEMBERED_S * 1000:
            continue
        if act.at_ms >= now_ms - _ASKED_BACK_MS:
            needed.add(name)
            continue
        last[act.target, "freeze" if act.kind in _FREEZES else "report"] = name
        if act.kind is ActKind.ACK and act.at_ms >= now_ms - _ACKS_MS:
            last[act.target, "ack", act.hint_id] = name
    return needed | set(last.values())
