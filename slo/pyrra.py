"""Knows how Pyrra writes SLOs over Prometheus, and what they mean here; refuses to know PromQL itself.

Source: Pyrra, `ServiceLevelObjective` v1alpha1 (kubernetes/api/v1alpha1/servicelevelobjective_types.go: target,
window, indicator ratio, latency, latencyNative, bool_gauge, alerting); spec/slo.md 1.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from slo.documents import Findings, Section, Written
from slo.imported import DIFFERS, Options, Promise, kept, meaning, of_errors, of_latency
from slo.openslo_write import Document

API_VERSION, KIND = "pyrra.dev/v1alpha1", "ServiceLevelObjective"
_INDICATORS = ("ratio", "latency", "latencyNative", "bool_gauge")
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


def documents(files: Sequence[Written], options: Options, findings: Findings) -> list[Document]:
    """Return the SLOs of Pyrra files as OpenSLO documents; mistakes and words of warning go to `findings`."""
    found = [_slo(Section(file, "", findings), options) for file in files]
    findings.lints.append(DIFFERS)
    return [one for one in found if one is not None]


def _slo(section: Section, options: Options) -> Document | None:
    for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if section.text(key, required=True, allowed=wanted) != wanted:
            section.wrong(key, wanted)
            return None
    metadata, spec = section.section("metadata"), section.section("spec")
    section.end()
    if metadata is None or spec is None:
        section.wrong("spec", "metadata and spec")
        return None
    promise = _promise(metadata, spec)
    indicator = spec.section("indicator")
    spec.raw("latency")
    if "alerting" in spec:
        spec.lint("alerting", "left out: the catalogue of burn windows alerts, and `alertPolicies` can be added")
    spec.raw("alerting")
    spec.end()
    if indicator is None:
        spec.wrong("indicator", f"a mapping with one of {', '.join(_INDICATORS)}")
        return None
    return _indicator(indicator, promise, options)


def _promise(metadata: Section, spec: Section) -> Promise:
    name = metadata.text("name", required=True)
    allowed = "a text of percent, at least 0 and below 100, for example '99.9'"
    text = spec.text("target", required=True, allowed=allowed)
    percent = float(text) if re.fullmatch(r"\d{1,2}(\.\d{1,9})?", text) else None
    if text and percent is None:
        spec.wrong("target", allowed)
    return Promise(
        name=name,
        service=name,
        target=float(f"{percent or 0.0!r}e-2"),
        duration=spec.text("window", required=True),
        description=spec.text("description"),
        labels={},
    )


def _indicator(indicator: Section, promise: Promise, options: Options) -> Document | None:
    given = [name for name in _INDICATORS if name in indicator]
    inner = indicator.section(given[0]) if len(given) == 1 else None
    indicator.taken += _INDICATORS
    indicator.end()
    if inner is None:
        indicator.wrong("ratio", f"one of {', '.join(_INDICATORS)}", ", ".join(given) or "none")
        return None
    if "grouping" in inner:
        inner.lint("grouping", "left out: use group_by of our own dimensions")
    inner.raw("grouping")
    if given[0] == "bool_gauge":
        indicator.wrong("bool_gauge", "ratio, latency or latencyNative: a gauge counts no requests", "a gauge")
        return None
    return _native(inner, promise, options) if given[0] == "latencyNative" else _pair(inner, promise, options, given[0])


def _pair(inner: Section, promise: Promise, options: Options, kind: str) -> Document | None:
    names = ("errors", "total") if kind == "ratio" else ("success", "total")
    queries: list[str] = []
    for name in names:
        part = inner.section(name)
        if part is None:
            inner.wrong(name, "a mapping with metric")
            return None
        queries.append(part.text("metric", required=True))
        part.end()
    inner.end()
    one, total = (meaning(inner, name, query, options) for name, query in zip(names, queries, strict=True))
    if one is None or total is None:
        numerator = "bad" if kind == "ratio" else "good"
        return kept(promise, numerator, (queries[0], queries[1])) if options.keep_promql else None
    if kind == "ratio":
        return of_errors(promise, one, total, options)
    if one.threshold_s is None:
        inner.wrong("success", "a bucket of a duration, with le as the threshold")
        return None
    return of_latency(promise, one, total, options)


def _native(inner: Section, promise: Promise, options: Options) -> Document | None:
    text = inner.text("latency", required=True, allowed="a time, for example 500ms")
    length = _LENGTH.fullmatch(text)
    part = inner.section("total")
    inner.end()
    if length is None or part is None:
        inner.wrong("latency", "a time, for example 500ms, and total")
        return None
    total = meaning(part, "metric", part.text("metric", required=True), options)
    part.end()
    if total is None:
        return None
    if total.histogram is None:
        part.wrong("metric", "a histogram of a duration")
        return None
    threshold_s = float(length[1]) * _UNITS[length[2]]
    return of_latency(promise, replace(total, figure=total.histogram, threshold_s=threshold_s), total, options)
