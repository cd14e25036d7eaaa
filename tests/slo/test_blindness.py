"""Tests of slo.blindness: what is noted, remembered, and taken back when somebody tells of it after all."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from slo.blindness import AGAIN_S, KEPT_S, LATE_S, SPANS_MAX, Blindness
from slo.ledger import Ledger, Note
from slo.telemetry_state import Blind, BlindCause

AT_S = 1_790_000_010 // 30 * 30
STORE, COLLECTOR = BlindCause.STORE, BlindCause.COLLECTOR


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "slo.sqlite")
    yield ledger
    ledger.close()


def noted(ledger: Ledger, *instants: tuple[int, dict[str, BlindCause]]) -> Blindness:
    found = Blindness(ledger)
    for n, blind in instants:
        found.note(AT_S + 30 * n, blind)
    return found


def span(first: int, until: int, cause: BlindCause) -> Blind:
    return Blind(start_s=AT_S + 30 * first, end_s=AT_S + 30 * until, cause=cause)


def test_instants_become_spans_each_with_its_cause(ledger: Ledger) -> None:
    """An instant stands for the bucket before it."""
    both = {"chat": COLLECTOR, "": COLLECTOR}
    blind = noted(ledger, (1, both), (2, both), (3, {"chat": STORE}), (4, {}), (5, {"chat": STORE}))

    assert blind.within("chat", 0, AT_S + 900) == (span(0, 2, COLLECTOR), span(2, 3, STORE), span(4, 5, STORE))
    assert blind.within("", 0, AT_S + 900) == (span(0, 2, COLLECTOR),)
    assert blind.within("other", 0, AT_S + 900) == ()
    assert [one.length_s for one in blind.within("chat", AT_S + 30, AT_S + 135)] == [30, 30, 15]


def test_it_is_remembered_and_an_instant_that_is_judged_again_counts_once(ledger: Ledger) -> None:
    noted(ledger, (1, {"chat": STORE}), (2, {"chat": STORE}))
    again = noted(ledger, (2, {"chat": STORE}), (3, {"chat": STORE}))

    assert again.within("chat", 0, AT_S + 900) == (span(0, 3, STORE),)


def test_what_somebody_tells_of_an_hour_later_was_not_blind(ledger: Ledger) -> None:
    every = {"chat": STORE, "code": STORE}
    blind = noted(ledger, *((n, every) for n in range(1, 5)))
    at_s = AT_S + LATE_S
    assert blind.doubtful(at_s) is None
    for n in (1, 2, 3):
        assert blind.doubtful(at_s + 90) == AT_S + 30 * n
        blind.settle(AT_S + 30 * n, ["chat", ""] if n != 2 else [])

    assert blind.doubtful(at_s + 90) is None, "the fourth is not an hour old"
    assert blind.within("chat", 0, at_s) == (span(1, 2, STORE), span(3, 4, STORE))
    assert blind.within("code", 0, at_s) == (span(0, 4, STORE),)
    assert Blindness(ledger).within("chat", 0, at_s) == blind.within("chat", 0, at_s)


def test_what_is_older_than_a_day_stays_as_it_is(ledger: Ledger) -> None:
    blind = noted(ledger, (1, {"chat": STORE}))

    assert blind.doubtful(AT_S + 30 + AGAIN_S) == AT_S + 30
    assert blind.doubtful(AT_S + 60 + AGAIN_S) is None


def test_spans_beyond_the_bound_are_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "spans.sqlite")
    spans = [span(2 * n, 2 * n + 1, STORE) for n in range(SPANS_MAX)]
    ledger.note("blind", [Note(name="chat", body=msgspec.json.encode(("chat", spans)))])
    blind = Blindness(ledger)
    full = blind.within("chat", 0, AT_S + KEPT_S)
    blind.note(AT_S + 60 * SPANS_MAX + 30, {"chat": STORE})
    ledger.close()

    assert full == tuple(spans)
    assert blind.within("chat", 0, AT_S + KEPT_S) == (*spans[1:], span(2 * SPANS_MAX, 2 * SPANS_MAX + 1, STORE))


def test_old_spans_are_forgotten(ledger: Ledger) -> None:
    blind = noted(ledger, (1, {"chat": STORE}))
    blind.note(AT_S + KEPT_S, {"chat": STORE})
    kept = blind.within("chat", 0, AT_S + 2 * KEPT_S)
    blind.note(AT_S + KEPT_S + 30, {"chat": STORE})

    assert [one.length_s for one in kept] == [30, 30]
    assert [one.length_s for one in blind.within("chat", 0, AT_S + 2 * KEPT_S)] == [60]
