"""Sloth specs."""

import pytest
import yaml
from slo_texts import documents, loaded

from slo import sloth
from slo.documents import Findings
from slo.imported import Options
from slo.terms import written

SPEC = """
version: prometheus/v1
service: shop
labels: {owner: us}
slo_plugins: {chain: []}
slos:
- name: availability
  objective: 99.95
  description: words
  labels: {tier: 2}
  sli:
    events:
      error_query: sum(rate(http_requests_total{job="x",code=~"(5..|429)"}[{{.window}}]))
      total_query: sum(rate(http_requests_total{job="x"}[{{.window}}]))
  alerting: {name: High, page_alert: {disable: true}}
"""


def imported(text: str, options: Options | None = None) -> tuple[list[dict[str, object]], Findings]:
    findings = Findings()
    return sloth.documents(documents(text), options or Options(), findings), findings


def test_an_slo_of_events_is_an_objective() -> None:
    found, findings = imported(SPEC, Options(endpoint="it's"))
    (one,) = loaded(yaml.safe_dump_all(found)).objectives

    assert ("availability", "shop", 0.9995, 30 * 86_400) == (one.name, one.service, one.target, one.period_s)
    assert {"owner": ("us",), "tier": ("2",)} == one.labels
    assert "endpoint == 'it''s'" == written(one.indicator.only or False)
    bad = "((500 <= http_status) and (http_status <= 599)) or (http_status == 429)"
    assert f"ok and (not ({bad}))" == written(one.indicator.good or False)
    assert [] == findings.errors
    assert any("sloth#332" in lint for lint in findings.lints)
    assert any("labels job are left out" in lint for lint in findings.lints)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("prometheus/v1", "v2", "f0.yaml:2: version: found 'v2', allowed prometheus/v1"),
        ("99.95", "100", "f0.yaml:8: slos[0].objective: found 100, allowed a number of percent"),
        ("events:", "raw:", "f0.yaml:13: slos[0].sli.raw: found a mapping, allowed events: a ratio says nothing of"),
        (
            "error_query: sum",
            "error_query: avg",
            "error_query: found it is no sum of the rate of one metric, allowed a",
        ),
        ("  sli:\n    events:", "  x:\n    y:", "slos[0].x: found unknown key"),
    ],
)
def test_a_mistake(old: str, new: str, expected: str) -> None:
    _, findings = imported(SPEC.replace(old, new))

    assert expected in " ".join(map(str, findings.errors))


def test_no_alerting_is_no_word_of_warning() -> None:
    _, findings = imported(SPEC.replace("  alerting: {name: High, page_alert: {disable: true}}\n", ""))

    assert not [lint for lint in findings.lints if "alerting" in lint]


def test_a_query_without_meaning_can_be_kept() -> None:
    found, findings = imported(SPEC.replace("http_requests_total", "errors_of_mine"), Options(keep_promql=True))
    kept = loaded(yaml.safe_dump_all(found))

    assert ([], ("availability",)) == (findings.errors, kept.foreign)
    assert "errors_of_mine" in yaml.safe_dump_all(found)
