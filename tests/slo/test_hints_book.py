"""How hints, states, acts and scores stand in a real store."""

from dataclasses import replace

import pytest
from scaling_rig import SETTINGS, Follower, observed

from slo.hints_acts import ActKind, HintAct
from slo.hints_book import HintBook, Kept, kept, unix_ms
from slo.hints_score import Score
from slo.scaling.fold import instant_s
from telemetry.clock import wall_ms
from telemetry.schema.hints import HINT_STATE
from telemetry.store import Store

AT_S = instant_s(wall_ms() / 1000) - 3_600
NAME = "book"


@pytest.fixture
def book(reader: Store, writer: Store) -> HintBook:
    return HintBook(reader, writer, [NAME])


def made(at_s: int, rps: float = 5.0) -> Kept:
    settings = replace(SETTINGS, target=replace(SETTINGS.target, name=NAME))
    follower = Follower(settings)
    hint = follower.see(observed(at_s, arrivals_rps=rps))
    return kept(at_s, follower.state, hint)


def test_of_two_words_about_an_instant_the_first_one_holds(book: HintBook) -> None:
    first, other = made(AT_S), made(AT_S, rps=20.0)
    book.put({NAME: first})
    book.put({NAME: other})
    found = book.last(AT_S - 60, AT_S)[NAME]

    assert first == found
    assert first.payload != other.payload
    assert {} == book.last(AT_S - 60, AT_S - 1)


def test_a_row_of_another_version_is_left_out(book: HintBook, writer: Store) -> None:
    writer.insert_rows(HINT_STATE, [((AT_S + 15) * 1000, NAME, '{"state": 7}')], "book-other")

    assert {} == book.last(AT_S + 1, AT_S + 30)


def test_history_has_what_was_told_with_its_score(book: HintBook) -> None:
    at_s = AT_S + 60
    one = made(at_s)
    book.tell({NAME: one})
    book.tell({NAME: one})
    score = Score(
        target=NAME, hint_id=one.hint.id, at_s=at_s + 540, applied=6, demand_actual=5.5, p95_held=True,
        slo_missed_minutes=None, gpu_h_delta=0.5,
    )  # fmt: skip
    book.put_scores([score])
    book.put_scores([])
    (row,) = book.history(NAME, at_s, at_s + 1)

    assert one.payload == row["payload"]
    assert (6, 5.5, 1, None, 0.5) == tuple(
        row[name] for name in ("applied", "demand_per_s", "held", "missed_minutes", "gpu_h_delta")
    )
    assert [score] == book.scores(at_s, at_s + 600)
    assert [at_s] == [minute["t_unix_s"] for minute in book.minutes(at_s, at_s + 60)[NAME]]
    assert () == book.judged([], at_s, at_s + 60)


def test_acts_come_back_as_they_were(book: HintBook) -> None:
    at_ms = AT_S * 1000
    acts = [
        HintAct(at_ms=at_ms, target=NAME, kind=ActKind.FREEZE, actor="ann", until_ms=at_ms + 60_000, reason="'; x"),
        HintAct(at_ms=at_ms + 1, target=NAME, kind=ActKind.ACK, actor="keda", hint_id="h", applied=6),
    ]
    book.put_acts(acts)
    book.put_acts(acts)

    assert acts == book.acts(AT_S, AT_S + 60)


def test_a_time_of_a_hint_is_milliseconds() -> None:
    assert 1_784_110_200_000 == unix_ms("2026-07-15T10:10:00Z")
