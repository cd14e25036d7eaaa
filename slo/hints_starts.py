"""Knows how starts of replicas are kept one by one, from what was decided and what others tell; refuses to follow any.

    ready      the fold says which replica came for which that was asked for; the life of its process is the engine's
               own start, as its page of metrics tells it
    stable     when it had ended 50 requests within the objectives: one question for each, once a minute, for an hour
    failed     one that is not ready after three times the P90
    phases     what a controller or an init container tells of the way to there

Each is a row under a token that names it, so that of several replicas of the service, and after a restart, it is
written once. What we see anchors a start; words on phases alone make none.

Source: spec/scaling.md 6.9; spec/store.md 3 (`cold_starts`), 10 (tokens).
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec

from slo.errors import DeskFullError
from slo.hints_sight import Seen
from slo.hints_target import Hinted
from slo.scaling.cold_start import PHASE_S_MAX, ColdStarts, Phase, Told, cold_starts
from slo.scaling.lead import Came
from slo.scaling.state import State
from telemetry.queries import cold_starts as asked
from telemetry.queries.question import Question
from telemetry.schema.hints import COLD_STARTS
from telemetry.store import Store

KEPT_S = 30 * 86_400
"""How far back starts are compared."""
STABLE_N = 50
"""Requests within their objectives from which a replica is of use."""
STABLE_EVERY_S = 60
"""How often it is asked whether a replica has ended so many."""
STABLE_ASKED_MAX = 20
"""Replicas that are asked about at one time; the others wait for the next."""
TOLD_MAX, TOLD_S = 600, 3_600
"""Words of others on starts of one target, at most, and within how long; three for each of 200 replicas."""
_AGAIN_S = 600
"""Who says the same again within so long says it once."""
_US = 1e6
Row = Mapping[str, Any]
_Key = tuple[str, ...]
_T = TypeVar("_T")


class HintStarts:
    """The starts of targets, in the store; `tell` may be called from any thread, the rest by one.

    Args:
        reader: Who may ask.
        writer: Who may write.
        targets: Which.
    """

    def __init__(self, reader: Store, writer: Store, targets: Sequence[Hinted]) -> None:
        self._reader, self._writer = reader, writer
        self.follow(targets)
        self._done: set[_Key] = set()
        self._told_s: dict[str, deque[int]] = {}
        self._looked_s = 0

    def follow(self, targets: Sequence[Hinted]) -> None:
        """Keep starts of other targets from now on."""
        self._targets = {one.name: one for one in targets}

    def known(self, at_s: int) -> dict[str, ColdStarts]:
        """Return what is known of starts, of each target that had any.

        Raises:
            StoreError: The store did not answer; so for every method.
        """
        question = asked.words((at_s - KEPT_S) * 1000, at_s * 1000 + 1, list(self._targets))
        by_target: dict[str, list[Told]] = {}
        for row in self._ask(question):
            by_target.setdefault(str(row["target"]), []).append(_told(row))
        found = {name: cold_starts(told) for name, told in by_target.items()}
        return {name: one for name, one in found.items() if one is not None}

    def keep(self, at_s: int, states: Mapping[str, State], known: Mapping[str, ColdStarts], seen: Seen) -> bool:
        """Write down what is new of starts; returns whether anything was.

        Args:
            at_s: The instant.
            states: What is remembered of each target.
            known: What is known of their starts.
            seen: Rows of the instant.
        """
        states = {name: state for name, state in states.items() if name in self._targets}
        ready = {
            _key("ready", name, one, number): (name, one)
            for name, state in states.items()
            for one, number in _numbered(state.starts.came)
        }
        failed = {
            ("failed", name, str(int(asked_s)), str(number)): name
            for name, state in states.items()
            for asked_s, number in _numbered(state.starts.overdue(at_s, known[name].lead if name in known else None))
        }
        stable = {_key("stable", name, one, 0): (name, one) for name, one in ready.values() if one.replica}
        self._done &= ready.keys() | failed.keys() | stable.keys()
        before = len(self._done)
        for key in ready.keys() - self._done:
            self._once(key, ready[key][0], self._ready(*ready[key], seen))
        for key in failed.keys() - self._done:
            self._once(key, failed[key], Told(at_s=at_s, replica="", took_s={}, failed=True))
        if at_s - self._looked_s >= STABLE_EVERY_S:
            self._looked_s = at_s
            for key in sorted(stable.keys() - self._done)[:STABLE_ASKED_MAX]:
                name, one = stable[key]
                if (told := self._stable(at_s, self._targets[name], one)) is not None:
                    self._once(key, name, told)
        return len(self._done) > before

    def tell(self, name: str, one: Told) -> None:
        """Keep what somebody tells of the phases of a start.

        Raises:
            DeskFullError: So much was told of the target within the hour that no more is taken.
            StoreError: It is not kept, or not known to be.
        """
        told_s = self._told_s.setdefault(name, deque(maxlen=TOLD_MAX))
        if len(told_s) == TOLD_MAX and one.at_s - told_s[0] < TOLD_S:
            raise DeskFullError(f"{TOLD_MAX} words on starts of {name} were taken within the hour, and no more are")
        said = {phase.value: took_s for phase, took_s in one.took_s.items()}
        self._write(("told", name, one.replica, str(int(one.at_s) // _AGAIN_S), _text(said)), name, one)
        told_s.append(int(one.at_s))

    def _ready(self, name: str, came: Came, seen: Seen) -> Told:
        took_s = {Phase.READY: came.ready_at_s - came.asked_at_s}
        begun_s = _begun_s(self._targets[name], came.replica, seen)
        if begun_s is not None and came.asked_at_s <= begun_s <= came.ready_at_s:
            took_s[Phase.INIT] = came.ready_at_s - begun_s
        return Told(at_s=came.ready_at_s, replica=came.replica, took_s=took_s)

    def _stable(self, at_s: int, of: Hinted, came: Came) -> Told | None:
        """Ask whether a replica served enough by now; None if it did not."""
        since_ms, limits_us = int(came.ready_at_s * 1000), (_us(of.settings.ttft_s), _us(of.settings.itl_s))
        question = asked.served_well(since_ms, at_s * 1000, of.endpoint, came.replica, STABLE_N, limits_us)
        (row,) = self._ask(question)
        if int(row["n"]) < STABLE_N:
            return None
        ended_s = int(row["ended_unix_ms"]) / 1000
        return Told(at_s=ended_s, replica=came.replica, took_s={Phase.STABLE: ended_s - came.ready_at_s})

    def _once(self, key: _Key, name: str, one: Told) -> None:
        self._write(key, name, one)
        self._done.add(key)

    def _write(self, key: _Key, name: str, one: Told) -> None:
        self._writer.insert_rows(COLD_STARTS, [_row(name, one)], f"cold_starts-{_digest(key)}")

    def _ask(self, question: Question) -> Sequence[Row]:
        return cast("Sequence[Row]", self._reader.query(question))


def _begun_s(of: Hinted, replica: str, seen: Seen) -> float | None:
    """Return when the process of a replica began, as it tells; None if it does not."""
    rows = (row for row in seen.engines if str(row["endpoint"]) == of.endpoint and str(row["replica"]) == replica)
    return next((float(row["begun_unix_s"]) for row in rows if row["begun_unix_s"]), None)


def _numbered(of: Iterable[_T]) -> list[tuple[_T, int]]:
    """Return each with its number among its equals: of replicas that nobody knows apart there may be several."""
    counts: dict[_T, int] = {}
    found: list[tuple[_T, int]] = []
    for one in of:
        counts[one] = counts.get(one, -1) + 1
        found.append((one, counts[one]))
    return found


def _key(kind: str, name: str, one: Came, number: int) -> _Key:
    return kind, name, one.replica, str(int(one.asked_at_s)), str(int(one.ready_at_s)), str(number)


def _digest(key: _Key) -> str:
    return hashlib.sha256(msgspec.json.encode(key)).hexdigest()[:32]


def _text(said: Mapping[str, float]) -> str:
    return msgspec.json.encode(said, order="sorted").decode()


def _us(limit_s: float | None) -> int | None:
    return None if limit_s is None else round(limit_s * _US)


def _row(name: str, one: Told) -> tuple[object, ...]:
    values: dict[str, object] = {
        "at": round(one.at_s * 1000),
        "target": name,
        "replica": one.replica,
        **{f"{phase}_us": None for phase in Phase},
        **{f"{phase}_us": round(min(took_s, PHASE_S_MAX) * _US) for phase, took_s in one.took_s.items()},
        "failed": int(one.failed),
    }
    return tuple(values[column.name] for column in COLD_STARTS.insert_columns)


def _told(row: Row) -> Told:
    known = {phase: row[f"{phase}_us"] for phase in Phase}
    return Told(
        at_s=int(row["at_unix_ms"]) / 1000,
        replica=str(row["replica"]),
        took_s={phase: int(took_us) / _US for phase, took_us in known.items() if took_us is not None},
        failed=bool(row["failed"]),
    )
