"""Knows what to do with a batch after each answer of the store; refuses to send, wait or write.

| the store said | did it store? | next |
|---|---|---|
| unreachable, busy | no | the same batch again, after a back-off |
| ambiguous | perhaps | young: again under its token; old, or frozen by an earlier process: ask first |
| denied | no | spool on, try slowly: a human must act |
| drift | perhaps, if it is a view that has drifted | the same; after a while ask first |
| poison | no | a second time and the count is 0: split, until one row is left for the dead letter queue |
| poison | yes | a view failed: while young again under its token, so that a repaired view gets its rows |

A first send never asks. An old doubtful batch must ask, for the store's deduplication by token is a window. That its
rows are there does not show that the views had them: a store that was killed in between has only the rows. So it is
sent once more under its token, if the store has taken few enough inserts since to know it for certain; if not, or if a
view still fails, it is done: a roll-up can be made again from the rows, a row that is there twice is wrong for ever.
Rows that the raw table no longer keeps cannot be asked for; they rest on the token alone.

Source: spec/store.md 10.4 to 10.8.
"""

import sys
from collections.abc import Container, Sequence
from dataclasses import dataclass
from enum import StrEnum

from telemetry.accounting import SeqSet
from telemetry.errors import (
    StoreAmbiguousError,
    StoreBusyError,
    StoreDeniedError,
    StoreDriftError,
    StorePoisonError,
    StoreUnreachableError,
)
from telemetry.lane_log import Row
from telemetry.record import RequestRecord
from telemetry.schema import REQUESTS
from telemetry.spool_format import Batch

YOUNG_S_MAX = 30.0
"""A doubtful batch younger than this is sent again without a question."""
POISON_SEEN_MIN = 2
"""So often a whole batch must be refused as poison before it is split."""
DLQ_RATIO_MAX = 0.01
"""More of a batch than this is no poison but drift."""
DLQ_SMALL_N = 5
"""So many rows are allowed of a smaller batch, if they are not more than half of it, and one always.

Where traffic is low a batch has a few dozen rows, of which two bad ones are more than a hundredth and no drift: that
refuses most rows. What small batches may lose in all is bounded by the hour.
"""
DLQ_PER_HOUR_MAX = 100
RENEW_INSERTS_MAX = 500
"""As long as the store took no more inserts since it took a batch, the batch's token is known to every table.

A roll-up has up to two tokens for each insert, and the window has 10,000 (spec/store.md 1): a tenth of it is used.
"""
RAW_KEPT_MS = (REQUESTS.kept_days or sys.maxsize) * 86_400_000
"""Age beyond which the raw table does not keep a row."""
FIRST_PART_RATIO = 0.382
"""Share of the first part of a split.

Rows that were refused together hold a bad one. If the first part is stored, the second is bad and is split unsent; if
the first is bad, the second must be sent as well. The dearer case gets the smaller part (golden section), so one bad
row among n costs at most about 1.44 * log2(n) + 3 inserts: 20 among 4096, where halves cost 26.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """When a batch that may be in the store may be sent again under its token.

    Attributes:
        young_s_max: Up to this age without a question.
        renew_inserts_max: Although it is stored, for the views, if the store took no more inserts since.
    """

    young_s_max: float = YOUNG_S_MAX
    renew_inserts_max: int = RENEW_INSERTS_MAX


class Verdict(StrEnum):
    """What an error means for the batch."""

    RETRY = "retry"
    DOUBT = "doubt"
    SLOW = "slow"
    POISON = "poison"


_VERDICTS: dict[type[Exception], Verdict] = {
    StoreUnreachableError: Verdict.RETRY,
    StoreBusyError: Verdict.RETRY,
    StoreAmbiguousError: Verdict.DOUBT,
    StoreDeniedError: Verdict.SLOW,
    StoreDriftError: Verdict.SLOW,
    StorePoisonError: Verdict.POISON,
}


class Answer(StrEnum):
    """What a count says about a batch."""

    STORED = "stored"
    NOTHING = "nothing"
    PARTIAL = "partial"


class Budget:
    """How many rows of one batch may still go to the dead letter queue."""

    def __init__(self, rows_n: int) -> None:
        """Allow a share of the batch."""
        self.left = max(1, min(DLQ_SMALL_N, rows_n // 2), int(rows_n * DLQ_RATIO_MAX))


@dataclass(slots=True, kw_only=True)
class Parcel:
    """A frozen batch on its way.

    Attributes:
        batch: What was frozen.
        rows: Its rows, by seq.
        budget: Shared by all parts of one batch.
        doubtful: It may be in the store already.
        doubtful_since_ns: Monotonic stamp of the first doubtful send; None if an earlier process sent it, or never.
        poison_n: How often the store refused these rows.
        is_part: It comes from a split, so its rows were refused before.
        is_bad: Its rows were refused together with a part that was stored.
        is_renewed: It was found stored and sent once more, for the views.
        sibling: The other part, if that one comes later.
    """

    batch: Batch
    rows: Sequence[Row]
    budget: Budget
    doubtful: bool = False
    doubtful_since_ns: int | None = None
    poison_n: int = 0
    is_part: bool = False
    is_bad: bool = False
    is_renewed: bool = False
    sibling: "Parcel | None" = None

    def doubt(self, now_ns: int) -> None:
        """Remember that a send may have worked."""
        if not self.doubtful:
            self.doubtful, self.doubtful_since_ns = True, now_ns

    def is_whole(self) -> bool:
        """Say whether it is as it was first cut: only then no other token can have brought its rows into the store."""
        return self.batch.batch_id.rpartition("-")[2].isdigit()

    def trust(self) -> None:
        """Forget the doubt: a count has answered it."""
        self.doubtful, self.doubtful_since_ns = False, None

    def must_ask(self, now_ns: int, young_s_max: float = YOUNG_S_MAX) -> bool:
        """Say whether the store must be asked before the next send."""
        if not self.doubtful:
            return False
        return self.doubtful_since_ns is None or now_ns - self.doubtful_since_ns >= young_s_max * 1e9

    def is_proven_poison(self) -> bool:
        """Say whether the refusals suffice to split the batch."""
        return self.is_part or self.poison_n >= POISON_SEEN_MIN


def verdict_on(error: Exception) -> Verdict:
    """Return what an error means; one that nobody foresaw may have come after the rows were stored."""
    return next((_VERDICTS[kind] for kind in type(error).__mro__ if kind in _VERDICTS), Verdict.DOUBT)


def may_be_stored(error: Exception) -> bool:
    """Say whether the rows may be in the store although it answered this."""
    return verdict_on(error) is Verdict.DOUBT or isinstance(error, StoreDriftError)


def answer_of(count: int, rows_n: int) -> Answer:
    """Read the count of a batch's rows in the store."""
    if count >= rows_n:
        return Answer.STORED
    return Answer.PARTIAL if count else Answer.NOTHING


def kept_n(records: Sequence[RequestRecord], now_ms: int) -> int:
    """Return how many records the raw table keeps: it drops an older one at insert, which the roll-ups still take.

    Args:
        records: Of one batch.
        now_ms: Wall clock, unix milliseconds.
    """
    oldest_ms = now_ms - RAW_KEPT_MS
    return sum(record.ended_at >= oldest_ms for record in records)


def split(parcel: Parcel, *, doubtful: bool = False) -> tuple[Parcel, Parcel]:
    """Cut a parcel of at least two rows into two parts with ids of their own.

    Args:
        parcel: What is cut.
        doubtful: Some of its rows are in the store, so each part must ask first.
    """
    at = max(1, round(len(parcel.rows) * FIRST_PART_RATIO))
    first, second = (
        Parcel(
            batch=_part(parcel.batch, n, rows),
            rows=rows,
            budget=parcel.budget,
            doubtful=doubtful,
            is_part=not doubtful,
        )
        for n, rows in enumerate((parcel.rows[:at], parcel.rows[at:]))
    )
    first.sibling = None if doubtful else second
    return first, second


def set_aside(parcel: Parcel, seqs: Container[int]) -> list[Parcel]:
    """Cut a parcel of several rows into the good ones and, each alone, those that can never be sent.

    Args:
        parcel: What is cut.
        seqs: The rows that can never be sent.
    """
    good = [row for row in parcel.rows if row.seq not in seqs]
    groups = ([good] if good else []) + [[row] for row in parcel.rows if row.seq in seqs]
    return [
        Parcel(batch=_part(parcel.batch, n, rows), rows=rows, budget=parcel.budget, doubtful=parcel.doubtful)
        for n, rows in enumerate(groups)
    ]


def _part(batch: Batch, n: int, rows: Sequence[Row]) -> Batch:
    seqs = SeqSet.of(row.seq for row in rows)
    return Batch(f"{batch.batch_id}.{n}", batch.lane, list(seqs.ranges()), len(rows), batch.schema)
