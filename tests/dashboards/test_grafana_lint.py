"""Each fault names its panel. spec/ui.md A15."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from dashboards.grafana import dashboards
from dashboards.grafana_lint import faults
from dashboards.grafana_source import Flavour
from dashboards.panels import PANELS

WHOLE = dashboards(PANELS, Flavour.CLICKHOUSE)["inferometer-fleet.json"]


def _unit(panel: dict[str, Any]) -> None:
    del panel["fieldConfig"]["defaults"]["unit"]


def _uid(panel: dict[str, Any]) -> None:
    panel["targets"][0]["datasource"] = {"type": "x", "uid": "P4169E866C3094E38"}


def _sql(panel: dict[str, Any]) -> None:
    panel["targets"][0]["rawSql"] = ""


def _description(panel: dict[str, Any]) -> None:
    panel["description"] = ""


def _place(panel: dict[str, Any]) -> None:
    panel["gridPos"] = WHOLE["panels"][0]["gridPos"]


def _wide(panel: dict[str, Any]) -> None:
    panel["gridPos"] = panel["gridPos"] | {"x": 20, "y": 900}


def _id(panel: dict[str, Any]) -> None:
    panel["id"] = WHOLE["panels"][0]["id"]


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_unit, "no unit"), (_uid, "the data source is not the variable"), (_sql, "nothing is asked"),
        (_description, "no description"), (_place, "lies over"), (_wide, "wider"), (_id, "another's"),
    ],
)  # fmt: skip
def test_a_fault_names_its_panel(spoil: Callable[[dict[str, Any]], None], word: str) -> None:
    spoiled = deepcopy(WHOLE)
    spoil(spoiled["panels"][1])
    found = faults(spoiled)

    assert any(one.startswith(WHOLE["panels"][1]["title"]) and word in one for one in found), found


def test_a_title_and_the_variable_are_missed() -> None:
    spoiled = deepcopy(WHOLE)
    spoiled["panels"][1]["title"] = ""
    spoiled["templating"]["list"] = []
    found = faults(spoiled)

    assert {"2: no title", "inferometer: Fleet: no variable for the data source"} <= set(found)
    assert [] == faults(WHOLE)
