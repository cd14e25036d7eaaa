"""What the engine saw, as rows."""

from views import NOW_S, judged, seen

from slo.panel_asked import PanelAsked
from slo.panel_documents import documented, written
from slo.shown import slos_shown
from slo.view import EngineView
from telemetry.panel import Document


def test_objectives_are_rows_worst_first() -> None:
    view = seen(judged(bad=5), judged("other", bad=500, endpoint="b"))
    rows = documented(view, Document.SLOS, PanelAsked()).rows

    assert ["other", "chat"] == [row["slo"] for row in rows]
    assert "endpoint=b" == rows[0]["group"]
    assert 0.99 == rows[0]["objective"]


def test_a_filter_keeps_those_of_the_endpoint() -> None:
    view = seen(judged(), judged("other", endpoint="b"))

    assert ["chat"] == [row["slo"] for row in documented(view, Document.SLOS, PanelAsked(endpoint=["chat"])).rows]
    assert 2 == len(documented(view, Document.SLOS, PanelAsked(model=["m"])).rows), "they are not grouped by it"


def test_the_three_numbers_are_those_of_the_worst() -> None:
    view = seen(judged(bad=5), judged("other", bad=500, endpoint="b"))
    (row,) = documented(view, Document.NUMBERS, PanelAsked()).rows

    assert ("other", 0.99) == (row["slo"], row["objective"])
    assert round(1_000 / 1_500, 9) == round(float(str(row["good_ratio"])), 9)
    assert float(str(row["budget_left"])) < 0
    assert 1 == row["pages"]


def test_without_objectives_nothing_is_known_and_nothing_fires() -> None:
    (row,) = documented(seen(), Document.NUMBERS, PanelAsked()).rows

    assert {None, 0} == set(row.values())


def test_budgets_burn_and_alerts_are_rows() -> None:
    view = seen(judged(bad=500))
    burn = documented(view, Document.BURN, PanelAsked()).rows
    (budget,) = documented(view, Document.BUDGETS, PanelAsked()).rows
    alerts = documented(view, Document.ALERTS, PanelAsked()).rows

    assert {"speaks"} <= {row["state"] for row in burn}
    assert all(row["threshold"] and row["long"] for row in burn)
    assert "chat" == budget["endpoint"]
    assert {"page", "ticket"} >= {row["severity"] for row in alerts}
    assert "endpoint=chat" in str(alerts[0]["group"])
    assert [] == documented(view, Document.BURN, PanelAsked(endpoint=["b"])).rows


def test_rules_say_what_they_can_see_and_why_they_are_silent() -> None:
    rows = documented(seen(judged(bad=500)), Document.RULES, PanelAsked()).rows
    burning = [row for row in rows if row["reach"] is not None]

    assert len(rows) > len(burning) > 0, "an outage has no burn rate"
    assert all(isinstance(row["detect_all_bad"], float | int) for row in burning)
    assert {"it is true"} <= {row["why"] for row in rows}


def test_the_numbers_are_those_of_the_objectives_themselves() -> None:
    view = seen(judged(bad=5), judged("other", bad=500, endpoint="b"))
    shown = {one.name: one for one in slos_shown(view).slos}

    for row in documented(view, Document.SLOS, PanelAsked()).rows:
        one = shown[str(row["slo"])]
        assert (one.sli, one.remaining, one.target, one.n) == tuple(
            row[name] for name in ("sli", "budget_left", "objective", "n")
        )
        assert one.burn["1h"] == row["burn_1h"]


def test_labels_are_written_in_order() -> None:
    assert "a=1, b=2" == written({"b": "2", "a": "1"})


def test_before_the_first_instant_nothing_is_counted() -> None:
    view = EngineView(watched=[judged().watched])
    known = documented(view, Document.NUMBERS, PanelAsked())

    assert {None} == set(known.rows[0].values())
    assert (None, True) == (known.at_s, known.is_blind)


def test_how_well_the_engine_sees_is_told() -> None:
    seen_well, blind = (
        documented(seen(judged(), blind_cause=cause), Document.SLOS, PanelAsked()) for cause in ("", "x")
    )

    assert (NOW_S, False) == (seen_well.at_s, seen_well.is_blind)
    assert (NOW_S, True) == (blind.at_s, blind.is_blind)
    assert not documented(EngineView(watched=[]), Document.SLOS, PanelAsked()).is_blind, "there is nothing to judge"
