"""Tests of slo.sight: rows of the store become facts."""

from dataclasses import replace
from math import inf

import pytest
from engine_rig import objective

from slo.alert_moves import AlertState
from slo.alert_states import Record
from slo.buckets import Bucket
from slo.counts import Counts
from slo.evaluation import evaluate
from slo.objective import Traffic
from slo.sight import (
    Heard,
    Key,
    Sight,
    alert_of,
    as_seen_last,
    blind,
    buckets_of,
    facts,
    group_of,
    heard_of,
    lags_s,
    probes_of,
    seen,
    windows_of,
)  # fmt: skip
from slo.telemetry_state import Blind, Heartbeats, ProbeSays
from slo.watched import watched
from telemetry.histogram import index

ONE = watched(objective("chat", "ok and ttft_s <= 2 and e2e_s <= 60"))
GROUP = '{"endpoint":"chat"}'
AT_S = 1_790_000_010
HASHES = {"chat": 7}


def sight(**changes: object) -> Sight:
    plain = Sight(at_s=AT_S, windows={("chat", GROUP): {60: Counts(eligible=5), 300: Counts(eligible=9)}})
    return replace(plain, **changes)  # type: ignore[arg-type]  # its own fields


def test_windows_of_another_definition_are_left_out() -> None:
    row = {"slo": "chat", "group_key": GROUP, "definition_hash": 7, "eligible": [5, 9], "bad": [1, 2]}
    found = windows_of([row, row | {"definition_hash": 8}, row | {"slo": "gone"}], (60, 300), HASHES, set())

    assert found == {("chat", GROUP): {60: Counts(eligible=5, bad=1), 300: Counts(eligible=9, bad=2)}}


def test_buckets_of_another_definition_are_left_out() -> None:
    row = {"slo": "chat", "group_key": GROUP, "definition_hash": 7, "t_unix_s": 30, "eligible": 5, "good": 3}

    assert buckets_of([row, row | {"definition_hash": 8}], HASHES, set()) == {
        ("chat", GROUP): [Bucket(start_s=30, counts=Counts(eligible=5, bad=2))]
    }


def test_a_change_of_an_alert_is_read_as_its_record() -> None:
    labels = {"alertname": "chat", "slo": "chat", "severity": "page"}
    row = {
        "fingerprint": 7, "definition_hash": 8, "to_state": "resolved", "occurrence": 3, "at_unix_ms": 90_000,
        "active_at_unix_ms": None, "fired_at_unix_ms": 30_000, "clear_since_unix_ms": None,
        "resolved_at_unix_ms": 90_000, "labels": labels, "annotations": {"summary": "over"},
    }  # fmt: skip
    alert = alert_of(row)

    assert alert is not None
    assert alert.record == Record(
        fingerprint=7, definition_hash=8, state=AlertState.RESOLVED, at_s=90, fired_at_s=30, resolved_at_s=90,
        occurrence=3,
    )  # fmt: skip
    assert (alert.labels, alert.annotations) == (labels, {"summary": "over"})
    of_others: tuple[dict[str, str], ...] = ({}, {"severity": "page"}, {**labels, "severity": "info"})
    foreign = [row | {"to_state": "Alerting"}, *(row | {"labels": of} for of in of_others)]
    assert [alert_of(one) for one in foreign] == [None] * 4, "what others write is not ours"


def test_what_is_still_being_counted_is_not_seen_whoever_is_heard() -> None:
    heard = {"chat": Heard(expected=1, fresh=1)}

    assert facts(ONE, GROUP, sight(heard=heard, behind=frozenset({"chat"})), 300).seen is Heartbeats.NOT_COUNTED
    assert facts(ONE, GROUP, sight(heard=heard, since_s={"chat": AT_S - 60}), 300).counted_s == 60
    assert facts(ONE, GROUP, sight(heard=heard), 300).counted_s is None


def test_while_nobody_looks_the_budget_is_that_of_the_last_instant_that_was_seen() -> None:
    heard = {"chat": Heard(expected=1, fresh=1)}
    seen_s = AT_S - 90
    last = evaluate(ONE, facts(ONE, GROUP, sight(heard=heard, at_s=seen_s), 300))
    found = [last]
    for at_s in (AT_S - 60, AT_S - 30):
        found.append(evaluate(ONE, as_seen_last(facts(ONE, GROUP, sight(at_s=at_s, windows={}), 300), found[-1])))
    found.append(evaluate(ONE, as_seen_last(blind(AT_S), found[-1])))

    assert last.budget.judged == 9
    assert {one.budget for one in found} == {last.budget}
    assert [one.as_of_s for one in found] == [seen_s] * 4
    now = facts(ONE, GROUP, sight(heard=heard), 300)
    assert as_seen_last(now, last) == now
    assert evaluate(ONE, as_seen_last(blind(AT_S), None)).budget.sli is None, "never 100 %"


def test_the_time_that_nobody_saw_is_that_of_the_period_and_the_endpoint() -> None:
    asked: list[tuple[str, int, int]] = []

    def unseen(endpoint: str, since_s: int, until_s: int) -> tuple[Blind, ...]:
        asked.append((endpoint, since_s, until_s))
        return ()

    facts(ONE, GROUP, sight(blind=unseen), 300)
    facts(ONE, "{}", sight(blind=unseen), 600)

    assert asked == [("chat", AT_S - 300, AT_S), ("", AT_S - 600, AT_S)]


@pytest.mark.parametrize(
    ("fresh", "expected"),
    [((1, 0), ["chat", ""]), ((0, 0), []), ((1, 1), ["chat", "code", ""])],
    ids=["one", "none", "all"],
)
def test_everything_together_is_seen_if_anything_is(fresh: tuple[int, int], expected: list[str]) -> None:
    chat, code = (Heard(expected=1, fresh=n) for n in fresh)

    assert seen({"chat": chat, "code": code}) == expected


def test_counts_that_cannot_be_cost_the_others_nothing() -> None:
    row = {"slo": "chat", "group_key": GROUP, "definition_hash": 7, "eligible": [1], "bad": [2]}
    bucket = {"slo": "chat", "group_key": GROUP, "definition_hash": 7, "t_unix_s": 30, "eligible": 1, "good": 2}
    invalid = [set[Key](), set[Key]()]
    windows = windows_of([row, row | {"group_key": "{}", "bad": [1]}], (60,), HASHES, invalid[0])
    buckets = buckets_of([bucket, bucket | {"group_key": "{}", "good": 1}], HASHES, invalid[1])

    assert list(windows) == list(buckets) == [("chat", "{}")]
    assert invalid == [{("chat", GROUP)}] * 2


def test_collectors_of_all_models_of_an_endpoint_count_together() -> None:
    coverage = [{"endpoint": "chat", "n": 2, "n_fresh": 1}, {"endpoint": "chat", "n": 1, "n_fresh": 1}]
    flying = [{"endpoint": "chat", "waiting_age_h": {3: 1}, "in_flight_age_h": {3: 1, 4: 2}}]

    assert heard_of(coverage, flying) == {
        "chat": Heard(expected=3, fresh=2, waiting_ages={3: 1}, running_ages={3: 1, 4: 2})
    }


def test_who_is_not_heard_lags_for_ever() -> None:
    assert list(lags_s([{"lag_ms": 1_500}, {"lag_ms": None}])) == [1.5, inf]


def test_results_of_probes_come_oldest_first() -> None:
    assert probes_of([{"target": "chat", "ats_unix_ms": [2_000, 1_000], "oks": [0, 1]}]) == {
        "chat": [(1.0, True), (2.0, False)]
    }


def test_a_group_is_judged_by_its_own_endpoint() -> None:
    heard = {"chat": Heard(expected=1, fresh=1), "other": Heard(expected=1)}
    found = facts(ONE, GROUP, sight(heard=heard), ONE.objective.period_s)

    assert (found.seen, found.coverage_ratio) == (Heartbeats.FRESH, 1.0)
    assert found.windows[300] == Counts(eligible=9)
    assert facts(ONE, '{"endpoint":"nobody"}', sight(heard=heard), 1).seen is Heartbeats.ALL_STALE


def test_without_a_group_every_endpoint_counts() -> None:
    heard = {"chat": Heard(expected=1, fresh=1), "other": Heard(expected=1)}
    found = facts(ONE, "{}", sight(heard=heard), 60)

    assert (found.seen, found.coverage_ratio) == (Heartbeats.SOME_STALE, 0.5)
    assert group_of("") == {}


def test_what_hangs_is_counted_once_by_the_limit_that_it_exceeds() -> None:
    waits, runs = index(10_000_000), index(120_000_000)
    heard = {"chat": Heard(expected=1, fresh=1, waiting_ages={waits: 3}, running_ages={waits: 3, runs: 2})}
    found = facts(ONE, GROUP, sight(heard=heard), 60)
    of_probes = replace(ONE, objective=replace(ONE.objective, indicator=replace(
        ONE.objective.indicator, traffic=Traffic.PROBE)))  # fmt: skip

    assert found.overdue == 5
    assert facts(of_probes, GROUP, sight(heard=heard), 60).overdue == 0, "heartbeats tell of users alone"


@pytest.mark.parametrize(
    ("oks", "says"),
    [
        ([], ProbeSays.NONE),
        ([False, True], ProbeSays.OK),
        ([True, False, False], ProbeSays.OK),
        ([True, False, False, False], ProbeSays.FAILING),
    ],
)
def test_probes_fail_once_three_in_a_row_did(oks: list[bool], says: ProbeSays) -> None:
    events = [(float(30 * n), ok) for n, ok in enumerate(oks)]

    assert facts(ONE, GROUP, sight(probes={"chat": events}), 60).probe is says


def test_a_calendar_has_a_period_of_its_own() -> None:
    assert facts(ONE, GROUP, sight(), 60).period == Counts(eligible=5)
    assert facts(ONE, GROUP, sight(), 61).period is None


def test_without_the_store_everything_is_blind() -> None:
    assert (blind(AT_S).seen, blind(AT_S).windows) == (Heartbeats.STORE_GONE, {})
