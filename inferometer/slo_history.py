"""Knows how the history of objectives is read from the store; refuses to judge it.

Counts are taken as they were made. Those of another definition are taken if there are no others, and it is said: what
they would have been under this one is not known.

Source: spec/slo.md 15; spec/store.md 4.5.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Protocol, cast

from inferometer.errors import ConfigurationError
from slo.heard_past import EXPECTED_S, NOTHING, Beat, gaps, overdue
from slo.past import Known, Past, lead_s
from slo.sight import Heard, group_of
from slo.watched import Watched
from slo.windows import BUCKET_S
from telemetry.queries import Question
from telemetry.queries.heard import heard
from telemetry.queries.revisions import counted_span, revisions

BUCKETS_MAX = 4_000_000
"""Rows of one history."""

BEATS_MAX = 2_000_000
"""Heartbeats of one history, one of each sender and instant: a month of 20 senders."""

_ROWS_AT_ONCE = 100_000
_BEATS_S = 21_600


class Rows(Protocol):
    """What answers questions."""

    def rows(self, question: Question) -> list[dict[str, object]]:
        """Answer a question."""
        ...


class History:
    """What the store remembers of a time.

    Attributes:
        notes: What is odd about it, for people.
    """

    def __init__(self, where: Rows, since_s: int, until_s: int, instants_max: int | None = None) -> None:
        """Ask nothing yet of the time [since, until), unix seconds.

        Args:
            where: What answers.
            since_s: Start.
            until_s: End, excluded.
            instants_max: Instants of all objectives and groups together; None for any number.
        """
        self.notes: list[str] = []
        self._where, self._since_s, self._until_s = where, since_s, until_s
        self._instants_max = instants_max

    def pasts(self, *watching: Watched) -> list[Past]:
        """Return the history of objectives, group by group; none of one of which nothing was counted.

        Raises:
            InferometerError: The store cannot be asked, or there is more than `BUCKETS_MAX`, `BEATS_MAX` or the
                instants that are allowed; of counts and instants that is known before any are read.
        """
        spans = [(one, span) for one in watching if (span := self._span(one)) is not None]
        if sum(_number(span["n"]) for _, span in spans) > BUCKETS_MAX:
            raise ConfigurationError(f"--from: more than {BUCKETS_MAX} stored counts; allowed: a shorter time")
        instants = sum(_number(span["groups"]) for _, span in spans) * (self._until_s - self._since_s) // BUCKET_S
        if self._instants_max is not None and instants > self._instants_max:
            raise ConfigurationError(f"--from: {instants} instants; allowed: {self._instants_max}, in a shorter time")
        return [past for one, span in spans for past in self._pasts(one, span)]

    def _span(self, one: Watched) -> Mapping[str, object] | None:
        """Return what there is of an objective; None if there is nothing."""
        name, first_s = one.objective.name, self._since_s - lead_s(one)
        spans = self._where.rows(counted_span(name, first_s, self._until_s))
        own = [row for row in spans if row["definition_hash"] == one.definition_hash] or spans[:1]
        if not own:
            self.notes.append(f"{name}: nothing was counted")
            return None
        (span,) = own
        if span["definition_hash"] != one.definition_hash:
            self.notes.append(f"{name}: its counts are of another definition ({span['definition_hash']:x}): what-if")
        return span

    def _pasts(self, one: Watched, span: Mapping[str, object]) -> list[Past]:
        groups: dict[str, list[Known]] = {}
        for row in self._read(one.objective.name, span):
            groups.setdefault(str(row["group_key"]), []).append(_known(row))
        return [self._past(one, group_of(key), counted) for key, counted in sorted(groups.items())]

    def _past(self, one: Watched, group: Mapping[str, str], counted: list[Known]) -> Past:
        endpoint = group.get("endpoint", "")
        return Past(
            watched=one,
            group=group,
            counted=sorted(counted, key=lambda known: known.known_s),
            gaps=gaps(self._beats, endpoint, self._first_s, self._until_s),
            overdue=overdue(self._beats, endpoint, one),
        )

    @cached_property
    def _first_s(self) -> int:
        return -(-self._since_s // BUCKET_S) * BUCKET_S

    @cached_property
    def _beats(self) -> list[Beat]:
        """Heartbeats from a day before the first instant on, some hours at once."""
        starts_s = range(self._first_s - EXPECTED_S, self._until_s, _BEATS_S)
        parts = ((at_s, min(at_s + _BEATS_S, self._until_s)) for at_s in starts_s)
        found: list[Beat] = []
        for part in parts:
            found += map(_beat, self._where.rows(heard(*part)))
            if len(found) > BEATS_MAX:
                raise ConfigurationError(f"--from: more than {BEATS_MAX} heartbeats; allowed: a shorter time")
        return found

    def _read(self, name: str, span: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
        """Yield rows, so many at once that each answer stays small."""
        first_s, last_s = _number(span["first_unix_s"]), _number(span["last_unix_s"]) + BUCKET_S
        parts = 1 + _number(span["n"]) // _ROWS_AT_ONCE
        step_s = max(BUCKET_S, (last_s - first_s) // parts // BUCKET_S * BUCKET_S)
        for at_s in range(first_s, last_s, step_s):
            end_s = min(at_s + step_s, last_s)
            yield from self._where.rows(revisions(name, _number(span["definition_hash"]), at_s, end_s))


def _known(row: Mapping[str, object]) -> Known:
    start_s, revision = _number(row["t_unix_s"]), _number(row["revision"])
    return Known(
        start_s=start_s,
        eligible=_number(row["eligible"]),
        bad=_number(row["bad"]),
        known_s=max(start_s + BUCKET_S, -(-revision // BUCKET_S) * BUCKET_S),
    )


def _beat(row: Mapping[str, object]) -> Beat:
    waiting, running = _ages(row["waiting_age_h"]), _ages(row["in_flight_age_h"])
    return Beat(
        at_s=_number(row["instant_unix_s"]),
        sender=_sender(*(str(row[name]) for name in ("endpoint", "collector", "model", "workload_class"))),
        heard_s=_number(row["heard_unix_ms"]) / 1000,
        ages=Heard(waiting_ages=waiting, running_ages=running) if waiting or running else NOTHING,
    )


@lru_cache(maxsize=4_096)
def _sender(*names: str) -> tuple[str, ...]:
    """Return a sender, the same one each time: there are many heartbeats of few."""
    return names


def _ages(told: object) -> dict[int, int]:
    return {int(bucket): int(n) for bucket, n in cast("Mapping[int, int]", told).items()}


def _number(value: object) -> int:
    return int(str(value))
