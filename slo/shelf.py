"""Knows how records of one kind are held in memory and in the ledger alike; refuses to know what they are.

A record is on disk before it is in memory. Readers get the mapping as it is, which is replaced and never changed.

Source: spec/slo.md 9 (persist before anything follows from it).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from slo.ledger import Ledger, Note

T = TypeVar("T")


class Shelf(Generic[T]):
    """Records of one kind by name; one thread at a time may write.

    Attributes:
        kind: Of the notes.

    Args:
        ledger: Where they are written down.
        kind: Of the notes there.
        of: Type of a record.
    """

    def __init__(self, ledger: Ledger, kind: str, of: Any) -> None:  # noqa: ANN401 -- also types like tuple[X, ...]
        self._ledger, self.kind = ledger, kind
        notes = ledger.notes(kind)
        self._items: Mapping[str, T] = {one.name: msgspec.json.decode(one.body, type=of) for one in notes}
        self._copied: frozenset[str] = frozenset(one.name for one in notes if one.is_copied)

    def items(self) -> Mapping[str, T]:
        """Return all of them, by name."""
        return self._items

    def is_copied(self, name: str) -> bool:
        """Return whether the store has one, too."""
        return name in self._copied

    def waiting(self) -> dict[str, T]:
        """Return those that the store does not have."""
        return {name: item for name, item in self._items.items() if name not in self._copied}

    def put(self, items: Mapping[str, T], *beside: "tuple[Shelf[Any], Mapping[str, Any]]") -> None:
        """Keep records, and what belongs to them on other shelves of the same ledger; durable when it returns.

        Raises:
            LedgerError: They cannot be written down, none of them; so for the other methods that change something.
        """
        puts: tuple[tuple[Shelf[Any], Mapping[str, Any]], ...] = ((self, items), *beside)
        self._ledger.note_all({shelf.kind: shelf.notes(some) for shelf, some in puts})
        for shelf, some in puts:
            shelf.hold(some)

    def notes(self, items: Mapping[str, T], *, is_copied: bool = False) -> list[Note]:
        """Return records as the ledger keeps them."""
        return [Note(name=name, body=msgspec.json.encode(item), is_copied=is_copied) for name, item in items.items()]

    def hold(self, items: Mapping[str, T], *, is_copied: bool = False) -> None:
        """Have in memory what the ledger has."""
        self._items = {**self._items, **items}
        self._copied = self._copied | items.keys() if is_copied else self._copied - items.keys()

    def put_copies(self, items: Mapping[str, T]) -> None:
        """Keep what the store has, unless something newer waits for it."""
        news = {
            name: item
            for name, item in items.items()
            if self._items.get(name) != item and (name in self._copied or name not in self._items)
        }
        self._write(news, is_copied=True)

    def copied(self, items: Mapping[str, T]) -> None:
        """Note that the store has these, if they are still the same."""
        self._write({name: one for name, one in items.items() if self._items.get(name) is one}, is_copied=True)

    def drop(self, names: Iterable[str]) -> None:
        """Forget some."""
        gone = set(names)
        if gone:
            self._ledger.drop_notes(self.kind, gone)
            self._items = {name: item for name, item in self._items.items() if name not in gone}
            self._copied -= gone

    def _write(self, items: Mapping[str, T], *, is_copied: bool) -> None:
        if items:
            self._ledger.note(self.kind, self.notes(items, is_copied=is_copied))
            self.hold(items, is_copied=is_copied)
