"""Knows what rules about engines share: when an engine is known, and how a finding about it looks; refuses to judge.

An engine or a collector that was not heard for an hour has no row any more. That says nothing of it.

Source: spec/measurement.md 15 (T3: a failed scrape is a gap).
"""

from collections.abc import Mapping
from types import MappingProxyType

from slo.jump import Verdict
from slo.rules.rule import Found, Row, RuleId

FRESH_S = 90
"""An engine whose last answered scrape is older is not known; scrapes should be at most half as far apart."""

_HEARD_THEMSELVES = frozenset(
    {RuleId.STALLED_ENGINE, RuleId.KV_THRASH, RuleId.QUEUE_DEPTH, RuleId.QUALITY_CANARY, RuleId.TELEMETRY_SELF}
)


def must_be_heard(rule_id: RuleId, labels: Mapping[str, str]) -> bool:
    """Return whether a rule knows a subject by what an engine or a collector says itself, not by requests.

    Args:
        rule_id: Name of the rule.
        labels: Of the subject.
    """
    return rule_id in _HEARD_THEMSELVES and bool(labels.get("replica") or labels.get("collector"))


def is_fresh(at_s: int, row: Row) -> bool:
    """Return whether an engine was scraped of late, given its row with `heard_unix_ms`."""
    heard_ms = row["heard_unix_ms"]
    return heard_ms is not None and at_s * 1000 - int(heard_ms) <= FRESH_S * 1000


def where(row: Row) -> str:
    """Return how an engine is called in words."""
    return f"{row['endpoint']}/{row['replica']}"


def engine_found(
    row: Row,
    summary: str,
    naive: Verdict,
    sound: Verdict = Verdict.SILENT,
    *,
    is_known: bool = True,
    said: Mapping[str, str] = MappingProxyType({}),
) -> Found:
    """Return what was found of the engine that a row is about.

    Args:
        row: Names it.
        summary: What is the case, after its name.
        naive: What a plain threshold says.
        sound: What is proven.
        is_known: Whether it could be judged.
        said: More words.
    """
    return Found(
        labels={"endpoint": str(row["endpoint"]), "replica": str(row["replica"])},
        sound=sound,
        naive=naive,
        words={"summary": f"{where(row)} {summary}", **said},
        is_known=is_known,
    )
