"""Tests of slo.words."""

from dataclasses import replace

import pytest
from histories import failing, objective

from slo.alert_states import Record
from slo.burn_catalogue import Severity
from slo.counts import Counts
from slo.evaluation import Facts, evaluate
from slo.expression import parse
from slo.watched import watched
from slo.wholes import Flow
from slo.words import budget_words, burn_words, silence_words, span, with_state

ONE = watched(objective(0.999))


def test_an_alert_says_what_burns_and_what_is_left() -> None:
    found = evaluate(ONE, failing(ONE, 600, 1.0, 3_600))
    words = burn_words(ONE, found, Severity.PAGE, {"endpoint": "chat", "model": "m"})

    assert words["summary"] == "chat-good: chat m spends its error budget 1e+03 times too fast"
    assert words["rule"] == "burn 14.4 over 60 min"
    assert words["also_true"] == "burn 6 over 360 min, outage_run"
    assert words["impact"] == "72000 of 72000 requests of the last hour were bad"
    assert words["budget_left"] == "-38.9% of 30d, -20160 bad requests"
    assert words["burn"].startswith("1m: 1e+03, 5m: 1e+03, 30m: 1e+03, 1h: 1e+03")


def test_what_is_counted_has_its_name() -> None:
    flows = watched(replace(ONE.objective, whole=Flow(last=parse("ok"), budget_s=60)))
    found = evaluate(flows, failing(flows, 600, 1.0, 3_600))

    assert burn_words(flows, found, Severity.PAGE, {})["impact"] == "72000 of 72000 flows of the last hour were bad"
    assert budget_words(flows, found) == "-38.9% of 30d, -20160 bad flows"


def test_requests_that_wait_are_named() -> None:
    found = evaluate(ONE, Facts(at_s=0, windows={}, overdue=7))

    assert burn_words(ONE, found, Severity.PAGE, {})["impact"].endswith("7 of them wait for too long now")
    assert budget_words(ONE, found) == "unknown: nothing was counted"
    assert "chat spends" in burn_words(ONE, found, Severity.TICKET, {})["summary"], "without a group, the service"


def test_a_rule_that_is_silent_says_why() -> None:
    found = evaluate(ONE, Facts(at_s=0, windows=dict.fromkeys(ONE.windows_s, Counts(eligible=5, bad=2))))

    assert "burn 14.4 over 60 min: min_events 5 of 10, min_bad 2 of 3" in silence_words(found)
    assert silence_words(evaluate(ONE, Facts(at_s=0, windows={}))) == ""


def test_only_its_history_knows_that_an_alert_is_blind_or_flaps() -> None:
    told = with_state({"a": "b"}, Record(fingerprint=1, definition_hash=1, is_blind=True, is_flapping=True))

    assert set(told) == {"a", "blind", "flapping"}
    assert with_state({"a": "b"}, Record(fingerprint=1, definition_hash=1)) == {"a": "b"}


@pytest.mark.parametrize(("seconds", "said"), [(86_400 * 3, "3d"), (3_600, "1h"), (300, "5m"), (45, "45s")])
def test_lengths_are_said_as_people_say_them(seconds: int, said: str) -> None:
    assert span(seconds) == said
