"""What people decided; with replicas over a real store, without one where it is gone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from views import NOBODY, NOW_S, judged, labels, seen, silence

from slo.desk import FORGOTTEN_S, MARKERS_MAX, OVERRIDES_MAX, SILENCES_MAX, Desk
from slo.desk_records import Ack, Marker, MarkerKind, Override
from slo.desk_store import DeskStore
from slo.errors import DeskFullError, ObjectiveError
from slo.freeze import Action
from slo.identity import fingerprint
from slo.ledger import Ledger
from slo.shelf import Shelf
from slo.silence import Matcher, MatchOp, Silence
from slo.view import EngineView
from telemetry.clock import wall_ms
from telemetry.store import Store

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


def test_what_was_decided_survives_a_restart_without_the_store(desk: Desk, ledger: Ledger) -> None:
    quiet = silence("q", CHAT)
    desk.silence(quiet)
    desk.acknowledge(ack())
    desk.mark("m", Marker(at_s=NOW_S, kind=MarkerKind.DEPLOY, service="chat", actor="ci"))
    desk.let_pass("o", override())
    trouble = desk.refresh(FIRING, NOW_S)
    again = alone(ledger)

    assert trouble.startswith("silences and acknowledgements are not shared now")
    assert (again.quiet(NOW_S).silences, again.quiet(NOW_S).acknowledged) == ((quiet,), {PAGE})
    assert [one.actor for one in again.waiting_markers()] == ["ci"]
    assert again.override(NOW_S, "", "") == override()
    assert again.frozen() == again.frozen(Action.FREEZE_SCALE_DOWN) == {"chat"}


def test_an_acknowledgement_holds_for_its_occurrence_and_its_time(desk: Desk) -> None:
    """slo.md 10: it stops renotification only while this occurrence fires."""
    desk.acknowledge(ack(until_s=NOW_S + 60))
    assert desk.quiet(NOW_S).acknowledged == {PAGE}
    assert desk.quiet(NOW_S + 60).acknowledged == frozenset()
    desk.acknowledge(ack())
    desk.refresh(FIRING, NOW_S)
    assert desk.quiet(NOW_S + 60).acknowledged == {PAGE}

    desk.refresh(CALM, NOW_S + 90)
    assert desk.quiet(NOW_S + 90).acknowledged == frozenset()
    alert = FIRING.alerts[PAGE]
    later = replace(alert, record=replace(alert.record, fired_at_s=NOW_S + 100, occurrence=2))
    desk.refresh(replace(FIRING, alerts={PAGE: later}), NOW_S + 120)
    assert desk.quiet(NOW_S + 120).acknowledged == frozenset(), "what fires anew is told anew"
    desk.acknowledge(ack(NOW_S + 130))
    assert desk.quiet(NOW_S + 130).acknowledged == {PAGE}


def test_an_override_is_found_for_what_it_covers_until_it_ends(desk: Desk) -> None:
    desk.let_pass("a", override(1, service="chat"))
    desk.let_pass("b", override(2, slo="one"))
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


def test_what_is_refused_is_not_kept(desk: Desk) -> None:
    with pytest.raises(ObjectiveError):
        desk.silence(silence("q"))
    with pytest.raises(ObjectiveError):
        desk.let_pass("o", replace(override(), who=""))

    assert (desk.silences(), desk.overrides(NOW_S)) == ({}, [])


def test_the_desk_has_room_for_so_much(ledger: Ledger) -> None:
    quiet, marker = silence("q", CHAT), Marker(at_s=NOW_S, kind=MarkerKind.DEPLOY, service="", actor="ci")
    silences: Shelf[Silence] = Shelf(ledger, "silence", Silence)
    silences.put({str(n): quiet for n in range(SILENCES_MAX - 1)})
    markers: Shelf[Marker] = Shelf(ledger, "marker", Marker)
    markers.put({str(n): marker for n in range(MARKERS_MAX - 1)})
    overrides: Shelf[Override] = Shelf(ledger, "override", Override)
    overrides.put({str(n): override() for n in range(OVERRIDES_MAX - 1)})
    desk = alone(ledger)
    desk.silence(quiet)
    desk.mark("last", marker)
    desk.let_pass("last", override())

    with pytest.raises(DeskFullError):
        desk.silence(silence("one more", CHAT))
    with pytest.raises(DeskFullError):
        desk.mark("one more", marker)
    with pytest.raises(DeskFullError):
        desk.let_pass("one more", override())


def test_replicas_share_what_was_decided(tmp_path: Path, reader: Store, writer: Store) -> None:
    now_s = wall_ms() // 1000
    shared = DeskStore(reader, writer)
    one, other = (Desk(Ledger(tmp_path / name), shared) for name in ("one", "other"))
    alert = FIRING.alerts[PAGE]
    firing = replace(FIRING, alerts={PAGE: replace(alert, record=replace(alert.record, fired_at_s=now_s - 5))})
    quiet = silence("shared", CHAT, since_s=now_s)
    one.silence(quiet)
    one.acknowledge(ack(now_s))
    one.mark("m", Marker(at_s=now_s, kind=MarkerKind.DEPLOY, service="chat", actor="ci"))
    assert [one.refresh(firing, now_s), other.refresh(firing, now_s)] == ["", ""]

    assert one.waiting_markers() == ()
    assert other.silences()["shared"] == quiet
    assert other.quiet(now_s).acknowledged == {PAGE}
    ended = replace(quiet, ends_at_s=now_s + 1)
    other.end_silence(ended)
    assert [other.refresh(firing, now_s + 1), one.refresh(firing, now_s + 1)] == ["", ""]
    assert one.silences()["shared"] == ended
    one.refresh(CALM, now_s + FORGOTTEN_S + 2)
    assert "shared" not in one.silences()
    assert one.acks(now_s + FORGOTTEN_S + 2) == {}
