"""Numbers side by side, cell by cell those of `inferometer report` for the same window."""

from dataclasses import replace

import pytest
from panel_answers import rows
from panel_rig import END_MS, ENDPOINT, FULL, PanelRig

from dashboards.asks_endpoints import RATE_STEPS_MAX, SLOTS, stats
from inferometer.report import Window, groups
from slo.panel_asked import PanelAsked
from slo.panel_desk import PanelDesk
from slo.panel_documents import Documented
from telemetry import queries
from telemetry.panel import Document
from telemetry.queries.asked import Asked, Pick, Source

SINCE_MS = END_MS - 3_600_000


@pytest.mark.parametrize("endpoint", [ENDPOINT, FULL])
def test_the_numbers_are_those_of_the_report(past: PanelRig, endpoint: str) -> None:
    answered = past.reader.query(queries.report(SINCE_MS, END_MS))
    window = Window(since_ms=SINCE_MS, until_ms=END_MS, observing_since_ms=SINCE_MS)
    (group,) = groups(answered, window, endpoint=endpoint)
    (stats,) = rows(past, "ep.stats", endpoint)
    (row,) = rows(past, "fleet.endpoints", endpoint)
    answer = past.ask("ep.stats", **{"from": "now-1h", "endpoint": [endpoint]})

    assert group.spreads["ttft"].values_s["p95"] == pytest.approx(stats["ttft_p95"], rel=1e-12)
    assert group.spreads["e2e"].values_s["p95"] == pytest.approx(stats["e2e_p95"], rel=1e-12)
    assert group.spreads["tpot"].values_s["p95"] == pytest.approx(stats["tpot_p95"], rel=1e-12)
    assert group.spreads["ttft"].values_s["p95"] == pytest.approx(row["ttft_p95"], rel=1e-12)
    assert group.tokens_out_per_s == pytest.approx(stats["out_tokens_per_s"], rel=1e-12)
    assert group.tokens_out_per_s == pytest.approx(row["out_tokens_per_s"], rel=1e-12)
    assert group.tokens_in_per_s == pytest.approx(stats["in_tokens_per_s"], rel=1e-12)
    assert [group.n] == answer.n


def test_percentiles_over_time_fail_where_the_report_says_so(past: PanelRig) -> None:
    answered = past.reader.query(queries.report(SINCE_MS, END_MS))
    (group,) = groups(answered, Window(since_ms=SINCE_MS, until_ms=END_MS), endpoint=ENDPOINT)
    answer = past.ask("fleet.ttft", **{"from": "now-1h", "step": 3_600, "endpoint": [ENDPOINT]})

    assert ("p99",) == group.spreads["ttft"].fails
    assert "p99" in {one.column for one in answer.provenance.inf}


def test_the_strip_has_the_worst_of_each_slot(past: PanelRig) -> None:
    (row,) = rows(past, "fleet.endpoints", ENDPOINT)

    assert SLOTS == len(row["heartbeat"])
    assert {0, 5} == set(row["heartbeat"]), "good, or a broken stream"
    assert 0.02 == row["bad_ratio"]


def test_what_the_engine_and_the_hints_say_stands_beside(past: PanelRig) -> None:
    (row,) = rows(past, "fleet.endpoints", FULL)
    (stats,) = rows(past, "ep.stats", FULL)

    assert (5.0, "scale_up") == (row["waiting"], row["hint"])
    assert (7.0, 0.5, 1) == (stats["running"], stats["prefix_hit_ratio"], stats["replicas_up"])
    assert None is rows(past, "ep.stats", ENDPOINT)[0]["replicas_up"], "nobody scraped it"


def test_a_rate_is_of_the_steps_that_have_one(past: PanelRig) -> None:
    (stats,) = rows(past, "ep.stats", FULL, **{"from": "now-5m"})

    assert 0.2 == pytest.approx(stats["preemptions_per_s"]), "two in ten seconds, and nothing of the first minute"


@pytest.mark.parametrize(("minutes", "step_s"), [(RATE_STEPS_MAX, 60), (RATE_STEPS_MAX + 1, 120)])
def test_counters_of_a_long_time_are_compared_in_longer_steps(minutes: int, step_s: int) -> None:
    asked = Asked(since_ms=END_MS - minutes * 60_000, until_ms=END_MS)
    pick = Pick(source=Source.R_1M, exact=False, since_ms=asked.since_ms, until_ms=END_MS)

    assert step_s == stats(asked, pick).parameters["step_s"]


def test_the_same_stands_in_a_long_time(past: PanelRig) -> None:
    (short,) = rows(past, "ep.stats", FULL)
    (long,) = rows(past, "ep.stats", FULL, **{"from": "now-20d"})

    assert [short[name] for name in ("running", "waiting", "kv_max", "replicas_up")] == [
        long[name] for name in ("running", "waiting", "kv_max", "replicas_up")
    ]


def test_the_least_budget_left_comes_first(past: PanelRig) -> None:
    budgets = {ENDPOINT: 0.9, FULL: -0.1}

    def documents(document: Document, _asked: PanelAsked) -> Documented:
        assert Document.BUDGETS is document
        return Documented(rows=[{"endpoint": name, "budget_left": left} for name, left in budgets.items()])

    panel = past.desk.find("fleet.endpoints")
    assert panel is not None
    desk = PanelDesk([panel], past.reader, documents, lambda: END_MS)
    answer = desk.answer(desk.aim(panel, PanelAsked.model_validate({"from": "now-1h", "endpoint": [ENDPOINT, FULL]})))
    place = [one.name for one in answer.columns].index("budget_left")

    assert [(FULL, -0.1), (ENDPOINT, 0.9)] == [(row[0], row[place]) for row in answer.rows]
    assert replace(panel, beside=None).beside is None
