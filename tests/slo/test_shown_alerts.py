"""How alerts, silences and markers look from outside."""

from views import NOW_S, judged, labels, seen, silence

from slo.alert_moves import AlertState
from slo.desk_records import Ack, Marker, MarkerKind
from slo.identity import fingerprint
from slo.shown import hexadecimal, instant
from slo.shown_alerts import (
    alerts_shown,
    change_shown,
    markers_shown,
    silence_shown,
    state_of,
)
from slo.silence import Matcher, MatchOp

VIEW = seen(judged(bad=1_000))
PAGE = fingerprint(labels())


def test_pages_stand_first_and_what_is_held_back_says_by_what() -> None:
    page, ticket = alerts_shown(VIEW, {}).alerts

    assert (page.fingerprint, page.severity, page.state) == (hexadecimal(PAGE), "page", "firing")
    assert (page.held_back_by, page.acknowledged, page.occurrence) == (None, None, 1)
    assert (page.active_at, page.fired_at, page.resolved_at) == (instant(NOW_S), instant(NOW_S), None)
    assert page.annotations["rule"] == "burn 14.4 over 2 min"
    assert (ticket.severity, ticket.held_back_by) == ("ticket", "page over ticket: chat")


def test_alerts_are_chosen_by_state_and_label() -> None:
    def names(states: frozenset[AlertState] = frozenset({AlertState.FIRING}), **wanted: str) -> list[str]:
        return [one.severity for one in alerts_shown(VIEW, {}, states, **wanted).alerts]

    assert names(severity="ticket") == ["ticket"]
    assert names(severity="", slo="chat") == ["page", "ticket"]
    assert names(slo="other") == []
    assert names(frozenset({AlertState.PENDING})) == []


def test_an_acknowledgement_stands_beside_its_alert() -> None:
    ack = Ack(fingerprint=PAGE, who="ann", at_s=NOW_S, until_s=NOW_S + 60)
    (page, _) = alerts_shown(VIEW, {PAGE: ack}).alerts

    assert page.acknowledged is not None
    assert (page.acknowledged.who, page.acknowledged.until) == ("ann", instant(NOW_S + 60))


def test_a_change_is_shown_as_its_row_says() -> None:
    row = {
        "at_unix_ms": NOW_S * 1000, "fingerprint": 1, "alertname": "a", "slo": "s", "severity": "page",
        "from_state": "pending", "to_state": "firing", "occurrence": 2, "labels": {"a": "b"}, "annotations": {},
    }  # fmt: skip
    shown = change_shown(row)

    assert (shown.at, shown.before, shown.after, shown.occurrence) == (instant(NOW_S), "pending", "firing", 2)
    assert shown.fingerprint == "0000000000000001"


def test_a_silence_shows_what_it_holds_back() -> None:
    quiet = silence("q1", (Matcher(name="slo", op=MatchOp.EQUAL, value="chat"),))
    view = seen(judged(bad=1_000), held={PAGE: "silenced by q0, q1", 7: "silenced by q10"})
    shown = silence_shown(quiet, NOW_S, view)

    assert shown.holds == (hexadecimal(PAGE),)
    assert [(one.name, one.op, one.value) for one in shown.matchers] == [("slo", "=", "chat")]
    assert (shown.author, shown.comment, shown.ends_at) == ("ann", "repair", instant(NOW_S + 3_600))


def test_a_silence_is_to_come_holds_or_is_over() -> None:
    quiet = silence()

    assert [state_of(quiet, NOW_S + s) for s in (-1, 0, 3_599, 3_600)] == ["pending", "active", "active", "expired"]


def test_markers_are_shown_newest_first() -> None:
    old = Marker(at_s=NOW_S, kind=MarkerKind.DEPLOY, service="chat", actor="ci", end_s=NOW_S + 60, automated=True)
    new = Marker(at_s=NOW_S + 9, kind=MarkerKind.PRICE, service="chat", actor="ann", text="cheaper")
    shown = markers_shown([old, new])

    assert [(one.kind, one.end, one.automated, one.text) for one in shown] == [
        ("price", None, False, "cheaper"),
        ("deploy", instant(NOW_S + 60), True, ""),
    ]
