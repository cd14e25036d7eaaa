"""Knows how hints, states, acts and scores stand in the store; refuses to know how they come about.

What is decided at an instant is written under a token that names the instant and the targets, state and hint in one
row: of several replicas that decide the same instant the first one's rows are kept, and who reads them back has what
all the others have. Only then the hint is told in its own table, where people look for it.

Source: spec/scaling.md 1 (deterministic, stored each tick); spec/slo.md 8 (replicas); spec/store.md 3 (`hints`,
`hint_state`, `hint_acks`, `hint_scores`), 10 (tokens).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import msgspec

from slo.hints_acts import ActKind, HintAct
from slo.hints_score import Score
from slo.scaling.hint import Hint, encoded
from slo.scaling.state import State
from telemetry import queries
from telemetry.queries import hint_records
from telemetry.queries.question import Question
from telemetry.schema import Table
from telemetry.schema.hints import HINT_ACKS, HINT_SCORES, HINT_STATE, HINTS
from telemetry.store import Store

KEPT_S = 90 * 86_400
"""How far back a state is looked for."""
_UINT16 = 65_535
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was decided of a target at an instant.

    Attributes:
        at_s: The instant, unix time.
        state: What to go on with.
        payload: The hint as it is sent.
    """

    at_s: int
    state: State
    payload: str

    @property
    def hint(self) -> Hint:
        """The hint."""
        return msgspec.json.decode(self.payload, type=Hint)


def kept(at_s: int, state: State, hint: Hint) -> Kept:
    """Return what was decided."""
    return Kept(at_s=at_s, state=state, payload=encoded(hint).decode())


class HintBook:
    """What of hints is in the store.

    Args:
        reader: Who may ask.
        writer: Who may write.
        names: Targets.
    """

    def __init__(self, reader: Store, writer: Store, names: Sequence[str]) -> None:
        self._reader, self._writer, self._names = reader, writer, list(names)

    def follow(self, names: Sequence[str]) -> None:
        """Be about other targets from now on."""
        self._names = list(names)

    def last(self, since_s: int, at_s: int) -> dict[str, Kept]:
        """Return what was decided last at or before an instant, by target; what cannot be read is left out.

        Raises:
            StoreError: The store did not answer; so for every method.
        """
        rows = self._ask(hint_records.last_states(since_s * 1000, at_s * 1000, self._names))
        return {str(row["target"]): one for row in rows if (one := _kept(row)) is not None}

    def put(self, decided: Mapping[str, Kept]) -> None:
        """Write what was decided of targets at one instant; if somebody did so already, nothing is changed."""
        rows = [(one.at_s * 1000, name, _text(one)) for name, one in sorted(decided.items())]
        self._writer.insert_rows(HINT_STATE, rows, _token(HINT_STATE, _when(decided)))

    def tell(self, decided: Mapping[str, Kept]) -> None:
        """Write hints for people; a resend changes nothing."""
        rows = [_hint_row(one) for _, one in sorted(decided.items())]
        self._writer.insert_rows(HINTS, rows, _token(HINTS, _when(decided)))

    def put_acts(self, acts: Sequence[HintAct]) -> None:
        """Write acts; a resend changes nothing."""
        rows = [_act_row(one) for one in acts]
        self._writer.insert_rows(HINT_ACKS, rows, _token(HINT_ACKS, sorted(one.id for one in acts)))

    def acts(self, since_s: int, until_s: int) -> list[HintAct]:
        """Return the acts of [since, until), oldest first; those of no kind of ours are left out."""
        rows = self._ask(hint_records.acts(since_s * 1000, until_s * 1000, self._names))
        return [_act(row) for row in reversed(rows) if row["kind"] in set(ActKind)]

    def put_scores(self, scores: Sequence[Score]) -> None:
        """Write scores; those of the same hints, at the same time, are written once."""
        if scores:
            token = _token(HINT_SCORES, sorted(one.hint_id for one in scores))
            self._writer.insert_rows(HINT_SCORES, [_score_row(one) for one in scores], token)

    def scores(self, since_s: int, until_s: int, names: Sequence[str] = ()) -> list[Score]:
        """Return the scores that were made in [since, until), newest first."""
        return [_score(row) for row in self._ask(_scores_asked(since_s, until_s, names or self._names))]

    def minutes(self, since_s: int, until_s: int, names: Sequence[str] = ()) -> dict[str, list[Row]]:
        """Return one instant of each minute of [since, until), by target, oldest first."""
        found: dict[str, list[Row]] = {}
        for row in self._ask(hint_records.minutes(since_s * 1000, until_s * 1000, names or self._names)):
            found.setdefault(str(row["target"]), []).append(row)
        return found

    def judged(self, slos: Sequence[str], since_s: int, until_s: int) -> Sequence[Row]:
        """Return the counts of objectives by the minute."""
        return self._ask(queries.sums_by(slos, since_s, until_s, 60)) if slos else ()

    def history(self, name: str, since_s: int, until_s: int) -> Sequence[Row]:
        """Return the hints of a target that were issued in [since, until), newest first, with their scores."""
        return self._ask(hint_records.history(name, since_s * 1000, until_s * 1000))

    def _ask(self, question: Question) -> Sequence[Row]:
        return cast("Sequence[Row]", self._reader.query(question))


def _scores_asked(since_s: int, until_s: int, names: Sequence[str]) -> Question:
    return hint_records.scores(since_s * 1000, until_s * 1000, names)


class _Row(msgspec.Struct, frozen=True):
    """What the column `state_json` holds."""

    state: State
    hint: msgspec.Raw


def _when(decided: Mapping[str, Kept]) -> list[tuple[int, str]]:
    return [(one.at_s, name) for name, one in sorted(decided.items())]


def _text(one: Kept) -> str:
    return msgspec.json.encode(_Row(state=one.state, hint=msgspec.Raw(one.payload.encode()))).decode()


def _kept(row: Row) -> Kept | None:
    """Return what a row says; None if another version wrote it, so that it cannot be read."""
    try:
        of = msgspec.json.decode(str(row["state_json"]), type=_Row)
        msgspec.json.decode(of.hint, type=Hint)
    except msgspec.MsgspecError:
        return None
    return Kept(at_s=int(row["instant_unix_ms"]) // 1000, state=of.state, payload=bytes(of.hint).decode())


def _hint_row(one: Kept) -> tuple[object, ...]:
    hint = one.hint
    values: dict[str, object] = {
        "issued_at": unix_ms(hint.issued_at),
        "instant": one.at_s * 1000,
        "hint_id": hint.id,
        "seq": hint.seq,
        "target": hint.target.name,
        "namespace": hint.target.namespace,
        "variant": hint.target.variant,
        "mode": hint.mode.value,
        "action": hint.action.value,
        **{name: min(getattr(hint.replicas, name), _UINT16) for name in ("spec", "ready", "warming", "desired")},
        "raw": hint.replicas.raw,
        "reasons": [reason.code.value for reason in hint.reasons],
        "vetoes": [veto.code.value for veto in hint.vetoes],
        "confidence": hint.confidence.score,
        "payload": one.payload,
    }
    return tuple(values[column.name] for column in HINTS.insert_columns)


def unix_ms(time: str) -> int:
    """Return a time of a hint as unix milliseconds."""
    return int(datetime.fromisoformat(time).timestamp() * 1000)


def _act_row(one: HintAct) -> tuple[object, ...]:
    values: dict[str, object] = {
        "at": one.at_ms,
        "hint_id": one.hint_id,
        "target": one.target,
        "applied": min(one.applied, _UINT16),
        "actor": one.actor,
        "kind": one.kind.value,
        "until": one.until_ms,
        "reason": one.reason,
    }
    return tuple(values[column.name] for column in HINT_ACKS.insert_columns)


def _act(row: Row) -> HintAct:
    return HintAct(
        at_ms=int(row["at_unix_ms"]),
        target=str(row["target"]),
        kind=ActKind(row["kind"]),
        actor=str(row["actor"]),
        hint_id=str(row["hint_id"]),
        applied=int(row["applied"]),
        until_ms=None if row["until_unix_ms"] is None else int(row["until_unix_ms"]),
        reason=str(row["reason"]),
    )


def _score_row(one: Score) -> tuple[object, ...]:
    values: dict[str, object] = {
        "at": one.at_s * 1000,
        "target": one.target,
        "hint_id": one.hint_id,
        "applied": one.applied,
        "demand_per_s": one.demand_actual,
        "held": None if one.p95_held is None else int(one.p95_held),
        "missed_minutes": one.slo_missed_minutes,
        "gpu_h_delta": one.gpu_h_delta,
    }
    return tuple(values[column.name] for column in HINT_SCORES.insert_columns)


def _score(row: Row) -> Score:
    return Score(
        target=str(row["target"]),
        hint_id=str(row["hint_id"]),
        at_s=int(row["scored_unix_ms"]) // 1000,
        applied=row["applied"],
        demand_actual=row["demand_per_s"],
        p95_held=None if row["held"] is None else bool(row["held"]),
        slo_missed_minutes=row["missed_minutes"],
        gpu_h_delta=row["gpu_h_delta"],
    )


def _token(table: Table, of: object) -> str:
    return f"{table.name}-{hashlib.sha256(msgspec.json.encode(of)).hexdigest()[:32]}"
