"""Tests of slo.pagerduty_body."""

from dataclasses import replace

import pytest
from notices import FIRING, RESOLVED

from slo.pagerduty_body import SUMMARY_CHARS_MAX, pagerduty_body


def test_a_page_is_critical_and_says_what_it_knows() -> None:
    body = pagerduty_body(FIRING, "key")

    assert (body["event_action"], body["dedup_key"], body["routing_key"]) == ("trigger", "00000000000000ab", "key")
    assert body["payload"]["severity"] == "critical"
    assert body["payload"]["custom_details"] == FIRING.annotations
    assert body["payload"]["source"] == "chat"
    assert body["links"] == [{"href": FIRING.link, "text": "inferometer"}]


@pytest.mark.parametrize(("severity", "theirs"), [("ticket", "warning"), ("info", "info"), ("odd", "info")])
def test_severities_have_names_of_theirs(severity: str, theirs: str) -> None:
    assert pagerduty_body(replace(FIRING, labels={"severity": severity}), "k")["payload"]["severity"] == theirs


def test_an_end_closes_what_the_start_opened() -> None:
    body = pagerduty_body(RESOLVED, "key")

    assert body == {"routing_key": "key", "event_action": "resolve", "dedup_key": "00000000000000ab"}


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_summary_beyond_the_bound_is_cut(beyond: int) -> None:
    notice = replace(FIRING, annotations={"summary": "x" * (SUMMARY_CHARS_MAX + beyond)}, link="")
    body = pagerduty_body(notice, "key")

    assert len(body["payload"]["summary"]) == SUMMARY_CHARS_MAX
    assert body["links"] == []
