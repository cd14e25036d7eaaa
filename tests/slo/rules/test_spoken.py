"""What findings mean for alerts, cell by cell of the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from slo.alert import Alert
from slo.alert_moves import AlertEvent
from slo.alert_states import Record
from slo.identity import fingerprint
from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.rule import Found, Mode, Rows, RuleId, Settings
from slo.rules.spoken import Last, spoken
from slo.sight import Heard
from telemetry.queries.question import Question

PAGE, TICKET, SILENT = Verdict.PAGE, Verdict.TICKET, Verdict.SILENT
BAD, OK, BLIND, NOBODY = AlertEvent.BAD, AlertEvent.OK, AlertEvent.BLIND, AlertEvent.NO_TRAFFIC
ALL, FEW, NONE = (Heard(expected=10, fresh=fresh) for fresh in (10, 8, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRule:
    """A rule that is never asked here."""

    kind: Kind = Kind.ERRORS
    settings: Settings = field(default_factory=Settings)
    id: RuleId = RuleId.ERROR_RATE_JUMP
    every_s: int = 30
    for_s: int = 60

    def questions(self, at_s: int) -> Mapping[str, Question]:
        raise AssertionError(at_s)

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        raise AssertionError(at_s, rows)


def last(
    *sound: Verdict, rule: OneRule | None = None, trouble: str = "", left_out: int = 0, naive: Verdict = SILENT
) -> Last:
    found = tuple(Found(labels={"endpoint": "chat", "gpu": ""}, sound=one, naive=naive, bad=7) for one in sound)
    return Last(rule=rule or OneRule(), found=found, trouble=trouble, left_out=left_out)


def remembered(**more: str) -> Alert:
    labels = {"alertname": "error_rate_jump", "endpoint": "chat", "severity": "page", **more}
    return Alert(record=Record(fingerprint=fingerprint(labels), definition_hash=0), labels=labels, annotations={})


def events(one: Last, heard: Heard = ALL, *before: Alert) -> dict[tuple[str, str], AlertEvent]:
    """Return what is said of each alert, by severity and method."""
    said = spoken([one], {"chat": heard}, {alert.fingerprint: alert for alert in before})
    assert len({watch.fingerprint for watch in said}) == len(said), "of each alert once"
    return {(watch.labels["severity"], watch.labels.get("method", "")): watch.event for watch in said}


ENGINES = OneRule(kind=Kind.OTHER)


@pytest.mark.parametrize(
    ("heard", "rule", "trouble", "bad", "nothing", "unnamed"),
    [
        pytest.param(ALL, OneRule(), "", BAD, OK, NOBODY, id="collectors heard"),
        pytest.param(FEW, OneRule(), "", BAD, BLIND, BLIND, id="too few collectors heard"),
        pytest.param(NONE, OneRule(), "", BLIND, BLIND, BLIND, id="no collector heard"),
        pytest.param(NONE, ENGINES, "", BAD, BLIND, BLIND, id="no collector heard, but seen without requests"),
        pytest.param(ALL, OneRule(), "no answer", BLIND, BLIND, BLIND, id="not judged"),
    ],
)
def test_each_cell_of_the_table(
    heard: Heard, rule: OneRule, trouble: str, bad: AlertEvent, nothing: AlertEvent, unnamed: AlertEvent
) -> None:
    page, ticket = ("page", ""), ("ticket", "")

    assert events(last(PAGE, rule=rule, trouble=trouble), heard)[page] is bad
    assert events(last(SILENT, rule=rule, trouble=trouble), heard) == {page: nothing, ticket: nothing}
    assert events(last(rule=rule, trouble=trouble), heard, remembered()) == {page: unnamed}


def test_a_subject_that_no_collector_has_is_seen_without_them_if_it_is_not_made_of_requests() -> None:
    found = (Found(labels={"endpoint": "elsewhere"}, sound=SILENT),)
    said = [spoken([Last(rule=OneRule(kind=kind), found=found)], {"chat": ALL}, {}) for kind in Kind]

    seen = {kind for kind, watches in zip(Kind, said, strict=True) if watches[0].event is OK}
    assert seen == {Kind.DOWN, Kind.BLIND, Kind.INVALID, Kind.OTHER}
    everywhere = Last(rule=OneRule(), found=(Found(labels={}, sound=SILENT),))
    assert spoken([everywhere], {"chat": ALL, "mail": NONE}, {})[0].event is BLIND


@pytest.mark.parametrize(
    ("settings", "of"),
    [
        pytest.param(Settings(enabled=False), {}, id="disabled"),
        pytest.param(Settings(mode=Mode.NAIVE), {}, id="in another mode"),
        pytest.param(Settings(), {"slo": "error_rate_jump"}, id="of an objective with the name of a rule"),
        pytest.param(Settings(), {"alertname": "NotifierFailing"}, id="of no rule"),
    ],
)
def test_nobody_speaks_for_an_alert_of_what_is_not_asked(settings: Settings, of: dict[str, str]) -> None:
    assert events(last(rule=OneRule(settings=settings)), ALL, remembered(**of)) == {}


@pytest.mark.parametrize(
    ("heard", "event"),
    [
        pytest.param({"mail": ALL}, NOBODY, id="others are heard: it is gone"),
        pytest.param({"mail": NONE}, BLIND, id="nobody is heard"),
        pytest.param({}, BLIND, id="nobody was heard within a day"),
        pytest.param(None, BLIND, id="the store does not answer"),
        pytest.param({"chat": NONE, "mail": ALL}, BLIND, id="it was heard within a day"),
    ],
)
def test_an_endpoint_that_nobody_expects_any_more_does_not_fire_for_ever(
    heard: Mapping[str, Heard] | None, event: AlertEvent
) -> None:
    alert = remembered()
    (watch,) = spoken([last()], heard, {alert.fingerprint: alert})

    assert watch.event is event


STALLED = OneRule(id=RuleId.STALLED_ENGINE, kind=Kind.OTHER)
CANARY = OneRule(id=RuleId.QUALITY_CANARY, kind=Kind.OTHER)
SELF = OneRule(id=RuleId.TELEMETRY_SELF, kind=Kind.OTHER)
ENGINE, COLLECTOR = {"endpoint": "chat", "replica": "r0"}, {"endpoint": "", "collector": "c0"}


def known(*, known: bool = True, **labels: str) -> Found:
    return Found(labels=labels, sound=SILENT, is_known=known)


@pytest.mark.parametrize(
    ("rule", "subject", "found", "heard", "event"),
    [
        pytest.param(STALLED, ENGINE, (), {"chat": ALL}, BLIND, id="its scraper is silent"),
        pytest.param(STALLED, ENGINE, (known(endpoint="mail"),), {"chat": ALL}, BLIND, id="others are scraped"),
        pytest.param(
            STALLED, ENGINE, (known(endpoint="chat", known=False),), {"chat": ALL}, BLIND, id="none beside it"
        ),
        pytest.param(STALLED, ENGINE, (known(endpoint="chat", replica="r1"),), {"chat": ALL}, NOBODY, id="scaled down"),
        pytest.param(STALLED, ENGINE, (), {"mail": ALL}, NOBODY, id="its endpoint is gone"),
        pytest.param(CANARY, ENGINE, (known(endpoint="chat"),), {"chat": ALL}, BLIND, id="only requests are known"),
        pytest.param(SELF, COLLECTOR, (), {"chat": ALL}, NOBODY, id="the collector is not expected any more"),
        pytest.param(SELF, COLLECTOR, (), {"chat": ALL, "mail": NONE}, BLIND, id="some collector is silent"),
        pytest.param(SELF, {"endpoint": "chat"}, (), {"chat": ALL}, NOBODY, id="no requests"),
    ],
)
def test_silence_of_what_an_engine_or_a_collector_says_itself_ends_nothing(
    rule: OneRule, subject: Mapping[str, str], found: Sequence[Found], heard: Mapping[str, Heard], event: AlertEvent
) -> None:
    alert = remembered(**{"alertname": rule.id.value, **subject})
    said = spoken([Last(rule=rule, found=tuple(found))], heard, {alert.fingerprint: alert})

    assert {one.fingerprint: one.event for one in said}[alert.fingerprint] is event


def test_one_beyond_those_that_have_alerts_does_not_end() -> None:
    assert events(last(left_out=1), ALL, remembered()) == {("page", ""): BLIND}


def test_of_two_findings_about_one_subject_the_worse_holds() -> None:
    assert events(last(TICKET, SILENT))["ticket", ""] is BAD
    assert events(last(SILENT, TICKET))["ticket", ""] is BAD


def test_what_is_said_has_both_verdicts_and_the_rules_own_words_first() -> None:
    (page, _) = spoken([last(PAGE, naive=TICKET)], {"chat": ALL}, {})
    naive = spoken([last(PAGE, naive=TICKET, rule=OneRule(settings=Settings(mode=Mode.NAIVE)))], {"chat": ALL}, {})[1]

    assert (page.bad, page.timers.for_s, page.timers.keep_firing_s, page.kind) == (7, 60, 120, Kind.ERRORS)
    assert page.labels == {"alertname": "error_rate_jump", "service": "chat", "endpoint": "chat", "severity": "page"}
    assert dict(page.words()) == {
        "summary": "error_rate_jump: chat chat",
        "verdict": "page",
        "naive_verdict": "ticket",
        "bad_requests": "7",
    }
    assert (naive.labels["severity"], naive.event, naive.words()["method"]) == ("ticket", BAD, "naive")
