"""How objectives look from outside."""

from dataclasses import replace
from datetime import datetime

import pytest
from engine_rig import objective
from views import NOW_S, judged, seen

from slo.alarms import Judged
from slo.budget import Budget, occurrences
from slo.counts import Counts
from slo.evaluation import Facts, evaluate
from slo.expression import parse
from slo.objective import DAY_S, Budgeting, Rolling
from slo.periods import Calendar, CalendarUnit
from slo.shown import (
    METHOD,
    ShownState,
    found_in,
    hexadecimal,
    instant,
    known,
    seen_at_s,
    slo_shown,
    slos_shown,
    spans,
)
from slo.sight import as_seen_last, blind
from slo.telemetry_state import Blind, BlindCause, Heartbeats, ProbeSays
from slo.view import EngineView
from slo.watched import watched
from slo.wholes import Flow


def test_an_objective_shows_its_budget_by_requests() -> None:
    """Worked by hand: 10 of 1,010 were bad, 1 % may be: 1 - (10/1010)/0.01; of 100,000 expected, 1,000 may be."""
    shown = slo_shown(judged(bad=10), NOW_S)

    assert (shown.n, shown.good, shown.bad) == (1_010, 1_000, 10)
    assert shown.sli == pytest.approx(1_000 / 1_010)
    remaining = 1 - (10 / 1_010) / 0.01
    assert shown.remaining == pytest.approx(remaining)
    assert shown.projected_remaining == pytest.approx(0.99)
    assert shown.burn["1h"] == pytest.approx(100 / 101)
    assert shown.exhaustion_at == instant(NOW_S + round(remaining * 86_400 / shown.burn["1h"]))
    assert (shown.method, shown.coverage, shown.as_of) == (METHOD, 1.0, "2026-09-21T14:13:30Z")
    assert shown.definition.good == "ok"
    assert shown.definition.only == "endpoint == 'chat'"
    assert shown.definition.eligible is None
    assert shown.definition.group_by == ("endpoint",)
    assert len(shown.definition_hash) == 16


def test_the_end_of_a_budget_is_told_in_minutes_and_in_requests() -> None:
    """A19: 20,000 a month at 99.9 % allow 20 bad; one is 5 % of that. At half bad, 38 more requests spend 19."""
    of = replace(objective("small", target=0.999), window=Rolling(length_s=30 * DAY_S))
    one = watched(of)
    hour = Counts(eligible=2, bad=1)
    windows = {w: hour if w < of.period_s else Counts(eligible=20_000, bad=1) for w in one.windows_s}
    shown = slo_shown(Judged(watched=one, found=evaluate(one, Facts(at_s=NOW_S, windows=windows))), NOW_S)

    assert shown.remaining == pytest.approx(0.95)
    assert shown.exhaustion is not None
    assert [shown.exhaustion.bad_left, shown.exhaustion.requests_left] == pytest.approx([19, 38])
    assert shown.exhaustion.minutes == pytest.approx(0.95 * 30 * 1_440 / 500)
    assert slo_shown(judged(), NOW_S).exhaustion is None, "nothing burns"


def test_a_budget_of_slices_is_told_in_slices() -> None:
    of = replace(objective("sliced"), budgeting=Budgeting.TIMESLICES, slice_target=0.9)
    one = watched(of)
    windows = dict.fromkeys(one.windows_s, Counts(eligible=1_000, bad=500))
    left = Budget(sli=0.75, remaining=-24.0, judged=4.0, bad=1.0)
    facts = Facts(at_s=NOW_S, windows=windows, budget=left, expected=9_000.0)
    shown = slo_shown(Judged(watched=one, found=evaluate(one, facts)), NOW_S)
    mean = replace(facts, budget=replace(left, bad=None))

    assert (shown.counts_of, shown.n, shown.good, shown.bad) == ("slices", 4, 3, 1)
    assert (shown.projected_remaining, shown.exhaustion, shown.exhaustion_at) == (None, None, None)
    assert slo_shown(Judged(watched=one, found=evaluate(one, mean)), NOW_S).good is None
    assert slo_shown(judged(), NOW_S).counts_of == "requests"


def test_what_was_taken_out_is_told_beside_what_is_left() -> None:
    """100 of 1,100 bad, of which 100 of 100 are taken out: nothing is spent; they are not expected again either."""
    shown = slo_shown(judged(bad=100, adjusted=occurrences(1_000, 0, 0.99), expected=2_100.0), NOW_S)

    assert (shown.n, shown.bad, shown.remaining, shown.state) == (1_000, 0, 1.0, ShownState.BURNING)
    assert shown.unadjusted is not None
    assert (shown.unadjusted.sli, shown.unadjusted.n, shown.unadjusted.bad) == (1_000 / 1_100, 1_100, 100)
    assert shown.unadjusted.remaining == pytest.approx(1 - (100 / 1_100) / 0.01)
    assert shown.projected_remaining == 1.0
    assert slo_shown(judged(bad=100), NOW_S).unadjusted is None


def test_composites_stand_beside_their_parts() -> None:
    parts = [judged(name) for name in ("chat/a", "chat/b")]
    weighed = [
        replace(one, watched=replace(one.watched, objective=replace(one.watched.objective, weight=1.0)))
        for one in parts
    ]

    assert [one.name for one in slos_shown(seen(*weighed)).composites] == ["chat"]
    assert slos_shown(seen(*parts)).composites == ()


@pytest.mark.parametrize(
    ("one", "state"),
    [
        pytest.param(judged(), ShownState.OK, id="all is well"),
        pytest.param(judged(bad=100), ShownState.EXHAUSTED, id="the budget is spent"),
        pytest.param(judged(good=0), ShownState.NO_TRAFFIC, id="nobody asks"),
        pytest.param(judged(seen=Heartbeats.SOME_STALE), ShownState.PARTIAL, id="some collectors are silent"),
        pytest.param(judged(good=0, probe=ProbeSays.FAILING), ShownState.DOWN, id="nobody is there"),
        pytest.param(judged(seen=Heartbeats.ALL_STALE), ShownState.BLIND, id="all collectors are silent"),
        pytest.param(
            judged(seen=Heartbeats.ALL_STALE, probe=ProbeSays.FAILING), ShownState.DOWN_OR_BLIND, id="and probes fail"
        ),
        pytest.param(replace(judged(), found=None), ShownState.INVALID, id="the counts cannot be"),
    ],
)
def test_a_state_says_how_it_stands(one: Judged, state: ShownState) -> None:
    assert slo_shown(one, NOW_S).state is state


def test_a_rule_that_speaks_burns_before_the_budget_is_spent() -> None:
    one = judged()
    period_s = one.watched.objective.period_s
    bad = Counts(eligible=1_000, bad=500)
    windows = {w: bad if w < period_s else Counts(eligible=100_000, bad=500) for w in one.watched.windows_s}
    burning = replace(one, found=evaluate(one.watched, Facts(at_s=NOW_S, windows=windows)))

    assert slo_shown(burning, NOW_S).state is ShownState.BURNING


def test_while_the_store_is_gone_nothing_is_claimed() -> None:
    one = judged()
    gone = replace(one, found=evaluate(one.watched, blind(NOW_S)))
    shown = slo_shown(gone, NOW_S)

    assert (shown.sli, shown.n, shown.good, shown.bad, shown.remaining) == (None, None, None, None, None)
    assert (dict(shown.burn), shown.exhaustion_at, shown.state) == ({}, None, ShownState.BLIND)


def test_while_nobody_looks_the_budget_is_that_of_the_last_instant_that_was_seen() -> None:
    """slo.md A6: `as_of` is frozen, and no burn rate is claimed."""
    one = judged(bad=5)
    assert one.found is not None
    spans = (Blind(start_s=NOW_S, end_s=NOW_S + 90, cause=BlindCause.STORE),)
    later = as_seen_last(replace(blind(NOW_S + 90), blind=spans), one.found)
    shown = slo_shown(replace(one, found=evaluate(one.watched, later)), NOW_S + 90)

    assert (shown.n, shown.bad, shown.remaining) == (1_005, 5, slo_shown(one, NOW_S).remaining)
    assert (shown.as_of, shown.state, dict(shown.burn), shown.exhaustion) == (
        instant(NOW_S), ShownState.BLIND, {}, None,
    )  # fmt: skip
    assert (shown.blind_minutes, shown.blind_cause) == (1.5, "store")
    assert (slo_shown(one, NOW_S).blind_minutes, slo_shown(one, NOW_S).blind_cause) == (0, None)


def test_what_counts_flows_says_so() -> None:
    of = replace(objective("flows"), whole=Flow(last=parse("ok"), budget_s=60))
    one = watched(of)
    facts = Facts(at_s=NOW_S, windows=dict.fromkeys(one.windows_s, Counts(eligible=10)))

    assert slo_shown(Judged(watched=one, found=evaluate(one, facts)), NOW_S).counts_of == "flows"


def test_without_requests_that_are_seen_there_are_none() -> None:
    shown = slo_shown(judged(good=0), NOW_S)

    assert (shown.sli, shown.n, shown.bad) == (None, 0, 0)


def test_before_the_first_instant_everything_is_unknown() -> None:
    view = EngineView(watched=[judged().watched], at_s=NOW_S)  # of the ledger
    shown = slos_shown(view)

    assert seen_at_s(view) is None
    assert seen_at_s(replace(view, watched=())) == view.at_s, "built-in rules alone"
    assert (shown.as_of, shown.slos[0].state, shown.slos[0].as_of) == (None, ShownState.UNKNOWN, None)
    assert [one.watched.objective.name for one in known(view)] == ["chat"]


def test_the_least_budget_stands_first_and_the_unknown_last() -> None:
    view = seen(judged("a", good=0), judged("b"), judged("c", bad=100), blind_cause=BlindCause.STORE, problems=["p"])
    shown = slos_shown(view)

    assert [one.name for one in shown.slos] == ["c", "b", "a"]
    assert (shown.as_of, shown.lag_s, shown.blind_cause, shown.problems) == (instant(NOW_S), 1.0, "store", ("p",))


def test_a_group_that_stands_for_others_is_no_group_of_its_own() -> None:
    own = judged(endpoint="few", bad=1)
    view = seen(own, replace(judged(endpoint="all", bad=100), is_wider=True))

    assert known(view) == (own,)
    assert [one.group for one in slos_shown(view).slos] == [{"endpoint": "few"}]
    assert found_in(view, "chat", {"endpoint": "all"}) is None


def test_a_group_is_found_by_its_values_or_as_the_worst() -> None:
    view = seen(judged(endpoint="well"), judged(endpoint="ill", bad=50))

    assert found_in(view, "chat", {"endpoint": "well"}) is view.judged[0]
    assert found_in(view, "chat", None) is view.judged[1]
    assert found_in(view, "chat", {"endpoint": "no"}) is None
    assert found_in(view, "no", None) is None


def test_a_calendar_shows_its_unit_and_zone() -> None:
    one = judged()
    window = Calendar(start=datetime(2026, 1, 1), zone="Europe/Berlin", count=1, unit=CalendarUnit.MONTH)  # noqa: DTZ001 -- a wall time
    monthly = replace(one, watched=replace(one.watched, objective=replace(one.watched.objective, window=window)))
    shown = slo_shown(monthly, NOW_S).window

    assert (shown.kind, shown.unit, shown.count, shown.zone, shown.length_s) == (
        "calendar", "M", 1, "Europe/Berlin", 30 * 86_400,
    )  # fmt: skip


def test_identities_and_windows_are_text() -> None:
    assert hexadecimal(0xAB) == "00000000000000ab"
    assert list(spans({86_400: 1.0, 300: 2.0})) == ["5m", "1d"]
    assert instant(None) is None
