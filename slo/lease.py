"""Knows which of several notifiers tells the receivers that must hear a thing once; refuses to tell it.

Replicas evaluate alike and queue the same notices under the same keys. Those that share a lease file send through one
of them at a time: who holds it renews it, and writes into it what was heard. Who waits drops from its own queue what
the holder has told, so when that one dies the other goes on with the rest: nothing is lost, and only what was heard
but not yet written down is said again, once, under its key. A holder that hangs loses the lease as one that died.

If the file cannot be used everybody sends: to be told twice under one key is better than not at all. The file lies on
one host, or where SQLite may lock files; the clock is the host's own that never steps.

Source: spec/slo.md 11 (one sender by lease, TTL 30 s, at least once, stable keys); SQLite, "File Locking".
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from slo.errors import LedgerError
from slo.ledger import Item, Ledger

LEASE_S = 25.0
"""How long a lease holds that is not renewed; who waits looks a few seconds later, so that 30 s pass at most."""
RENEWALS = 5
"""How many times it is looked at while it holds."""


class Lease(Protocol):
    """Says who sends."""

    @property
    def is_ours(self) -> bool:
        """Whether we send."""
        ...

    def tell(self, items: Sequence[Item]) -> None:
        """Let the others know that these were heard."""
        ...

    def told(self, items: Iterable[Item]) -> Sequence[Item]:
        """Return those that others have told."""
        ...


class FileLease:
    """A lease in a file that replicas share; used by one thread.

    Args:
        shared: The file; it holds nothing but the lease and what was told.
        holder: Who we are; unlike every other process, those before a restart among them.
        elapsed_s: The clock of the host that never steps.
        length_s: How long it holds.
    """

    def __init__(self, shared: Ledger, holder: str, elapsed_s: Callable[[], float], length_s: float = LEASE_S) -> None:
        self._shared, self._holder, self._elapsed_s, self._length_s = shared, holder, elapsed_s, length_s
        self._until_s: float | None = None

    @property
    def look_s(self) -> float:
        """After which time `claim` is to be called again."""
        return self._length_s / RENEWALS

    @property
    def is_ours(self) -> bool:
        """Whether we hold it."""
        return self._until_s is not None and self._elapsed_s() < self._until_s

    def claim(self) -> bool:
        """Take or renew it, if nobody else holds it; returns whether we hold it and did not before."""
        had, now_s = self.is_ours, self._elapsed_s()
        try:
            has = self._shared.claim(self._holder, now_s, self._length_s)
        except LedgerError:
            has = True
        self._until_s = now_s + self._length_s if has else None
        return has and not had

    def release(self) -> None:
        """Give it up, if we hold it."""
        self._until_s = None
        with suppress(LedgerError):
            self._shared.release(self._holder)

    def tell(self, items: Sequence[Item]) -> None:
        """Let the others know that these were heard."""
        with suppress(LedgerError):
            self._shared.keep_sent(items)

    def told(self, items: Iterable[Item]) -> Sequence[Item]:
        """Return those that others have told."""
        try:
            return self._shared.sent_of(items)
        except LedgerError:
            return ()
