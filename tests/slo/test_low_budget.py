"""Tickets of low budgets, through the alerts' own states."""

from collections.abc import Mapping
from dataclasses import replace

from views import judged

from slo.alarms import advance, restored
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.identity import fingerprint
from slo.low_budget import TIMERS, Low, of_budgets

AT_S = 1_790_000_010
ONE = judged(endpoint="e")
LOW = Low(judged=ONE, threshold=0.25, remaining=0.2, actions=("notify", "require_x"))


def states(alerts: Mapping[int, Alert]) -> list[tuple[str, AlertState]]:
    return [(alert.labels["below"], alert.record.state) for alert in alerts.values()]


def test_each_threshold_is_a_ticket_of_its_own_in_words() -> None:
    (one, other) = of_budgets([LOW, replace(LOW, threshold=0.5)], {})

    assert one.labels == {
        "alertname": "BudgetLow", "slo": "chat", "service": "chat", "endpoint": "e", "severity": "ticket",
        "below": "25%",
    }  # fmt: skip
    assert one.fingerprint != other.fingerprint
    assert one.words() == {
        "summary": "chat: e has 20.0% of its error budget left, 25% is the limit", "policy": "notify, require x",
    }  # fmt: skip
    whole = replace(LOW, judged=replace(ONE, group={}))
    assert of_budgets([whole], {})[0].words()["summary"].startswith("chat: chat has")


def test_it_has_the_labels_of_its_objective_so_that_it_reaches_the_same_people() -> None:
    of = replace(ONE.watched, objective=replace(ONE.watched.objective, labels={"team": ("a",), "tags": ("x", "y")}))
    (watch,) = of_budgets([replace(LOW, judged=replace(ONE, watched=of, group={"endpoint": "e", "cell": "c"}))], {})

    assert watch.labels == {
        "alertname": "BudgetLow", "slo": "chat", "service": "chat", "endpoint": "e", "cell": "c", "team": "a",
        "severity": "ticket", "below": "25%",
    }  # fmt: skip
    assert watch.fingerprint == fingerprint(watch.labels)


def test_it_is_remembered_over_a_restart_unless_its_objective_is_another() -> None:
    fired = advance(of_budgets([LOW], {}), {}, AT_S).alerts
    own, other = (restored(fired, AT_S + 30, {"chat": ONE.watched.definition_hash + more}) for more in (0, 1))

    assert states(own) == [("25%", AlertState.FIRING)]
    assert advance(of_budgets([LOW], own), own, AT_S + 30).notices == ()
    assert states(other) != states(own)


def test_it_fires_at_once_is_told_once_and_ends_when_the_budget_has_recovered() -> None:
    first = advance(of_budgets([LOW], {}), {}, AT_S)
    again = advance(of_budgets([LOW], first.alerts), first.alerts, AT_S + 30)
    calm, at_s = again, AT_S + 30
    while states(calm.alerts) == [("25%", AlertState.FIRING)]:
        at_s += 30
        calm = advance(of_budgets([], calm.alerts), calm.alerts, at_s)

    assert [one.status.value for one in first.notices] == ["firing"]
    assert again.notices == ()
    assert at_s == AT_S + 60 + TIMERS.keep_firing_s
    assert [one.status.value for one in calm.notices] == ["resolved"]


def test_what_is_not_known_ends_nothing() -> None:
    fired = advance(of_budgets([LOW], {}), {}, AT_S).alerts
    for low in (None, [replace(LOW, remaining=None)]):
        alerts, at_s = fired, AT_S
        for _ in range(60):
            at_s += 30
            alerts = advance(of_budgets(low, alerts), alerts, at_s).alerts

        assert states(alerts) == [("25%", AlertState.FIRING)]


def test_a_page_of_the_same_objective_speaks_first() -> None:
    low = replace(LOW, judged=judged(), remaining=-1.0)
    paged = advance([judged(bad=1_000), *of_budgets([low], {})], {}, AT_S)
    calm = advance([judged(), *of_budgets([low], {})], {}, AT_S)

    assert [(one.labels["alertname"], one.severity) for one in paged.notices] == [("chat", "page")]
    assert [(one.labels["alertname"], one.severity) for one in calm.notices] == [("BudgetLow", "ticket")]


def test_nothing_is_remembered_of_other_alerts() -> None:
    (alert,) = advance(of_budgets([LOW], {}), {}, AT_S).alerts.values()
    other = replace(alert, labels={**alert.labels, "alertname": "Other"})

    assert of_budgets([], {1: other}) == []
