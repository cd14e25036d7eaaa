"""How controllers read what they are answered, after their sources; each raises where the controller logs an error."""

import json
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9}
_QUANTITY = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?)([numkMG]?)")


class ControllerError(Exception):
    """What a controller takes for "no data"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer as it came over the socket."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert len(body) == int(headers["content-length"])
    return Answer(status=int(first.split()[1]), headers=headers, body=body)


def quantity(text: str) -> Fraction:
    """k8s.io/apimachinery pkg/api/resource/quantity.go: ParseQuantity, decimal forms."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ControllerError(f"{text!r} is no quantity")
    return Fraction(found[1]) * Fraction(10) ** _SUFFIXES[found[2]]


def keda_value(of: Answer, location: str) -> float:
    """kedacore/keda metrics_api_scaler.go: getMetricValueFromURL, getValueFromJSONResponse (a path of one key)."""
    if of.status != 200:
        raise ControllerError(f"api returned {of.status}")
    value = cast("dict[str, Any]", json.loads(of.body)).get(location)
    if isinstance(value, str):
        return float(quantity(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ControllerError("valueLocation must point to value of type number or a string representing a Quantity")
    return value


def keda_metric(value: float, activation: float = 0.0) -> tuple[Fraction, bool]:
    """The same: GetMetricsAndActivity; scaler.go: GenerateMetricInMili cuts below a thousandth."""
    return Fraction(int(value * 1_000), 1_000), value > activation


def listed(of: Answer) -> list[dict[str, Any]]:
    """client-go rest/request.go: transformResponse, Into(v1beta1.ExternalMetricValueList)."""
    if not 200 <= of.status <= 206:
        raise ControllerError(f"status {of.status}")
    if of.headers["content-type"].partition(";")[0] != "application/json":
        raise ControllerError(f"no decoder for {of.headers['content-type']}")
    read = cast("dict[str, Any]", json.loads(of.body))
    if (read["kind"], read["apiVersion"]) != ("ExternalMetricValueList", "external.metrics.k8s.io/v1beta1"):
        raise ControllerError("another kind")
    for item in read["items"]:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", item["timestamp"]):
            raise ControllerError("metav1.Time is RFC 3339")
    return cast("list[dict[str, Any]]", read["items"])


def hpa_replicas(of: Answer, status_replicas: int, target_milli: int = 1_000, tolerance: float = 0.1) -> int:
    """podautoscaler metrics/client.go: GetExternalMetric; replica_calculator.go: GetExternalPerPodMetricReplicas."""
    items = listed(of)
    if not items:
        raise ControllerError("no metrics returned from external metrics API")
    usage = sum(math.ceil(quantity(item["value"]) * 1_000) for item in items)
    ratio = usage / (target_milli * status_replicas)
    return status_replicas if abs(1.0 - ratio) <= tolerance else math.ceil(usage / target_milli)


def flagger_value(of: Answer) -> float:
    """fluxcd/flagger externalmetrics.go: RunQuery takes the first item."""
    items = listed(of)
    if not items:
        raise ControllerError("no external metrics found")
    return float(quantity(items[0]["value"]))


def discovered(of: Answer) -> list[str]:
    """kube-aggregator handler_discovery.go: the legacy path; names of namespaced resources that can be got."""
    if of.status != 200:
        raise ControllerError("failed to download legacy discovery")
    read = cast("dict[str, Any]", json.loads(of.body))
    assert (read["kind"], read["groupVersion"]) == ("APIResourceList", "external.metrics.k8s.io/v1beta1")
    return [one["name"] for one in read["resources"] if one["namespaced"] and "get" in one["verbs"]]
