"""What people and programs did with hints, kept in a real ledger."""

from pathlib import Path
from typing import Any

import pytest
from acts_rig import Shared

from slo.errors import DeskFullError
from slo.hints_acts import ACTS_MAX, FREEZES_MAX, REMEMBERED_S, ActKind, HintAct, HintActs
from slo.hints_spec import Report
from slo.ledger import Ledger, Note
from telemetry.errors import StoreUnreachableError

AT_S = 1_784_110_200


def act(kind: ActKind, at_s: int = AT_S, **values: Any) -> HintAct:  # noqa: ANN401 -- whatever field it has
    return HintAct(at_ms=at_s * 1000, target="chat", kind=kind, actor="ann", **values)


def test_the_last_word_holds(tmp_path: Path) -> None:
    acts = HintActs(Ledger(tmp_path / "a"), Shared())
    for one in (
        act(ActKind.FREEZE, until_ms=(AT_S + 600) * 1000, reason="x"),
        act(ActKind.ACK, hint_id="h1", applied=6),
        act(ActKind.REPORT, AT_S + 10, applied=5),
        act(ActKind.UNFREEZE, AT_S + 60),
    ):
        acts.put(one)
    frozen = acts.freeze("chat", AT_S + 30)

    assert frozen is not None
    assert (AT_S + 600, "ann", "x") == (frozen.until_s, frozen.who, frozen.reason)
    assert (None, None, None) == (
        acts.freeze("chat", AT_S - 1), acts.freeze("chat", AT_S + 60), acts.freeze("code", AT_S),
    )  # fmt: skip
    assert Report(at_s=AT_S, replicas=6) == acts.report("chat", AT_S + 9)
    assert Report(at_s=AT_S + 10, replicas=5) == acts.report("chat", AT_S + 10)
    assert acts.report("code", AT_S) is None
    found = acts.ack("chat", "h1", AT_S)
    assert found is not None
    assert 6 == found.applied
    assert acts.ack("chat", "h2", AT_S) is None


def test_a_freeze_is_over_at_its_time(tmp_path: Path) -> None:
    acts = HintActs(Ledger(tmp_path / "a"), Shared())
    acts.put(act(ActKind.FREEZE, until_ms=(AT_S + 60) * 1000, reason="x"))

    assert acts.freeze("chat", AT_S + 59) is not None
    assert acts.freeze("chat", AT_S + 60) is None


def test_replicas_share_acts_and_a_restart_keeps_them(tmp_path: Path) -> None:
    shared = Shared()
    first, second = (HintActs(Ledger(tmp_path / name), shared) for name in "ab")
    first.put(act(ActKind.REPORT, applied=5))
    shared.is_gone = True
    with pytest.raises(StoreUnreachableError):
        first.refresh(AT_S)
    shared.is_gone = False
    again = HintActs(Ledger(tmp_path / "a"), shared)
    again.refresh(AT_S)
    second.refresh(AT_S)

    assert {5} == {one.replicas for of in (again, second) if (one := of.report("chat", AT_S)) is not None}
    second.refresh(AT_S + REMEMBERED_S + 1)
    assert second.report("chat", AT_S + REMEMBERED_S) is None


def test_the_later_of_two_words_within_a_second_holds(tmp_path: Path) -> None:
    acts = HintActs(Ledger(tmp_path / "a"), Shared())
    froze = acts.put(act(ActKind.FREEZE, until_ms=(AT_S + 600) * 1000, reason="x"))
    for reason in ("a", "b", "c", "d"):  # whatever order their names have
        thawed = acts.put(act(ActKind.UNFREEZE, reason=reason))
        assert thawed.at_ms > froze.at_ms
        assert acts.freeze("chat", AT_S + 1) is None
        froze = acts.put(act(ActKind.FREEZE, until_ms=(AT_S + 600) * 1000, reason=reason))
        assert froze.at_ms > thawed.at_ms
        assert acts.freeze("chat", AT_S + 1) is not None
    assert froze == acts.put(froze), "what is said again is one act"


def test_a_word_is_not_put_behind_one_of_a_clock_that_is_wrong(tmp_path: Path) -> None:
    acts = HintActs(Ledger(tmp_path / "a"), Shared())
    acts.put(act(ActKind.REPORT, AT_S + 600, applied=9))
    kept = acts.put(act(ActKind.REPORT, applied=5))

    assert AT_S * 1000 == kept.at_ms
    assert Report(at_s=AT_S, replicas=5) == acts.report("chat", AT_S + 15)


def test_what_was_overtaken_is_forgotten_and_an_old_freeze_is_not(tmp_path: Path) -> None:
    shared = Shared()
    acts = HintActs(Ledger(tmp_path / "a"), shared)
    acts.put(act(ActKind.FREEZE, until_ms=(AT_S + 6 * 86_400) * 1000, reason="x"))
    acts.put(act(ActKind.ACK, AT_S + 60, hint_id="h1", applied=4))
    for at_s in range(AT_S + 120, AT_S + 3_600, 60):
        acts.put(act(ActKind.REPORT, at_s, applied=5))
    acts.refresh(AT_S + 3_600)
    acts.refresh(AT_S + 3_600)
    new = HintActs(Ledger(tmp_path / "b"), shared)
    new.refresh(AT_S + 3_600)

    assert 60 == len(shared.kept), "the store has them all"
    for one in (acts, new):
        assert one.freeze("chat", AT_S + 3_600) is not None
        assert one.ack("chat", "h1", AT_S + 3_600) is not None, "its hint is not scored yet"
        assert Report(at_s=AT_S + 3_480, replicas=5) == one.report("chat", AT_S + 3_485), "an instant that is late"
    assert [5, 5] == [len(Ledger(tmp_path / name).notes("hint_act")) for name in "ab"]


def test_what_is_no_news_is_not_written_down_again(tmp_path: Path) -> None:
    shared, ledger = Shared(), Ledger(tmp_path / "a")
    acts = HintActs(ledger, shared)
    for at_s in (AT_S, AT_S + 300, AT_S + 600):
        acts.put(act(ActKind.REPORT, at_s, applied=5))
    acts.refresh(AT_S + 900)
    before = ledger.notes("hint_act")
    acts.refresh(AT_S + 915)

    assert before == ledger.notes("hint_act")
    assert 1 == len(before)


def full(ledger: Ledger, at_s: int) -> None:
    """Fill the places of acks and reports with acts of one second."""
    ledger.note(
        "hint_act",
        [
            Note(name=str(n), body=f'{{"at_ms":{at_s}000,"target":"t{n}","kind":"ack","actor":"x"}}'.encode())
            for n in range(ACTS_MAX - FREEZES_MAX)
        ],
    )


def test_reports_never_refuse_a_freeze(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "a")
    full(ledger, AT_S)
    acts = HintActs(ledger, Shared())
    with pytest.raises(DeskFullError, match="no more are taken"):
        acts.put(act(ActKind.REPORT))
    acts.put(act(ActKind.FREEZE, until_ms=(AT_S + 60) * 1000, reason="x"))

    assert acts.freeze("chat", AT_S) is not None


def test_places_of_freezes_are_bounded_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "a")
    full(ledger, AT_S)
    body = f'{{"at_ms":{AT_S}000,"target":"x","kind":"freeze","actor":"x"}}'.encode()
    ledger.note("hint_act", [Note(name=f"f{n}", body=body) for n in range(FREEZES_MAX - 1)])
    acts = HintActs(ledger, Shared())
    acts.put(act(ActKind.FREEZE, until_ms=(AT_S + 60) * 1000, reason="x"))
    with pytest.raises(DeskFullError, match="no more are taken"):
        acts.put(act(ActKind.UNFREEZE))


def test_what_was_overtaken_makes_room_though_the_store_never_got_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "a")
    ledger.note(
        "hint_act",
        [
            Note(name=str(n), body=f'{{"at_ms":{AT_S + n}000,"target":"chat","kind":"report","actor":"x"}}'.encode())
            for n in range(ACTS_MAX - FREEZES_MAX)
        ],
    )
    acts = HintActs(ledger, Shared())
    acts.put(act(ActKind.REPORT, AT_S + ACTS_MAX, applied=7))

    assert Report(at_s=AT_S + ACTS_MAX, replicas=7) == acts.report("chat", AT_S + ACTS_MAX)
    assert len(ledger.notes("hint_act")) < 200
