"""What people decided; with replicas over a real store, without one where it is gone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from views import NOBODY, NOW_S, judged, labels, seen, silence

from slo.adjustments import BACK_S_MAX, Agreed
from slo.audit import FIRST_HASH, Act, By, Deed, broken_at
from slo.desk import ACTS_MAX, ADJUSTMENTS_MAX, FORGOTTEN_S, MARKERS_MAX, OVERRIDES_MAX, SILENCES_MAX, Desk
from slo.desk_records import Ack, Marker, MarkerKind, Override
from slo.desk_store import DeskStore
from slo.errors import DeskFullError, ObjectiveError
from slo.freeze import Action
from slo.gate import MIN_EVENTS
from slo.identity import fingerprint
from slo.ledger import Ledger
from slo.shelf import Shelf
from slo.silence import Matcher, MatchOp, Silence
from slo.view import EngineView
from telemetry.clock import wall_ms
from telemetry.schema.details import ADJUSTMENTS
from telemetry.store import Store

BY = By(who="ann", at_s=NOW_S, address="10.0.0.1")
CHAT = (Matcher(name="slo", op=MatchOp.EQUAL, value="chat"),)
FIRING = seen(judged(bad=1_000))
CALM = seen(judged())
PAGE = fingerprint(labels())


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    kept = Ledger(tmp_path / "desk.sqlite")
    yield kept
    kept.close()


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return alone(ledger)


def alone(ledger: Ledger) -> Desk:
    store = Store(NOBODY, request_s=1)
    return Desk(ledger, DeskStore(store, store))


def ack(at_s: int = NOW_S, until_s: int | None = None) -> Ack:
    return Ack(fingerprint=PAGE, who="ann", at_s=at_s, until_s=until_s)


def override(n: int = 0, service: str = "", slo: str = "") -> Override:
    return Override(service=service, slo=slo, who="ann", reason=str(n), at_s=NOW_S + n, until_s=NOW_S + 100)


def agreed(name: str = "a", start_s: int = NOW_S, **changes: object) -> Agreed:
    made = Agreed(
        id=name, matchers=CHAT, start_s=start_s, end_s=start_s + 600, reason="repair", author="ann", made_at_s=start_s
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of the record


def test_what_was_decided_survives_a_restart_without_the_store(desk: Desk, ledger: Ledger) -> None:
    quiet = silence("q", CHAT)
    desk.silence(quiet, BY)
    desk.acknowledge(ack(), BY)
    desk.mark("m", Marker(at_s=NOW_S, kind=MarkerKind.DEPLOY, service="chat", actor="ci"), BY)
    desk.let_pass("o", override(), BY)
    desk.agree(agreed(), BY)
    trouble = desk.refresh(FIRING, NOW_S)
    again = alone(ledger)

    assert trouble.startswith("silences and acknowledgements are not shared now")
    assert again.silences() == {"q": replace(quiet, changed_at_s=NOW_S)}
    assert again.quiet(NOW_S).acknowledged == {PAGE}
    assert again.agreed() == (agreed(),)
    assert [one.actor for one in again.waiting_markers()] == ["ci"]
    assert again.override(NOW_S, "", "") == override()
    assert again.frozen() == again.frozen(Action.FREEZE_SCALE_DOWN) == {"chat"}


def test_an_acknowledgement_holds_for_its_occurrence_and_its_time(desk: Desk) -> None:
    """slo.md 10: it stops renotification only while this occurrence fires."""
    desk.acknowledge(ack(until_s=NOW_S + 60), BY)
    assert desk.quiet(NOW_S).acknowledged == {PAGE}
    assert desk.quiet(NOW_S + 60).acknowledged == frozenset()
    desk.acknowledge(ack(), BY)
    desk.refresh(FIRING, NOW_S)
    assert desk.quiet(NOW_S + 60).acknowledged == {PAGE}

    desk.refresh(CALM, NOW_S + 90)
    assert desk.quiet(NOW_S + 90).acknowledged == frozenset()
    alert = FIRING.alerts[PAGE]
    later = replace(alert, record=replace(alert.record, fired_at_s=NOW_S + 100, occurrence=2))
    desk.refresh(replace(FIRING, alerts={PAGE: later}), NOW_S + 120)
    assert desk.quiet(NOW_S + 120).acknowledged == frozenset(), "what fires anew is told anew"
    desk.acknowledge(ack(NOW_S + 130), BY)
    assert desk.quiet(NOW_S + 130).acknowledged == {PAGE}


def test_an_override_is_found_for_what_it_covers_until_it_ends(desk: Desk) -> None:
    desk.let_pass("a", override(1, service="chat"), BY)
    desk.let_pass("b", override(2, slo="one"), BY)
    at_s = NOW_S + 50

    assert desk.override(at_s, "", "") is None
    assert desk.override(at_s, "chat", "") == override(1, service="chat")
    assert desk.override(at_s, "", "one") == override(2, slo="one")
    assert [one.reason for one in desk.overrides(at_s)] == ["2", "1"]
    assert desk.override(NOW_S + 100, "chat", "one") is None
    desk.refresh(CALM, NOW_S + 100)
    assert desk.overrides(at_s) == []


def test_a_freeze_ends_when_the_budget_has_recovered(desk: Desk) -> None:
    desk.refresh(FIRING, NOW_S)
    assert desk.frozen() == {"chat"}
    desk.refresh(EngineView(watched=FIRING.watched), NOW_S)
    assert desk.frozen() == {"chat"}, "before the first instant nothing is known"
    desk.refresh(seen(replace(judged(), found=None)), NOW_S)
    assert desk.frozen() == {"chat"}, "nor when the counts cannot be"
    desk.refresh(CALM, NOW_S)
    assert desk.frozen() == frozenset()


def test_the_policy_asks_by_threshold_and_group_and_remembers_over_a_restart(desk: Desk, ledger: Ledger) -> None:
    """20 of 2,020 bad at 99 % leave 1 %: a quarter is crossed, nothing is not."""
    view = seen(judged(good=2_000, bad=20), judged("well"))
    assert desk.low() is None, "nothing was judged since the start"
    desk.refresh(view, NOW_S)
    again = alone(ledger)
    lows = desk.low() or ()

    assert again.asked("chat", {"endpoint": "chat"}) == {Action.NOTIFY, Action.REQUIRE_APPROVAL}
    assert again.asked("chat", {"endpoint": "other"}) == again.asked("well", {"endpoint": "chat"}) == frozenset()
    assert again.frozen(Action.REQUIRE_APPROVAL) == {"chat"}
    assert again.frozen() == frozenset()
    assert [(low.judged.watched.objective.name, low.threshold, low.actions) for low in lows] == [
        ("chat", 0.5, ("notify", "require_approval")), ("chat", 0.25, ("notify", "require_approval")),
    ]  # fmt: skip
    desk.refresh(seen(replace(judged(), found=None)), NOW_S)
    assert [one.remaining for one in desk.low() or ()] == [None, None], "unknown, and still crossed"
    desk.refresh(CALM, NOW_S)
    assert desk.low() == []


def test_without_objectives_no_budget_is_low(desk: Desk) -> None:
    """The last objective was removed: what its budget asked for is over, and its tickets end."""
    desk.refresh(FIRING, NOW_S)
    assert desk.low()
    desk.refresh(EngineView(watched=FIRING.watched), NOW_S)
    assert desk.low(), "before the first instant nothing is known"
    desk.refresh(EngineView(watched=[], at_s=NOW_S), NOW_S)

    assert (desk.low(), desk.frozen()) == ([], frozenset())


def test_a_group_that_stands_for_others_freezes_nothing(desk: Desk) -> None:
    desk.refresh(seen(judged(), replace(judged(endpoint="all", bad=1_000), is_wider=True)), NOW_S)

    assert (desk.frozen(), desk.low()) == (frozenset(), [])


def test_a_budget_that_rests_on_too_little_asks_for_nothing(desk: Desk) -> None:
    desk.refresh(seen(judged(good=MIN_EVENTS - 2, bad=1)), NOW_S)
    assert desk.frozen() == frozenset()
    desk.refresh(seen(judged(good=MIN_EVENTS - 1, bad=1)), NOW_S)
    assert desk.frozen() == {"chat"}


def test_what_is_refused_is_not_kept(desk: Desk) -> None:
    with pytest.raises(ObjectiveError):
        desk.silence(silence("q"), BY)
    with pytest.raises(ObjectiveError):
        desk.let_pass("o", replace(override(), who=""), BY)

    assert (desk.silences(), desk.overrides(NOW_S)) == ({}, [])


def test_the_desk_has_room_for_so_much(ledger: Ledger) -> None:
    quiet, marker = silence("q", CHAT), Marker(at_s=NOW_S, kind=MarkerKind.DEPLOY, service="", actor="ci")
    silences: Shelf[Silence] = Shelf(ledger, "silence", Silence)
    silences.put({str(n): quiet for n in range(SILENCES_MAX - 1)})
    markers: Shelf[Marker] = Shelf(ledger, "marker", Marker)
    markers.put({str(n): marker for n in range(MARKERS_MAX - 1)})
    overrides: Shelf[Override] = Shelf(ledger, "override", Override)
    overrides.put({str(n): override() for n in range(OVERRIDES_MAX - 1)})
    times: Shelf[Agreed] = Shelf(ledger, "adjustment", Agreed)
    times.put({str(n): agreed(str(n)) for n in range(ADJUSTMENTS_MAX - 1)})
    desk = alone(ledger)
    desk.agree(agreed("last"), BY)
    desk.silence(quiet, BY)
    desk.mark("last", marker, BY)
    desk.let_pass("last", override(), BY)

    with pytest.raises(DeskFullError):
        desk.silence(silence("one more", CHAT), BY)
    with pytest.raises(DeskFullError):
        desk.agree(agreed("one more"), BY)
    with pytest.raises(DeskFullError):
        desk.mark("one more", marker, BY)
    with pytest.raises(DeskFullError):
        desk.let_pass("one more", override(), BY)


def test_replicas_share_what_was_decided(tmp_path: Path, reader: Store, writer: Store) -> None:
    now_s = wall_ms() // 1000
    shared = DeskStore(reader, writer)
    one, other = (Desk(Ledger(tmp_path / name), shared) for name in ("one", "other"))
    alert = FIRING.alerts[PAGE]
    firing = replace(FIRING, alerts={PAGE: replace(alert, record=replace(alert.record, fired_at_s=now_s - 5))})
    quiet, by = silence("shared", CHAT, since_s=now_s), replace(BY, at_s=now_s)
    one.silence(quiet, by)
    one.acknowledge(ack(now_s), BY)
    one.mark("m", Marker(at_s=now_s, kind=MarkerKind.DEPLOY, service="chat", actor="ci"), BY)
    assert [one.refresh(firing, now_s), other.refresh(firing, now_s)] == ["", ""]

    assert one.waiting_markers() == ()
    assert other.silences()["shared"] == replace(quiet, changed_at_s=now_s)
    assert other.quiet(now_s).acknowledged == {PAGE}
    ended = replace(quiet, ends_at_s=now_s + 1)
    other.end_silence(ended, by)
    assert [other.refresh(firing, now_s + 1), one.refresh(firing, now_s + 1)] == ["", ""]
    assert one.silences()["shared"] == replace(ended, changed_at_s=now_s + 1), "it is the later of two in one second"
    one.refresh(CALM, now_s + FORGOTTEN_S + 2)
    assert "shared" not in one.silences()
    assert one.acks(now_s + FORGOTTEN_S + 2) == {}


def test_a_planned_time_keeps_notices_back_as_a_silence_does(desk: Desk) -> None:
    desk.agree(agreed(), BY)
    desk.agree(agreed("late", made_at_s=NOW_S + 1), BY)

    assert [one.id for one in desk.quiet(NOW_S + 60).silences] == ["a"]
    assert desk.quiet(NOW_S + 600).silences == ()
    desk.withdraw(agreed(), BY)
    assert desk.quiet(NOW_S + 60).silences == ()
    assert [one.id for one in desk.agreed()] == ["late"]
    assert desk.adjustments()["a"].excluded_percent == 0


def test_a_time_is_forgotten_when_no_budget_looks_at_it_any_more(tmp_path: Path, reader: Store, writer: Store) -> None:
    desk = Desk(Ledger(tmp_path / "a"), DeskStore(reader, writer))
    desk.agree(agreed("old"), BY)
    over_s = NOW_S + 600

    assert desk.refresh(CALM, over_s + BACK_S_MAX) == ""
    assert "old" in desk.adjustments()
    desk.refresh(CALM, over_s + BACK_S_MAX + 1)
    assert "old" not in desk.adjustments()


def test_replicas_share_adjustments_and_what_one_withdraws_none_restores(
    tmp_path: Path, reader: Store, writer: Store
) -> None:
    now_s = wall_ms() // 1000
    shared = DeskStore(reader, writer)
    one, other = (Desk(Ledger(tmp_path / name), shared) for name in ("one", "other"))
    time = agreed("shared-time", now_s - 60)
    one.agree(time, BY)
    assert [one.refresh(CALM, now_s), other.refresh(CALM, now_s)] == ["", ""]
    assert other.adjustments()["shared-time"] == time

    other.withdraw(time, BY)
    assert [other.refresh(CALM, now_s), one.refresh(CALM, now_s), other.refresh(CALM, now_s)] == [""] * 3
    assert {desk.adjustments()["shared-time"].excluded_percent for desk in (one, other)} == {0}
    assert "shared-time" not in {time.id for time in one.agreed()}


def test_adjustments_that_others_wrote_are_told_and_stop_nothing(tmp_path: Path, reader: Store, writer: Store) -> None:
    now_s = wall_ms() // 1000 + 900 * 86_400  # where no other desk looks
    desk = Desk(Ledger(tmp_path / "a"), DeskStore(reader, writer))
    row = (now_s * 1000, now_s * 1000 + 1, "slo = chat", "", 100.0, "", "ann")
    writer.insert_rows(ADJUSTMENTS, [row], "strange-desk")
    desk.agree(agreed("own", now_s), replace(BY, at_s=now_s))

    assert desk.refresh(CALM, now_s).endswith("adjustments in the store were not made here and take nothing out")
    assert "own" in desk.adjustments()


def test_every_change_leaves_an_act_that_follows_the_one_before(desk: Desk, ledger: Ledger) -> None:
    desk.silence(silence("q", CHAT), BY)
    desk.end_silence(replace(silence("q", CHAT), ends_at_s=NOW_S + 1), replace(BY, who="bob", reason="done"))
    desk.acknowledge(ack(), BY)
    desk.mark("m", Marker(at_s=NOW_S, kind=MarkerKind.DEPLOY, service="chat", actor="ci"), BY)
    desk.let_pass("o", override(), BY)
    desk.agree(agreed(), BY)
    desk.withdraw(agreed(), BY)
    alone(ledger).note(Deed.TARGET_TESTED, "hook", BY, {"result": "sent"})  # after a restart the chain goes on
    acts = alone(ledger).acts(NOW_S, NOW_S + 1)[::-1]

    expected = [Deed.SILENCE_MADE, Deed.SILENCE_ENDED, Deed.ALERT_TAKEN_ON, Deed.MARKER_MADE, Deed.GATE_OVERRIDDEN]
    expected += [Deed.ADJUSTMENT_MADE, Deed.ADJUSTMENT_WITHDRAWN, Deed.TARGET_TESTED]
    assert [one.action for one in acts] == expected
    assert broken_at(acts) is None
    assert acts[0].prev_hash == FIRST_HASH
    assert (acts[1].actor, acts[1].source_ip) == ("bob", "10.0.0.1")
    assert '"reason":"done"' in acts[1].after
    assert acts[1].before == acts[0].after
    assert desk.acts(NOW_S + 1, NOW_S + 2) == []


def test_acts_reach_the_store_and_the_chain_goes_on(tmp_path: Path, reader: Store, writer: Store) -> None:
    shared, now_s = DeskStore(reader, writer), wall_ms() // 1000
    by = replace(BY, at_s=now_s, who="the-trail")
    desk = Desk(Ledger(tmp_path / "a"), shared)
    for name in ("x", "y"):
        desk.note(Deed.TARGET_TESTED, name, by)
        assert desk.refresh(CALM, now_s) == ""
    desk.note(Deed.TARGET_TESTED, "z", by)
    kept = [one for one in shared.acts(now_s, now_s + 1) if one.actor == "the-trail"]

    assert {one.object for one in kept} == {"x", "y"}
    assert [one.object for one in desk.acts(now_s, now_s + 1)] == ["z", "y"], "what the store has is forgotten here"
    chain = sorted([*kept, desk.acts(now_s, now_s + 1)[0]], key=lambda one: one.object)
    assert broken_at(chain) is None


def test_a_marker_that_is_withdrawn_stands_no_more_wherever_it_is(desk: Desk) -> None:
    one, other = (Marker(at_s=NOW_S + n, kind=MarkerKind.DEPLOY, service="chat", actor="ci") for n in (0, 1))
    desk.mark("m", one, BY)
    assert desk.standing_markers([other]) in ([one, other], [other, one])
    desk.withdraw_marker(one, BY)
    desk.withdraw_marker(other, BY)

    assert desk.standing_markers([other]) == []
    assert desk.acts(NOW_S, NOW_S + 1)[0].action == Deed.MARKER_WITHDRAWN


def test_without_room_for_the_trail_nothing_is_changed(ledger: Ledger) -> None:
    acts: Shelf[Act] = Shelf(ledger, "act", Act)
    one = Act(
        at_ms=0, actor="", action="", object="", before="", after="", source_ip="", prev_hash=FIRST_HASH, hash="f" * 64
    )
    acts.put({f"{n:012}": one for n in range(ACTS_MAX - 1)})
    desk = alone(ledger)
    desk.silence(silence("last", CHAT), BY)

    with pytest.raises(DeskFullError):
        desk.silence(silence("one more", CHAT), BY)
    assert list(desk.silences()) == ["last"]
