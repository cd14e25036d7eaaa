"""Manifests: as in deploy/, as the published schemas have it, and as the traps demand."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from probes.json_schema import fits, refused
from slo.scaling.manifests import Kind, Wanted, manifest

ROOT = Path(__file__).parents[3]
EXAMPLE = Wanted(target="llama70b-chat", namespace="prod", replicas_min=2, replicas_max=12)
SCHEMAS: dict[str, dict[str, Any]] = json.loads((ROOT / "tests/fixtures/kubernetes/schemas.json").read_text())


def documents(kind: Kind, wanted: Wanted = EXAMPLE) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(manifest(kind, wanted)))


@pytest.mark.parametrize("kind", Kind)
def test_the_manifest_in_deploy_is_that_of_the_code(kind: Kind) -> None:
    # To make it so: inferometer hints manifest llama70b-chat --kind KIND --namespace prod --min 2 --max 12
    assert manifest(kind, EXAMPLE) == (ROOT / "deploy" / "hints" / f"{kind}.yaml").read_text()


@pytest.mark.parametrize("kind", Kind)
def test_every_manifest_fits_the_published_schema(kind: Kind) -> None:
    found = documents(kind)

    assert found
    for one in found:
        schema = SCHEMAS[one["kind"]]
        assert "" == refused(schema)
        assert fits(one, schema), one


def test_a_manifest_that_is_wrong_does_not_fit() -> None:
    (one,) = documents(Kind.KEDA)
    one["spec"]["fallback"]["behaviour"] = "static"

    assert not fits(one, SCHEMAS["ScaledObject"])


@pytest.mark.parametrize("kind", [Kind.KEDA, Kind.KEDA_PUSH, Kind.PROMETHEUS, Kind.KSERVE])
def test_keda_passes_the_number_through_and_stays_without_data(kind: Kind) -> None:
    (one,) = documents(kind)
    (trigger,) = one["spec"]["triggers"]
    behavior = one["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]

    assert "AverageValue" == trigger["metricType"]
    assert "currentReplicas" == one["spec"]["fallback"]["behavior"]
    assert {"scaleUp", "scaleDown"} == set(behavior)
    assert all(rules == {"stabilizationWindowSeconds": 0, "tolerance": "0"} for rules in behavior.values())
    assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA takes texts alone"
    assert {"1"} == {trigger["metadata"].get(name, "1") for name in ("targetValue", "threshold")}
    assert ("false" == trigger["metadata"].get("ignoreNullValues")) is (trigger["type"] == "prometheus")


@pytest.mark.parametrize("kind", [Kind.HPA, Kind.PROMETHEUS_ADAPTER])
def test_an_autoscaler_has_one_replica_or_more_and_takes_the_number_as_it_is(kind: Kind) -> None:
    one = documents(kind, replace(EXAMPLE, replicas_min=0))[-1]

    assert 1 == one["spec"]["minReplicas"]
    assert {"type": "AverageValue", "averageValue": "1"} == one["spec"]["metrics"][0]["external"]["target"]


def test_flagger_asks_us_and_not_the_cluster() -> None:
    (one,) = documents(Kind.FLAGGER)

    assert {"type": "externalmetrics", "address": "https://inferometer.monitoring.svc"} == one["spec"]["provider"]
    assert "prod/inferometer_demand_rps?labelSelector=target%3Dllama70b-chat" == one["spec"]["query"]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://here:8200", "https://here"),
        ("http://[fd00::1]:8200/", "https://[fd00::1]"),
        ("http://here:8080", "https://here:8080"),
        ("http://[fd00::1]:9443", "https://[fd00::1]:9443"),
        ("http://here", "https://here"),
        ("https://here:8443/", "https://here:8443"),
        ("https://here:8200", "https://here:8200"),
    ],
)
def test_flagger_shows_its_token_over_tls_alone(url: str, address: str) -> None:
    (one,) = documents(Kind.FLAGGER, replace(EXAMPLE, url=url))

    assert address == one["spec"]["provider"]["address"]


def test_flagger_s_templates_of_two_targets_are_two_objects() -> None:
    names = ["chat", "code", "a_b", "a-b", "a.b", "a._b", "x" * 63]
    wanted = [replace(EXAMPLE, target=name, workload="w") for name in names]
    found = [documents(Kind.FLAGGER, one)[0]["metadata"]["name"] for one in wanted]

    assert len(set(found)) == len(names)
    assert "inferometer-demand-chat" == found[0]
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", one) for one in found)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("name", ["123", "on", "null", "0x1f"])
def test_a_name_that_yaml_takes_for_something_else_stays_a_name(kind: Kind, name: str) -> None:
    for one in documents(kind, replace(EXAMPLE, target=name, workload=name, namespace=name)):
        assert fits(one, SCHEMAS[one["kind"]]), one
        mistaken = json.dumps(yaml.safe_load(name))
        assert f": {mistaken}," not in json.dumps(one).replace("}", ",")


@pytest.mark.parametrize("kind", Kind)
def test_a_target_may_have_a_name_that_no_deployment_has(kind: Kind) -> None:
    for one in documents(kind, replace(EXAMPLE, target="my_target", workload="my-target")):
        assert fits(one, SCHEMAS[one["kind"]]), one
    with pytest.raises(ValueError, match="workload: found 'my_target'"):
        manifest(kind, replace(EXAMPLE, target="my_target"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "a b"}, "target: found 'a b'"),
        ({"target": "a" * 64, "workload": "a"}, "target: found"),
        ({"namespace": "a.b"}, "namespace: found"),
        ({"namespace": "a" * 64}, "namespace: found"),
        ({"workload": "a: {"}, "workload: found"),
        ({"namespace": ""}, "namespace: found"),
        ({"url": "ftp://x"}, "url: found"),
        ({"grpc": "x"}, "grpc: found"),
        ({"prometheus": "http://x\ny"}, "prometheus: found"),
        ({"replicas_min": 3, "replicas_max": 2}, "replicas: found 3 to 2"),
        ({"replicas_min": 0, "replicas_max": 0}, "replicas: found 0 to 0"),
    ],
)
def test_what_cannot_stand_in_a_manifest_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        manifest(Kind.KEDA, replace(EXAMPLE, **changes))
