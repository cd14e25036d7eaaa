"""Knows how the engine asks the store and what it keeps there; refuses to judge.

Buckets are counted once, by every replica alike: what the store has already is not written again, and two replicas
that write the same bucket at the same time use the same token. A late row brings a bucket's counts again, under a
higher revision, if they are others now.

Source: spec/slo.md 8 (one query for all objectives, late rows); spec/store.md 4.5 (`slo_minutes`), 10 (tokens).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

from slo import sight
from slo.alert import Alert
from slo.alert_states import Transition
from slo.asking import around, own_questions
from slo.buckets import Bucket
from slo.budget import Budget
from slo.counts import Counts
from slo.demand import HOURS_PER_WEEK, WEEKS, expected, profile
from slo.objective import counted
from slo.sight import Heard, Key, Row
from slo.sliced import slice_s, sliced_budget
from slo.telemetry_state import Blind
from slo.watched import HOUR_S, Watched
from slo.windows import BUCKET_S
from telemetry import queries
from telemetry.queries import Question
from telemetry.queries.alert_states import last_alert_states
from telemetry.queries.burn import WINDOWS_MAX
from telemetry.queries.counted import OBJECTIVES_MAX, Counted, counts
from telemetry.schema.objectives import ALERT_EVENTS, SLO_MINUTES
from telemetry.store import Store

HISTORY_S = 14 * 86_400
"""How far back an objective that is new is counted: as long as requests are kept whole."""
CHUNK_S, CHUNK_OBJECTIVES = 3_600, 100
"""Longest span that is counted at once, of so many objectives; of more, less."""
LATE_S = 3_600
"""Rows that come later than this change no bucket any more."""
PROBES_S = 600
Unseen = Callable[[str], Iterable[Blind]]


def chunk_s(objectives: int) -> int:
    """Return how long a span of objectives is counted at once: the store judges each request for each of them."""
    return CHUNK_S // -(-max(1, objectives) // CHUNK_OBJECTIVES) // BUCKET_S * BUCKET_S or BUCKET_S


EXPECTED_OBJECTIVES = 100
"""Objectives whose past weeks are looked at at once: each has hundreds of hours."""


class Reader:
    """Questions of one engine.

    Args:
        store: The store, as who may read.
        writer: The store, as who may insert.
        watched: The objectives.
        evaluator: Name of this replica, for the rows that it writes.
        clock: Says how long questions take, monotonic seconds; one that stands still lets them take any time.

    Attributes:
        own_s: How long questions of objectives that have their own took since this was last set to 0.
    """

    def __init__(
        self,
        store: Store,
        writer: Store,
        watched: Sequence[Watched],
        evaluator: str,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._store, self._writer, self._evaluator, self._clock = store, writer, evaluator, clock
        self.own_s = 0.0
        self._watched = {one.objective.name: one for one in watched}
        self._hashes = {name: one.definition_hash for name, one in self._watched.items()}
        self._names = list(self._watched)
        self._counted = {one.name: one for one in counted([one.objective for one in watched])}
        self._own = own_questions([one.objective for one in watched])
        alike = [name for name in self._names if name not in self._own]
        self._parts = [*_parts(alike, self._counted), *([name] for name in self._own)]

    def coverage(self, at_ms: int) -> list[dict[str, Any]]:
        """Return who is heard, by endpoint, model and class.

        Raises:
            StoreError: The store did not answer; so for every method.
        """
        return self._store.query(queries.coverage(at_ms))

    def heard(self, at_ms: int) -> dict[str, Heard]:
        """Return what the telemetry of each endpoint said of itself at an instant: of that alone, whenever it is asked.

        Error: a heartbeat that reaches the store after the instant was judged is not seen by who was early, and is by
        who replays it later. The lag that instants wait for is that of the heartbeats themselves, so it is one of a
        collector that was cut off for longer than `LAG_S_MAX`, or of one that nobody has heard before.
        """
        return sight.heard_of(self.coverage(at_ms), self._store.query(queries.in_flight(at_ms)))

    def probes(self, at_s: int) -> dict[str, list[tuple[float, bool]]]:
        """Return the last results of each target that is probed."""
        return sight.probes_of(self._store.query(queries.last_probes((at_s - PROBES_S) * 1000, at_s * 1000)))

    def oldest_s(self, at_s: int) -> int:
        """Return the start of the bucket of the oldest request that is to be counted; the instant if there is none."""
        (first,) = self._store.query(queries.oldest_request((at_s - HISTORY_S) * 1000))
        first_s = int(str(first["ended_unix_ms"])) // 1000 or at_s
        return min(first_s, at_s) // BUCKET_S * BUCKET_S

    def extents(self, oldest_s: int) -> dict[str, tuple[int, int]]:
        """Return the span [since, until) of each objective in which it has rows, older ones aside."""
        rows = self._of_all(lambda names: queries.counted_until(names, oldest_s))
        return {
            str(row["slo"]): (int(str(row["since_unix_s"])), int(str(row["until_unix_s"])))
            for row in rows
            if self._is_ours(row)
        }

    def is_own(self, name: str) -> bool:
        """Return whether an objective has a question of its own."""
        return name in self._own

    def parts(self, names: Iterable[str]) -> list[Sequence[str]]:
        """Return objectives in parts, of which each is counted by one question."""
        wanted = frozenset(names)
        found = [[name for name in part if name in wanted] for part in self._parts]
        return [part for part in found if part]

    def count(self, names: Sequence[str], since_s: int, until_s: int, now_ms: int, revision: int = 0) -> int:
        """Count the buckets [since, until) of objectives and keep them; returns how many rows that are.

        Args:
            names: Which objectives.
            since_s: Start, a multiple of the bucket.
            until_s: End, excluded.
            now_ms: Wall clock, unix milliseconds.
            revision: Above 0 counts buckets again that are kept already, and keeps what has changed: up to where was
                counted. Flows and the like may move to another bucket, so those around are counted again with them.
        """
        return sum(self._count(part, since_s, until_s, now_ms, revision) for part in self.parts(names))

    def _count(self, names: Sequence[str], since_s: int, until_s: int, now_ms: int, revision: int) -> int:
        may_move = bool(revision) and names[0] in self._own
        if may_move:
            since_s, until_s = around(self._watched[names[0]].objective, since_s, until_s, revision)
        question = self._asked(names, since_s * 1000, until_s * 1000)
        begun_s = self._clock()
        try:
            rows: list[Row] = [] if question is None else [*self._store.query(question)]
        finally:  # one that was refused took its time, too
            self.own_s += self._clock() - begun_s if names[0] in self._own else 0.0
        if question is None or not (rows or may_move):
            return 0
        told = self._store.query(queries.counted_buckets(names, since_s, until_s))
        kept = {self._place(row): _sums(row) for row in told}
        fresh = [(row, 0) for row in rows if self._place(row) not in kept]
        counted_now = {self._place(row) for row in rows}
        moved = [row for row in told if may_move and self._is_ours(row) and self._place(row) not in counted_now]
        rows += map(_emptied, moved)
        again = [(row, revision) for row in rows if kept.get(self._place(row), _sums(row)) != _sums(row)]
        again = again if revision else []
        values = [self._minute(row, of, now_ms) for row, of in (*fresh, *again)]
        if values:
            self._writer.insert_rows(SLO_MINUTES, values, self._token(names, since_s, until_s, revision, len(values)))
        return len(values)

    def _asked(self, names: Sequence[str], since_ms: int, until_ms: int) -> Question | None:
        """Return the question that counts objectives, many that count requests or one that does not; None for none."""
        own = self._own.get(names[0])
        return own(since_ms, until_ms) if own else counts([self._counted[one] for one in names], since_ms, until_ms)

    def late(self, since_ms: int, at_s: int) -> list[int]:
        """Return the buckets, by their start, that got rows after `since_ms` of the store's clock."""
        oldest_s = (at_s - LATE_S) // BUCKET_S * BUCKET_S
        rows = self._store.query(queries.late_buckets(since_ms, oldest_s * 1000, at_s * 1000))
        return [int(str(row["t_unix_s"])) for row in rows]

    def windows(
        self, at_s: int, windows_s: Sequence[int], invalid: set[Key] | None = None
    ) -> dict[Key, dict[int, Counts]]:
        """Return the counts of windows that end at an instant; more windows than one question takes are asked in turn.

        Args:
            at_s: The instant.
            windows_s: Lengths.
            invalid: Takes the objectives and groups whose counts cannot be; some windows of theirs may be there.
        """
        found: dict[Key, dict[int, Counts]] = {}
        refused = set[Key]() if invalid is None else invalid
        for first in range(0, len(windows_s), WINDOWS_MAX):
            some = windows_s[first : first + WINDOWS_MAX]
            rows = self._of_all(partial(queries.burn_inputs, at_s, some))
            for key, counts_of in sight.windows_of(rows, some, self._hashes, refused).items():
                found.setdefault(key, {}).update(counts_of)
        return found

    def buckets(self, since_s: int, until_s: int, invalid: set[Key] | None = None) -> dict[Key, list[Bucket]]:
        """Return the buckets [since, until) of every objective, oldest first; of `invalid` as `windows`."""
        rows = self._of_all(lambda names: queries.counted_buckets(names, since_s, until_s))
        return sight.buckets_of(rows, self._hashes, set[Key]() if invalid is None else invalid)

    def expected_parts(self) -> list[frozenset[str]]:
        """Return the objectives in parts that `expected` may be asked of."""
        firsts = range(0, len(self._names), EXPECTED_OBJECTIVES)
        return [frozenset(self._names[first : first + EXPECTED_OBJECTIVES]) for first in firsts]

    def expected(self, at_s: int, names: frozenset[str]) -> dict[Key, float]:
        """Return how many requests the period of objectives is expected to bring, by the hours of past weeks.

        It is that of the period that ended with the last whole hour, so that all who ask within an hour hear the same.
        """
        end_s = at_s // HOUR_S * HOUR_S
        since_s = end_s - WEEKS * HOURS_PER_WEEK * HOUR_S
        rows = self._store.query(queries.sums_by(sorted(names), since_s, end_s, HOUR_S))
        hours: dict[Key, dict[int, int]] = {}
        for row in rows:
            if self._is_ours(row):
                key = (str(row["slo"]), str(row["group_key"]))
                hours.setdefault(key, {})[int(str(row["t_unix_s"]))] = int(str(row["eligible"]))
        found: dict[Key, float] = {}
        for key, seen in hours.items():
            spread = {at: seen.get(at, 0) for at in range(min(seen), end_s, HOUR_S)}  # hours without a row had none
            of = profile(spread, end_s)
            if of is not None:
                found[key] = expected(of, end_s - self._watched[key[0]].objective.period_s, end_s)
        return found

    def sliced(self, one: Watched, since_s: int, until_s: int, blind: Unseen = lambda _: ()) -> dict[Key, Budget]:
        """Return what is left of an objective that is judged slice by slice, for each group that had requests.

        Args:
            one: The objective.
            since_s: Start of the period.
            until_s: The instant.
            blind: Returns when nobody looked, given the group.

        Raises:
            CountsError: Counts that cannot be.
        """
        objective = one.objective
        rows = self._store.query(queries.sums_by([objective.name], since_s, until_s, slice_s(objective)))
        sums: dict[Key, dict[int, Counts]] = {}
        for row in rows:
            if self._is_ours(row):
                eligible, good = int(str(row["eligible"])), int(str(row["good"]))
                of = sums.setdefault((objective.name, str(row["group_key"])), {})
                of[int(str(row["t_unix_s"]))] = Counts(eligible=eligible, bad=eligible - good)
        return {key: sliced_budget(objective, of, since_s, until_s, blind=blind(key[1])) for key, of in sums.items()}

    def keep_transitions(self, transitions: Sequence[tuple[Alert, Transition]]) -> None:
        """Keep changes of state; replicas write one row between them."""
        if transitions:
            rows = [self._event(alert, transition) for alert, transition in transitions]
            told = ":".join(f"{a.fingerprint:x}-{t.at_s}-{t.after}" for a, t in transitions)
            self._writer.insert_rows(ALERT_EVENTS, rows, "alerts-" + hashlib.sha256(told.encode()).hexdigest()[:32])

    def alerts(self, since_s: int) -> dict[int, Alert]:
        """Return how alerts stood that changed since a time, by fingerprint, as whoever changed them told the store."""
        found = map(sight.alert_of, self._store.query(last_alert_states(since_s * 1000)))
        return {alert.fingerprint: alert for alert in found if alert is not None}

    def _of_all(self, question: Callable[[Sequence[str]], Question]) -> list[Row]:
        """Ask of every objective, of no more at once than one question takes."""
        some = [self._names[at : at + OBJECTIVES_MAX] for at in range(0, len(self._names), OBJECTIVES_MAX)]
        return [row for names in some for row in self._store.query(question(names))]

    def _is_ours(self, row: Row) -> bool:
        return self._hashes.get(str(row["slo"])) == int(row["definition_hash"])

    def _place(self, row: Row) -> tuple[str, str, int, int]:
        name = str(row["slo"])
        own = int(row.get("definition_hash", self._hashes[name]))
        return name, str(row["group_key"]), int(row["t_unix_s"]), own

    def _minute(self, row: Row, revision: int, now_ms: int) -> tuple[object, ...]:
        values: dict[str, object] = {
            **row,
            "t": int(row["t_unix_s"]),
            "definition_hash": self._hashes[str(row["slo"])],
            "revision": revision,
            "coverage": None,
            "computed_at": now_ms,
        }
        return tuple(values[column.name] for column in SLO_MINUTES.insert_columns)

    def _token(self, names: Sequence[str], since_s: int, until_s: int, revision: int, rows_n: int) -> str:
        what = f"{sorted((name, self._hashes[name]) for name in names)}:{since_s}:{until_s}:{revision}:{rows_n}"
        return "slo-" + hashlib.sha256(what.encode()).hexdigest()[:32]

    def _event(self, alert: Alert, transition: Transition) -> tuple[object, ...]:
        record = alert.record
        values: Mapping[str, object] = {
            "at": transition.at_s * 1000,
            "instant": transition.at_s * 1000,
            "fingerprint": record.fingerprint,
            "alertname": alert.labels.get("alertname", ""),
            "slo": alert.labels.get("slo", ""),
            "severity": alert.labels.get("severity", ""),
            "from_state": transition.before.value,
            "to_state": transition.after.value,
            "active_at": _ms(record.active_at_s),
            "fired_at": _ms(record.fired_at_s),
            "clear_since": _ms(record.clear_since_s),
            "resolved_at": _ms(record.resolved_at_s),
            "occurrence": transition.occurrence,
            "definition_hash": record.definition_hash,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "values": {},
            "evaluator": self._evaluator,
        }
        return tuple(values[column.name] for column in ALERT_EVENTS.insert_columns)


def _parts(names: Sequence[str], of: Mapping[str, Counted]) -> Iterator[Sequence[str]]:
    """Yield names in halves of halves, each of so few objectives, or forms of them, that one question takes them."""
    if not names:
        return
    try:
        counts([of[name] for name in names], 0, BUCKET_S * 1000)
    except ValueError:
        if len(names) == 1:
            raise
        yield from _parts(names[: len(names) // 2], of)
        yield from _parts(names[len(names) // 2 :], of)
    else:
        yield names


def _emptied(row: Row) -> Row:
    """Return a kept bucket as one of which everything has moved to others."""
    place = {name: row[name] for name in ("slo", "group_key", "t_unix_s")}
    return {**place, "eligible": 0, "good": 0, "bad": {}, "censored_bad": 0, "excluded": {}, "n_null": {}}


def _sums(row: Row) -> tuple[int, ...]:
    """Return the counts of a bucket, as they are counted and as they are kept."""
    excluded = row["excluded"]
    by_reason = cast("Mapping[str, int]", excluded) if isinstance(excluded, Mapping) else {"": int(excluded)}
    return int(row["eligible"]), int(row["good"]), int(row["censored_bad"]), sum(by_reason.values())


def _ms(at_s: int | None) -> int | None:
    return None if at_s is None else at_s * 1000
