"""Knows where every accepted record is; refuses to know files and stores.

Every count is a count of distinct sequence numbers: each lane keeps the set of seqs it has accepted and, for those that
left the spool, the set of each way out. Sets are unions, so a frame that is read twice (a record written again after a
failed fsync, an acknowledgement met in two segments, a log replayed with an old cursor) changes nothing, and the
identity

    accepted = stored + spooled + dropped{reason} + dlq

holds after a kill -9 at any moment without any counter frame: the log is the ledger. A prefix of the seqs in which
everything is settled is folded into plain numbers (`fold`), which the cursor keeps; seqs below the fold are ignored.

Source: spec/store.md 12.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType


class Lane(IntEnum):
    """What kind of record; the number is written into every record."""

    REQUESTS = 0
    HEARTBEATS = 1
    DETAILS = 2
    PROBES = 3
    ENGINE = 4
    GPU = 5
    CONTROL = 6


DROP_ORDER = (
    Lane.DETAILS,
    Lane.GPU,
    Lane.ENGINE,
    Lane.PROBES,
    Lane.REQUESTS,
    Lane.HEARTBEATS,
    Lane.CONTROL,
)
"""A full spool drops from the first of these that has something (spec/store.md 11.5)."""


class DropReason(StrEnum):
    """Why a record was given up; closed."""

    QUOTA = "quota"
    ENOSPC = "enospc"
    IO_ERROR = "io_error"
    MEMORY_RING = "memory_ring"
    CORRUPT = "corrupt"
    EXPIRED = "expired"
    INVALID = "invalid"
    OPERATOR = "operator"


STORED = "stored"
"""Way out of the spool: the store acknowledged the record."""
DLQ = "dlq"
"""Way out of the spool: the record is in the dead letter queue."""
WAYS_OUT = (STORED, DLQ, *DropReason)
"""Every way out; a record leaves by the first that was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCounters:
    """Records of one lane since the spool directory was made.

    Attributes:
        accepted: Records offered to the spool, dropped ones included.
        stored: Records that the store acknowledged.
        spooled: Records that wait, on disk or in memory.
        dropped: Records given up, by reason.
        dlq: Records in the dead letter queue.
    """

    accepted: int = 0
    stored: int = 0
    spooled: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    dlq: int = 0

    def holds(self) -> bool:
        """Say whether the accounting identity holds."""
        return self.accepted == self.stored + self.spooled + sum(self.dropped.values()) + self.dlq


class SeqSet:
    """A set of sequence numbers as closed ranges, ascending and apart; cheap while it has few gaps."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """Start with the union of closed ranges."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    @classmethod
    def of(cls, seqs: Iterable[int]) -> "SeqSet":
        """Return the set of some sequence numbers, in any order."""
        made = cls()
        for seq in seqs:
            made.add(seq, seq)
        return made

    def add(self, first: int, last: int) -> None:
        """Add the closed range; ranges that touch become one."""
        if not self._lasts or first > self._lasts[-1] + 1:  # the usual case: later than everything
            self._firsts.append(first)
            self._lasts.append(last)
            return
        if first == self._lasts[-1] + 1:
            self._lasts[-1] = last
            return
        lo = bisect_left(self._lasts, first - 1)
        hi = bisect_right(self._firsts, last + 1)
        if lo < hi:
            first, last = min(first, self._firsts[lo]), max(last, self._lasts[hi - 1])
        self._firsts[lo:hi] = [first]
        self._lasts[lo:hi] = [last]

    def update(self, other: "SeqSet") -> None:
        """Add every member of the other set."""
        for first, last in other.ranges():
            self.add(first, last)

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Yield the closed ranges, ascending."""
        return zip(self._firsts, self._lasts, strict=True)

    def __iter__(self) -> Iterator[int]:
        """Yield the members, ascending."""
        for first, last in self.ranges():
            yield from range(first, last + 1)

    def __contains__(self, seq: int) -> bool:
        """Say whether a sequence number is a member."""
        at = bisect_left(self._lasts, seq)
        return at < len(self._firsts) and self._firsts[at] <= seq

    def covers(self, first: int, last: int) -> bool:
        """Say whether every number of a closed range is a member."""
        at = bisect_left(self._lasts, last)
        return at < len(self._firsts) and self._firsts[at] <= first

    def __len__(self) -> int:
        """Return the number of members."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def __bool__(self) -> bool:
        """Say whether there is a member."""
        return bool(self._firsts)

    def __eq__(self, other: object) -> bool:
        """Compare by members."""
        return isinstance(other, SeqSet) and list(self.ranges()) == list(other.ranges())

    __hash__ = None  # type: ignore[assignment]  # a mutable set is no key

    def first(self) -> int | None:
        """Return the least member, None if empty."""
        return self._firsts[0] if self._firsts else None

    def last(self) -> int | None:
        """Return the greatest member, None if empty."""
        return self._lasts[-1] if self._lasts else None

    def within(self, first: int, last: int) -> "SeqSet":
        """Return the members inside a closed range."""
        lo, hi = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        pairs = zip(self._firsts[lo:hi], self._lasts[lo:hi], strict=True)
        return SeqSet((max(a, first), min(b, last)) for a, b in pairs)

    def minus(self, other: "SeqSet") -> "SeqSet":
        """Return the members that the other set lacks."""
        left = SeqSet()
        for first, last in self.ranges():
            at = first
            for a, b in other.within(first, last).ranges():
                if at < a:
                    left.add(at, a - 1)
                at = b + 1
            if at <= last:
                left.add(at, last)
        return left

    def discard_below(self, seq: int) -> int:
        """Remove the members below a sequence number and return how many there were."""
        below = self.within(0, seq - 1)
        kept = self.within(seq, self._lasts[-1]) if self._lasts else SeqSet()
        self._firsts, self._lasts = [a for a, _ in kept.ranges()], [b for _, b in kept.ranges()]
        return len(below)


class LaneLedger:
    """The sets of one lane, above a fold below which only numbers are kept.

    Attributes:
        known: Accepted seqs at or above the fold.
        settled: Those of them that left the spool, by any way.
        fold: First seq that is not folded into `base`.
        base: Folded numbers: `accepted` and one per way out.
    """

    def __init__(self, fold: int = 0, base: Mapping[str, int] = MappingProxyType({})) -> None:
        """Start from a cursor's fold and numbers."""
        self.fold = fold
        self.base = dict(base)
        self.known = SeqSet()
        self.settled = SeqSet()
        self._out: dict[str, SeqSet] = {}

    def accept(self, first: int, last: int) -> None:
        """Know a closed range of seqs."""
        if last >= self.fold:
            self.known.add(max(first, self.fold), last)

    def settle(self, seqs: SeqSet, way_out: str) -> SeqSet:
        """Let seqs leave by a way out; those that left before stay where they are.

        Returns:
            The seqs that left now.
        """
        top = seqs.last()
        fresh = seqs.within(self.fold, top).minus(self.settled) if top is not None else SeqSet()
        self.known.update(fresh)
        self.settled.update(fresh)
        self._out.setdefault(way_out, SeqSet()).update(fresh)
        return fresh

    def unsettled(self) -> SeqSet:
        """Return the seqs that wait."""
        return self.known.minus(self.settled)

    def advance(self) -> int:
        """Fold everything below the first seq that waits and return that seq."""
        waits = self.unsettled().first()
        top = self.known.last()
        seq = waits if waits is not None else max(self.fold, (top or 0) + 1)
        self._fold_one("accepted", self.known, seq)
        for way_out, seqs in self._out.items():
            self._fold_one(way_out, seqs, seq)
        self.settled.discard_below(seq)
        self.fold = seq
        return seq

    def _fold_one(self, name: str, seqs: SeqSet, seq: int) -> None:
        self.base[name] = self.base.get(name, 0) + seqs.discard_below(seq)

    def _count(self, name: str) -> int:
        return self.base.get(name, 0) + len(self._out.get(name, ()))

    def ways_out(self) -> dict[str, list[tuple[int, int]]]:
        """Return the ranges above the fold that left, by way out."""
        return {way_out: list(seqs.ranges()) for way_out, seqs in self._out.items() if seqs}

    def counters(self) -> LaneCounters:
        """Return the numbers; `spooled` is counted from the seqs that wait, not by subtraction."""
        dropped = {str(reason): n for reason in DropReason if (n := self._count(reason))}
        return LaneCounters(
            accepted=self.base.get("accepted", 0) + len(self.known),
            stored=self._count(STORED),
            spooled=len(self.unsettled()),
            dropped=dropped,
            dlq=self._count(DLQ),
        )
