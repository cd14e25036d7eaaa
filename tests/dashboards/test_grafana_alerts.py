"""Alert rules say what happens, to whom, and where to look; no data never reads as fine."""

import re
from typing import Any

import pytest
from panel_rig import END_MS, PanelRig

from dashboards.grafana_alerts import alerts
from dashboards.grafana_source import UIDS, URL, Flavour
from dashboards.macros import expanded
from dashboards.panels import PANELS
from inferometer.grafana_files import promise
from telemetry.queries.question import Question

Json = dict[str, Any]
UID_CHARS = 40
"""Longest uid (grafana-foundation-sdk, models/dashboard.py: 8-40)."""


def rules(flavour: Flavour) -> list[Json]:
    (group,) = alerts(flavour, promise())["groups"]
    return list(group["rules"])


ALL = [(flavour, one) for flavour in Flavour for one in rules(flavour)]
IDS = [one["uid"] for _, one in ALL]


@pytest.mark.parametrize(("flavour", "rule"), ALL, ids=IDS)
def test_a_rule_tells_whom_of_what_and_where_to_look(flavour: Flavour, rule: Json) -> None:
    asked, condition = rule["data"]
    annotations = rule["annotations"]
    (path,) = re.findall(rf"{re.escape(URL)}(\w+)", annotations["description"])

    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert path in {"endpoints", "alerts", "slos", "telemetry"}
    assert set(re.findall(r"panel=([\w.]+)", annotations["description"])) <= {one.id for one in PANELS}
    assert annotations["summary"]
    assert len(rule["uid"]) <= UID_CHARS
    assert (UIDS[flavour], "__expr__") == (asked["datasourceUid"], condition["datasourceUid"])
    assert (asked["refId"], rule["condition"]) == (condition["model"]["expression"], condition["refId"])
    assert UIDS[flavour] == asked["model"]["datasource"]["uid"]


@pytest.mark.parametrize(("flavour", "rule"), ALL, ids=IDS)
def test_no_data_and_errors_are_told(flavour: Flavour, rule: Json) -> None:
    assert rule["noDataState"] in {"NoData", "Alerting"}, flavour
    assert rule["execErrState"] in {"Error", "Alerting"}
    if rule["uid"].endswith("-silent"):
        assert "Alerting" == rule["noDataState"]


def test_rules_of_both_flavours_go_into_one_folder() -> None:
    groups = [alerts(flavour, promise())["groups"][0] for flavour in Flavour]

    assert len(ALL) == len(set(IDS)) == len({one["title"] for _, one in ALL})
    assert len(groups) == len({one["name"] for one in groups})
    assert {"inferometer"} == {one["folder"] for one in groups}


@pytest.mark.parametrize("flavour", list(Flavour))
def test_there_is_a_page_and_a_ticket_for_each_pair_of_windows(flavour: Flavour) -> None:
    burn = [one for one in rules(flavour) if "-burn-" in one["uid"]]

    # Workbook table 5-8, and the fourth window of sloth: at 30 days
    assert [("page", 14.4), ("page", 6.0), ("ticket", 3.0), ("ticket", 1.0)] == [
        (one["labels"]["severity"], one["data"][1]["model"]["conditions"][0]["evaluator"]["params"][0]) for one in burn
    ]


@pytest.mark.parametrize(("flavour", "rule"), ALL, ids=IDS)
def test_grafana_puts_nothing_of_the_environment_into_texts(flavour: Flavour, rule: Json) -> None:
    # Its provisioning expands $NAME in titles and labels, and ${NAME} in annotations.
    assert not any("$" in text for text in (rule["title"], rule["uid"], *rule["labels"].values())), flavour
    assert not any("${" in text for text in rule["annotations"].values())


@pytest.mark.parametrize("rule", rules(Flavour.CLICKHOUSE), ids=lambda rule: rule["uid"])
def test_a_statement_answers_one_number_for_each_set_of_labels(past: PanelRig, rule: Json) -> None:
    asked = rule["data"][0]
    sql = expanded(asked["model"]["rawSql"], END_MS - asked["relativeTimeRange"]["from"] * 1000, END_MS, 60, {})
    found = past.reader.query(Question(sql=sql))
    texts = [{name: value for name, value in row.items() if isinstance(value, str)} for row in found]
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))

    assert "$" not in sql
    assert found
    for row, labels in zip(found, texts, strict=True):
        (number,) = [value for name, value in row.items() if name not in labels]
        assert isinstance(number, int | float)
        assert used <= set(labels)
    assert len(found) == len({tuple(sorted(one.items())) for one in texts})


def test_labels_of_an_expression_are_those_that_it_keeps() -> None:
    for rule in rules(Flavour.PROMETHEUS):
        used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        expression = rule["data"][0]["model"]["expr"]
        kept = set(re.findall(r"group by \((\w+)\)", expression)) or {"slo", "service"}

        assert used <= kept, rule["uid"]
