"""Every panel: what a reader is told, that its statement runs on an empty and on a full store, and what it answers."""

import pytest
from panel_rig import FULL, PanelRig

from dashboards.panels import PANELS
from slo.panel_csv import panel_csv
from slo.panel_shown import PanelState
from telemetry.panel import Kind, Panel, Role, Type
from telemetry.queries.question import Question

IDS = [one.id for one in PANELS]
ASKED = [one for one in PANELS if one.ask is not None]


def test_ids_are_unique_and_name_their_page() -> None:
    assert len(set(IDS)) == len(IDS)
    assert {one.id.partition(".")[0]: one.page.value for one in PANELS}.items() <= {
        "fleet": "fleet", "ep": "endpoint", "req": "requests", "slo": "slo", "alert": "alert", "lt": "loadtests",
        "hint": "hints", "tel": "telemetry",
    }.items()  # fmt: skip


@pytest.mark.parametrize("panel", PANELS, ids=IDS)
def test_a_reader_is_told_unit_meaning_and_what_to_do(panel: Panel) -> None:
    assert panel.meaning.endswith(".")
    assert panel.action.endswith(".")
    assert panel.question.endswith("?")
    for one in panel.columns:
        assert (one.unit is None) == (one.type in {Type.TEXT, Type.UNIX_S}), one.name
    assert panel.has_steps == (panel.columns[0].role is Role.TIME and panel.kind is not Kind.TABLE)
    assert any(one.role is Role.VALUE for one in panel.columns)


@pytest.mark.parametrize("panel", ASKED, ids=[one.id for one in ASKED])
def test_a_statement_runs_on_a_store_without_rows(past: PanelRig, panel: Panel) -> None:
    answer = past.ask(panel.id, **{"from": "now-15m", "endpoint": ["nobody"]})

    assert answer.error is None, answer.error
    assert answer.state is not PanelState.ERROR
    assert not any(answer.n)


@pytest.mark.parametrize("panel", ASKED, ids=[one.id for one in ASKED])
def test_a_statement_answers_with_its_columns(past: PanelRig, panel: Panel) -> None:
    answer = past.ask(panel.id, **{"from": "now-1h", "endpoint": [FULL]})

    assert answer.error is None, answer.error
    assert answer.rows, answer.sql
    asked = past.reader.query(Question(sql=answer.sql, parameters=answer.parameters))
    missing = {one.name for one in panel.columns} - set(asked[0])
    assert ({"budget_left"} if panel.beside else set()) == missing
    assert answer.state not in {PanelState.LOCKED, PanelState.ERROR}
    assert len(answer.rows) + 1 == len(panel_csv(answer).splitlines())
