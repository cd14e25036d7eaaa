"""Knows the hints as Prometheus series, in each form that is scraped; refuses to know how a page is asked for.

A series is there while its target's hint may be acted upon, and is left out, not 0, from then on. What is unknown is
left out too.

Source: spec/scaling.md 3, 4; Prometheus text format 0.0.4; OpenMetrics 1.0; prometheus/prometheus
prompb/io/prometheus/client/metrics.proto (field numbers); llm-d workload-variant-autoscaler
internal/constants/metrics.go (`wva_desired_replicas` and its labels).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from slo.scaling.faces.moment import Moment
from slo.scaling.freshness import Transport
from slo.scaling.hint import Hint
from telemetry.protobuf import double, message, number, text, varint

PREFIX = "inferometer_hint_"
ALIAS = "wva_desired_replicas"
EOF = b"# EOF\n"
"""End of an OpenMetrics page; nothing may follow it."""

_GAUGE = 1
_MEANINGS = {
    "desired_replicas": "Replicas that the hint asks for.",
    "current_replicas": "Replicas that are asked for now, ready and warming up.",
    "confidence": "How far to trust the hint, 0 to 1.",
    "age_seconds": "Age of the observation behind the hint.",
    "info": "What the hint asks for, why, and how it is meant to be used.",
    "capacity_goodput_rps": "Requests per second that one replica carries inside the objectives.",
    "demand_rps": "Requests per second expected a cold start ahead.",
    "headroom_ratio": "Factor on expected requests that past forecasts taught.",
    "reversals_1h": "Changes of direction within the last hour.",
}

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One metric.

    Attributes:
        name: Its name.
        meaning: In one sentence.
        points: Labels and value of each series.
    """

    name: str
    meaning: str
    points: Sequence[tuple[Labels, float]]


def gauges(targets: Iterable[Moment], now_unix_s: float, *, alias: bool = False) -> list[Gauge]:
    """Return every metric that has a series now.

    Args:
        targets: Every target at this moment.
        now_unix_s: The wall clock.
        alias: Whether the desired replicas are there under the name that KServe reads, too.
    """
    points: dict[str, list[tuple[Labels, float]]] = {name: [] for name in _MEANINGS}
    aliased: list[tuple[Labels, float]] = []
    for now in targets:
        hint, desired = now.told(Transport.PROMETHEUS), now.replicas(Transport.PROMETHEUS)
        if hint is None or desired is None:
            continue
        for name, extra, value in _series(hint, desired, now_unix_s):
            points[name].append(({**_labels(hint), **extra}, value))
        aliased.append((_wva_labels(hint), desired))
    found = [Gauge(name=PREFIX + name, meaning=_MEANINGS[name], points=of) for name, of in points.items()]
    if alias:
        found.append(Gauge(name=ALIAS, meaning=_MEANINGS["desired_replicas"], points=aliased))
    return [one for one in found if one.points]


def text_page(of: Iterable[Gauge]) -> bytes:
    """Return metrics in the text form; OpenMetrics writes gauges alike, but for its end."""
    return "".join(line for one in of for line in _lines(one)).encode()


def protobuf_page(of: Iterable[Gauge]) -> bytes:
    """Return metrics as protobuf messages, each behind its length."""
    families = [
        text(1, one.name)
        + text(2, one.meaning)
        + number(3, _GAUGE)
        + b"".join(message(4, _metric(labels, value)) for labels, value in one.points)
        for one in of
    ]
    return b"".join(varint(len(family)) + family for family in families)


def joined(page: bytes, content_type: str, of: Sequence[Gauge]) -> bytes:
    """Return a page with metrics added to it, in the form that it has.

    Args:
        page: The page.
        content_type: Its form.
        of: What is added.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/vnd.google.protobuf":
        return page + protobuf_page(of)
    if kind == "application/openmetrics-text":
        return page.removesuffix(EOF) + text_page(of) + EOF
    return page + text_page(of)


def _series(hint: Hint, desired: float, now_unix_s: float) -> Iterator[tuple[str, Labels, float]]:
    replicas, forecast = hint.replicas, hint.forecast
    binding = next((one.code.value for one in hint.reasons if one.binding), "")
    known: tuple[tuple[str, Labels, float | None], ...] = (
        ("desired_replicas", {}, desired),
        ("current_replicas", {"state": "spec"}, replicas.spec),
        ("current_replicas", {"state": "ready"}, replicas.ready),
        ("current_replicas", {"state": "warming"}, replicas.warming),
        ("confidence", {}, hint.confidence.score),
        ("age_seconds", {}, _age_s(hint, now_unix_s)),
        ("info", {"action": hint.action.value, "reason": binding, "mode": hint.mode.value}, 1),
        ("capacity_goodput_rps", {}, hint.capacity.goodput_rps),
        ("demand_rps", {"q": "0.5"}, forecast.p50_rps),
        ("demand_rps", {"q": "0.95"}, forecast.p95_rps),
        ("headroom_ratio", {}, forecast.headroom),
        ("reversals_1h", {}, hint.cooldown.reversals_1h),
    )
    yield from ((name, labels, value) for name, labels, value in known if value is not None)


def _age_s(hint: Hint, now_unix_s: float) -> float | None:
    if hint.observed_at is None:
        return None
    return max(0.0, now_unix_s - datetime.fromisoformat(hint.observed_at).timestamp())


def _labels(hint: Hint) -> Labels:
    target = hint.target
    return {
        "target": target.name,
        "namespace": target.namespace,
        "variant": target.variant,
        "role": target.role.value,
    }


def _wva_labels(hint: Hint) -> Labels:
    target = hint.target
    return {"variant_name": target.name, "namespace": target.namespace, "accelerator_type": target.variant}


def _lines(of: Gauge) -> Iterator[str]:
    yield f"# HELP {of.name} {of.meaning}\n# TYPE {of.name} gauge\n"
    for labels, value in of.points:
        pairs = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"{of.name}{{{pairs}}} {value}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _metric(labels: Labels, value: float) -> bytes:
    pairs = b"".join(message(1, text(1, name) + text(2, of)) for name, of in labels.items())
    return pairs + message(2, double(1, value))
