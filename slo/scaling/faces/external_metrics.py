"""Knows the external metrics of Kubernetes, v1beta1: what discovery finds, lists of values; refuses to know HTTP.

An autoscaler adds up what it gets, so a list holds one item or none: none if the metric is not known, if nothing is
known of the target, or if the selector finds several. All of these leave the replicas as they are.

Source: k8s.io/metrics pkg/apis/external_metrics/v1beta1/types.go; k8s.io/apimachinery pkg/apis/meta/v1/types.go
(APIGroupList, APIGroup, APIResourceList); kubernetes pkg/controller/podautoscaler/metrics/client.go and
replica_calculator.go (sum over items; none is an error); kube-aggregator pkg/apiserver/handler_discovery.go (what is
asked, 406 for the aggregated form); spec/scaling.md 4.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slo.scaling.faces.moment import Moment, Policy, moment
from slo.scaling.faces.quantity import quantity
from slo.scaling.faces.selector import Requirement, holds
from slo.scaling.freshness import Transport
from slo.scaling.hint import Hint
from slo.scaling.served import HintDesk

GROUP, VERSION = "external.metrics.k8s.io", "v1beta1"
GROUP_VERSION = f"{GROUP}/{VERSION}"
DESIRED, RAW, DEMAND = "inferometer_desired_replicas", "inferometer_desired_replicas_raw", "inferometer_demand_rps"
METRICS = (DESIRED, RAW, DEMAND)
"""Metrics that there are."""

_AGGREGATED = "as=apigroupdiscoverylist"
_PLAIN = frozenset({"application/json", "application/*", "*/*", ""})
_VERSIONS = {"groupVersion": GROUP_VERSION, "version": VERSION}
_GROUP: Mapping[str, Any] = {"name": GROUP, "versions": [_VERSIONS], "preferredVersion": _VERSIONS}


def groups() -> Mapping[str, Any]:
    """Return what `/apis` says."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_GROUP]}


def group() -> Mapping[str, Any]:
    """Return what the page of the group says."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_GROUP}


def resources() -> Mapping[str, Any]:
    """Return what the page of the version says: every metric as a resource."""
    listed = [
        {
            "name": name,
            "singularName": "",
            "namespaced": True,
            "kind": "ExternalMetricValueList",
            "verbs": ["get"],
        }
        for name in METRICS
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": listed}


def wants_aggregated_alone(accept: str) -> bool:
    """Return whether who asks takes nothing but aggregated discovery, which is not served: 406 sends it to the rest.

    Args:
        accept: The Accept header; empty takes everything.
    """
    kinds = [[part.strip().lower() for part in kind.split(";")] for kind in accept.split(",")]
    plain = any(name in _PLAIN and _AGGREGATED not in parameters for name, *parameters in kinds)
    return not plain and any(_AGGREGATED in parameters for _, *parameters in kinds)


def values(
    desk: HintDesk, now_unix_s: float, namespace: str, metric: str, selector: Sequence[Requirement]
) -> Mapping[str, Any]:
    """Return the list of values of a metric, with one item or none.

    Args:
        desk: Where hints lie.
        now_unix_s: The wall clock.
        namespace: Of the target; a target that lives nowhere in particular is found in each.
        metric: Name of the metric.
        selector: What labels must be.
    """
    found = [] if metric not in METRICS else list(_selected(desk, now_unix_s, namespace, selector))
    item = _item(metric, found[0]) if len(found) == 1 else None
    return {
        "kind": "ExternalMetricValueList",
        "apiVersion": GROUP_VERSION,
        "metadata": {},
        "items": [] if item is None else [item],
    }


def _selected(desk: HintDesk, now_unix_s: float, namespace: str, selector: Sequence[Requirement]) -> Iterator[Moment]:
    """Yield what a selector may mean; of a target without a hint only the name is known, so all else may hold."""
    for name in desk.names():
        now = moment(desk, name, now_unix_s)
        if now.served is None:
            known = [one for one in selector if one.key == "target"]
            if holds(known, {"target": name}):
                yield now
        elif now.served.hint.target.namespace in {"", namespace} and holds(selector, labels(now.served.hint)):
            yield now


def labels(hint: Hint) -> Mapping[str, str]:
    """Return the labels of a target."""
    target = hint.target
    found = {"target": target.name, "namespace": target.namespace, "variant": target.variant, "role": target.role.value}
    return {name: value for name, value in found.items() if value}


def _item(metric: str, now: Moment) -> Mapping[str, Any] | None:
    hint = now.told(Transport.EXTERNAL_METRICS)
    if hint is None:
        return None
    value = _value(metric, hint, now)
    if value is None:
        return None
    return {
        "metricName": metric,
        "metricLabels": dict(labels(hint)),
        "timestamp": hint.observed_at or hint.issued_at,  # the latter stands for as long as the same is said
        "value": quantity(value),
    }


def _value(metric: str, hint: Hint, now: Moment) -> float | None:
    if metric == DEMAND:
        return hint.forecast.p95_rps
    return now.replicas(Transport.EXTERNAL_METRICS, Policy.DESIRED if metric == DESIRED else Policy.RAW)
