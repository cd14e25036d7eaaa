"""Knows what a shipper carries: rows of one lane as what the store takes; refuses to know when they travel.

Requests are counted before a late resend, by collector and seq. Samples have neither: one that may be stored is sent
again under its token, and beyond the window of tokens a reading may stand twice, which changes no mean and no counter.

Source: spec/store.md 10.4, 10.5.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from telemetry.accounting import Lane
from telemetry.clock import wall_ms
from telemetry.errors import StorePoisonError
from telemetry.lane_log import Row
from telemetry.record import RequestBatch
from telemetry.sample_record import decode_sample
from telemetry.samples import SAMPLES, Sample
from telemetry.shipping import Answer, answer_of, kept_n
from telemetry.spool_record import decode_request


class RowSink(Protocol):
    """What is asked of a store; all raise the StoreError family."""

    def insert_requests(self, batch: RequestBatch, token: str) -> None:
        """Insert the rows under a token: a token that was seen before changes nothing."""
        ...

    def insert_samples(self, samples: Sequence[Sample], token: str) -> None:
        """Insert samples of one shape under a token: a token that was seen before changes nothing."""
        ...

    def count_requests(self, batch: RequestBatch) -> int:
        """Return how many of the rows are stored."""
        ...

    def inserts_since(self, batch: RequestBatch) -> int:
        """Return how many inserts were taken since that of the rows, or a large number."""
        ...

    def close(self) -> None:
        """Give back what this thread holds of it; a later call takes that again."""
        ...


class Load(Protocol):
    """Rows of one batch, decoded."""

    def insert(self, token: str) -> None:
        """Send them under a token."""
        ...

    def ask(self) -> Answer:
        """Return how many of them the store has; that of rows which nobody can count is `NOTHING`."""
        ...

    def inserts_since(self) -> int | None:
        """Return how many inserts the store took since theirs; None for rows that no view sees."""
        ...

    def past_retention_n(self) -> int:
        """Return how many of them the store drops at once for their age."""
        ...


T = TypeVar("T")
Unsendable = Mapping[int, StorePoisonError]
Loader = Callable[[RowSink, str, Sequence[Row]], tuple[Load, Unsendable]]
"""Decodes rows for a store, given the collector; beside them come those, by seq, that can never be sent."""


@dataclass(frozen=True, slots=True)
class _Requests:
    sink: RowSink
    batch: RequestBatch

    def insert(self, token: str) -> None:
        self.sink.insert_requests(self.batch, token)

    def ask(self) -> Answer:
        expected = kept_n(self.batch.records, wall_ms())
        return answer_of(self.sink.count_requests(self.batch), expected) if expected else Answer.NOTHING

    def inserts_since(self) -> int | None:
        return self.sink.inserts_since(self.batch)

    def past_retention_n(self) -> int:
        return len(self.batch.records) - kept_n(self.batch.records, wall_ms())


@dataclass(frozen=True, slots=True)
class _Samples:
    sink: RowSink
    samples: Sequence[Sample]

    def insert(self, token: str) -> None:
        for shape, kind in SAMPLES.items():
            if rows := [sample for sample in self.samples if isinstance(sample, shape)]:
                self.sink.insert_samples(rows, f"{token}-{kind.table.name}")

    def ask(self) -> Answer:
        return Answer.NOTHING

    def inserts_since(self) -> int | None:
        return None

    def past_retention_n(self) -> int:
        return 0


def loader(lane: Lane) -> Loader:
    """Return what decodes the rows of a lane."""
    return _requests if lane is Lane.REQUESTS else _samples


def _requests(sink: RowSink, collector: str, rows: Sequence[Row]) -> tuple[Load, Unsendable]:
    records, unsendable = _decoded(decode_request, rows)
    batch = RequestBatch(collector=collector, seqs=tuple(records), records=tuple(records.values()))
    return _Requests(sink, batch), unsendable


def _samples(sink: RowSink, _collector: str, rows: Sequence[Row]) -> tuple[Load, Unsendable]:
    samples, unsendable = _decoded(decode_sample, rows)
    return _Samples(sink, tuple(samples.values())), unsendable


def _decoded(decode: Callable[[bytes], T], rows: Sequence[Row]) -> tuple[dict[int, T], Unsendable]:
    good: dict[int, T] = {}
    unsendable: dict[int, StorePoisonError] = {}
    for row in rows:
        try:
            good[row.seq] = decode(row.payload)
        except StorePoisonError as error:
            unsendable[row.seq] = error
    return good, unsendable
