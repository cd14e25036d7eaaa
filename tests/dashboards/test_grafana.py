"""Grafana's dashboards: every statement runs and says what our pages say. spec/ui.md A9, A15."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from panel_answers import rows
from panel_rig import END_MS, FULL, PanelRig

import dashboards
from dashboards.grafana import MINUTE_S, TYPES, UNITS, is_asked, shown, statement
from dashboards.grafana import dashboards as made
from dashboards.grafana_lint import faults
from dashboards.grafana_promql import PROMQL
from dashboards.grafana_source import PLUGINS, Flavour
from dashboards.macros import expanded
from dashboards.panels import PANELS
from inferometer.grafana_files import texts
from slo.panel_window import instant_ms
from telemetry.panel import Kind, Page, Panel, Role, Type
from telemetry.queries.question import Question

ASKED = [one for one in PANELS if is_asked(one)]
FOLDER = Path(dashboards.__file__).parent / "grafana"


def answered(past: PanelRig, panel: Panel, **chosen: tuple[str, ...]) -> list[dict[str, Any]]:
    sql = expanded(statement(panel), END_MS - 3_600_000, END_MS, MINUTE_S, chosen)
    return past.reader.query(Question(sql=sql))


@pytest.mark.parametrize("panel", ASKED, ids=[one.id for one in ASKED])
def test_a_statement_runs_with_a_choice_and_with_all(past: PanelRig, panel: Panel) -> None:
    for found in (answered(past, panel, endpoint=(FULL,)), answered(past, panel)):
        assert found
        if panel.has_steps:
            assert "time" in found[0]
        if panel.kind is not Kind.HEATMAP:
            expected = {"time" if one.role is Role.TIME else one.name for one in shown(panel)}
            assert expected == set(found[0])


@pytest.mark.parametrize("panel", ["fleet.bad", "ep.tokens", "ep.queue", "ep.kv", "ep.gave_up", "fleet.demand"])
def test_grafana_says_what_our_pages_say(past: PanelRig, panel: str) -> None:
    of = next(one for one in PANELS if one.id == panel)
    ours = {row["t"]: row for row in rows(past, panel, FULL)}
    theirs = {int(row["time"].timestamp()): row for row in answered(past, of, endpoint=(FULL,))}
    names = [one.name for one in shown(of) if one.role is Role.VALUE and one.type is Type.NUMBER]
    common = [at for at in ours if at in theirs]

    assert len(common) > 50
    for at in common:
        assert [ours[at][name] for name in names] == pytest.approx([theirs[at][name] for name in names], nan_ok=True)


def test_percentiles_are_refused_there_too(past: PanelRig) -> None:
    of = next(one for one in PANELS if one.id == "fleet.ttft")
    found = answered(past, of, endpoint=(FULL,))

    assert {None} == {row["p99"] for row in found if row["time"].timestamp() < END_MS / 1000 - 120}
    assert all(row["p95"] is not None for row in found[1:])


def test_what_the_engine_answers_has_no_statement() -> None:
    with pytest.raises(ValueError, match=r"slo\.list"):
        statement(next(one for one in PANELS if one.id == "slo.list"))


@pytest.mark.parametrize("flavour", list(Flavour))
def test_dashboards_have_all_that_they_must(flavour: Flavour) -> None:
    found = made(PANELS, flavour)

    for one in found.values():
        assert [] == faults(one)
        assert (39, 2) == (one["schemaVersion"], one["graphTooltip"])
        assert ["datasource", "endpoint", "model"] == [variable["name"] for variable in one["templating"]["list"]]
        assert PLUGINS[flavour] == one["templating"]["list"][0]["query"]
        assert not any("<img" in panel["description"] for panel in one["panels"])
    assert len({one["uid"] for one in found.values()}) == len(found)


@pytest.mark.parametrize("flavour", list(Flavour))
def test_every_panel_is_there_or_named(flavour: Flavour) -> None:
    found = made(PANELS, flavour)
    drawn = {
        panel["links"][0]["url"].rpartition("=")[2]
        for one in found.values()
        for panel in one["panels"]
        if "links" in panel
    }
    (note,) = [panel for one in found.values() for panel in one["panels"] if panel["type"] == "text"]

    assert {one.id for one in PANELS} == drawn | {one.id for one in PANELS if one.id in note["description"]}
    if flavour is Flavour.PROMETHEUS:
        assert set(PROMQL) == drawn


@pytest.mark.parametrize("flavour", list(Flavour))
def test_a_link_means_the_time_and_the_endpoint_that_are_chosen(flavour: Flavour) -> None:
    # What Grafana puts in their places (its page on variable syntax): milliseconds, unless seconds are asked for
    told = {
        "__from": "1790000000000",
        "__to": "1790003600000",
        "__from:date:seconds": "1790000000",
        "__to:date:seconds": "1790003600",
        "endpoint:percentencode": "a%2Fb",
    }
    urls = [
        urlsplit(re.sub(r"\$\{([^}]+)\}", lambda found: told[found[1]], link["url"]))
        for one in made(PANELS, flavour).values()
        for panel in one["panels"]
        for link in panel.get("links", ())
    ]

    assert {"/ui/", "/ui/endpoints/a%2Fb", "/ui/telemetry"} <= {url.path for url in urls}
    for url in urls:
        asked = parse_qs(url.query)
        assert [1_790_000_000_000, 1_790_003_600_000] == [instant_ms(asked[key][0], 0) for key in ("from", "to")]


@pytest.mark.parametrize("flavour", list(Flavour))
def test_one_endpoint_is_chosen_where_our_page_is_of_one(flavour: Flavour) -> None:
    for name, one in made(PANELS, flavour).items():
        (endpoint,) = [variable for variable in one["templating"]["list"] if variable["name"] == "endpoint"]
        is_many = not name.endswith("-endpoint.json")

        assert (is_many, is_many) == (endpoint["multi"], endpoint["includeAll"])
        assert (is_many and flavour is Flavour.PROMETHEUS) == ("allValue" in endpoint)


def test_the_files_in_the_tree_are_those_that_are_made() -> None:
    # To make them so: inferometer config grafana --out dashboards/grafana, with each flavour
    wanted = {name: text for flavour in Flavour for name, text in texts(flavour).items()}

    assert wanted == {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*.*")}
    assert all(json.loads(text) for name, text in wanted.items() if name.endswith(".json"))


def test_every_kind_is_drawn_and_ratios_are_shares() -> None:
    assert set(Kind) == set(TYPES)
    assert "percentunit" == UNITS[next(one.unit for one in PANELS if one.page is Page.FLEET)]
