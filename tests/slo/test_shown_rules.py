"""How rules look from outside."""

from dataclasses import replace

from views import NOW_S, judged

from slo.shown_rules import rules_shown


def test_a_burn_rule_shows_what_it_can_see() -> None:
    """slo.md 5: burn * (1 - target) * long / bad ratio; 14.4 * 0.01 * 120 s, and never at a tenth."""
    first = rules_shown(judged(), NOW_S).rules[0]

    assert first.reach is not None
    assert (first.reach.burn, first.reach.long_s, first.reach.short_s) == (14.4, 120, 30)
    assert first.reach.reach_ratio == 0.144
    assert first.reach.detect_s == {"1": 17.28, "0.5": 34.56, "0.1": None}
    assert first.reach.can_fire == "reachable"
    assert first.conditions == ("burnrate 14.4 over 2m", "burnrate 14.4 over 30s")
    assert (first.standing, first.speaks, first.why) == ("below", False, "it is not true")


def test_a_rule_that_is_true_says_so() -> None:
    first = rules_shown(judged(bad=1_000), NOW_S).rules[0]

    assert (first.standing, first.speaks, first.why) == ("above", True, "it is true")


def test_a_rule_that_rests_on_too_little_names_its_gates() -> None:
    first = rules_shown(judged(good=1, bad=1), NOW_S).rules[0]

    assert (first.standing, first.speaks) == ("above", False)
    assert [one.gate for one in first.silenced_by] == ["min_events", "min_bad", "evidence", "traffic_weight"]
    assert first.why.startswith("it is true and rests on too little: min_events 2 of 10, min_bad 1 of 3")


def test_a_rule_without_a_burn_rate_has_no_reach() -> None:
    rules = {one.name: one for one in rules_shown(judged(), NOW_S).rules}

    assert rules["outage_run"].reach is None
    assert rules["outage_run"].conditions == ("outage",)


def test_before_the_first_instant_nothing_stands() -> None:
    shown = rules_shown(replace(judged(), found=None), None)

    assert (shown.as_of, dict(shown.burn)) == (None, {})
    assert {(one.standing, one.why) for one in shown.rules} == {(None, "nothing has been evaluated")}
