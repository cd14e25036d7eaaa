"""Tests of slo.watched."""

from dataclasses import replace

from histories import DAY_S, objective

from slo.alert_states import Timers
from slo.burn_catalogue import SCALED_WINDOWS, Severity
from slo.expression import parse
from slo.objective import AlertCondition, AlertPolicy, ConditionKind, Indicator
from slo.watched import SHOWN_S, watched


def burns(name: str, *windows_s: int, severity: str = "page", after_s: int = 0) -> AlertPolicy:
    conditions = tuple(
        AlertCondition(
            kind=ConditionKind.BURN_RATE, severity=severity, threshold=6.0, lookback_s=window, after_s=after_s
        )
        for window in windows_s
    )
    return AlertPolicy(name=name, conditions=conditions)


def test_without_policies_the_catalogue_holds() -> None:
    one = watched(objective(0.999))

    assert [(rule.name, rule.severity.value) for rule in one.rules] == [
        ("burn 14.4 over 60 min", "page"),
        ("burn 6 over 360 min", "page"),
        ("burn 3 over 1440 min", "ticket"),
        ("burn 1 over 4320 min", "ticket"),
        ("proven_burn", "page"),
        ("outage_run", "page"),
    ]
    assert one.windows_s == (60, 300, 1_800, 3_600, 7_200, 21_600, 86_400, 259_200, 30 * DAY_S)
    assert one.notes == ()


def test_a_loose_target_gets_the_outage_rule_and_a_short_period_notes() -> None:
    one = watched(objective(0.95, days=7))

    assert "outage" in [rule.name for rule in one.rules]
    assert one.notes


def test_of_every_objective_the_same_windows_are_shown_up_to_its_period() -> None:
    for days in (7, 90):
        assert set(SHOWN_S) <= set(watched(objective(0.999, days)).windows_s)

    assert 259_200 not in watched(objective(0.999, 2)).windows_s


def test_another_catalogue_may_be_asked_for() -> None:
    assert "burn 14 over 60 min" in [rule.name for rule in watched(objective(0.999, 28), SCALED_WINDOWS).rules]


def test_policies_of_its_own_replace_the_catalogue() -> None:
    own = replace(
        objective(0.999),
        policies=(
            burns("slow", 21_600, severity="ticket", after_s=300),
            replace(burns("fast", 3_600, 300, severity="CRITICAL"), keep_firing_s=30),
            AlertPolicy(
                name="low",
                conditions=(AlertCondition(kind=ConditionKind.BUDGET_REMAINING, severity="info", threshold=0.1),),
            ),
        ),
    )
    rules = watched(own).rules

    assert [(rule.name, rule.severity) for rule in rules] == [
        ("slow", Severity.TICKET),
        ("fast", Severity.PAGE),
        ("low", Severity.TICKET),
        ("outage_run", Severity.PAGE),
    ]
    assert rules[0].timers == Timers(for_s=300, keep_firing_s=600)
    assert rules[1].timers == Timers(for_s=0, keep_firing_s=30)
    assert rules[1].gated_by is not None
    assert rules[1].gated_by.long_s == 3_600, "the gates are asked of the longest window"
    assert rules[2].gated_by is None


def test_the_age_at_which_a_request_in_flight_is_bad_allows_for_a_long_prompt() -> None:
    good = parse("ok and ttft_s <= 1.0 + 0.0002*tokens_in and e2e_s <= 60")
    one = watched(replace(objective(0.99), indicator=Indicator(good=good)))

    assert (one.patience.first_us, one.patience.whole_us) == (2_600_000, 60_000_000)
