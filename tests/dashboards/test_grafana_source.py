"""Files by which Grafana finds what is ours. spec/ui.md 8."""

from typing import Any

import pytest
import yaml

from dashboards.grafana_source import PLUGINS, UIDS, Flavour, provisioning

Json = dict[str, Any]


@pytest.mark.parametrize("flavour", list(Flavour))
def test_the_data_source_has_the_uid_that_rules_name(flavour: Flavour) -> None:
    found = provisioning(flavour)
    sources: Json = yaml.safe_load(found[f"provisioning/datasources/{UIDS[flavour]}.yaml"])
    providers: Json = yaml.safe_load(found["provisioning/dashboards/inferometer.yaml"])

    assert [(PLUGINS[flavour], UIDS[flavour])] == [(one["type"], one["uid"]) for one in sources["datasources"]]
    assert ["/var/lib/grafana/dashboards/inferometer"] == [one["options"]["path"] for one in providers["providers"]]
    assert {1} == {sources["apiVersion"], providers["apiVersion"]}


def test_one_grafana_may_have_both() -> None:
    first, second = (provisioning(flavour) for flavour in Flavour)
    names = [
        one["name"] for found in (first, second) for file in found if "datasources" in file
        for one in yaml.safe_load(found[file])["datasources"]
    ]  # fmt: skip

    assert len(set(names)) == len(names) == len(set(UIDS.values()))
    assert {first[name] for name in first.keys() & second.keys()} == {
        second[name] for name in first.keys() & second.keys()
    }


def test_no_secret_stands_in_a_file() -> None:
    found = provisioning(Flavour.CLICKHOUSE)["provisioning/datasources/inferometer.yaml"]

    assert "$INFEROMETER_GRAFANA_PASSWORD" == yaml.safe_load(found)["datasources"][0]["secureJsonData"]["password"]
