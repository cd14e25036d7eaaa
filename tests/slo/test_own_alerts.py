"""Tests of slo.own_alerts, moved by the states that move all alerts."""

from dataclasses import replace

import pytest

from slo.alarms import Quiet, advance
from slo.alert import Alert
from slo.alert_moves import AlertEvent, AlertState
from slo.alert_states import Record
from slo.burn_catalogue import Severity
from slo.channels import Channel, ChannelKind
from slo.own_alerts import SAID_CHARS_MAX, of_reload, of_scalers, of_silences, of_starts, of_targets
from slo.silence import HIDDEN_PAGE_S, Matcher, MatchOp, Silence
from slo.target import Target
from slo.watch import Watch

AT_S = 1_790_000_010 // 30 * 30
PAGER = Channel(name="pager", kind=ChannelKind.PAGERDUTY, urls=("https://pager",))
CHAT = Channel(name="chat", kind=ChannelKind.SLACK, urls=("https://chat",), severities=frozenset({Severity.TICKET}))
FAILS = Target(channel="chat", failing_since_s=1.0, why="answered 500")
PAGE = Alert(
    record=Record(
        fingerprint=7, definition_hash=1, state=AlertState.FIRING, at_s=AT_S, fired_at_s=AT_S, last_sent_at_s=AT_S
    ),
    labels={"alertname": "good", "slo": "good", "severity": "page"},
    annotations={},
)
SILENCE = Silence(
    id="s1",
    matchers=(Matcher(name="slo", op=MatchOp.EQUAL, value="good"),),
    starts_at_s=AT_S,
    ends_at_s=AT_S + 7 * 86_400,
    author="ann",
    comment="new racks",
)


def said(watch: Watch) -> str:
    return watch.words()["summary"] if watch.event is AlertEvent.BAD else ""


def test_a_target_that_hears_nothing_is_told_of_as_loudly_as_what_it_misses() -> None:
    both = [replace(FAILS, channel="pager"), FAILS]
    pager, chat = of_targets(both, both, [PAGER, CHAT])

    assert pager.labels == {
        "alertname": "NotifierFailing", "severity": "page", "channel": "pager", "instance": "0"
    }  # fmt: skip
    assert chat.labels["severity"] == "ticket"
    assert said(chat) == "chat hears nothing: answered 500"
    assert pager.fingerprint != chat.fingerprint


def test_it_fires_at_once_and_ends_when_the_target_hears_again_not_when_nobody_tries() -> None:
    alerts = dict[int, Alert]()
    told: list[tuple[str, str]] = []
    hears = replace(FAILS, failing_since_s=None, sent_n=1)
    untried, tried = Target(channel="chat"), replace(FAILS, failing_since_s=900.0)  # after a restart
    for n, target in enumerate([hears, FAILS, FAILS, *[untried] * 40, *[tried] * 9, FAILS, *[hears] * 22]):
        moved = advance(of_targets([target], [FAILS], [CHAT]), alerts, AT_S + 30 * n)
        alerts = dict(moved.alerts)
        told += [(one.labels["alertname"], one.status.value) for one in moved.notices]

    assert told == [("NotifierFailing", "firing"), ("NotifierFailing", "resolved")]


def test_a_reload_that_was_refused_is_a_ticket() -> None:
    refused = of_reload("chat.yaml:8: spec: found nothing")

    assert refused.labels == {"alertname": "ConfigRejected", "severity": "ticket"}
    assert "chat.yaml:8" in said(refused)
    assert of_reload("").event is AlertEvent.OK
    both = said(of_reload("a.yaml:1: x", "targets.yaml:2: y"))
    assert "the objectives are refused, and what was read before goes on: a.yaml:1: x; the scaling targets are" in both
    assert said(of_reload("", "targets.yaml:2: y")).endswith("goes on: targets.yaml:2: y")


@pytest.mark.parametrize(
    ("page", "quiet", "hours", "hidden"),
    [
        pytest.param(PAGE, Quiet(silences=[SILENCE]), 24.1, True, id="for more than a day"),
        pytest.param(PAGE, Quiet(silences=[SILENCE]), 24, False, id="for a day"),
        pytest.param(
            PAGE, Quiet(silences=[replace(SILENCE, starts_at_s=AT_S + 80_000)]), 25, True, id="by one that was renewed"
        ),
        pytest.param(PAGE, Quiet(), 25, False, id="by nothing"),
        pytest.param(PAGE, Quiet(silences=[SILENCE], acknowledged=frozenset({7})), 25, False, id="taken on"),
        pytest.param(
            replace(PAGE, record=replace(PAGE.record, last_sent_at_s=AT_S + 7_200)),
            Quiet(silences=[SILENCE]),
            25,
            False,
            id="for less, before that it was told",
        ),
        pytest.param(
            replace(PAGE, labels={**PAGE.labels, "severity": "ticket"}),
            Quiet(silences=[SILENCE]),
            25,
            False,
            id="a ticket",
        ),
    ],
)
def test_a_page_that_silences_hide_is_a_ticket(page: Alert, quiet: Quiet, hours: float, hidden: bool) -> None:
    watch = of_silences({7: page}, quiet, AT_S + round(hours * 3_600))

    assert (watch.event is AlertEvent.BAD) == hidden
    assert said(watch) == ("silences have hidden 1 firing pages for more than a day: good" if hidden else "")
    assert not any(one.value in watch.labels.values() for one in SILENCE.matchers), "nor does it hide the ticket"


def test_many_hidden_pages_are_one_ticket_of_bounded_length() -> None:
    pages = {n: replace(PAGE, labels={**PAGE.labels, "alertname": f"alert-{n:04}"}) for n in range(500)}
    watch = of_silences(pages, Quiet(silences=[SILENCE]), AT_S + HIDDEN_PAGE_S + 30)

    assert "500 firing pages" in said(watch)
    assert len(said(watch)) == SAID_CHARS_MAX


def test_a_target_that_two_scalers_fight_over_is_a_ticket_of_its_own() -> None:
    calm, fought = of_scalers({"code": False, "chat": True})

    assert ("SecondScaler", "ticket", "chat") == tuple(
        fought.labels[name] for name in ("alertname", "severity", "target")
    )
    assert (AlertEvent.OK, "") == (calm.event, said(calm))
    assert said(fought).startswith("replicas of chat were changed more than 3 times within an hour")


def test_a_target_whose_replicas_take_longer_is_a_ticket_of_its_own() -> None:
    calm, slow = of_starts({"code": "", "chat": "the P90 is 261 s"})

    assert ("ColdStartRegression", "ticket", "chat") == tuple(
        slow.labels[name] for name in ("alertname", "severity", "target")
    )
    assert (AlertEvent.OK, "") == (calm.event, said(calm))
    assert (AlertEvent.BAD, "chat: the P90 is 261 s") == (slow.event, said(slow))
