"""Knows how an objective is written as an OpenSLO v1 document, which `slo.openslo` reads as the same; refuses YAML.

Source: OpenSLO v1 README; spec/slo.md 1.
"""

from dataclasses import asdict

from slo.budget import EmptySlice
from slo.durations import shorthand
from slo.objective import AlertCondition, AlertPolicy, Budgeting, Indicator, Objective, Rolling, Traffic
from slo.openslo_index import API_VERSION
from slo.openslo_sli import SOURCE_TYPE, Censor
from slo.stages import Stage
from slo.terms import written
from slo.wholes import Flow, parameters
from telemetry.queries.counted import Left

Document = dict[str, object]
"""A mapping of texts, numbers, lists and mappings."""


def document(objective: Objective) -> Document:
    """Return an objective as an SLO of its own, complete: nothing in it refers to another document."""
    spec: Document = {
        "service": objective.service,
        **_counted(objective),
        "timeWindow": [_window(objective)],
        "budgetingMethod": objective.budgeting.value,
        "objectives": [_target(objective)],
    }
    if objective.empty_slice is not EmptySlice.GOOD:
        spec["emptySlice"] = objective.empty_slice.value
    if objective.description:
        spec["description"] = objective.description
    if objective.policies:
        spec["alertPolicies"] = [_policy(one) for one in objective.policies]
    else:
        spec["burnWindows"] = objective.catalogue
    metadata: Document = {"name": name(objective)}
    if objective.labels:
        metadata["labels"] = {key: list(values) for key, values in objective.labels.items()}
    return {"apiVersion": API_VERSION, "kind": "SLO", "metadata": metadata, "spec": spec}


def name(objective: Objective) -> str:
    """Return the name of an objective as one that a document may have."""
    return objective.name.replace("/", "-")


def _counted(objective: Objective) -> Document:
    if objective.whole is not None:
        template, given = parameters(objective.whole)
        found: Document = {"template": template, "parameters": {**given, **_total(objective.indicator)}}
        stages = objective.whole.stages if isinstance(objective.whole, Flow) else ()
        return found | ({"stages": [_stage(one) for one in stages]} if stages else {})
    if objective.peak_only:
        return {"template": objective.template, "parameters": _total(objective.indicator)}
    sli = {"metadata": {"name": f"{name(objective)[:59]}-sli"}, "spec": _sli(objective.indicator)}
    return {"indicator": sli}


def _stage(stage: Stage) -> Document:
    return {key: value for key, value in asdict(stage).items() if value is not None}


def _sli(indicator: Indicator) -> Document:
    good = "ok" if indicator.good is None else written(indicator.good)
    return {
        "ratioMetric": {
            "counter": True,
            "good": {"metricSource": {"type": SOURCE_TYPE, "spec": {"expr": good}}},
            "total": {"metricSource": {"type": SOURCE_TYPE, "spec": _total(indicator)}},
        }
    }


def _total(indicator: Indicator) -> Document:
    spec: Document = {"eligible": "default" if indicator.eligible is None else written(indicator.eligible)}
    if indicator.only is not None:
        spec["filter"] = written(indicator.only)
    if indicator.group_by:
        spec["group_by"] = [dim.value for dim in indicator.group_by]
    if indicator.traffic is not Traffic.USER:
        spec["traffic"] = indicator.traffic.value
    if indicator.left is not Left.JUDGED:
        spec["censor"] = (Censor.BAD if indicator.left is Left.BAD else Censor.EXCLUDED).value
    for key, outcomes in (("also_bad", indicator.also_bad), ("also_excluded", indicator.also_excluded)):
        if outcomes:
            spec[key] = [outcome.value for outcome in outcomes]
    return spec


def _window(objective: Objective) -> Document:
    given = objective.window
    if isinstance(given, Rolling):
        return {"duration": shorthand(given.length_s), "isRolling": True}
    start = {"startTime": f"{given.start:%Y-%m-%d %H:%M:%S}", "timeZone": given.zone}
    return {"duration": f"{given.count}{given.unit.value}", "isRolling": False, "calendar": start}


def _target(objective: Objective) -> Document:
    found: Document = {"target": objective.target}
    if objective.slice_s is not None:
        found["timeSliceWindow"] = shorthand(objective.slice_s)
    if objective.budgeting is Budgeting.TIMESLICES:
        found["timeSliceTarget"] = objective.slice_target
    if objective.weight is not None:
        found["compositeWeight"] = objective.weight
    return found


def _policy(policy: AlertPolicy) -> Document:
    return {
        "kind": "AlertPolicy",
        "metadata": {"name": policy.name},
        "spec": {
            "alertWhenBreaching": policy.when_breaching,
            "alertWhenResolved": policy.when_resolved,
            "alertWhenNoData": policy.when_no_data,
            **({} if policy.keep_firing_s is None else {"keepFiringFor": shorthand(policy.keep_firing_s)}),
            "conditions": [_condition(at, one) for at, one in enumerate(policy.conditions)],
            "notificationTargets": [{"targetRef": target} for target in policy.targets],
        },
    }


def _condition(at: int, condition: AlertCondition) -> Document:
    inner: Document = {"kind": condition.kind.value, "alertAfter": shorthand(condition.after_s)}
    if condition.threshold is not None:
        inner["threshold"] = condition.threshold
    if condition.lookback_s is not None:
        inner["lookbackWindow"] = shorthand(condition.lookback_s)
    spec = {"severity": condition.severity, "condition": inner}
    return {"kind": "AlertCondition", "metadata": {"name": f"condition-{at}"}, "spec": spec}
