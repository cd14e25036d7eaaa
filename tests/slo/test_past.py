"""Tests of slo.past."""

from dataclasses import replace
from datetime import datetime

import pytest
from histories import DAY_S, objective
from pasts import AT_S, HOUR_S, LOOSE, STRICT, failing, found, known, steady

from slo.counts import Counts
from slo.errors import CountsError
from slo.objective import AlertCondition, AlertPolicy, ConditionKind
from slo.past import HISTORY_S, Gap, Known, Past, Replay, lead_s
from slo.periods import Calendar, CalendarUnit
from slo.telemetry_state import Heartbeats
from slo.watched import watched


def at(past: Past, at_s: int, since_s: int = AT_S) -> Replay:
    replay = Replay(past, since_s)
    for _ in range(since_s, at_s + 1, 30):
        replay.advance()
    return replay


@pytest.mark.parametrize("seconds", [0, 30, 630, 3_600, 3_660])
def test_facts_are_those_of_sums_that_are_made_anew(seconds: int) -> None:
    past = Past(watched=LOOSE, counted=failing(AT_S, 600, AT_S + 2 * HOUR_S))
    plain = found(LOOSE, past, AT_S, AT_S + seconds)

    assert plain is not None
    expected, facts = plain.facts, at(past, AT_S + seconds).facts()
    assert (expected.windows, expected.run, expected.expected) == (facts.windows, facts.run, facts.expected)
    assert list(expected.recent)[-len(facts.recent) :] == list(facts.recent)


def test_what_came_late_counts_from_when_it_was_known() -> None:
    past = Past(watched=STRICT, counted=[known(AT_S, 10, 0), known(AT_S, 12, 2, late_s=90)])

    assert at(past, AT_S + 90).facts().over(300) == Counts(eligible=10)
    assert at(past, AT_S + 120).facts().over(300) == Counts(eligible=12, bad=2)
    assert at(past, AT_S + 150, since_s=AT_S + 150).facts().over(300) == Counts(eligible=12, bad=2), (
        "and before the start"
    )


def test_it_is_calm_until_a_rule_may_be_true() -> None:
    past = Past(watched=LOOSE, counted=[*steady(AT_S - HOUR_S, AT_S, bad=0), *steady(AT_S, AT_S + 60, bad=60)])

    assert at(past, AT_S).is_calm
    assert not at(past, AT_S + 60).is_calm


def test_it_is_not_calm_while_something_is_missing_or_waits() -> None:
    gap = Gap(start_s=AT_S + 60, end_s=AT_S + 90, seen=Heartbeats.SOME_STALE, coverage_ratio=0.8)
    past = Past(watched=STRICT, gaps=[gap], overdue={AT_S + 150: 7})
    calm = [at(past, AT_S + s).is_calm for s in range(30, 181, 30)]

    assert calm == [True, False, False, True, False, True]
    facts = at(past, AT_S + 90).facts()
    assert (facts.seen, facts.coverage_ratio, facts.overdue) == (Heartbeats.SOME_STALE, 0.8, 0)
    assert at(past, AT_S + 150).facts().overdue == 7
    assert at(past, AT_S + 180).facts().seen is Heartbeats.FRESH


def test_a_rule_that_no_sum_can_rule_out_is_always_looked_at() -> None:
    condition = AlertCondition(kind=ConditionKind.BUDGET_REMAINING, severity="page", threshold=0.1)
    policies = (AlertPolicy(name="low", conditions=(condition,)),)
    one = watched(replace(objective(0.99, days=7), policies=policies))

    assert not at(Past(watched=one), AT_S).is_calm


def test_expected_requests_follow_weeks_that_no_window_holds() -> None:
    """A period of 7 days, and the same hour of 4 weeks: 40 a bucket, but 80 for the last seven days."""
    counted = [known(s, 40, 0) for s in range(AT_S - HISTORY_S, AT_S - 7 * DAY_S, 3_600)]
    counted += [known(s, 80, 0) for s in range(AT_S - 7 * DAY_S, AT_S, 3_600)]

    replay = at(Past(watched=STRICT, counted=counted), AT_S)

    assert replay.facts().expected == 40 * 168
    assert replay.facts().expected == 40 * 168, "for an hour"
    assert at(Past(watched=STRICT), AT_S).facts().expected is None


def test_a_calendars_period_counts_from_its_start() -> None:
    """2026-10-01 in Berlin began at 22:00 UTC the day before."""
    calendar = Calendar(start=datetime(2026, 1, 1), zone="Europe/Berlin", count=1, unit=CalendarUnit.MONTH)  # noqa: DTZ001 -- its zone stands beside it
    one = watched(replace(objective(0.99), window=calendar))
    begin_s = 1_790_805_600  # date -d 2026-09-30T22:00Z +%s
    counted = [known(s, 10, 1) for s in range(begin_s - HOUR_S, begin_s + HOUR_S, 30)]
    past = Past(
        watched=one, counted=[*counted, known(begin_s - 60, 11, 11, late_s=600), known(begin_s, 20, 5, late_s=900)]
    )
    past = replace(past, counted=sorted(past.counted, key=lambda each: each.known_s))
    since_s = begin_s - 300

    assert at(past, begin_s - 30, since_s).period() == Counts(eligible=1_190, bad=119)
    assert at(past, begin_s, since_s).period() == Counts(eligible=10, bad=1), "of the last bucket, as for the engine"
    assert at(past, begin_s + 30, since_s).period() == Counts(eligible=10, bad=1)
    assert at(past, begin_s + 990, since_s).period() == Counts(eligible=340, bad=37)
    assert at(past, begin_s + 990, since_s).facts().period == Counts(eligible=340, bad=37)


def test_counts_begin_early_enough_for_every_window_and_for_the_weeks_before() -> None:
    calendar = Calendar(start=datetime(2026, 1, 1), zone="UTC", count=1, unit=CalendarUnit.QUARTER)  # noqa: DTZ001 -- its zone stands beside it

    assert lead_s(STRICT) == HISTORY_S
    assert lead_s(watched(objective(0.99, days=30))) == 30 * DAY_S
    assert lead_s(watched(replace(objective(0.99), window=calendar))) == 93 * DAY_S


def test_the_budget_is_of_the_period() -> None:
    past = Past(watched=LOOSE, counted=steady(AT_S - HOUR_S, AT_S, bad=3))

    assert at(past, AT_S).period() == Counts(eligible=7_200, bad=360)


def test_counts_that_cannot_be_are_told_when_they_are_asked_for() -> None:
    wrong = Known(start_s=AT_S, eligible=1, bad=2, known_s=AT_S + 30)

    with pytest.raises(CountsError):
        at(Past(watched=STRICT, counted=[wrong]), AT_S + 30).facts()
