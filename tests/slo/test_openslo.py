"""OpenSLO documents as objectives: every kind, in any order, over several files."""

import pytest
from slo_texts import loaded, slo, threshold_sli

from slo.errors import ObjectiveError
from slo.expression import parse
from slo.openslo import OBJECTIVES_MAX
from slo.terms import Compare, Not, written
from telemetry.queries.asked import Dim
from telemetry.queries.counted import Left

SLI = """
apiVersion: openslo/v1
kind: SLI
metadata: {name: quick, displayName: Quick}
spec:
  description: first token in time
  ratioMetric:
    counter: true
    good: {metricSource: {metricSourceRef: ours, spec: {expr: "ttft_s <= 1"}}}
    total: {metricSource: {metricSourceRef: ours, spec: {filter: "endpoint == 'chat'", group_by: [endpoint, model]}}}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: ours}
spec: {type: Inferometer, connectionDetails: {any: thing}}
"""
POLICY = """
- apiVersion: openslo/v1
  kind: AlertPolicy
  metadata: {name: fast}
  spec:
    alertWhenResolved: true
    conditions: [{conditionRef: long}, {operator: and, conditionRef: short}]
    notificationTargets: [{targetRef: pager}]
- {apiVersion: openslo/v1, kind: AlertCondition, metadata: {name: long}, spec: {severity: page,
    condition: {kind: burnrate, op: lte, threshold: 2, lookbackWindow: 1h}}}
- {apiVersion: openslo/v1, kind: AlertCondition, metadata: {name: short}, spec: {severity: page,
    condition: {kind: burnrate, op: gt, threshold: 2, lookbackWindow: 5m, alertAfter: 0m}}}
- {apiVersion: openslo/v1, kind: AlertNotificationTarget, metadata: {name: pager}, spec: {target: pagerduty}}
- {apiVersion: openslo/v1, kind: Service, metadata: {name: s}, spec: {description: chat}}
"""


def test_an_slo_before_its_sli_in_another_file_is_one_objective() -> None:
    found = loaded(slo(indicator="", indicatorRef="quick", alertPolicies="[fast]"), SLI, POLICY)
    (one,) = found.objectives

    assert ("chat", "s", 0.99, (Dim.ENDPOINT, Dim.MODEL)) == (one.name, one.service, one.target, one.indicator.group_by)
    assert (parse("ttft_s <= 1"), parse("endpoint == 'chat'")) == (one.indicator.good, one.indicator.only)
    assert (("pager",), "f0.yaml:8") == (found.targets, one.where)


def test_two_conditions_are_one_alert_and_lte_on_a_burn_rate_is_worth_a_word() -> None:
    found = loaded(slo(indicator="", indicatorRef="quick", alertPolicies="[{alertPolicyRef: fast}]"), SLI, POLICY)
    (policy,) = found.objectives[0].policies

    assert [(2.0, 3_600), (2.0, 300)] == [(one.threshold, one.lookback_s) for one in policy.conditions]
    assert (("f2.yaml:10: spec.condition.op: lte would fire while all is well; it is read as gte"),) == found.lints


def test_several_objectives_of_one_slo_have_names_of_their_own() -> None:
    targets = "[{displayName: Two Nines, target: 0.99}, {targetPercent: 99.95}, {displayName: two nines, target: 0.97}]"
    found = loaded(slo(objectives=targets))

    assert [("chat/two-nines", 0.99), ("chat/1", 0.9995), ("chat/two-nines-2", 0.97)] == [
        (one.name, one.target) for one in found.objectives
    ]


def test_a_composite_over_the_same_requests_is_worth_a_word() -> None:
    sli = "{metadata: {name: x}, spec: {ratioMetric: {good: {metricSource: {type: inferometer, spec: {expr: %s}}}, "
    sli += "total: {metricSource: {type: inferometer, spec: {}}}}}}"
    parts = ", ".join(
        f"{{target: 0.99, compositeWeight: {at + 1}, indicator: {sli % name}}}"
        for at, name in enumerate(("ok", "stream"))
    )
    found = loaded(slo(indicator="", objectives=f"[{parts}]"))

    assert [1.0, 2.0] == [one.weight for one in found.objectives]
    assert "f0.yaml:8: spec.objectives: a composite over the same requests; one inferometer" in found.lints[0]


def test_a_threshold_metric_is_compared_with_its_objective() -> None:
    sli = threshold_sli("expr: ttft_s + 1, censor: bad")
    (one,) = loaded(slo(indicator=sli, target="target: 0.99, op: lt, value: 2.5")).objectives

    assert "ttft_s + 1 < 2.5" == written(one.indicator.good or False)
    assert one.indicator.left is Left.BAD


def test_bad_over_total_is_the_opposite_of_good() -> None:
    (one,) = loaded(slo(), slo("b").replace("good:", "bad:").replace('"ok"', '"ttft_s > 1"')).objectives[1:]

    assert isinstance(one.indicator.good, Not)
    assert isinstance(one.indicator.good.of, Compare)


def test_numbers_of_another_system_are_accepted_and_not_evaluated() -> None:
    found = loaded(
        slo()
        .replace('type: inferometer, spec: {expr: "ok"}', "type: Prometheus, spec: {query: x, any: [1]}")
        .replace("type: inferometer, spec: {eligible: default}", "type: Prometheus, spec: {query: y}")
    )

    assert ((), ("chat",)) == (found.objectives, found.foreign)
    assert "its numbers are of type prometheus: accepted, and not evaluated here" in found.lints[0]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"service": ""}, "f0.yaml:5: spec.service: found nothing, allowed a text"),
        ({"indicator": ""}, "f0.yaml:5: spec.indicator: found nothing, allowed indicator or indicatorRef"),
        ({"indicatorRef": "x"}, "f0.yaml:10: spec.indicatorRef: found both, allowed one of indicator and indicatorRef"),
        ({"indicator": "", "indicatorRef": "x"}, "f0.yaml:9: spec.indicatorRef: found 'x', allowed the name"),
        ({"objectives": "[]"}, "f0.yaml:8: spec.objectives: found 0 objectives, allowed 1 to 100"),
        ({"objectives": ""}, "f0.yaml:5: spec.objectives: found nothing, allowed a list"),
        ({"budgetingMethod": "Often"}, "f0.yaml:7: spec.budgetingMethod: found 'Often', allowed Occurrences, "),
        ({"alertPolicies": "[gone]"}, "f0.yaml:10: spec.alertPolicies[0]: found 'gone', allowed the name of "),
        ({"burnWindows": "mine"}, "f0.yaml:10: spec.burnWindows: found 'mine', allowed fixed_windows, scaled_windows"),
        ({"target": "target: 0.9, value: 1"}, "f0.yaml:8: spec.objectives[0].value: found 1, allowed no value, where"),
        ({"target": "target: 0.9, compositeWeight: 0"}, "f0.yaml:8: spec.objectives[0].compositeWeight: found 0"),
        ({"timeWindow": ""}, "f0.yaml:5: spec.timeWindow: found nothing, allowed a list"),
        ({"indicator": "{metadata: {name: i}}"}, "f0.yaml:9: spec.indicator.spec: found nothing, allowed a mapping"),
        ({"extra": "1"}, "f0.yaml:10: spec.extra: found unknown key, allowed service, "),
    ],
)  # fmt: skip
def test_a_mistake_in_an_slo(keys: dict[str, str], expected: str) -> None:
    with pytest.raises(ObjectiveError) as told:
        loaded(slo(**keys))

    assert str(told.value).startswith(expected)


def test_threshold_objectives_need_op_and_value() -> None:
    for target, name, expected in (
        ("target: 0.9", "ttft_s", "value: found nothing, allowed op and value, where"),
        ("target: 0.9, value: 1", "ttft_s", "op: found nothing, allowed op and value, where"),
        ("target: 0.9, value: 1, op: lt", "sleep", "value: found 'sleep' at character 2, allowed api, "),
    ):
        with pytest.raises(ObjectiveError, match=rf"objectives\[0\]\.{expected}"):
            loaded(slo(indicator=threshold_sli(f"expr: {name}"), target=target))


def test_objectives_are_bounded() -> None:
    assert OBJECTIVES_MAX == len(loaded(slo(objectives=str([{"target": 0.99}] * OBJECTIVES_MAX))).objectives)
    with pytest.raises(ObjectiveError, match="101 objectives, allowed 1 to 100"):
        loaded(slo(objectives=str([{"target": 0.99}] * (OBJECTIVES_MAX + 1))))


def test_a_rule_that_can_never_fire_is_a_mistake_and_one_that_hardly_can_is_worth_a_word() -> None:
    with pytest.raises(
        ObjectiveError, match=r"f0.yaml:8: chat: found a burn rate of 14.4, which needs 1.01 .* it can never"
    ):
        loaded(slo(target="target: 0.93"))
    found = loaded(slo(target="target: 0.935"))

    assert "which needs 0.936 of all requests to be bad: it fires in an outage alone" in found.lints[0]


def test_the_shapes_of_openslos_own_examples_are_accepted() -> None:
    window = "duration: 1w, isRolling: false, calendar: {startTime: 2022-01-01 12:00:00, timeZone: America/New_York}"
    foreign = SLI_OF_ANOTHER.replace("{name: i}", "{name: web-ratio, displayName: Web}")
    target = "displayName: Good, op: gt, target: 0.995, timeSliceTarget: 0.95, timeSliceWindow: 1m"
    slices = slo("web", window=window, indicator=foreign, target=target, budgetingMethod="Timeslices")
    ratio = slo(
        "page", indicator=foreign, target="op: gt, timeSliceWindow: 1m, target: 0.99", budgetingMethod="RatioTimeslices"
    )
    stored = foreign.replace("good: {", "rawType: failure, raw: {").split(", total:")[0] + "}}}"
    found = loaded(slices, ratio, slo("raw", indicator=stored))

    assert ((), ("web", "page", "raw")) == (found.objectives, found.foreign)


SLI_OF_ANOTHER = """{metadata: {name: i}, spec: {ratioMetric: {good: {metricSource: {type: Any, spec: {query: x}}}, \
total: {metricSource: {metricSourceRef: gone, type: Any, spec: {query: y, dimensions: [a, b]}}}}}}"""
