"""Knows a store that lives in memory and obeys a script: a real small implementation for tests and demos.

Like ClickHouse it drops an insert whose token it has seen, within a window of tokens, and stores an insert whole or not
at all. It keeps no copies apart: `rows` is what a query would find, duplicates included.

Source: spec/store.md 10.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from threading import Condition
from uuid import UUID

from telemetry.errors import (
    StoreAmbiguousError,
    StoreBusyError,
    StoreDeniedError,
    StoreDriftError,
    StorePoisonError,
    StoreUnreachableError,
)
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestBatch, RequestRecord
from telemetry.samples import Sample

WINDOW = 10_000
"""Tokens that are remembered (spec/store.md 1)."""


class Fault(StrEnum):
    """What the store does instead of a plain answer to one insert."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    DENIED = "denied"
    DRIFT = "drift"
    AMBIGUOUS_AFTER = "ambiguous_after"
    """The rows are stored, the answer is lost."""
    AMBIGUOUS_BEFORE = "ambiguous_before"
    """Nothing is stored, the answer is lost."""
    VIEW_FAILED = "view_failed"
    """The rows are stored and a poison code is answered: a view behind the table failed."""


def sample_request(n: int, ended_at: int = 1_790_000_000_000) -> RequestRecord:
    """Return a plausible record of a streamed request; records of different n differ."""
    return RequestRecord(
        ended_at=ended_at,
        elapsed_us=1_500_000 + n,
        endpoint="vllm",
        model="Qwen/Qwen2.5-0.5B-Instruct",
        replica="127.0.0.1:8000",
        api="openai_chat",
        record_id=UUID(int=n),
        outcome=Outcome.OK,
        phase=Phase.DONE,
        finish_reason="stop",
        eligible=Eligibility.GOOD,
        http_status=200,
        stream=1,
        e2e_us=1_500_000 + n,
        headers_us=40_000,
        first_event_us=45_000,
        ttft_us=50_000,
        ttft_service_us=50_000,
        ttfo_us=50_000,
        tpot_us=20_000,
        icl_p50_us=20_000,
        icl_p99_us=30_000,
        icl_max_us=31_000,
        n_arrivals=70,
        n_out_events=70,
        itl_h={-91: 40, -90: 25, -89: 4},
        tok_by_s=(50, 20),
        tokens_in=100,
        tokens_out=70,
        bytes_in=900,
        bytes_out=20_000,
    )


_ERRORS = {
    Fault.UNREACHABLE: StoreUnreachableError,
    Fault.BUSY: StoreBusyError,
    Fault.DENIED: StoreDeniedError,
    Fault.DRIFT: StoreDriftError,
    Fault.AMBIGUOUS_AFTER: StoreAmbiguousError,
    Fault.AMBIGUOUS_BEFORE: StoreAmbiguousError,
    Fault.VIEW_FAILED: StorePoisonError,
}
_STORES = frozenset({Fault.NONE, Fault.AMBIGUOUS_AFTER, Fault.VIEW_FAILED})


class MemoryStore:
    """A store in memory; implements `telemetry.cargo.RowSink`.

    Args:
        poison: Says which records it refuses.
        window: Tokens that it remembers.

    Attributes:
        rows: (collector, seq, record) of every stored row, in order of arrival.
        samples: Every stored sample, in order of arrival.
        tokens: Token of every insert that was tried, in order.
        standing: Fault of every insert for which the script has none.
        closed_n: How often a thread was done with it.
    """

    def __init__(self, poison: Callable[[RequestRecord], bool] | None = None, window: int = WINDOW) -> None:
        """Start empty, without faults."""
        self.rows: list[tuple[str, int, RequestRecord]] = []
        self.samples: list[Sample] = []
        self.tokens: list[str] = []
        self.standing = Fault.NONE
        self.closed_n = 0
        self._script: deque[Fault] = deque()
        self._poison, self._window = poison, window
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._inserts: list[tuple[str, int, int]] = []
        self._changed = Condition()

    def plan(self, faults: Iterable[Fault]) -> None:
        """Let the next inserts meet these faults, one each."""
        with self._changed:
            self._script.extend(faults)

    def repair(self) -> None:
        """Refuse no record any more and forget all faults."""
        with self._changed:
            self._poison, self.standing = None, Fault.NONE
            self._script.clear()

    def insert_requests(self, batch: RequestBatch, token: str) -> None:
        """Insert a batch, or do what the script says."""
        self._insert(token, lambda: self._store(batch))

    def insert_samples(self, samples: Sequence[Sample], token: str) -> None:
        """Insert samples, or do what the script says."""
        self._insert(token, lambda: self.samples.extend(samples))

    def _insert(self, token: str, store: Callable[[], None]) -> None:
        with self._changed:
            self.tokens.append(token)
            fault = self._script.popleft() if self._script else self.standing
            try:
                if fault in _STORES and token not in self._seen:
                    store()
                    self._remember(token)
            finally:
                self._changed.notify_all()
        if fault is not Fault.NONE:
            raise _ERRORS[fault](fault)

    def _remember(self, token: str) -> None:
        self._seen[token] = None
        while len(self._seen) > self._window:
            self._seen.popitem(last=False)

    def _store(self, batch: RequestBatch) -> None:
        if self._poison is not None and any(map(self._poison, batch.records)):
            raise StorePoisonError("a row cannot be parsed", 27)
        self._inserts.append((batch.collector, batch.seqs[0], batch.seqs[-1]))
        self.rows += [(batch.collector, seq, record) for seq, record in zip(batch.seqs, batch.records, strict=True)]

    def count_requests(self, batch: RequestBatch) -> int:
        """Return how many of a batch's rows are stored, duplicates included."""
        seqs = set(batch.seqs)
        with self._changed:
            return sum(collector == batch.collector and seq in seqs for collector, seq, _ in self.rows)

    def inserts_since(self, batch: RequestBatch) -> int:
        """Return how many inserts were stored since that of a batch, that one included; 0 if it was none."""
        with self._changed:
            holds = [batch.collector == who and a <= batch.seqs[0] <= b for who, a, b in self._inserts]
        return len(holds) - holds.index(True) if True in holds else 0

    def close(self) -> None:
        """Count that a thread is done with it."""
        with self._changed:
            self.closed_n += 1
            self._changed.notify_all()

    def wait_for(self, condition: Callable[["MemoryStore"], bool], timeout_s: float) -> bool:
        """Wait until something is true after an insert; False if it was not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_s)
