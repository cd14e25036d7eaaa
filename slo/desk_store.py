"""Knows how silences, acknowledgements and markers stand in the store; refuses to know who decided them.

Source: spec/store.md 3 (`silences`: the last state holds; `alert_acks`; `markers`), 10 (tokens).
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from slo.desk_records import Ack, Marker, MarkerKind
from slo.shown_alerts import state_of
from slo.silence import Matcher, MatchOp, Silence
from telemetry.queries import told
from telemetry.schema import Table
from telemetry.schema.details import MARKERS
from telemetry.schema.objectives import ALERT_ACKS, SILENCES
from telemetry.store import Store

_SOON_S = 3_600
"""Clocks of replicas differ; what another one wrote a little ahead of ours is read, too."""


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

    def silences(self, since_s: int, now_s: int) -> dict[str, Silence]:
        """Return the silences that were made or changed since, by id."""
        rows = self._reader.query(told.last_silences(since_s * 1000, (now_s + _SOON_S) * 1000))
        return {str(row["silence_id"]): _silence(row) for row in rows}

    def acks(self, since_s: int, now_s: int) -> dict[str, Ack]:
        """Return the last acknowledgement of each alert since, by fingerprint."""
        rows = self._reader.query(told.acknowledgements(since_s * 1000, (now_s + _SOON_S) * 1000))
        return {f"{row['fingerprint']:016x}": _ack(row) for row in reversed(rows)}

    def markers(self, since_s: int, until_s: int) -> list[Marker]:
        """Return what happened in [since, until), newest first."""
        return [_marker(row) for row in self._reader.query(told.markers(since_s * 1000, until_s * 1000))]

    def _put(self, table: Table, rows: Sequence[tuple[object, ...]], of: Mapping[str, object]) -> None:
        body = msgspec.json.encode([sorted(of), rows])
        self._writer.insert_rows(table, rows, f"{table.name}-{hashlib.sha256(body).hexdigest()[:32]}")


def _silence_row(one: Silence, now_s: int) -> tuple[object, ...]:
    matchers = [(matcher.name, matcher.op.value, matcher.value) for matcher in one.matchers]
    times = (one.starts_at_s * 1000, one.ends_at_s * 1000)
    return (now_s * 1000, one.id, matchers, *times, one.author, one.comment, state_of(one, now_s))


def _silence(row: Mapping[str, object]) -> Silence:
    columns = (msgspec.convert(row[name], list[str]) for name in ("names", "ops", "values"))
    return Silence(
        id=str(row["silence_id"]),
        matchers=tuple(
            Matcher(name=name, op=MatchOp(op), value=value) for name, op, value in zip(*columns, strict=True)
        ),
        starts_at_s=_s(row["starts_at_unix_ms"]) or 0,
        ends_at_s=_s(row["ends_at_unix_ms"]) or 0,
        author=str(row["author"]),
        comment=str(row["comment"]),
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
        "kind": one.kind.value,
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


def _ms(at_s: int | None) -> int | None:
    return None if at_s is None else at_s * 1000


def _s(at_ms: object) -> int | None:
    return None if at_ms is None else int(str(at_ms)) // 1000
