"""Records in memory and in the ledger alike."""

from pathlib import Path

import pytest

from slo.desk_records import Ack
from slo.errors import LedgerError
from slo.ledger import Ledger
from slo.shelf import Shelf

ONE, TWO, OTHER = (Ack(fingerprint=n, who="ann", at_s=n) for n in (1, 2, 3))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "desk.sqlite")


def opened(ledger: Ledger) -> Shelf[Ack]:
    return Shelf(ledger, "ack", Ack)


def test_what_is_put_there_is_there_after_a_restart(ledger: Ledger) -> None:
    shelf = opened(ledger)
    shelf.put({"a": ONE, "b": TWO})
    shelf.copied({"a": ONE})
    again = opened(ledger)

    assert again.items() == {"a": ONE, "b": TWO}
    assert again.waiting() == {"b": TWO}
    assert again.is_copied("a")
    ledger.close()


def test_what_is_changed_waits_again(ledger: Ledger) -> None:
    shelf = opened(ledger)
    shelf.put({"a": ONE})
    waiting = shelf.waiting()
    shelf.put({"a": OTHER})
    shelf.copied(waiting)

    assert shelf.waiting() == {"a": OTHER}
    ledger.close()


def test_a_copy_replaces_what_is_copied_but_nothing_that_waits(ledger: Ledger) -> None:
    shelf = opened(ledger)
    shelf.put({"a": ONE})
    shelf.put_copies({"a": TWO, "b": TWO})
    assert shelf.items() == {"a": ONE, "b": TWO}
    shelf.put_copies({"b": OTHER})

    assert shelf.items() == {"a": ONE, "b": OTHER}
    assert shelf.waiting() == {"a": ONE}
    ledger.close()


def test_what_is_dropped_is_gone(ledger: Ledger) -> None:
    shelf = opened(ledger)
    shelf.put({"a": ONE, "b": TWO})
    shelf.drop(["a", "c"])
    shelf.drop([])

    assert shelf.items() == opened(ledger).items() == {"b": TWO}
    ledger.close()


def test_what_belongs_together_is_kept_together_or_not_at_all(ledger: Ledger) -> None:
    shelf: Shelf[Ack] = opened(ledger)
    beside: Shelf[Ack] = Shelf(ledger, "beside", Ack)
    shelf.put({"a": ONE}, (beside, {"b": TWO}))
    assert (opened(ledger).items(), Shelf[Ack](ledger, "beside", Ack).items()) == ({"a": ONE}, {"b": TWO})
    ledger.close()

    with pytest.raises(LedgerError):
        shelf.put({"c": ONE}, (beside, {"d": TWO}))
    assert (shelf.items(), beside.items()) == ({"a": ONE}, {"b": TWO})
