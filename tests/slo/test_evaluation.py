"""Tests of slo.evaluation."""

from dataclasses import replace

import pytest
from histories import DAY_S, failing, first, objective

from slo.alert_moves import AlertEvent
from slo.buckets import Bucket
from slo.budget import BlindPolicy, Budget
from slo.burn import Standing
from slo.burn_catalogue import Severity
from slo.counts import Counts
from slo.evaluation import Facts, evaluate
from slo.gates import Gate
from slo.objective import AlertCondition, AlertPolicy, ConditionKind
from slo.telemetry_state import Blind, BlindCause, Heartbeats, ProbeSays, State
from slo.watched import Watched, watched

PAGE, TICKET = Severity.PAGE, Severity.TICKET


def paged_at(one: Watched, per_bucket: int, bad_ratio: float, until_s: int, rule: str = "") -> int | None:
    instants = list(range(30, until_s + 1, 30))
    found = [evaluate(one, failing(one, per_bucket, bad_ratio, at)) for at in instants]
    return first(
        instants,
        [any(r.speaks and r.rule.severity is PAGE and rule in r.rule.name for r in each.readings) for each in found],
    )


@pytest.mark.parametrize(
    ("target", "rule", "at_s"),
    [
        # 20 requests a second, then none succeeds (slo.md A1 and the last column of section 5).
        pytest.param(0.999, "", 60, id="52 s at 99.9 %, seen at the next instant"),
        pytest.param(0.99, "burn", 540, id="8.6 min at 99 %"),
        pytest.param(0.95, "burn 14.4", 2_610, id="43 min at 95 % by burn, strictly above"),
        pytest.param(0.95, "outage", 120, id="and by the run of failures much sooner"),
    ],
)
def test_a_total_outage_pages_when_the_table_says(target: float, rule: str, at_s: int) -> None:
    assert paged_at(watched(objective(target)), 600, 1.0, 2_700, rule) == at_s


def test_nine_tenths_bad_page_after_four_and_a_half_minutes_where_burn_is_late() -> None:
    one = watched(objective(0.95))
    spoken = [
        [r.rule.name for r in evaluate(one, failing(one, 600, 1.0, at)).readings if r.speaks] for at in (240, 270)
    ]

    assert "outage" not in spoken[0]
    assert "outage" in spoken[1]


def test_the_fastest_rule_speaks_and_the_others_stand_beside_it() -> None:
    one = watched(objective(0.999))
    found = evaluate(one, failing(one, 600, 1.0, 3_600))

    assert found.events == {PAGE: AlertEvent.BAD, TICKET: AlertEvent.BAD}
    assert [reading.rule.name for reading in found.speaking[PAGE]] == [
        "burn 14.4 over 60 min", "burn 6 over 360 min", "outage_run",
    ]  # fmt: skip
    assert found.burn[3_600] == pytest.approx(1_000)
    assert found.budget.remaining == pytest.approx(1 - 120 * 600 / (2_880 * 30 * 600 * 0.001))


@pytest.mark.parametrize(
    ("bad", "expected", "overdue", "speaks"),
    [
        pytest.param(20, 1_000_000.0, 0, True, id="a fifth is bad"),
        pytest.param(6, 1_000_000.0, 0, False, id="6 % are, as many as burn 6 allows"),
        pytest.param(20, 100_000_000.0, 0, False, id="200 of a million allowed ones are too few"),
        pytest.param(1, 1_000_000.0, 200, True, id="hardly any ends badly, and 200 wait for too long"),
    ],
)
def test_a_burn_is_proven_before_an_hour_is_full(bad: int, expected: float, overdue: int, speaks: bool) -> None:
    one = watched(objective(0.99))
    recent = [Bucket(start_s=30 * at, counts=Counts(eligible=100, bad=bad)) for at in range(10)]
    windows = {**dict.fromkeys(one.windows_s, Counts(eligible=100_000)), 300: Counts(eligible=1_000, bad=10 * bad)}
    found = evaluate(one, Facts(at_s=300, windows=windows, recent=recent, expected=expected, overdue=overdue))

    assert [r.speaks for r in found.readings if r.rule.name == "proven_burn"] == [speaks]


def test_a_quiet_service_keeps_silent_and_says_by_which_gate() -> None:
    one = watched(objective(0.999))
    counts = Counts(eligible=5, bad=2)
    found = evaluate(one, Facts(at_s=0, windows=dict.fromkeys(one.windows_s, counts), expected=1_000_000.0))
    (fast, *_) = found.readings

    assert fast.standing is Standing.ABOVE
    assert {silence.gate for silence in fast.silenced_by} == {Gate.MIN_EVENTS, Gate.MIN_BAD, Gate.TRAFFIC_WEIGHT}
    assert found.events[PAGE] is AlertEvent.NEAR, "it starts nothing, and what fires already goes on"
    assert found.speaking == {}


def test_nearly_true_holds_what_fires() -> None:
    one = watched(objective(0.999))
    near = Counts(eligible=100_000, bad=1_400)  # burn 14
    windows = {**dict.fromkeys(one.windows_s, Counts(eligible=100_000)), 3_600: near, 300: near}

    assert evaluate(one, Facts(at_s=0, windows=windows)).events[PAGE] is AlertEvent.NEAR


def test_requests_that_wait_too_long_count_now_and_not_in_the_budget() -> None:
    """100 requests hang and nothing completes (slo.md A5)."""
    one = watched(objective(0.999))
    found = evaluate(one, Facts(at_s=0, windows={one.objective.period_s: Counts(eligible=10)}, overdue=100))

    assert found.events[PAGE] is AlertEvent.BAD
    assert (found.budget.judged, found.budget.bad) == (10, 0)


@pytest.mark.parametrize(
    ("facts", "state", "event"),
    [
        pytest.param(Facts(at_s=0, windows={}), State.NO_TRAFFIC, AlertEvent.NO_TRAFFIC, id="nobody asks"),
        pytest.param(
            Facts(at_s=0, windows={}, seen=Heartbeats.ALL_STALE), State.BLIND, AlertEvent.BLIND, id="nobody looks"
        ),
        pytest.param(
            Facts(at_s=0, windows={}, probe=ProbeSays.FAILING), State.DOWN, AlertEvent.HELD, id="nobody is there"
        ),
        pytest.param(
            Facts(
                at_s=0, windows={300: Counts(eligible=9)}, seen=Heartbeats.SOME_STALE, coverage_ratio=0.5
            ),
            State.PARTIAL,
            AlertEvent.BLIND,
            id="too few look to say that all is well",
        ),
    ],
)  # fmt: skip
def test_absence_has_its_own_meaning(facts: Facts, state: State, event: AlertEvent) -> None:
    found = evaluate(watched(objective(0.999)), facts)

    assert found.known.state is state
    assert found.events == {PAGE: event, TICKET: event}
    assert found.budget.sli is None, "never 100 %"


@pytest.mark.parametrize(
    ("hours", "page", "ticket"),
    [
        pytest.param(
            6, AlertEvent.BAD, AlertEvent.BLIND, id="six hours are: pages are read, tickets look further back"
        ),
        pytest.param(24, AlertEvent.BAD, AlertEvent.BAD, id="a day is: one ticket is true, whatever the other is"),
        pytest.param(1, AlertEvent.BAD, AlertEvent.BLIND, id="an hour is: one page is true"),
    ],
)
def test_what_is_not_counted_yet_is_not_read_and_not_calm(hours: int, page: AlertEvent, ticket: AlertEvent) -> None:
    one = watched(objective(0.999))
    bad = dict.fromkeys(one.windows_s, Counts(eligible=100_000, bad=50_000))
    good = dict.fromkeys(one.windows_s, Counts(eligible=100_000))
    found = evaluate(one, Facts(at_s=0, windows=bad, counted_s=hours * 3_600))
    calm = evaluate(one, Facts(at_s=0, windows=good, counted_s=hours * 3_600))

    assert found.events == {PAGE: page, TICKET: ticket}
    assert calm.events[PAGE] is (AlertEvent.OK if hours >= 6 else AlertEvent.BLIND)
    assert calm.events[TICKET] is AlertEvent.BLIND
    assert not calm.known.is_blind
    assert len(found.readings) < len(one.rules)


def test_the_budget_of_a_part_of_the_past_is_no_reason_to_wake_anybody() -> None:
    one = own(ConditionKind.BUDGET_REMAINING, 0.25)
    spent = dict.fromkeys(one.windows_s, Counts(eligible=100_000, bad=10_000))

    assert evaluate(one, Facts(at_s=0, windows=spent)).events[PAGE] is AlertEvent.BAD
    assert evaluate(one, Facts(at_s=0, windows=spent, counted_s=14 * DAY_S)).events[PAGE] is AlertEvent.BLIND


@pytest.mark.parametrize(("seen", "cause"), [(Heartbeats.NOT_COUNTED, "counting"), (Heartbeats.FRESH, None)])
def test_who_is_blind_names_the_cause(seen: Heartbeats, cause: str | None) -> None:
    assert evaluate(watched(objective(0.999)), Facts(at_s=0, windows={}, seen=seen)).blind_cause == cause


@pytest.mark.parametrize(
    ("policy", "judged", "bad"),
    [
        pytest.param(BlindPolicy.EXCLUDE, 1_000, 10, id="left out"),
        pytest.param(BlindPolicy.COUNT_BAD, 1_500, 510, id="three of 30 days, of 5,000 requests that were expected"),
    ],
)
def test_the_time_that_nobody_saw_is_left_out_or_bad(policy: BlindPolicy, judged: int, bad: int) -> None:
    one = watched(replace(objective(0.9), blind_policy=policy))
    windows = {30 * DAY_S: Counts(eligible=1_000, bad=10)}
    blind = (Blind(start_s=0, end_s=3 * DAY_S, cause=BlindCause.COLLECTOR),)
    found = evaluate(one, Facts(at_s=5 * DAY_S, windows=windows, blind=blind, expected=5_000.0))
    unknown = evaluate(one, Facts(at_s=5 * DAY_S, windows=windows, blind=blind))

    assert (found.budget.judged, found.budget.bad, found.blind_minutes) == (judged, bad, 3 * 1_440)
    assert unknown.budget.judged == 1_000, "where nothing is expected nothing is missing"
    assert found.burn[30 * DAY_S] == pytest.approx(0.1), "burn rates are of what was seen"


def own(kind: ConditionKind, threshold: float, lookback_s: int | None = None) -> Watched:
    condition = AlertCondition(kind=kind, severity="page", threshold=threshold, lookback_s=lookback_s)
    return watched(replace(objective(0.99), policies=(AlertPolicy(name="own", conditions=(condition,)),)))


@pytest.mark.parametrize(
    ("kind", "threshold", "lookback_s", "bad", "holds"),
    [
        # 1,000 of 100,000 may be bad.
        pytest.param(ConditionKind.BUDGET_REMAINING, 0.25, None, 760, True, id="24 % are left of the budget"),
        pytest.param(ConditionKind.BUDGET_REMAINING, 0.25, None, 750, False, id="25 % are left"),
        pytest.param(ConditionKind.BUDGET_DROP, 0.05, 3_600, 50, True, id="5 % are gone in an hour"),
        pytest.param(ConditionKind.BUDGET_DROP, 0.05, 3_600, 49, False, id="less is gone"),
        pytest.param(ConditionKind.TIME_TO_EXHAUSTION, 4.0, None, 500, True, id="3 days are left at this rate"),
        pytest.param(ConditionKind.TIME_TO_EXHAUSTION, 2.0, None, 500, False, id="more than 2 are"),
    ],
)
def test_other_conditions(kind: ConditionKind, threshold: float, lookback_s: int | None, bad: int, holds: bool) -> None:
    one = own(kind, threshold, lookback_s)
    windows = {30 * DAY_S: Counts(eligible=100_000, bad=bad), 3_600: Counts(eligible=1_000, bad=min(bad, 50))}
    reading = evaluate(one, Facts(at_s=0, windows=windows)).readings[0]

    assert (reading.standing is Standing.ABOVE) == holds


def test_that_nobody_asks_may_be_the_rule() -> None:
    one = own(ConditionKind.ABSENT, 0, 1_800)

    assert evaluate(one, Facts(at_s=0, windows={})).events[PAGE] is AlertEvent.BAD
    assert evaluate(one, Facts(at_s=0, windows={1_800: Counts(eligible=1)})).events[PAGE] is AlertEvent.NO_TRAFFIC
    assert evaluate(one, Facts(at_s=0, windows={}, seen=Heartbeats.ALL_STALE)).events[PAGE] is AlertEvent.BLIND


def test_a_budget_of_slices_stands_instead_of_that_of_requests() -> None:
    low = Budget(sli=0.9, remaining=0.1, judged=10, bad=1)
    one = own(ConditionKind.BUDGET_REMAINING, 0.25)
    found = evaluate(one, Facts(at_s=0, windows={30 * DAY_S: Counts(eligible=100)}, budget=low))

    assert found.budget == low
    assert found.readings[0].standing is Standing.ABOVE
