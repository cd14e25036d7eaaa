"""Knows up to where each objective is counted and what is counted next; refuses to judge.

Of an objective that is new the hours that its pages look at come first, forward; then what is older, backward, until
the oldest request that is kept or `reader.HISTORY_S`. So what is counted is one span without a gap, and rules speak as
soon as their own windows are whole, while a fortnight goes on being counted. One call counts one chunk. The span is
remembered, by the store's rows and, for those that have hardly any, by the ledger: who begins anew goes on where it
stopped.

An objective that the store refuses to count costs no other: of those that are asked for together it is found by halves,
is behind, and is asked for again after a while, twice as long each time. A store that does not answer at all is not
asked again at the same instant.

Rows that come late are looked for each minute. What many objectives share is counted again bucket by bucket; one with a
question of its own, which looks far around a bucket, is asked once for all of them.

Source: spec/slo.md 8 (instants, late rows up to an hour).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec

from slo.burn_catalogue import Severity
from slo.ledger import Ledger, Note
from slo.reader import LATE_S, Reader, chunk_s
from slo.watched import HOUR_S, Watched
from slo.windows import BUCKET_S
from telemetry.errors import StoreBusyError, StoreDeniedError, StoreError, StoreUnreachableError

LATE_EVERY_S = 60
"""How often late rows are looked for."""
REFUSED_S, REFUSED_S_MAX = 30, 960
"""How long an objective that was refused is left alone: at first, and at most."""
REFUSALS_MAX = 16
"""Refusals after which the rest is left to the next instant: it is not a few objectives that the store refuses."""
OWN_S_MAX = 10.0
"""How long questions of objectives that have their own may take at an instant; then the others have to wait for theirs.

Error: the last of them may take as long as the store lets it (`telemetry.queries.question.PAGE_S`).
"""
_GONE = (StoreUnreachableError, StoreBusyError, StoreDeniedError)
"""What is no fault of an objective."""
_KIND = "counted"


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """The span of an objective that is counted.

    Attributes:
        definition_hash: Of the objective that it was counted for.
        since_s: Start, unix seconds.
        until_s: End, excluded.
    """

    definition_hash: int
    since_s: int
    until_s: int


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An objective that the store refused to count.

    Attributes:
        until_s: The instant at which it is asked for again.
        wait_s: How long it was left alone.
        why: What the store said.
    """

    until_s: int
    wait_s: int
    why: str


class Counting:
    """What of an engine's objectives is counted.

    Args:
        watched: The objectives.
        reader: Counts.
        ledger: Where it is remembered.
    """

    def __init__(self, watched: Sequence[Watched], reader: Reader, ledger: Ledger) -> None:
        self._reader, self._ledger = reader, ledger
        self._watched = {one.objective.name: one for one in watched}
        self._span_s = chunk_s(len(watched))
        self._extents: dict[str, Extent] = {}
        self._refused: dict[str, Refusal] = {}
        self._owed: dict[str, set[int]] = {}  # buckets that got late rows and are to be counted again
        self._oldest_s = self._late_at_s = self._kept_at_s = 0
        self._is_recount = False
        self._looked: list[tuple[int, int]] = []  # up to where was counted, and when, since late rows were looked for

    def reach(self, at_s: int, now_ms: int) -> bool:
        """Count up to an instant what is nearly there, and late rows.

        Args:
            at_s: The instant.
            now_ms: Wall clock, unix milliseconds.

        Returns:
            Whether buckets have changed that lie further back than the instant before.

        Raises:
            StoreError: The store did not answer; what was counted until then stays. An objective that alone is refused
                raises nothing, and is behind.
        """
        if not self._watched:
            return False
        self._reader.own_s = 0.0
        if not self._extents:
            self._begin(at_s, now_ms)
        near = {name: one.until_s for name, one in self._asked(at_s) if at_s - one.until_s <= self._span_s}
        while (since_s := min(near.values(), default=at_s)) < at_s:
            names = [name for name, until_s in near.items() if until_s == since_s]
            end_s = min(self._end_s(since_s), at_s)
            near |= dict.fromkeys(names, at_s)  # those that are refused are done with for now
            for part in self._count(names, since_s, end_s, at_s, now_ms):
                self._move(part, until_s=end_s)
                near |= dict.fromkeys(part, end_s)
        is_late = self._count_late(at_s, now_ms)
        if at_s - self._kept_at_s >= self._span_s // 2:  # who begins anew soon finds all of them nearly there
            self._keep(self._extents)
            self._kept_at_s = at_s
        is_recount, self._is_recount = self._is_recount or is_late, False
        return is_recount

    def more(self, at_s: int, now_ms: int) -> bool:
        """Count one chunk of what lies further back, the newest first; returns whether there was any.

        Args:
            at_s: The last instant.
            now_ms: Wall clock, unix milliseconds.

        Raises:
            StoreError: The store did not answer.
        """
        self._reader.own_s = 0.0
        asked = dict(self._asked(at_s))
        behind = {name: one.until_s for name, one in asked.items() if one.until_s < at_s}
        if behind:
            since_s = max(behind.values())
            until_s = min(self._end_s(since_s), at_s)
            names, moves = [name for name, end_s in behind.items() if end_s == since_s], {"until_s": until_s}
            self._is_recount = True
        else:
            until_s = max((one.since_s for one in asked.values()), default=0)
            if until_s <= self._oldest_s:
                return False
            since_s = max(self._oldest_s, (until_s - 1) // self._span_s * self._span_s)
            names, moves = [name for name, one in asked.items() if one.since_s == until_s], {"since_s": since_s}
        for part in self._count(names, since_s, until_s, at_s, now_ms):
            self._move(part, **moves)
            self._keep(part)
        return True

    def behind(self, at_s: int) -> frozenset[str]:
        """Return the objectives that are not counted up to an instant."""
        return frozenset(name for name, one in self._extents.items() if one.until_s < at_s)

    def refused(self) -> Mapping[str, str]:
        """Return why the store refuses to count an objective, by name; none of those that it counts."""
        return {name: one.why for name, one in self._refused.items()}

    def since_s(self) -> Mapping[str, int]:
        """Return from where those objectives are counted of which there is more to be counted, further back."""
        return {name: one.since_s for name, one in self._extents.items() if one.since_s > self._oldest_s}

    def progress(self, at_s: int) -> tuple[int, int] | None:
        """Return how many hours of every objective are counted, and of how many; None if all are."""
        if not self.behind(at_s) and not self.since_s():
            return None
        counted_s = min(one.until_s - one.since_s for one in self._extents.values())
        return counted_s // HOUR_S, (at_s - self._oldest_s) // HOUR_S

    def _begin(self, at_s: int, now_ms: int) -> None:
        """Find out what is counted already."""
        self._oldest_s = self._reader.oldest_s(at_s)
        stored, noted = self._reader.extents(self._oldest_s), self._noted()
        for name, one in self._watched.items():
            found = [of[name] for of in (stored, noted) if name in of and of[name][1] > self._oldest_s]
            new_s = (at_s - _page_s(one)) // self._span_s * self._span_s  # alike for replicas that start together
            self._extents[name] = Extent(
                definition_hash=one.definition_hash,
                since_s=max(self._oldest_s, min((span[0] for span in found), default=new_s)),
                until_s=max(self._oldest_s, max((span[1] for span in found), default=new_s)),
            )
        self._looked = [(max((one.until_s for one in self._extents.values()), default=at_s), now_ms)]
        self._kept_at_s = at_s

    def _noted(self) -> dict[str, tuple[int, int]]:
        """Return the spans that the ledger remembers; of the present definitions."""
        kept = {note.name: msgspec.json.decode(note.body, type=Extent) for note in self._ledger.notes(_KIND)}
        return {
            name: (one.since_s, one.until_s)
            for name, one in kept.items()
            if name in self._watched and one.definition_hash == self._watched[name].definition_hash
        }

    def _asked(self, at_s: int) -> Iterator[tuple[str, Extent]]:
        """Yield the objectives that are not left alone at an instant."""
        for name, one in self._extents.items():
            if name not in self._refused or self._refused[name].until_s <= at_s:
                yield name, one

    def _count(
        self, names: Sequence[str], since_s: int, until_s: int, at_s: int, now_ms: int, revision: int = 0
    ) -> Iterator[Sequence[str]]:
        """Count objectives, as many at once as the store takes; yields those that are counted as soon as they are.

        Raises:
            StoreError: The store does not answer, or refuses so many that it may be ill.
        """
        parts, refusals = self._reader.parts(names), 0
        while parts:
            part = parts.pop(0)
            if self._reader.is_own(part[0]) and self._reader.own_s >= OWN_S_MAX:
                continue  # whoever waits is further behind, and so the first at the next instant
            try:
                self._reader.count(part, since_s, until_s, now_ms, revision)
            except _GONE:
                raise
            except StoreError as error:
                refusals += 1
                if refusals > REFUSALS_MAX:
                    raise
                parts = [*self._halves(part, at_s, str(error)), *parts]  # depth first, so that some are found
            else:
                for name in part:
                    self._refused.pop(name, None)
                yield part

    def _halves(self, part: Sequence[str], at_s: int, why: str) -> list[Sequence[str]]:
        """Return the halves of a part that was refused; what cannot be halved is left alone for a while."""
        if len(part) > 1:
            return [part[: len(part) // 2], part[len(part) // 2 :]]
        before = self._refused.get(part[0])
        wait_s = min(2 * before.wait_s, REFUSED_S_MAX) if before else REFUSED_S
        self._refused[part[0]] = Refusal(until_s=at_s + wait_s, wait_s=wait_s, why=why)
        return []

    def _end_s(self, since_s: int) -> int:
        """Return the end of the chunk that begins here; chunks end alike for every replica."""
        return (since_s // self._span_s + 1) * self._span_s

    def _move(self, names: Iterable[str], **ends: int) -> None:
        for name in names:
            self._extents[name] = msgspec.structs.replace(self._extents[name], **ends)

    def _keep(self, names: Iterable[str]) -> None:
        notes = [Note(name=name, body=msgspec.json.encode(self._extents[name])) for name in names]
        self._ledger.note(_KIND, notes)

    def _count_late(self, at_s: int, now_ms: int) -> bool:
        """Count buckets again that got rows after they were counted; returns whether there were any."""
        self._looked = [*self._looked, (at_s, now_ms)][-(LATE_S // BUCKET_S) :]
        if at_s - self._late_at_s < LATE_EVERY_S:
            return False
        self._late_at_s = at_s
        looked = self._looked[:-1]
        late = {late_s for until_s, since_ms in looked for late_s in self._reader.late(since_ms, until_s)}
        self._looked = self._looked[-1:]
        for name, one in self._extents.items():
            owed = late | self._owed.pop(name, set())
            if kept := {s for s in owed if s >= at_s - LATE_S and one.since_s <= s < one.until_s}:
                self._owed[name] = kept
        return bool(self._owed) and self._recount(at_s, now_ms)

    def _recount(self, at_s: int, now_ms: int) -> bool:
        """Count again what is owed; what cannot be counted now is owed until it is too old, and blinds nobody."""
        spans: dict[tuple[int, int], list[str]] = {}
        for name, one in self._asked(at_s):
            is_own = self._reader.is_own(name)
            if is_own and one.until_s < at_s:  # what moves might move beyond what is counted
                continue
            for span in runs(self._owed.get(name, ()), *((LATE_S, 2 * LATE_S) if is_own else (0, self._span_s))):
                spans.setdefault(span, []).append(name)
        is_recount = False
        with suppress(StoreError):
            for (since_s, until_s), names in sorted(spans.items()):
                for part in self._count(names, since_s, until_s, at_s, now_ms, revision=at_s):
                    is_recount = True
                    for name in part:
                        self._owed[name] -= {*range(since_s, until_s, BUCKET_S)}
        return is_recount


def runs(buckets: Iterable[int], gap_s: int, length_s: int) -> list[tuple[int, int]]:
    """Return spans [since, until) that hold buckets, oldest first.

    Args:
        buckets: Their starts.
        gap_s: Longest gap within a span.
        length_s: Longest span.
    """
    found: list[tuple[int, int]] = []
    for at_s in sorted(buckets):
        since_s, until_s = found[-1] if found else (at_s, at_s)
        if found and at_s - until_s <= gap_s and at_s + BUCKET_S - since_s <= length_s:
            found[-1] = since_s, at_s + BUCKET_S
        else:
            found.append((at_s, at_s + BUCKET_S))
    return found


def _page_s(one: Watched) -> int:
    """Return how far back the pages of an objective look; what looks at the whole budget has to wait."""
    pages = [rule for rule in one.rules if rule.severity is Severity.PAGE]
    return max((condition.lookback_s or HOUR_S for rule in pages for condition in rule.conditions), default=HOUR_S)
