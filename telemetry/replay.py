"""Knows how dead letters are offered to a store again, after their cause was repaired; refuses to repair it.

Each row travels alone and is asked for before it is sent: an earlier replay may have died between its insert and the
note in the queue. The token names the row, so two replays at once store it once.

Source: spec/store.md 10.5, 11.7, 12.
"""

from collections.abc import Iterable
from contextlib import suppress

from telemetry.accounting import STORED, Lane
from telemetry.cargo import RowSink, loader
from telemetry.dlq import DeadRow, Dlq, index_of
from telemetry.errors import StoreError
from telemetry.lane_log import Row
from telemetry.shipping import Answer


def replayed(queue: Dlq, rows: Iterable[DeadRow], collector: str, sink: RowSink) -> dict[int, str | None]:
    """Offer rows of the dead letter queue to a store again, one by one.

    Args:
        queue: The queue in which they are.
        rows: Which of them.
        collector: `<node>/<epoch8>` of the spool.
        sink: The store.

    Returns:
        Per seq what the store said, None for a row that is stored now and has left the queue.
    """
    return {row.seq: _offered(queue, row, collector, sink) for row in rows}


def _offered(queue: Dlq, row: DeadRow, collector: str, sink: RowSink) -> str | None:
    try:
        _send(row, collector, sink)
    except StoreError as error:
        queue.failed_again([row.seq])
        return str(error)
    queue.release([row.seq], STORED)
    with suppress(StoreError):  # the row is stored; that the index says so is a courtesy
        sink.insert_samples([index_of(row, collector, "replayed")], f"{collector}-dlq-{row.seq}-replayed")
    return None


def _send(row: DeadRow, collector: str, sink: RowSink) -> None:
    load, unsendable = loader(Lane(row.lane))(sink, collector, [Row(row.seq, row.payload)])
    if error := unsendable.get(row.seq):
        raise error
    token = f"{row.batch_id}-replay-{row.seq}"
    if load.ask() is Answer.NOTHING:
        load.insert(token)
