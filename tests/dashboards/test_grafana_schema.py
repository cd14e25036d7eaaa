"""Dashboards and alert rules are what Grafana publishes, and a fault names its panel. spec/ui.md 8, A15."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from grafana_schema import of_alerts, of_dashboard

from dashboards.grafana import dashboards
from dashboards.grafana_alerts import alerts
from dashboards.grafana_lint import faults
from dashboards.grafana_source import Flavour
from dashboards.panels import PANELS
from inferometer.grafana_files import promise

Json = dict[str, Any]
MADE = {flavour: dashboards(PANELS, flavour) for flavour in Flavour}
FLEET = MADE[Flavour.CLICKHOUSE]["inferometer-fleet.json"]
PROM = MADE[Flavour.PROMETHEUS]["inferometer-prom-fleet.json"]


@pytest.mark.parametrize("flavour", list(Flavour))
def test_dashboards_and_rules_are_what_grafana_publishes(flavour: Flavour) -> None:
    assert {} == {name: found for name, one in MADE[flavour].items() if (found := of_dashboard(one))}
    assert [] == of_alerts(alerts(flavour, promise()))


def _more(panel: Json) -> None:
    panel["descripton"] = "mistyped"


def _number(panel: Json) -> None:
    panel["gridPos"]["w"] = "12"


def _text(panel: Json) -> None:
    panel["id"] = "2"


def _flag(panel: Json) -> None:
    panel["links"][0]["targetBlank"] = 1


def _link(panel: Json) -> None:
    del panel["links"][0]["type"]


def _unit(panel: Json) -> None:
    panel["fieldConfig"]["defaults"]["units"] = "s"


def _custom(panel: Json) -> None:
    panel["fieldConfig"]["defaults"]["custom"] = {"fillOpacity": "40"}


def _option(panel: Json) -> None:
    panel["options"] = {"legends": {}}


def _overrides(panel: Json) -> None:
    panel["fieldConfig"]["overrides"] = [{"matcher": {"options": "p99"}, "properties": []}]


def _kind(panel: Json) -> None:
    panel["type"] = "linechart"


def _target(panel: Json) -> None:
    panel["targets"][0]["rawSQL"] = panel["targets"][0].pop("rawSql")


def _format(panel: Json) -> None:
    panel["targets"][0]["format"] = "time_series"


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_more, "unknown field descripton"),
        (_number, "'12' is no int"),
        (_text, "'2' is no int"),
        (_flag, "1 is no bool"),
        (_link, "links.0: no type"),
        (_unit, "unknown field units"),
        (_custom, "fillOpacity: '40' is no"),
        (_option, "unknown field legends"),
        (_overrides, "matcher: no id"),
        (_kind, "no panel is a linechart"),
        (_target, "unknown or missing rawSQL"),
        (_format, "'time_series' is no int"),
    ],
)
def test_a_panel_that_is_no_panel_is_named(spoil: Callable[[Json], None], word: str) -> None:
    spoiled = deepcopy(FLEET)
    at = next(at for at, one in enumerate(spoiled["panels"]) if one["type"] == "timeseries")
    spoil(spoiled["panels"][at])
    found = of_dashboard(spoiled)

    assert any(one.startswith(spoiled["panels"][at]["title"]) and word in one for one in found), found


def test_a_fixed_uid_is_named_too() -> None:
    # It is a field that Grafana knows: the lint refuses it.
    spoiled = deepcopy(FLEET)
    spoiled["panels"][1]["targets"][0]["datasource"]["uid"] = "P4169E866C3094E38"

    assert [] == of_dashboard(spoiled)
    assert [f"{spoiled['panels'][1]['title']}: the data source is not the variable"] == faults(spoiled)


def test_an_expression_and_a_variable_have_models() -> None:
    spoiled = deepcopy(PROM)
    spoiled["panels"][0]["targets"][0]["instant"] = "yes"
    spoiled["templating"]["list"][1]["refresh"] = 7
    found = of_dashboard(spoiled)

    assert any("instant: 'yes' is no" in one and one.startswith(PROM["panels"][0]["title"]) for one in found), found
    assert any("7 is no VariableRefresh" in one for one in found), found


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("noDataState", "Fine", "noDataState: 'Fine' is no"),
        ("for", 60, "60 is no str"),
        ("labels", {"severity": 1}, "labels.severity: 1 is no str"),
        ("forr", "1m", "unknown field forr"),
    ],
)
@pytest.mark.parametrize("flavour", list(Flavour))
def test_a_rule_that_is_no_rule_is_named(flavour: Flavour, field: str, value: object, word: str) -> None:
    spoiled = alerts(flavour, promise())
    rule = spoiled["groups"][0]["rules"][1]
    rule[field] = value
    found = of_alerts(spoiled)

    assert found
    assert all(one.startswith(rule["title"]) and word in one for one in found), found


def test_parts_of_rules_have_models() -> None:
    spoiled = alerts(Flavour.PROMETHEUS, promise())
    rules = spoiled["groups"][0]["rules"]
    rules[0]["data"][1]["model"]["conditions"][0]["evaluator"]["type"] = "above"
    rules[1]["data"][0]["relativeTimeRange"]["from"] = "1h"
    rules[2]["data"][0]["model"]["expresion"] = rules[2]["data"][0]["model"].pop("expr")
    del spoiled["groups"][0]["interval"]
    found = of_alerts(spoiled)

    for at, word in ((0, "'above' is no"), (1, "'1h' is no"), (2, "no expr")):
        assert any(one.startswith(rules[at]["title"]) and word in one for one in found), found
    assert "inferometer-prom: unknown or missing interval" in found
