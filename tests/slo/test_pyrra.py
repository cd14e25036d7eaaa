"""Pyrra specs."""

import pytest
import yaml
from slo_texts import documents, loaded

from slo import pyrra
from slo.documents import Findings
from slo.imported import Options
from slo.terms import written

SPEC = """
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: errors, namespace: monitoring, labels: {role: rules}}
spec:
  target: '99.9'
  window: 4w
  indicator:
    %s
  alerting: {disabled: true}
"""
RATIO = """ratio: {grouping: [x], errors: {metric: 'nginx_ingress_controller_requests{status=~"5.."}'},
      total: {metric: nginx_ingress_controller_requests}}"""
LATENCY = """latency: {success: {metric: 'vllm:e2e_request_latency_seconds_bucket{model_name="m",le="0.8"}'},
      total: {metric: 'vllm:e2e_request_latency_seconds_count{model_name="m"}'}}"""
NATIVE = "latencyNative: {latency: 500ms, total: {metric: http_request_duration_seconds}}"


def imported(text: str, options: Options | None = None) -> tuple[list[dict[str, object]], Findings]:
    findings = Findings()
    return pyrra.documents(documents(text), options or Options(), findings), findings


@pytest.mark.parametrize(
    ("indicator", "good", "only"),
    [
        (RATIO, "ok and (not ((500 <= http_status) and (http_status <= 599)))", "false"),
        (LATENCY, "ok and (e2e_s <= 0.8)", "model == 'm'"),
        (NATIVE, "ok and (e2e_s <= 0.5)", "false"),
    ],
    ids=["ratio", "latency", "native"],
)
def test_an_indicator_is_an_objective(indicator: str, good: str, only: str) -> None:
    found, findings = imported(SPEC % indicator)
    (one,) = loaded(yaml.safe_dump_all(found)).objectives

    assert [] == findings.errors
    assert ("errors", 0.999, 28 * 86_400) == (one.name, one.target, one.period_s)
    assert (good, only) == (written(one.indicator.good or False), written(one.indicator.only or False))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ((SPEC % RATIO).replace("v1alpha1", "v2"), "apiVersion: found 'pyrra.dev/v2', allowed pyrra.dev/v1alpha1"),
        ((SPEC % RATIO).replace("'99.9'", "'100'"), "target: found '100', allowed a text of percent"),
        (
            "apiVersion: pyrra.dev/v1alpha1\nkind: ServiceLevelObjective\n",
            "spec: found nothing, allowed metadata and spec",
        ),
        ((SPEC % RATIO).replace("indicator:", "x:"), "indicator: found nothing, allowed a mapping with one of ratio, "),
        (
            SPEC % NATIVE.replace("http_request_duration_seconds", "up"),
            "metric: found metric up is not one that we know",
        ),
        ((SPEC % RATIO).replace("'99.9'", "99.9"), "target: found 99.9, allowed a text of percent"),
        (SPEC % "bool_gauge: {metric: up}", "bool_gauge: found a gauge, allowed ratio, latency or latencyNative"),
        (SPEC % f"{RATIO}\n    {NATIVE}", "ratio: found ratio, latencyNative, allowed one of ratio, latency, "),
        (
            SPEC % "ratio: {errors: {metric: up}, total: {metric: up}}",
            "errors: found metric up is not one that we know",
        ),
        (SPEC % "ratio: {errors: {metric: up}}", "total: found nothing, allowed a mapping with metric"),
        (SPEC % NATIVE.replace("500ms", "soon"), "latency: found 'soon', allowed a time"),
        (
            SPEC % NATIVE.replace("http_request_duration_seconds", "http_requests_total"),
            "allowed a histogram of a duration",
        ),
        (SPEC % LATENCY.replace(',le="0.8"', ',le="+Inf"'), "success: found a mapping, allowed a bucket of a duration"),
    ],
)
def test_a_mistake(text: str, expected: str) -> None:
    _, findings = imported(text)

    assert expected in " ".join(map(str, findings.errors))


def test_no_alerting_is_no_word_of_warning() -> None:
    _, findings = imported((SPEC % NATIVE).replace("  alerting: {disabled: true}\n", ""))

    assert not [lint for lint in findings.lints if "alerting" in lint]


def test_a_query_without_meaning_can_be_kept() -> None:
    found, findings = imported(SPEC % "ratio: {errors: {metric: x}, total: {metric: y}}", Options(keep_promql=True))

    assert ([], ("errors",)) == (findings.errors, loaded(yaml.safe_dump_all(found)).foreign)
