"""Lists with one item or none, whatever the selector finds."""

from dataclasses import replace

import pytest
from face_rig import HINTS, NAME, NOW_S, Desk, rising, served
from scaling_rig import T0, TARGET, Follower, observed

from slo.scaling.faces.external_metrics import DEMAND, DESIRED, METRICS, RAW, group, groups, resources, values
from slo.scaling.faces.external_metrics import wants_aggregated_alone as alone
from slo.scaling.faces.selector import parsed
from slo.scaling.freshness import Standing

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
OTHER = "mixtral-batch"
DESK = Desk(
    hints={
        NAME: served(HINTS[Standing.FRESH]),
        OTHER: served(rising(replace(TARGET, name=OTHER, namespace="", variant="h200"))),
        "unseen": None,
    }
)


def found(metric: str, selector: str, namespace: str = "prod", desk: Desk = DESK) -> list[tuple[str, str]]:
    listed = values(desk, NOW_S, namespace, metric, parsed(selector))
    return [(one["metricLabels"]["target"], one["value"]) for one in listed["items"]]


@pytest.mark.parametrize(
    ("metric", "selector", "namespace", "expected"),
    [
        pytest.param(DESIRED, f"target={NAME}", "prod", [(NAME, "6")], id="one target"),
        pytest.param(RAW, f"target={NAME}", "prod", [(NAME, "5481m")], id="before rounding"),
        pytest.param(DEMAND, f"target={NAME}", "prod", [(NAME, "14137m")], id="expected requests"),
        pytest.param(DESIRED, f"target={NAME}", "test", [], id="another namespace"),
        pytest.param(DESIRED, f"target={OTHER}", "test", [(OTHER, "6")], id="it lives nowhere in particular"),
        pytest.param(DESIRED, "target!=unseen,variant=h200", "prod", [(OTHER, "6")], id="found by another label"),
        pytest.param(DESIRED, "", "prod", [], id="all would be added up"),
        pytest.param(DESIRED, "variant=h200", "prod", [], id="a target never seen may be meant too"),
        pytest.param(DESIRED, "target=unseen", "prod", [], id="never seen"),
        pytest.param(DESIRED, "target=nobody", "prod", [], id="not configured"),
        pytest.param("dummy-metric", f"target={NAME}", "prod", [], id="an unknown metric"),
    ],
)
def test_a_list_has_one_item_or_none(
    metric: str, selector: str, namespace: str, expected: list[tuple[str, str]]
) -> None:
    assert expected == found(metric, selector, namespace)


def test_an_item_has_the_form_of_the_specification() -> None:
    listed = values(DESK, NOW_S, "prod", DESIRED, parsed(f"target={NAME}"))

    assert {
        "kind": "ExternalMetricValueList",
        "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [
            {
                "metricName": "inferometer_desired_replicas",
                "metricLabels": {"target": NAME, "namespace": "prod", "variant": "h100-tp4", "role": "aggregate"},
                "timestamp": HINTS[Standing.FRESH].observed_at,
                "value": "6",
            }
        ],
    } == listed


def test_an_item_is_as_old_as_what_was_seen_and_not_as_what_is_said() -> None:
    follower = Follower()
    first, later = (follower.see(observed(T0 + at_s)) for at_s in (0, 3_600))
    said = [
        values(Desk(hints={NAME: served(one)}), NOW_S, "prod", DESIRED, parsed(f"target={NAME}"))["items"][0]
        for one in (first, later)
    ]

    assert first.issued_at == later.issued_at, "it says the same"
    assert [first.observed_at, later.observed_at] == [one["timestamp"] for one in said]
    assert said[0]["timestamp"] < said[1]["timestamp"]


def test_discovery_names_group_version_and_metrics() -> None:
    version = {"groupVersion": "external.metrics.k8s.io/v1beta1", "version": "v1beta1"}
    of_group = {"name": "external.metrics.k8s.io", "versions": [version], "preferredVersion": version}

    assert {"kind": "APIGroupList", "apiVersion": "v1", "groups": [of_group]} == groups()
    assert {"kind": "APIGroup", "apiVersion": "v1", **of_group} == group()
    assert list(METRICS) == [one["name"] for one in resources()["resources"]]
    assert {
        "name": "inferometer_desired_replicas",
        "singularName": "",
        "namespaced": True,
        "kind": "ExternalMetricValueList",
        "verbs": ["get"],
    } == resources()["resources"][0]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (AGGREGATED, True),
        (f"{AGGREGATED},application/json", False),
        ("application/json, */*", False),
        ("", False),
        ("text/html", False),
    ],
)
def test_who_takes_aggregated_discovery_alone(accept: str, expected: bool) -> None:
    assert expected is alone(accept)
