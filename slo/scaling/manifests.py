"""Knows what a cluster applies to follow a hint, one manifest for each way; refuses to apply any.

Where a number of ours decides, the autoscaler must not decide again: stabilisation windows and tolerance are 0, and
the type is AverageValue with target 1, which passes the number through. `Value` would multiply it by the ready pods.
Without data every way keeps the replicas that there are.

Source: keda.sh ScaledObject v1alpha1 (config/crd/bases/keda.sh_scaledobjects.yaml; fallback.behavior, tolerance from
2.18); autoscaling/v2 and apiregistration.k8s.io/v1 of Kubernetes 1.34 and later (tolerance); kubernetes-sigs
prometheus-adapter docs/externalmetrics.md; fluxcd/flagger artifacts/flagger/crd.yaml (MetricTemplate, externalmetrics)
and pkg/metrics/providers/externalmetrics.go (rest.InClusterConfig with another Host); kubernetes/client-go
transport/round_trippers.go (the token's file comes before BearerToken); kubernetes apimachinery util/validation (names,
values of labels); spec/scaling.md 4.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from string import Template
from typing import Final
from urllib.parse import urlsplit

_TARGET: Final = re.compile(r"[a-z0-9]([-a-z0-9._]{0,61}[a-z0-9])?")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_URL: Final = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._/-]*)?")
_OBJECT: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PLAIN_PORT: Final = 8_200
_ADDRESS: Final = re.compile(r"[A-Za-z0-9._\[\]-]+:[0-9]{1,5}")


class Kind(StrEnum):
    """Ways to follow a hint."""

    KEDA = "keda"
    KEDA_PUSH = "keda-push"
    HPA = "hpa"
    PROMETHEUS = "prometheus"
    PROMETHEUS_ADAPTER = "prometheus-adapter"
    FLAGGER = "flagger"
    KSERVE = "kserve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a manifest is made for.

    Attributes:
        target: Name of the target.
        workload: Deployment that is scaled; empty: of the target's name.
        namespace: Where it lives.
        replicas_min: Fewest replicas.
        replicas_max: Most of them.
        url: Where the API answers.
        grpc: HOST:PORT of the external scaler.
        prometheus: Where Prometheus answers.
    """

    target: str
    workload: str = ""
    namespace: str = "default"
    replicas_min: int = 1
    replicas_max: int = 10
    url: str = "http://inferometer.monitoring.svc:8200"
    grpc: str = "inferometer.monitoring.svc:8201"
    prometheus: str = "http://prometheus.monitoring.svc:9090"


def manifest(kind: Kind, wanted: Wanted) -> str:
    """Return a manifest as YAML, with comments.

    Raises:
        ValueError: A name or address cannot stand in one; says which and what may.
    """
    _check(wanted)
    values = {
        "target": wanted.target,
        "object": _object(wanted.target),
        "workload": wanted.workload or wanted.target,
        "namespace": wanted.namespace,
        "min": str(wanted.replicas_min),
        "hpa_min": str(max(wanted.replicas_min, 1)),
        "max": str(wanted.replicas_max),
        "url": wanted.url.rstrip("/"),
        "tls_url": _over_tls(wanted.url),
        "grpc": wanted.grpc,
        "prometheus": wanted.prometheus.rstrip("/"),
    }
    return Template(_TEMPLATES[kind]).substitute(values)


def _check(of: Wanted) -> None:
    looks = (
        ("target", of.target, _TARGET, "a value of a label: lower-case letters, digits, '-', '_' and '.', at most 63"),
        ("workload", of.workload or of.target, _NAME, "the name of a Deployment: letters, digits, '-' and '.'"),
        ("namespace", of.namespace, _NAMESPACE, "a name of Kubernetes"),
        ("url", of.url, _URL, "http://HOST:PORT"),
        ("grpc", of.grpc, _ADDRESS, "HOST:PORT"),
        ("prometheus", of.prometheus, _URL, "http://HOST:PORT"),
    )
    for name, value, form, allowed in looks:
        if not form.fullmatch(value):
            raise ValueError(f"{name}: found {value!r}; allowed: {allowed}")
    if not 0 <= of.replicas_min <= of.replicas_max or not of.replicas_max:
        raise ValueError(f"replicas: found {of.replicas_min} to {of.replicas_max}; allowed: the lower one first")


def _object(target: str) -> str:
    """Return a name of Kubernetes that no other target has: a target may have one that Kubernetes refuses."""
    if _OBJECT.fullmatch(target):
        return target
    return f"{re.sub(r'[^a-z0-9]', '-', target)}-{hashlib.sha256(target.encode()).hexdigest()[:8]}"


def _over_tls(url: str) -> str:
    """Return an address at which a token may be shown; our own port of plain HTTP is not that of an end of TLS."""
    at = urlsplit(url)
    if at.scheme == "https":
        return url.rstrip("/")
    host = at.hostname or ""
    port = "" if at.port in {None, _PLAIN_PORT} else f":{at.port}"
    return f"https://[{host}]{port}" if ":" in host else f"https://{host}{port}"


_SCALED = """apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: "$workload", namespace: "$namespace"}
spec:
  scaleTargetRef: {name: "$workload"}
  minReplicaCount: $min
  maxReplicaCount: $max
  pollingInterval: 15
  fallback: {failureThreshold: 3, replicas: $hpa_min, behavior: currentReplicas} # no data: stay as you are
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: # the hint is steady already: a second hysteresis would swallow its steps
        scaleUp: {stabilizationWindowSeconds: 0, tolerance: "0"} # tolerance: Kubernetes 1.34, KEDA 2.18
        scaleDown: {stabilizationWindowSeconds: 0, tolerance: "0"}
  triggers:
"""
_AUTOSCALER = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: "$workload", namespace: "$namespace"}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: "$workload"}
  minReplicas: $hpa_min
  maxReplicas: $max
  behavior: # the hint is steady already: a second hysteresis would swallow its steps
    scaleUp: {stabilizationWindowSeconds: 0, tolerance: "0"} # tolerance: Kubernetes 1.34
    scaleDown: {stabilizationWindowSeconds: 0, tolerance: "0"}
  metrics:
    - type: External
      external:
        metric:
          name: $metric
          selector: {matchLabels: {target: "$target"}}
        target: {type: AverageValue, averageValue: "1"} # never Value: it multiplies by the ready pods
"""
_TEMPLATES: Final = {
    Kind.KEDA: "# KEDA asks over HTTP; anything but 200 is no data to it.\n"
    + _SCALED
    + """    - type: metrics-api
      metricType: AverageValue # never Value: it multiplies by the ready pods
      metadata:
        # With ?policy=raw the autoscaler steadies: leave behavior out then.
        url: "$url/compat/keda/$target"
        valueLocation: desired_replicas
        targetValue: "1"
        activationTargetValue: "0"
""",
    Kind.KEDA_PUSH: "# KEDA asks over gRPC and hears at once when the target wakes; needs serve.keda_grpc.\n"
    + _SCALED
    + """    - type: external-push
      metricType: AverageValue # never Value: it multiplies by the ready pods
      metadata:
        scalerAddress: "$grpc"
        target: "$target"
""",
    Kind.HPA: """# An autoscaler without KEDA. A cluster has one APIService of external metrics: do not apply this
# if KEDA or another adapter owns it. The API speaks plain HTTP: a TLS proxy stands before it (tls-front.conf), and
# cert-manager makes the certificate of the service.
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata:
  name: v1beta1.external.metrics.k8s.io
  annotations: {cert-manager.io/inject-ca-from: monitoring/inferometer}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {name: inferometer, namespace: monitoring, port: 443}
---
"""
    + _AUTOSCALER.replace("$metric", "inferometer_desired_replicas"),
    Kind.PROMETHEUS: "# KEDA asks Prometheus, which scrapes our /metrics; an expired hint has no series.\n"
    + _SCALED
    + """    - type: prometheus
      metricType: AverageValue # never Value: it multiplies by the ready pods
      metadata:
        serverAddress: "$prometheus"
        query: 'max(inferometer_hint_desired_replicas{target="$target"})'
        threshold: "1"
        activationThreshold: "0"
        ignoreNullValues: "false" # the default takes no data for 0
""",
    Kind.PROMETHEUS_ADAPTER: """# An autoscaler over prometheus-adapter; its configuration needs this rule:
#   externalRules:
#     - seriesQuery: inferometer_hint_desired_replicas
#       resources: {namespaced: false}
#       metricsQuery: max(<<.Series>>{<<.LabelMatchers>>})
"""
    + _AUTOSCALER.replace("$metric", "inferometer_hint_desired_replicas"),
    Kind.FLAGGER: """# Flagger reads the expected requests of the target, from us and not from the cluster's APIService.
# It sends the token of its service account to this address, whatever secretRef says: so only https, to an end of
# TLS before the API that you trust with it, whose certificate the cluster's own authority signed. Without one:
# provider {type: prometheus}, query 'max(inferometer_hint_demand_rps{target="$target",q="0.95"})'.
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: "inferometer-demand-$object", namespace: "$namespace"}
spec:
  provider:
    type: externalmetrics
    address: "$tls_url"
  query: "$namespace/inferometer_demand_rps?labelSelector=target%3D$target"
""",
    Kind.KSERVE: "# What KServe's scaling.wva asks for, under its own name; needs serve.wva_alias.\n"
    + _SCALED
    + """    - type: prometheus
      metricType: AverageValue # never Value: it multiplies by the ready pods
      metadata:
        serverAddress: "$prometheus"
        query: 'max(wva_desired_replicas{variant_name="$target"})'
        threshold: "1"
        activationThreshold: "0"
        ignoreNullValues: "false" # the default takes no data for 0
""",
}
