"""Knows how what people decided stands in the store; refuses to know who decided it.

An adjustment's selector is JSON: its id, when it was made, and its matchers. One that is withdrawn has a second row,
which takes out nothing; whichever is read first, it stays withdrawn.

Source: spec/store.md 3 (`silences`: the last state counts; `alert_acks`, `markers`, `adjustments`, `audit`), 10.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from slo.adjustments import ALL_PERCENT, SPAN_S_MAX, Agreed
from slo.audit import Act
from slo.desk_records import Ack, Marker, MarkerKind
from slo.errors import ObjectiveError
from slo.recurrence import repeat, rule
from slo.shown_alerts import state_of
from slo.silence import Matcher, MatchOp, Silence, check_matchers
from telemetry.queries import told
from telemetry.queries.standing import WITHDRAWN
from telemetry.schema import Table
from telemetry.schema.details import ADJUSTMENTS, MARKERS
from telemetry.schema.ledger import AUDIT
from telemetry.schema.objectives import ALERT_ACKS, SILENCES
from telemetry.store import Store

_SOON_S = 3_600
"""Clocks of replicas differ; what another one wrote a little ahead of ours is read, too."""


class _Selector(msgspec.Struct, frozen=True):
    """What the column `selector` of an adjustment holds."""

    id: str
    made_at_unix_s: int
    matchers: tuple[Matcher, ...]


class DeskStore:
    """What of the desk is in the store.

    Args:
        reader: Who may ask.
        writer: Who may write.
    """

    def __init__(self, reader: Store, writer: Store) -> None:
        self._reader, self._writer = reader, writer

    def put_silences(self, silences: Mapping[str, Silence], now_s: int) -> None:
        """Write the state of silences.

        Raises:
            StoreError: Not written, or not known to be; so for every method. A resend changes nothing.
        """
        rows = [_silence_row(one, now_s) for one in silences.values()]
        self._put(SILENCES, rows, silences)

    def put_acks(self, acks: Mapping[str, Ack], _now_s: int) -> None:
        """Write acknowledgements."""
        rows = [(one.at_s * 1000, one.fingerprint, one.who, _ms(one.until_s)) for one in acks.values()]
        self._put(ALERT_ACKS, rows, acks)

    def put_markers(self, markers: Mapping[str, Marker], _now_s: int) -> None:
        """Write markers."""
        self._put(MARKERS, [_marker_row(one) for one in markers.values()], markers)

    def put_adjustments(self, agreed: Mapping[str, Agreed], _now_s: int) -> None:
        """Write times that count less."""
        self._put(ADJUSTMENTS, [_adjustment_row(one) for one in agreed.values()], agreed)

    def put_acts(self, acts: Mapping[str, Act], _now_s: int) -> None:
        """Write acts of the audit trail."""
        self._put(AUDIT, [_act_row(one) for one in acts.values()], acts)

    def silences(self, since_s: int, now_s: int) -> dict[str, Silence]:
        """Return the silences that were made or changed since, by id; what no matcher of ours could be is left out."""
        rows = self._reader.query(told.last_silences(since_s * 1000, (now_s + _SOON_S) * 1000))
        return {one.id: one for one in map(_silence, rows) if one is not None}

    def acks(self, since_s: int, now_s: int) -> dict[str, Ack]:
        """Return the last acknowledgement of each alert since, by fingerprint."""
        rows = self._reader.query(told.acknowledgements(since_s * 1000, (now_s + _SOON_S) * 1000))
        return {f"{row['fingerprint']:016x}": _ack(row) for row in reversed(rows)}

    def markers(self, since_s: int, until_s: int) -> list[Marker]:
        """Return what happened in [since, until), newest first; what is of no kind of ours is left out."""
        rows = self._reader.query(told.markers(since_s * 1000, until_s * 1000))
        return [_marker(row) for row in rows if row["kind"] in set(MarkerKind)]

    def adjustments(self, since_s: int, until_s: int) -> dict[str, Agreed | None]:
        """Return the times that count less which begin in [since, until), by id; None for one that is not ours."""
        rows = self._reader.query(told.adjustments(since_s * 1000, until_s * 1000))
        return {str(row["selector"]) if one is None else one.id: one for row in rows for one in (_agreed(row),)}

    def acts(self, since_s: int, until_s: int) -> list[Act]:
        """Return what was changed in [since, until), newest first."""
        return [_act(row) for row in self._reader.query(told.acts(since_s * 1000, until_s * 1000))]

    def _put(self, table: Table, rows: Sequence[tuple[object, ...]], of: Mapping[str, object]) -> None:
        body = msgspec.json.encode([sorted(of), rows])
        self._writer.insert_rows(table, rows, f"{table.name}-{hashlib.sha256(body).hexdigest()[:32]}")


def _silence_row(one: Silence, now_s: int) -> tuple[object, ...]:
    at_s = now_s if one.changed_at_s is None else one.changed_at_s
    matchers = [(matcher.name, matcher.op.value, matcher.value) for matcher in one.matchers]
    times = (one.starts_at_s * 1000, one.ends_at_s * 1000)
    return (at_s * 1000, one.id, matchers, *times, one.author, one.comment, state_of(one, at_s))


def _silence(row: Mapping[str, object]) -> Silence | None:
    columns = (msgspec.convert(row[name], list[str]) for name in ("names", "ops", "values"))
    try:
        matchers = tuple(
            Matcher(name=name, op=MatchOp(op), value=value) for name, op, value in zip(*columns, strict=True)
        )
        check_matchers(matchers)
    except (ValueError, ObjectiveError):
        return None
    return Silence(
        id=str(row["silence_id"]),
        matchers=matchers,
        starts_at_s=_s(row["starts_at_unix_ms"]) or 0,
        ends_at_s=_s(row["ends_at_unix_ms"]) or 0,
        author=str(row["author"]),
        comment=str(row["comment"]),
        changed_at_s=_s(row["at_unix_ms"]),
    )


def _ack(row: Mapping[str, object]) -> Ack:
    return Ack(
        fingerprint=int(str(row["fingerprint"])),
        who=str(row["who"]),
        at_s=_s(row["at_unix_ms"]) or 0,
        until_s=_s(row["until_unix_ms"]),
    )


def _marker_row(one: Marker) -> tuple[object, ...]:
    values: dict[str, object] = {
        "at": one.at_s * 1000,
        "end": _ms(one.end_s),
        "kind": f"{WITHDRAWN if one.withdrawn else ''}{one.kind}",
        "service": one.service,
        "endpoint": one.endpoint,
        "version": one.version,
        "actor": one.actor,
        "automated": int(one.automated),
        "text": one.text,
    }
    return tuple(values[column.name] for column in MARKERS.insert_columns)


def _marker(row: Mapping[str, object]) -> Marker:
    return Marker(
        at_s=_s(row["at_unix_ms"]) or 0,
        end_s=_s(row["end_unix_ms"]),
        kind=MarkerKind(str(row["kind"])),
        service=str(row["service"]),
        endpoint=str(row["endpoint"]),
        version=str(row["version"]),
        actor=str(row["actor"]),
        automated=bool(row["automated"]),
        text=str(row["text"]),
    )


def _adjustment_row(one: Agreed) -> tuple[object, ...]:
    selector = _Selector(id=one.id, made_at_unix_s=one.made_at_s, matchers=one.matchers)
    values: dict[str, object] = {
        "at": one.start_s * 1000,
        "end": one.end_s * 1000,
        "selector": msgspec.json.encode(selector).decode(),
        "rrule": "" if one.repeat is None else rule(one.repeat),
        "percent_excluded": float(one.excluded_percent),
        "reason": one.reason,
        "author": one.author,
    }
    return tuple(values[column.name] for column in ADJUSTMENTS.insert_columns)


def _agreed(row: Mapping[str, object]) -> Agreed | None:
    """Return what a row says; None if it was not written by us, for anybody may insert there."""
    text, percent = str(row["rrule"]), float(str(row["percent_excluded"]))
    start_s, end_s = _s(row["at_unix_ms"]) or 0, _s(row["end_unix_ms"]) or 0
    if not (0 <= percent <= ALL_PERCENT and 0 < end_s - start_s <= SPAN_S_MAX):  # Subtle: nor is NaN in there
        return None
    try:
        selector = msgspec.json.decode(str(row["selector"]), type=_Selector)
        again = repeat(text) if text else None
        check_matchers(selector.matchers)
    except (msgspec.MsgspecError, ObjectiveError):
        return None
    return Agreed(
        id=selector.id,
        matchers=selector.matchers,
        start_s=start_s,
        end_s=end_s,
        repeat=again,
        excluded_percent=round(percent),
        reason=str(row["reason"]),
        author=str(row["author"]),
        made_at_s=selector.made_at_unix_s,
    )


def _act_row(one: Act) -> tuple[object, ...]:
    values: dict[str, object] = {
        "at": one.at_ms,
        **{name: getattr(one, name) for name in ("actor", "action", "object", "before", "after", "source_ip")},
        **{name: bytes.fromhex(getattr(one, name)) for name in ("prev_hash", "hash")},
    }
    return tuple(values[column.name] for column in AUDIT.insert_columns)


def _act(row: Mapping[str, object]) -> Act:
    return msgspec.convert({**row, "at_ms": int(str(row["at_unix_ms"]))}, Act)


def _ms(at_s: int | None) -> int | None:
    return None if at_s is None else at_s * 1000


def _s(at_ms: object) -> int | None:
    return None if at_ms is None else int(str(at_ms)) // 1000
