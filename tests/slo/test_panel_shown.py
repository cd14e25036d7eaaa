"""How panels and answers travel."""

from dataclasses import replace

from dashboards.grafana import dashboards
from dashboards.grafana_source import Flavour
from dashboards.panels import PANELS
from slo.panel_asked import PanelAsked, filters_of
from slo.panel_cells import cells
from slo.panel_shown import FORMS, Answer, PanelState, Provenance, columns_shown, panels_shown, told
from telemetry.panel import Column, Document, Kind, Page, Panel, Reads, Unit
from telemetry.percentile import P95
from telemetry.queries.asked import Asked, Pick
from telemetry.queries.question import Question

PANEL = Panel(
    id="slo.x", title="X", page=Page.SLO, question="?", unit=Unit.SECONDS, kind=Kind.TABLE,
    columns=(Column(name="p95", unit=Unit.SECONDS, ppm=P95),), meaning="m", action="a", document=Document.SLOS,
)  # fmt: skip


def asks_nothing(_asked: Asked, _pick: Pick) -> Question:
    return Question(sql="")


def test_a_panel_names_its_answers() -> None:
    (shown,) = panels_shown([PANEL], lambda _: ()).panels

    assert {form: f"panels/slo.x.{form}" for form in FORMS if form != "sql"} == shown.links
    assert ("slo", "s", "table", "m", "a") == (shown.page, shown.unit, shown.kind, shown.meaning, shown.action)
    assert 0.95 == shown.columns[0].percentile


def test_a_panel_says_by_what_it_is_narrowed_down_and_where_else_it_stands() -> None:
    asked = replace(PANEL, document=None, reads=Reads.GPU, ask=asks_nothing, promql="up")
    shown, of_engine = panels_shown([asked, PANEL], filters_of, "https://g.example/").panels

    assert (("endpoint", "replica"), "up") == (shown.filters, shown.promql)
    assert "https://g.example/d/inferometer-slo" == shown.links["grafana"]
    assert ((), False) == (of_engine.filters, "grafana" in of_engine.links)


def test_where_grafana_is_said_to_have_a_panel_it_has_it() -> None:
    made = dashboards(PANELS, Flavour.CLICKHOUSE)
    there = {one["uid"]: {panel["title"] for panel in one["panels"]} for one in made.values()}
    for panel in PANELS:
        (shown,) = panels_shown([panel], filters_of, "https://g.example").panels
        if link := shown.links.get("grafana"):
            assert panel.title in there[link.rpartition("/")[2]]


def test_filters_have_the_names_of_parameters() -> None:
    every = replace(PANEL, document=None, reads=Reads.ROWS, ask=asks_nothing)

    assert set(filters_of(every)) >= {"endpoint", "class", "run", "traffic"}
    assert set(filters_of(every)) <= {field.alias or name for name, field in PanelAsked.model_fields.items()}


def test_an_answer_travels_with_from_and_to() -> None:
    provenance = Provenance(traffic="user", method="exact", population="all", table="requests")
    answer = Answer(
        panel="slo.x", unit="s", since="a", until="b", step_s=None, tick_s=1, columns=columns_shown(PANEL.columns),
        rows=cells(PANEL.columns, (), is_exact=True).rows, n=[], state=PanelState.OK, provenance=provenance,
    )  # fmt: skip

    found = told(answer)

    assert ("a", "b") == (found["from"], found["to"])
    assert not {"since", "until"} & set(found)
