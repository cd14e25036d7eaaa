"""Knows how an exchange becomes a row; refuses to write it.

A row is the record that every part of inferometer writes, and beside it what only a load test knows: the arrival, its
phase, and how the client itself did. Durations in the record count from the planned arrival.

Source: spec/loadtest.md 2, 6, 9; spec/store.md 2.1; telemetry.record.
"""

from random import Random

import msgspec

from loadtest.client import Exchange
from loadtest.errors import LoadError
from loadtest.plan import Arrival
from loadtest.run_spec import Phase, RunSpec
from telemetry.clock import WallAnchor
from telemetry.ids import RANDOM_BITS, uuid7
from telemetry.measured import columns
from telemetry.outcome import Flag, Outcome
from telemetry.outcome_rules import NATURE
from telemetry.record import RequestRecord


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of one arrival.

    Attributes:
        j: Number of the arrival in the plan.
        t_sched_us: Its planned time, microseconds after the start.
        run_phase: Whether it counts.
        worker: Who sent it.
        arm: Which target got it.
        len_in: Tokens of the prompt that were planned.
        len_out: Tokens of the answer that were asked for.
        record: The measurement.
        turn: Of its conversation, from 1.
        reads: Reads that its answer took.
        read_lag_max_us: Latest of them, against the kernel's stamp; None if there were no stamps.
        reused: A kept connection carried it.
        reconnected: A kept connection turned out to be closed and was opened again.
    """

    j: int
    t_sched_us: int
    run_phase: Phase
    worker: int
    arm: int
    len_in: int
    len_out: int
    record: RequestRecord
    turn: int = 1
    reads: int = 0
    read_lag_max_us: int | None = None
    reused: bool = False
    reconnected: bool = False

    @property
    def sent_us(self) -> int | None:
        """When it was sent, microseconds after the start; None if it was not."""
        if self.record.outcome is Outcome.CLIENT_LIMIT or self.record.sched_lag_us is None:
            return None
        return self.t_sched_us + self.record.sched_lag_us


class Rows:
    """Makes the rows of one worker.

    Args:
        run: Names.
        replicas: Address of each target, for the rows.
        worker: Its number.
        random: Makes identifiers.
    """

    def __init__(self, run: RunSpec, replicas: tuple[str, ...], worker: int, random: Random) -> None:
        """Read the clocks once."""
        self._run, self._replicas, self._worker, self._random = run, replicas, worker, random
        self._anchor = WallAnchor.now()

    def row(self, arrival: Arrival, phase: Phase, seen: Exchange, *, attempt: int = 1) -> Row:
        """Make the row of an attempt that is over."""
        return Row(
            j=arrival.j,
            t_sched_us=arrival.t_sched_ns // 1000,
            run_phase=phase,
            worker=self._worker,
            arm=arrival.arm,
            len_in=arrival.len_in,
            len_out=arrival.len_out,
            record=self._record(arrival, phase, seen, attempt),
            turn=arrival.turn,
            reads=seen.reads,
            read_lag_max_us=max(seen.lags_us, default=None),
            reused=seen.reused,
            reconnected=seen.reconnected,
        )

    def _record(self, arrival: Arrival, phase: Phase, seen: Exchange, attempt: int) -> RequestRecord:
        measured, run = columns(seen.measured), self._run
        if seen.own_fault:
            nature = NATURE[Outcome.CLIENT_LIMIT]
            measured |= {"outcome": Outcome.CLIENT_LIMIT, "origin": nature.origin, "eligible": nature.eligible}
            measured["retryable"] = int(nature.retryable)
        measured["flags"] |= Flag.WARMUP if phase is Phase.WARM_UP else 0
        measured["flags"] |= Flag.ABORTED_BY_PLAN if seen.cut_by_plan else 0
        ended_at = self._anchor.unix_ms_at(seen.measured.decided_at_ns)
        replica = self._replicas[arrival.arm]
        return RequestRecord(
            ended_at=ended_at,
            endpoint=run.endpoint or replica,
            model=run.model,
            region=run.region,
            workload_class=arrival.workload_class,
            variant=run.variants[arrival.arm] if run.variants else "",
            traffic="loadtest",
            replica=replica,
            point="client",
            record_id=uuid7(ended_at, self._random.getrandbits(RANDOM_BITS)),
            run_id=run.run_id,
            attempt=attempt,
            bytes_in=seen.sent_bytes,
            bytes_out=seen.received_bytes,
            **measured,
        )


def place(row: Row) -> tuple[int, int, int]:
    """Return where a row stands in the order of the plan: by arrival, turn and attempt."""
    return row.j, row.turn, row.record.attempt


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Row).decode


def line(row: Row) -> bytes:
    """Return a row as a line."""
    return _encode(row) + b"\n"


def read(data: bytes) -> Row:
    """Read a line.

    Raises:
        LoadError: It is no row.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise LoadError(f"not a row: {error}") from error
