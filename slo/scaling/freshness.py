"""Knows what each transport answers when data is fresh, partial, stale or missing, as a table; refuses to answer.

No path gives 0 or a smaller number because data is missing: each either says the number that is asked for now, or
fails in the way that its reader takes for "no data": KEDA wants a status that is not 200, HPA an empty list, a
Prometheus query an absent series.

Source: spec/scaling.md 3 (the table); keda#3065, #965, #1850 (Prometheus down at peak: all at the minimum).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from slo.scaling.confidence import TTL_S

COVERAGE_FRESH, COVERAGE_PARTIAL = 0.9, 0.5


class Standing(StrEnum):
    """What is known of a target."""

    FRESH = "fresh"
    PARTIAL = "partial"
    STALE = "stale"
    UNKNOWN = "unknown"
    FROZEN = "frozen"
    UNREACHABLE = "unreachable"


class Transport(StrEnum):
    """Who asks."""

    NATIVE = "native"
    KEDA = "keda"
    GRPC = "grpc"
    EXTERNAL_METRICS = "external_metrics"
    PROMETHEUS = "prometheus"


class Number(StrEnum):
    """Which number is given."""

    DESIRED = "desired"
    SPEC = "spec"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one transport answers.

    Attributes:
        status: HTTP status, or gRPC's word; empty for a series, which is there or is not.
        number: Which number it gives.
    """

    status: str
    number: Number


def _row(
    native: str, keda: str, grpc: str, items: str, number: Number, native_number: Number
) -> dict[Transport, Answer]:
    return {
        Transport.NATIVE: Answer(status=native, number=native_number),
        Transport.KEDA: Answer(status=keda, number=number),
        Transport.GRPC: Answer(status=grpc, number=number),
        Transport.EXTERNAL_METRICS: Answer(status=items, number=number),
        Transport.PROMETHEUS: Answer(status="", number=number),
    }


ANSWERS: Mapping[Standing, Mapping[Transport, Answer]] = {
    Standing.FRESH: _row("200", "200", "OK", "200", Number.DESIRED, Number.DESIRED),
    Standing.PARTIAL: _row("200", "200", "OK", "200", Number.DESIRED, Number.DESIRED),
    Standing.STALE: _row("200", "503", "UNAVAILABLE", "200", Number.NONE, Number.SPEC),
    Standing.UNKNOWN: _row("404", "404", "NOT_FOUND", "200", Number.NONE, Number.NONE),
    Standing.FROZEN: _row("200", "200", "OK", "200", Number.SPEC, Number.SPEC),
    Standing.UNREACHABLE: _row("503", "503", "UNAVAILABLE", "200", Number.NONE, Number.NONE),
}
"""External metrics answer 200 with an empty list where there is no number: any other status breaks discovery."""


def standing(age_s: float | None, coverage: float, *, frozen: bool = False, ttl_s: float = TTL_S) -> Standing:
    """Return what is known of a target that was seen once.

    Args:
        age_s: Of the observation; None if none arrived.
        coverage: Share of the replicas that were seen.
        frozen: Whether a person froze it; that needs no data.
        ttl_s: How long an observation may be acted upon.
    """
    if frozen:
        return Standing.FROZEN
    if age_s is None or age_s > ttl_s or coverage < COVERAGE_PARTIAL:
        return Standing.STALE
    return Standing.FRESH if coverage >= COVERAGE_FRESH else Standing.PARTIAL
