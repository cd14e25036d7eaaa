"""Knows how an SLO over PromQL becomes an OpenSLO document of ours; refuses to know whose file it stood in.

A request that ended badly under a good status is bad here too, and one that its client left is judged by what it
shows, so the figures will differ from those of the system that it comes from.

Source: spec/slo.md 1 (import, `--keep-promql`), 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from slo.documents import Section
from slo.openslo_index import API_VERSION
from slo.openslo_sli import SOURCE_TYPE
from slo.openslo_write import Document
from slo.promql import PromqlError, Selected, selected

DIFFERS = (
    "inferometer weighs each request alike and judges how it ended, not its HTTP status alone: figures will differ"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user adds to a file that is imported.

    Attributes:
        endpoint: Endpoint whose requests count; empty is all.
        keep_promql: Whether a query without meaning here is kept as it is, for exports alone.
    """

    endpoint: str = ""
    keep_promql: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What an SLO says besides its queries.

    Attributes:
        name: Of the SLO.
        service: What it is promised of.
        target: Share that is to be good.
        duration: Rolling window, as OpenSLO writes it.
        description: For people.
        labels: Of the SLO.
    """

    name: str
    service: str
    target: float
    duration: str
    description: str = ""
    labels: Mapping[str, str]


def meaning(section: Section, key: str, query: str, options: Options) -> Selected | None:
    """Return what a query means; None if it has no meaning here, which is a mistake unless it may be kept."""
    try:
        found = selected(query)
    except PromqlError as error:
        if options.keep_promql:
            section.lint(key, f"{error}: kept as PromQL, and not evaluated here")
        else:
            section.wrong(key, "a query of a metric that we know, or --keep-promql", str(error))
        return None
    if found.dropped:
        section.lint(key, f"labels {', '.join(found.dropped)} are left out: name the requests with --endpoint")
    return found


def of_errors(promise: Promise, errors: Selected, total: Selected, options: Options) -> Document:
    """Return an SLO whose errors are a part of all requests, by their labels."""
    bad = " and ".join(f"({one})" for one in errors.conditions if one not in total.conditions)
    return _document(promise, f"ok and not ({bad})" if bad else "ok", total, options)


def of_latency(promise: Promise, success: Selected, total: Selected, options: Options) -> Document:
    """Return an SLO whose good requests are those of a bucket."""
    figure = success.figure.value if success.figure else "e2e_s"
    return _document(promise, f"ok and {figure} <= {success.threshold_s!r}", total, options)


def kept(promise: Promise, numerator: str, queries: tuple[str, str]) -> Document:
    """Return an SLO with its queries as they were.

    Args:
        promise: What it says besides.
        numerator: `good` or `bad`.
        queries: Numerator and total.
    """
    parts = zip((numerator, "total"), queries, strict=True)
    metric: Document = {key: {"metricSource": {"type": "prometheus", "spec": {"query": query}}} for key, query in parts}
    return _slo(promise, metric)


def _document(promise: Promise, good: str, total: Selected, options: Options) -> Document:
    quoted = options.endpoint.replace("'", "''")
    chosen = [f"endpoint == '{quoted}'"] if options.endpoint else []
    chosen += [f"({one})" for one in total.conditions]
    spec: Document = {"eligible": "default"}
    if chosen:
        spec["filter"] = " and ".join(chosen)
    return _slo(
        promise,
        {
            "good": {"metricSource": {"type": SOURCE_TYPE, "spec": {"expr": good}}},
            "total": {"metricSource": {"type": SOURCE_TYPE, "spec": spec}},
        },
    )


def _slo(promise: Promise, metric: Document) -> Document:
    spec: Document = {
        "service": promise.service,
        "indicator": {"metadata": {"name": f"{promise.name[:59]}-sli"}, "spec": {"ratioMetric": metric}},
        "timeWindow": [{"duration": promise.duration, "isRolling": True}],
        "budgetingMethod": "Occurrences",
        "objectives": [{"target": promise.target}],
    }
    if promise.description:
        spec["description"] = promise.description
    metadata: Document = {"name": promise.name}
    if promise.labels:
        metadata["labels"] = dict(promise.labels)
    return {"apiVersion": API_VERSION, "kind": "SLO", "metadata": metadata, "spec": spec}
