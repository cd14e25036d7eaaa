"""Knows the few shapes of PromQL in which an SLO counts requests, and what they mean here; refuses every other query.

    sum(rate(metric{label="value",..}[{{.window}}]))      with or without sum, by (..), rate or increase
    metric{label="value",..}

A metric counts requests, or is a bucket of a histogram, whose `le` is then a threshold. Labels of the HTTP status and
of the model become conditions; others are told, for they say which target was scraped and not what a request was.

Source: spec/slo.md 1 (import); Prometheus, Querying, Basics.
"""

import re
from dataclasses import dataclass

from slo.promql_metrics import CLASS_LABELS, DURATIONS, MODEL_LABELS, REQUESTS, STATUS_LABELS
from telemetry.queries.bounds import Figure

QUERY_CHARACTERS_MAX = 4_000
"""Longest query."""
_METRIC = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{(.*)\})?", re.DOTALL)
_WRAPPED = re.compile(
    r"\s*(?:sum\s*(?:by\s*\([^)]*\))?\s*\(\s*)?(?:rate|increase)\s*\(\s*(.*?)\s*\[\s*(?:\{\{\s*\.window\s*\}\}|\w+)\s*\]"
    r"\s*\)\s*\)?\s*",
    re.DOTALL,
)
_LABEL = re.compile(r'\s*([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_CODES = re.compile(r"[1-5](?:\d\d|\d\.|\.\.|xx)")


class PromqlError(ValueError):
    """A query that has no meaning here; the text says which part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Requests that a query counts.

    Attributes:
        conditions: Expressions, all of which hold.
        figure: What is compared with `threshold_s`; None where all requests are counted.
        threshold_s: The upper bound of the bucket.
        histogram: Of what the metric is a histogram, whatever part of it is asked for; None if it is none.
        dropped: Labels that say nothing of a request.
    """

    conditions: tuple[str, ...]
    figure: Figure | None = None
    threshold_s: float | None = None
    histogram: Figure | None = None
    dropped: tuple[str, ...] = ()


def selected(query: str) -> Selected:
    """Return which requests a query counts.

    Raises:
        PromqlError: It has no meaning here.
    """
    if len(query) > QUERY_CHARACTERS_MAX:
        raise PromqlError(f"a query of {len(query)} characters; allowed are {QUERY_CHARACTERS_MAX}")
    wrapped = _WRAPPED.fullmatch(query)
    found = _METRIC.fullmatch((wrapped[1] if wrapped else query).strip())
    if found is None:
        raise PromqlError("it is no sum of the rate of one metric")
    metric, labels = found[1], _labels(found[2] or "")
    figure = DURATIONS.get(metric.removesuffix("_bucket").removesuffix("_count"))
    if metric not in REQUESTS and figure is None:
        raise PromqlError(f"metric {metric} is not one that we know the meaning of")
    threshold_s = _threshold(labels.pop("le", None)) if metric.endswith("_bucket") else None
    conditions: list[str] = []
    dropped: list[str] = []
    for label, (operator, value) in labels.items():
        condition = _condition(label, operator, value)
        if condition is None:
            dropped.append(label)
        else:
            conditions.append(condition)
    return Selected(
        conditions=tuple(conditions),
        figure=figure if threshold_s is not None else None,
        threshold_s=threshold_s,
        histogram=figure,
        dropped=tuple(dropped),
    )


def _labels(text: str) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    at = 0
    while at < len(text.rstrip()):
        match = _LABEL.match(text, at)
        if match is None:
            raise PromqlError(f'labels {text.strip()!r} are not of the form name="value"')
        found[match[1]] = (match[2], re.sub(r"\\(.)", r"\1", match[3]))
        at = match.end()
    return found


def _threshold(le: tuple[str, str] | None) -> float | None:
    if le is None or le[0] != "=":
        raise PromqlError("a bucket has no le, so it is no threshold")
    if le[1] == "+Inf":
        return None
    try:
        return float(le[1])
    except ValueError:
        raise PromqlError(f"le {le[1]!r} is no number") from None


def _condition(label: str, operator: str, value: str) -> str | None:
    if label in STATUS_LABELS:
        condition = _status(value)
    elif label in CLASS_LABELS:
        condition = _status(f"{value}..")
    elif label in MODEL_LABELS and operator in {"=", "!="}:
        quoted = value.replace("'", "''")
        condition = f"model == '{quoted}'"
    else:
        return None
    return f"not ({condition})" if operator.startswith("!") else condition


def _status(pattern: str) -> str:
    """Return what a pattern of statuses means: `5..`, `(5..|429)`, `2xx|3xx`."""
    parts = pattern.strip("^$").removeprefix("(").removesuffix(")").split("|")
    ranges: list[str] = []
    for part in parts:
        if not _CODES.fullmatch(part):
            raise PromqlError(f"status {pattern!r} is not made of statuses such as 429, 50. and 5..")
        digits = part.rstrip(".x")
        first, last = int(digits.ljust(3, "0")), int(digits.ljust(3, "9"))
        ranges.append(
            f"http_status == {first}" if first == last else f"{first} <= http_status and http_status <= {last}"
        )
    return " or ".join(f"({one})" for one in ranges) if len(ranges) > 1 else ranges[0]
