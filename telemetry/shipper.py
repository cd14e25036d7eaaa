"""Knows how rows travel from a spool to a store, exactly once in effect; refuses to know SQL and files.

One thread, one batch at a time: read, cut, freeze, wait until the freeze is durable, send, acknowledge. A batch that
was frozen keeps its id and its rows for ever, so whatever dies, it is sent again as it was (`telemetry.shipping` has
the table of what follows which answer). The thread also drains a spool to which nobody appends.

Source: spec/store.md 10.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from threading import Event, Thread

from telemetry.accounting import DLQ, STORED, DropReason, Lane, SeqSet
from telemetry.backoff import Backoff, Pace
from telemetry.cargo import Load, RowSink, Unsendable, loader
from telemetry.clock import monotonic_ns, wall_ms
from telemetry.dlq import DeadRow, index_of
from telemetry.errors import StoreAmbiguousError, StoreError, TelemetryError
from telemetry.shipping import (
    DLQ_PER_HOUR_MAX,
    Answer,
    Budget,
    Caution,
    Parcel,
    Verdict,
    may_be_stored,
    set_aside,
    split,
    verdict_on,
)
from telemetry.spool import Spool
from telemetry.spool_format import Batch
from telemetry.spool_reader import BATCH_BYTES_MAX, ROWS_MAX

CUT_S = 1.0
"""Time between two cuts while the shipper keeps up."""
NEWEST_EVERY = 5
"""While rows wait on disk, each fifth batch takes the newest rows instead, so a backlog does not blind alerts."""
TOO_MANY_PARTS = 252
"""ClickHouse's code when inserts come faster than merges: fewer and larger batches help."""
_HOUR_NS = 3_600 * 10**9
ERROR_CHARS_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """When and how much is sent at once.

    Attributes:
        cut_s: Time between two batches while the shipper keeps up.
        rows_max: Rows of one batch.
    """

    cut_s: float = CUT_S
    rows_max: int = ROWS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipperStatus:
    """What an operator wants to know about the way to the store.

    Attributes:
        counts: Sends, stored batches, errors by verdict, questions, splits and so on, since the start.
        last_error: The store's last words; None if the last send worked.
        is_flooded: So many rows are refused that the shipper has stopped: that is drift, not poison.
        is_alive: The thread runs.
        cut_s: Time between two cuts now; longer than usual while the store has too many parts.
    """

    counts: Mapping[str, int]
    last_error: str | None
    is_flooded: bool
    is_alive: bool
    cut_s: float


class Shipper:
    """Ships one spool into one store.

    Args:
        spool: An open spool; its owner closes it after `stop`.
        sink: The store; used by the shipper's thread alone.
        lane: Lane whose rows travel.
        backoff: Waits between tries.
        cut: When a batch is cut, and how large.
        caution: When a doubtful batch may be sent again.
    """

    def __init__(
        self,
        spool: Spool,
        sink: RowSink,
        *,
        lane: Lane = Lane.REQUESTS,
        backoff: Backoff | None = None,
        cut: Cut | None = None,
        caution: Caution | None = None,
    ) -> None:
        """Prepare; nothing runs until `start`."""
        self._spool, self._sink, self._lane = spool, sink, lane
        self._reader, self._load = spool.reader(lane), loader(lane)
        self._backoff = backoff or Backoff(Random())  # noqa: S311  # jitter is no secret
        cut = cut or Cut()
        self._pace, self._rows_max = Pace(cut.cut_s), cut.rows_max
        self._caution = caution or Caution()
        self._stopping, self._given_up = Event(), Event()
        self._thread = Thread(target=self._run, name=f"shipper-{lane.name.lower()}", daemon=True)
        self._work: deque[Parcel] = deque()
        self._dead_at_ns: deque[int] = deque()
        self._counts: Counter[str] = Counter()
        self._last_error: str | None = None
        self._is_flooded = False
        self._cuts_n = 0

    def start(self) -> None:
        """Start the thread; it first reads what earlier processes left."""
        self._thread.start()

    def stop(self, deadline_s: float) -> int:
        """Ship what waits until the deadline, then end the thread.

        Args:
            deadline_s: Seconds to go on; a call that is under way is always awaited.

        Returns:
            Number of rows that are still in the spool.
        """
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(deadline_s)
            self._given_up.set()
            self._thread.join()
        counters = self._spool.counters().get(self._lane.name.lower())
        return 0 if counters is None else counters.spooled

    def status(self) -> ShipperStatus:
        """Return how the way to the store is."""
        return ShipperStatus(
            counts=dict(self._counts),
            last_error=self._last_error,
            is_flooded=self._is_flooded,
            is_alive=self._thread.is_alive(),
            cut_s=self._pace.cut_s,
        )

    def _run(self) -> None:
        going_on = self._guarded(self._begin)
        while going_on and not self._given_up.is_set():
            going_on = self._guarded(self._next)
        self._sink.close()  # or each spool that was ever drained would hold a connection of the store

    def _guarded(self, step: Callable[[], bool]) -> bool:
        """Take a step; whatever it meets is counted and shown, and the shipping goes on."""
        try:
            return step()
        except Exception as error:  # noqa: BLE001  # a thread that dies silently would lose the store for good
            self._counts["errors_unforeseen"] += 1
            self._note(error)
            self._given_up.wait(self._backoff.slow())
            return True

    def _begin(self) -> bool:
        self._spool.recover()
        for batch in self._spool.pending():
            if batch.lane == self._lane:
                self._take_up(batch)
        return True

    def _next(self) -> bool:
        """Deliver or cut; False once nothing waits and the end was asked for."""
        if self._work:
            self._deliver(self._work[0])
            return True
        ending = self._stopping.is_set()  # read before the cut: rows that came while it waited are shipped too
        return self._cut() or not ending

    def _take_up(self, batch: Batch) -> None:
        """Go on with a batch that an earlier process froze: it may be in the store."""
        rows = self._reader.find(SeqSet(batch.ranges))
        lost = SeqSet(batch.ranges).minus(SeqSet.of(row.seq for row in rows))
        if lost:
            self._spool.drop(lost, DropReason.CORRUPT, self._lane)
        self._counts["taken_up"] += 1
        self._work.append(Parcel(batch=batch, rows=rows, budget=Budget(len(rows)), doubtful=True))

    def _cut(self) -> bool:
        """Freeze the next batch, or wait for the time of the next cut; False if nothing waits."""
        behind = self._reader.behind
        self._cuts_n += behind
        rows = self._reader.cut(self._rows_max, newest=behind and self._cuts_n % NEWEST_EVERY == 0)
        if not rows:
            if not self._reader.behind:
                self._stopping.wait(self._pace.cut_s)
            return self._reader.behind
        batch = self._spool.freeze(rows, self._lane)
        self._work.append(Parcel(batch=batch, rows=rows, budget=Budget(len(rows))))
        return True

    def _deliver(self, parcel: Parcel) -> None:
        """Take the next step with the first parcel, and wait if the store needs time."""
        while not self._spool.wait_durable(1.0):
            if self._given_up.is_set():
                return
        try:
            self._step(parcel)
        except StoreError as error:
            self._refused(parcel, error)
        except TelemetryError:
            raise
        except Exception as error:  # noqa: BLE001  # a sink that breaks its promise: the rows may be stored
            self._refused(parcel, StoreAmbiguousError(f"{type(error).__name__}: {error}"))
        else:
            if not self._is_flooded:
                self._backoff.worked()
                self._last_error = None
            self._breathe(parcel)

    def _breathe(self, parcel: Parcel) -> None:
        """Wait for the next cut, unless there is more to send at once."""
        full = len(parcel.rows) >= self._rows_max or sum(len(r.payload) for r in parcel.rows) >= BATCH_BYTES_MAX // 2
        if not (self._work or full or self._reader.behind):
            self._stopping.wait(self._pace.cut_s)

    def _step(self, parcel: Parcel) -> None:
        if parcel.is_bad and len(parcel.rows) > 1:
            self._replace(parcel, split(parcel))
            return
        if not parcel.rows:
            self._done(parcel, DropReason.CORRUPT)
            return
        load, unsendable = self._load_of(parcel)
        if unsendable:
            self._set_aside(parcel, unsendable)
            return
        if parcel.must_ask(monotonic_ns(), self._caution.young_s_max):
            answer = self._ask(load)
            if not (answer is Answer.STORED and self._may_renew(parcel, load)) and self._settled(parcel, answer):
                return
        self._counts["sends"] += 1
        load.insert(parcel.batch.batch_id)
        self._counts["rows_past_retention"] += load.past_retention_n()
        if parcel.sibling is not None:
            parcel.sibling.is_bad = True
        self._pace.worked()
        self._is_flooded = False
        self._done(parcel, STORED)

    def _load_of(self, parcel: Parcel) -> tuple[Load, Unsendable]:
        return self._load(self._sink, self._spool.collector, parcel.rows)

    def _set_aside(self, parcel: Parcel, unsendable: Unsendable) -> None:
        """Part the rows that can never be sent from the others, and bury them one by one."""
        if len(parcel.rows) > 1:
            self._replace(parcel, set_aside(parcel, unsendable))
            return
        self._bury(parcel, unsendable[parcel.rows[0].seq])

    def _ask(self, load: Load) -> Answer:
        self._counts["asked"] += 1
        return load.ask()

    def _may_renew(self, parcel: Parcel, load: Load) -> bool:
        """Say, once per parcel, whether rows that are stored may be sent again so that every view has them."""
        if parcel.is_renewed or not parcel.is_whole():
            return False
        since = load.inserts_since()
        if since is None or since > self._caution.renew_inserts_max:
            return False
        parcel.is_renewed = True
        self._counts["renewed"] += 1
        return True

    def _settled(self, parcel: Parcel, answer: Answer) -> bool:
        """Do what a count says: the parcel is done, or split; False if nothing of it is stored."""
        if answer is Answer.STORED:
            self._done(parcel, STORED)
        elif answer is Answer.PARTIAL:
            self._counts["partial"] += 1
            self._replace(parcel, split(parcel, doubtful=True))
        else:
            parcel.trust()
        return answer is not Answer.NOTHING

    def _done(self, parcel: Parcel, way_out: str) -> None:
        self._spool.settle(parcel.batch, way_out)
        self._counts[f"batches_{way_out}"] += 1
        self._work.remove(parcel)

    def _replace(self, parcel: Parcel, parts: Sequence[Parcel]) -> None:
        """Let a parcel give way to its parts, in their order."""
        self._spool.split(parcel.batch, [part.batch for part in parts])
        self._counts["splits"] += 1
        self._work.remove(parcel)
        self._work.extendleft(reversed(parts))

    def _note(self, error: Exception) -> None:
        self._last_error = f"{type(error).__name__}: {error}"[:ERROR_CHARS_MAX]

    def _refused(self, parcel: Parcel, error: StoreError) -> None:
        verdict = verdict_on(error)
        self._counts[f"errors_{verdict}"] += 1
        self._note(error)
        if error.code == TOO_MANY_PARTS:
            self._counts["too_many_parts"] += 1
            self._pace.crowded()
        if may_be_stored(error):
            parcel.doubt(monotonic_ns())
        if verdict is Verdict.POISON and self._poisoned(parcel, error):
            return
        self._given_up.wait(self._backoff.slow() if verdict is Verdict.SLOW else self._backoff.failed())

    def _poisoned(self, parcel: Parcel, error: StoreError) -> bool:
        """Go on with refused rows; False if they must be tried again as they are."""
        parcel.poison_n += 1
        if not parcel.is_proven_poison():
            return False
        try:
            answer = self._ask(self._load_of(parcel)[0])
        except StoreError as unknown:
            self._note(unknown)
            return False
        if answer is Answer.STORED:
            self._counts["views_failed"] += 1
            parcel.doubt(monotonic_ns())
            return False
        if not self._settled(parcel, answer):
            self._bisect(parcel, error)
        return True

    def _bisect(self, parcel: Parcel, error: StoreError) -> None:
        if len(parcel.rows) > 1:
            self._replace(parcel, split(parcel))
        else:
            self._bury(parcel, error)

    def _bury(self, parcel: Parcel, error: StoreError) -> None:
        """Put a single row into the dead letter queue, or wait if too many went there."""
        now_ns = monotonic_ns()
        while self._dead_at_ns and now_ns - self._dead_at_ns[0] > _HOUR_NS:
            self._dead_at_ns.popleft()
        self._is_flooded = parcel.budget.left <= 0 or len(self._dead_at_ns) >= DLQ_PER_HOUR_MAX
        if self._is_flooded:
            self._counts["floods"] += 1
            self._note(error)
            self._given_up.wait(self._backoff.slow())
            return
        row, batch = parcel.rows[0], parcel.batch
        text = str(error)[:ERROR_CHARS_MAX]
        dead = DeadRow(row.seq, batch.lane, batch.batch_id, error.code, text, row.payload, wall_ms())
        self._spool.dlq.add([dead])
        if batch.lane != Lane.CONTROL:  # the index of a refused index would never end
            self._spool.append_samples([index_of(dead, self._spool.collector)])
        parcel.budget.left -= 1
        self._dead_at_ns.append(now_ns)
        self._done(parcel, DLQ)
