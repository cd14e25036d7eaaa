"""Knows up to where each objective is counted and what is counted next; refuses to judge.

Of an objective that is new the hours that its pages look at come first, forward; then what is older, backward, until
the oldest request that is kept or `reader.HISTORY_S`. So what is counted is one span without a gap, and rules speak as
soon as their own windows are whole, while a fortnight goes on being counted. One call counts one chunk. The span is
remembered, by the store's rows and, for those that have hardly any, by the ledger: who begins anew goes on where it
stopped.

Source: spec/slo.md 8 (instants, late rows up to an hour).
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from slo.burn_catalogue import Severity
from slo.ledger import Ledger, Note
from slo.reader import LATE_S, Reader, chunk_s
from slo.watched import HOUR_S, Watched
from slo.windows import BUCKET_S

LATE_EVERY_S = 60
"""How often late rows are looked for."""
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
            StoreError: The store did not answer; what was counted until then stays.
        """
        if not self._extents:
            self._begin(at_s, now_ms)
        near = {name: one.until_s for name, one in self._extents.items() if at_s - one.until_s <= self._span_s}
        while (since_s := min(near.values(), default=at_s)) < at_s:
            names = [name for name, until_s in near.items() if until_s == since_s]
            end_s = min(self._end_s(since_s), at_s)
            self._reader.count(names, since_s, end_s, now_ms)
            self._move(names, until_s=end_s)
            near |= dict.fromkeys(names, end_s)
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
        behind = [self._extents[name].until_s for name in self.behind(at_s)]
        if behind:
            since_s = max(behind)
            until_s = min(self._end_s(since_s), at_s)
            names = [name for name in self.behind(at_s) if self._extents[name].until_s == since_s]
            self._reader.count(names, since_s, until_s, now_ms)
            self._move(names, until_s=until_s)
            self._is_recount = True
        else:
            end_s = max((one.since_s for one in self._extents.values()), default=0)
            if end_s <= self._oldest_s:
                return False
            since_s = max(self._oldest_s, (end_s - 1) // self._span_s * self._span_s)
            names = [name for name, one in self._extents.items() if one.since_s == end_s]
            self._reader.count(names, since_s, end_s, now_ms)
            self._move(names, since_s=since_s)
        self._keep(names)
        return True

    def behind(self, at_s: int) -> frozenset[str]:
        """Return the objectives that are not counted up to an instant."""
        return frozenset(name for name, one in self._extents.items() if one.until_s < at_s)

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
        for late_s in sorted(late):
            names = [name for name, one in self._extents.items() if one.since_s <= late_s < one.until_s]
            self._reader.count(names, late_s, late_s + BUCKET_S, now_ms, revision=at_s)
        self._looked = self._looked[-1:]
        return bool(late)


def _page_s(one: Watched) -> int:
    """Return how far back the pages of an objective look; what looks at the whole budget has to wait."""
    pages = [rule for rule in one.rules if rule.severity is Severity.PAGE]
    return max((condition.lookback_s or HOUR_S for rule in pages for condition in rule.conditions), default=HOUR_S)
