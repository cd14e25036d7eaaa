"""What is written reads as the same."""

import pytest
import yaml
from slo_texts import loaded, slo

from slo.objective import definition_hash
from slo.openslo_write import document, name

POLICY = """[{metadata: {name: p}, spec: {alertWhenNoData: true, keepFiringFor: 1m, conditions: [
    {metadata: {name: c}, spec: {severity: page, condition: {threshold: 2, lookbackWindow: 1h, alertAfter: 5m}}},
    {metadata: {name: d}, spec: {severity: page, condition: {kind: absent}}}],
    notificationTargets: [{targetRef: pager}]}}]"""
TOTAL = (
    "{filter: \"endpoint == 'it''s'\", eligible: stream, group_by: [region], traffic: probe, censor: %s,"
    " also_bad: [not_found], also_excluded: [rate_limited]}"
)


@pytest.mark.parametrize(
    "text",
    [
        slo(indicator="", template="workflow_completion", parameters="{last: stream, filter: ok, group_by: [region]}"),
        slo(indicator="", template="workflow_latency", stages="[{name: a, match: ok, budget_s: 2, p50_s: 1}]"),
        slo(indicator="", template="availability_multi_region", parameters="{retry_s: 9}"),
        slo(indicator="", template="production_error_peak", parameters="{filter: stream}"),
        slo(indicator="", template="batch_deadline", parameters="{deadline_s: 600}"),
        slo(indicator="", template="batch_throughput", parameters="{deadline_s: 600, items: 5}"),
        slo(),
        slo(description="words", burnWindows="scaled_windows").replace(
            "{name: chat}", "{name: chat, labels: {a: b, c: [d, e]}}"
        ),
        slo(alertPolicies=POLICY),
        slo(
            window="duration: 1M, calendar: {startTime: 2026-01-31 12:30:00, timeZone: Europe/Berlin}",
            burnWindows="scaled_windows",
        ),
        slo(
            budgetingMethod="Timeslices",
            emptySlice="skip",
            target="target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 5",
        ),
        slo(budgetingMethod="RatioTimeslices", target="target: 0.9995, timeSliceWindow: 1h, compositeWeight: 2"),
        slo().replace("{eligible: default}", TOTAL % "bad"),
        slo().replace("{eligible: default}", TOTAL % "excluded").replace('"ok"', '"e2e_s - ttft_s <= 0.05*tokens_out"'),
    ],
    ids=[
        "flows",
        "stages",
        "calls",
        "peak",
        "items",
        "slices of a job",
        "plain",
        "words",
        "policy",
        "calendar",
        "slices",
        "ratio slices",
        "all keys",
        "censor",
    ],
)
def test_an_objective_is_written_and_read_back(text: str) -> None:
    (one,) = loaded(text).objectives
    (again,) = loaded(yaml.safe_dump(document(one))).objectives

    assert definition_hash(one) == definition_hash(again)
    assert (one.whole, one.peak_only) == (again.whole, again.peak_only)
    for attribute in ("name", "service", "labels", "description", "catalogue"):
        assert getattr(one, attribute) == getattr(again, attribute)
    assert [(policy.name, policy.targets, policy.when_no_data, policy.keep_firing_s) for policy in one.policies] == [
        (policy.name, policy.targets, policy.when_no_data, policy.keep_firing_s) for policy in again.policies
    ]
    for old, new in zip(one.policies, again.policies, strict=True):
        assert [(c.kind, c.severity, c.threshold, c.lookback_s, c.after_s) for c in old.conditions] == [
            (c.kind, c.severity, c.threshold, c.lookback_s, c.after_s) for c in new.conditions
        ]


def test_the_name_of_one_of_several_objectives_is_one_that_a_document_may_have() -> None:
    first, _ = loaded(slo(objectives="[{target: 0.99}, {target: 0.999}]")).objectives

    assert "chat-0" == name(first)
    assert ["chat-0"] == [one.name for one in loaded(yaml.safe_dump(document(first))).objectives]


def test_a_template_without_an_expression_is_written_as_ok() -> None:
    (one,) = loaded(slo(indicator="", objectives="", template="availability_single_region")).objectives

    assert "ok" in yaml.safe_dump(document(one))
