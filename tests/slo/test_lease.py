"""Tests of slo.lease: who holds it, when it passes on, and what of a queue is left to the next one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from notices import FIRING, RESOLVED
from receiver import Dial

from slo.lease import LEASE_S, RENEWALS, FileLease
from slo.ledger import Ledger


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "lease.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def dial() -> Dial:
    return Dial()


def lease(shared: Ledger, dial: Dial, holder: str) -> FileLease:
    return FileLease(shared, holder, dial.clock.elapsed_s)


def test_one_of_two_holds_it_for_as_long_as_it_renews_it(shared: Ledger, dial: Dial) -> None:
    one, other = lease(shared, dial, "one"), lease(shared, dial, "other")
    assert (one.claim(), other.claim()) == (True, False)
    for _ in range(3 * RENEWALS):
        dial.now_s += one.look_s
        assert (one.claim(), other.claim()) == (False, False)

    assert (one.is_ours, other.is_ours) == (True, False)


def test_when_it_is_not_renewed_the_other_has_it_within_thirty_seconds(shared: Ledger, dial: Dial) -> None:
    """The holder hangs, and finds out when it comes back."""
    one, other = lease(shared, dial, "one"), lease(shared, dial, "other")
    one.claim()
    died_s = dial.now_s
    while not other.claim():
        dial.now_s += other.look_s

    assert LEASE_S <= dial.now_s - died_s <= 30
    assert (one.is_ours, one.claim(), one.is_ours) == (False, False, False)


def test_who_ends_gives_it_up_and_nobody_elses(shared: Ledger, dial: Dial) -> None:
    one, other = lease(shared, dial, "one"), lease(shared, dial, "other")
    one.claim()
    other.release()
    assert not other.claim()
    one.release()

    assert (other.claim(), one.is_ours) == (True, False)


def test_a_lease_of_a_host_that_ran_for_longer_before_it_began_anew_is_void(shared: Ledger, dial: Dial) -> None:
    dial.now_s = 1e6
    lease(shared, dial, "before").claim()
    dial.now_s = 10

    assert lease(shared, dial, "after").claim()


def test_what_was_told_is_known_to_the_others(shared: Ledger, dial: Dial, tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "own.sqlite")) as own:
        own.save(60, [], {"c": [FIRING], "d": [FIRING, RESOLVED]})
        (to_c,), (to_d,) = own.waiting("c", 9), own.waiting("d", 9)
    lease(shared, dial, "one").tell([to_c])

    assert lease(shared, dial, "other").told([to_c, to_d]) == [to_c]


def test_if_the_file_cannot_be_used_everybody_sends(tmp_path: Path, dial: Dial) -> None:
    path = tmp_path / "lease.sqlite"
    with closing(Ledger(path)) as shared, closing(sqlite3.connect(path)) as db:
        shared.save(60, [], {"c": [FIRING]})
        items = shared.waiting("c", 9)
        both = [lease(shared, dial, holder) for holder in ("one", "other")]
        both[0].tell(items)
        db.execute("DROP TABLE note")
        db.execute("DROP TABLE notice")

        assert [one.claim() for one in both] == [True, True]
        assert [one.told(items) for one in both] == [(), ()]
        both[0].tell(items)
        both[0].release()
