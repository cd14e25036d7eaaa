"""Alerts of built-in rules before those who explain alerts."""

import pytest

from slo.alert import Alert
from slo.alert_states import Record
from slo.explain import explainer
from slo.expression import parse
from slo.rules.explained import LIMIT, judged_of
from telemetry.store import Store

AT_S = 1_790_000_000 // 60 * 60


def alert(name: str, limit: str = "", **labels: str) -> Alert:
    return Alert(
        record=Record(fingerprint=1, definition_hash=0, at_s=AT_S),
        labels={"alertname": name, "severity": "page", **labels},
        annotations={LIMIT: limit} if limit else {},
    )


def test_errors_are_all_that_ended_badly_at_the_subject() -> None:
    found = judged_of(alert("error_rate_5xx", endpoint="chat", model="m", gpu="0"))

    assert found is not None
    assert found.found is not None
    assert (found.group, found.watched.objective.indicator.good) == ({"endpoint": "chat", "model": "m"}, None)
    assert (found.found.facts.at_s, found.found.known.is_blind) == (AT_S, False)


def test_a_p99_is_what_was_slower_than_its_limit() -> None:
    found = judged_of(alert("p99_over_sla", "0.88", endpoint="chat", figure="ttft"))

    assert found is not None
    assert found.watched.objective.indicator.good == parse("ok and ttft_s <= 0.88")


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("gpu_band", {}),
        ("error_rate_auth", {"endpoint": "chat"}),
        ("error_rate_jump", {"endpoint": "chat", "method": "naive"}),
        ("p99_over_sla", {"endpoint": "chat", "figure": "e2e"}),
    ],
)
def test_of_what_no_requests_are_bad_only_the_link_is_told(name: str, labels: dict[str, str], reader: Store) -> None:
    told = alert(name, **labels)
    found = judged_of(told)

    assert found is not None
    assert found.found is None
    assert list(explainer(reader, "http://ui", lambda: 0.0)(found, told)) == ["link"]


@pytest.mark.parametrize("name", ["NotifierFailing", "chat-good"])
def test_what_is_no_built_in_rule_is_none(name: str) -> None:
    assert judged_of(alert(name)) is None
    assert judged_of(alert("oom", slo="oom")) is None, "an objective may have the name of a rule"


def test_the_store_explains_it(reader: Store) -> None:
    told = alert("error_rate_jump", endpoint="chat", model="m")
    found = judged_of(told)

    assert found is not None
    words = explainer(reader, "http://ui", lambda: 0.0)(found, told)
    assert {"impact", "top_contributors", "changes", "link"} <= words.keys()
    assert "explanation_gaps" not in words
