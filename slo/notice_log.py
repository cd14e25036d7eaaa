"""Knows how the steps of notices get into the store, for looking back; refuses to know what they are.

The ledger is the authority and holds a step until the store has it. Steps go in batches that are cut once, each under a
token of its own: a batch that may have arrived is sent again as it was, and then changes nothing.

Error: a store remembers the tokens of its last 10 000 inserts into a table. A batch that is sent again after so many of
others stands there twice; one ledger sends a batch or more in 30 s, so that takes days without an answer.

Source: spec/slo.md 11; spec/store.md 3 (`notification_log`), 10 (tokens).
"""

from collections.abc import Callable, Mapping

from slo.ledger import Ledger
from slo.notice_steps import NoticeStep
from telemetry.schema.objectives import NOTIFICATION_LOG
from telemetry.store import Store

BATCH_STEPS_MAX = 5_000
"""Steps of one insert."""
BATCHES_MAX = 4
"""Batches that are copied at once; what is left waits for the next time."""
_UINT8, _UINT16, _UINT32 = (1 << 8) - 1, (1 << 16) - 1, (1 << 32) - 1


class NoticeLog:
    """The copy of the steps of one ledger.

    Args:
        ledger: What holds them.
        writer: The store, as who may insert.
        replica: Name of this engine in rows.
        new_id: Returns a text that nobody else gets.
    """

    def __init__(self, ledger: Ledger, writer: Store, replica: str, new_id: Callable[[], str]) -> None:
        self._ledger, self._writer, self._replica, self._new_id = ledger, writer, replica, new_id

    def copy(self) -> int:
        """Copy what waits; returns how many steps.

        Raises:
            StoreError: The store does not have the rest, or it is not known whether it has; the ledger holds it.
            LedgerError: The ledger cannot be read or written.
        """
        copied_n = 0
        for _ in range(BATCHES_MAX):
            batch, steps = self._ledger.steps(f"{NOTIFICATION_LOG.name}-{self._new_id()}", BATCH_STEPS_MAX)
            if not steps:
                break
            self._writer.insert_rows(NOTIFICATION_LOG, [self._row(one) for one in steps], batch)
            self._ledger.copied(batch)
            copied_n += len(steps)
        return copied_n

    def _row(self, one: NoticeStep) -> tuple[object, ...]:
        tried = one.tried
        values: Mapping[str, object] = {
            "at": tried.at_ms,
            "channel": one.channel,
            "group_key": tried.group_key,
            "fingerprint": one.fingerprint,
            "idempotency_key": one.key,
            "attempt": min(one.attempt, _UINT8),
            "state": one.state.value,
            "http_status": min(tried.http_status or 0, _UINT16),
            "duration_us": None if tried.duration_us is None else min(tried.duration_us, _UINT32),
            "replica": self._replica,
        }
        return tuple(values[column.name] for column in NOTIFICATION_LOG.insert_columns)
