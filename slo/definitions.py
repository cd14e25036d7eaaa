"""Knows when a definition of an objective began to hold and when it stopped; refuses to know what it counts.

An engine keeps in its ledger what it holds, so that a start sees what changed since the last one. Each change waits
there until the store has it as a row: a revision more of that objective. Replicas hold the same, so the store is asked
first: what it has already as a revision after the one that was held here before is not written again. Each revision is
an insert of its own, under a token that names it: of several that write it at once the first one's row is kept.

Error: an engine that lost its ledger does not know what it held, so it does not say that an objective stopped which is
gone since; and replicas that are given different definitions at the same moment may write different ones under one
number, of which the later `effective_at` holds.

Source: spec/store.md 4.5 (`slo_definitions`), 10 (tokens); spec/slo.md 1 (definition hash).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec

from slo.ledger import Ledger
from slo.shelf import Shelf
from telemetry.queries.definitions import definitions as last_definitions
from telemetry.schema.objectives import SLO_DEFINITIONS
from telemetry.store import Store

WAITING_MAX = 10_000
"""Changes that may wait for the store; beyond it the oldest are given up."""
OBJECTIVES_MAX = 50
"""Objectives whose changes are copied at once: each is an insert."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What an objective was from a time on.

    Attributes:
        slo: Name of the objective.
        definition_hash: Of what counts.
        source_yaml: All that is said of it, alerts included.
        is_active: Whether it is evaluated; if not, the rest is what it was until then.
        effective_at_ms: From when on, unix milliseconds.
    """

    slo: str
    definition_hash: int
    source_yaml: str
    is_active: bool = True
    effective_at_ms: int = 0

    @property
    def place(self) -> tuple[int, bool, str]:
        """What makes it another than the one before: hash, whether it is active, SHA-256 of its text."""
        return self.definition_hash, self.is_active, hashlib.sha256(self.source_yaml.encode()).hexdigest()


class Definitions:
    """The definitions of one engine; one thread at a time may call it.

    Args:
        ledger: Where they are written down first.
        reader: The store, as who may ask.
        writer: The store, as who may insert.
    """

    def __init__(self, ledger: Ledger, reader: Store, writer: Store) -> None:
        self._reader, self._writer = reader, writer
        self._shelf: Shelf[Definition] = Shelf(ledger, "definition", Definition)

    def hold(self, definitions: Iterable[Definition], at_ms: int) -> int:
        """Take note of what holds from now on, and so of what stopped; durable when it returns.

        Returns:
            How many older changes were given up because too many wait for the store.

        Raises:
            LedgerError: It cannot be written down, nothing of it.
        """
        last = {one.slo: one for _, one in self._ordered()}
        now = {one.slo: one for one in definitions}
        ended = [replace(one, is_active=False) for name, one in last.items() if one.is_active and name not in now]
        begun = [one for name, one in now.items() if name not in last or last[name].place != one.place]
        first = int(max(self._shelf.items(), default="0")) + 1
        changed = [replace(one, effective_at_ms=at_ms) for one in (*ended, *begun)]
        self._shelf.put({f"{n:012}": one for n, one in enumerate(changed, first)})
        lost = sorted(self._shelf.waiting())[:-WAITING_MAX]
        self._shelf.drop(lost)
        return len(lost)

    def copy(self) -> None:
        """Write the changes that the store does not have yet, of a number of objectives.

        Raises:
            StoreError: The store does not have the rest, or it is not known whether it has; the ledger holds it.
            LedgerError: That it has them cannot be written down.
        """
        names = sorted({one.slo for one in self._shelf.waiting().values()})[:OBJECTIVES_MAX]
        if names:
            rows = cast("Sequence[Row]", self._reader.query(last_definitions(names)))
            for name in names:
                self._copy(name, [row for row in rows if row["slo"] == name])
            self._clear()

    def _copy(self, name: str, stored: Sequence[Row]) -> None:
        """Write the changes of one objective, given its revisions in the store, newest first."""
        newest = int(stored[0]["revision"]) if stored else 0
        has = {int(row["revision"]): _place(row) for row in stored}
        seen = newest - 1  # who does not know what was held here before looks at the newest alone
        for key, one in self._ordered(name):
            if self._shelf.is_copied(key):
                seen = max((n for n, place in has.items() if place == one.place), default=seen)
                continue
            found = min((n for n, place in has.items() if n > seen and place == one.place), default=None)
            if found is None:
                newest = found = newest + 1
                self._insert(one, found)
                has[found] = one.place
            seen = found
            self._shelf.copied({key: one})

    def _insert(self, one: Definition, revision: int) -> None:
        token = hashlib.sha256(msgspec.json.encode((one.slo, revision, one.place))).hexdigest()[:32]
        values: Mapping[str, object] = {
            "slo": one.slo,
            "revision": revision,
            "definition_hash": one.definition_hash,
            "effective_at": one.effective_at_ms,
            "active": int(one.is_active),
            "source_yaml": one.source_yaml,
        }
        row = tuple(values[column.name] for column in SLO_DEFINITIONS.insert_columns)
        self._writer.insert_rows(SLO_DEFINITIONS, [row], f"{SLO_DEFINITIONS.name}-{token}")

    def _clear(self) -> None:
        """Forget what the store has and what another one followed, and what stopped."""
        newest = {one.slo: key for key, one in self._ordered() if self._shelf.is_copied(key)}
        last = {one.slo: key for key, one in self._ordered()}
        kept = {key for slo, key in newest.items() if key != last[slo] or self._shelf.items()[key].is_active}
        self._shelf.drop(key for key, _ in self._ordered() if self._shelf.is_copied(key) and key not in kept)

    def _ordered(self, name: str | None = None) -> list[tuple[str, Definition]]:
        """Return the changes, oldest first; of one objective, or of all."""
        return [(key, one) for key, one in sorted(self._shelf.items().items()) if name in {None, one.slo}]


def _place(row: Row) -> tuple[int, bool, str]:
    return int(row["definition_hash"]), bool(row["active"]), str(row["source_sha256"])
