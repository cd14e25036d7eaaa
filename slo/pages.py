"""Knows what pages were, from the changes of their alerts and the counts around them; refuses to know incidents.

A page begins in the first minute of the trouble that it tells of: going back from the instant at which it fired, the
minutes whose share of bad requests was above what its rule needs, with gaps no longer than the short window. It ends
with the last such minute before it was resolved. Without counts it begins when it fired, and ends when it was resolved.

Source: spec/slo.md 18 (t0 is back-dated, t_end is the last bad minute).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slo.alert_moves import AlertState
from slo.counts import Counts
from slo.mttr import Page
from slo.watched import Watched
from slo.windows import reach_ratio

LOOK_BACK_S = 6 * 3_600
"""How far before a page its beginning is looked for."""
MINUTE_S = 60
_SHORT_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One occurrence of a page.

    Attributes:
        fingerprint: Of its alert.
        number: How many times the alert had fired.
        alertname: What it is about.
        labels: Identity of the alert.
        fired_s: When it fired.
        resolved_s: When it ended; None while it fires.
    """

    fingerprint: int
    number: int
    alertname: str
    labels: Mapping[str, str]
    fired_s: int
    resolved_s: int | None = None

    @property
    def place(self) -> str:
        """What it happened to: the endpoint if there is one, else the service."""
        return self.labels.get("endpoint") or self.labels.get("service", "")


def occurrences(changes: Iterable[Mapping[str, Any]]) -> list[Occurrence]:
    """Return the occurrences that changes of alerts tell of, oldest first.

    Args:
        changes: Rows of `queries.told.alert_changes`, in any order.
    """
    fired: dict[tuple[int, int], Mapping[str, Any]] = {}
    over: dict[tuple[int, int], int] = {}
    for row in changes:
        key = (int(row["fingerprint"]), int(row["occurrence"]))
        at_s = int(row["at_unix_ms"]) // 1000
        if row["to_state"] == AlertState.FIRING:
            fired[key] = row
        elif row["from_state"] == AlertState.FIRING:
            over[key] = max(at_s, over.get(key, 0))
    found = [_occurrence(key, row, over.get(key)) for key, row in fired.items()]
    return sorted(found, key=lambda one: (one.fired_s, one.fingerprint))


def page(one: Occurrence, minutes: Mapping[int, Counts], needed_ratio: float, acked_s: int | None) -> Page:
    """Return an occurrence as a page.

    Args:
        one: The occurrence.
        minutes: Start of a minute to its counts, around the page; those without requests may be missing.
        needed_ratio: Share of bad requests that the rule needs.
        acked_s: When somebody took it on; None if nobody did.
    """
    bad = sorted(at_s for at_s, counts in minutes.items() if _is_bad(counts, needed_ratio))
    before = [at_s for at_s in bad if at_s < one.fired_s]
    until = [at_s for at_s in bad if one.resolved_s is not None and at_s < one.resolved_s]
    last_bad_s = one.resolved_s if one.resolved_s is None or not until else until[-1] + MINUTE_S
    return Page(
        service=one.place,
        began_s=_first(before, one.fired_s),
        fired_s=one.fired_s,
        acked_s=acked_s,
        last_bad_s=last_bad_s,
    )


def needed(of: Watched) -> float:
    """Return the least share of bad requests that a page of an objective needs; its allowance if no rule has one."""
    ratios = [
        reach_ratio(rule.gated_by, of.objective.target)
        for rule in of.rules
        if rule.gated_by is not None and rule.severity == "page"
    ]
    return min(ratios, default=1 - of.objective.target)


def acked_s(one: Occurrence, acks: Iterable[Mapping[str, Any]]) -> int | None:
    """Return when an occurrence was first taken on; None if nobody did."""
    times = [int(row["at_unix_ms"]) // 1000 for row in acks if int(row["fingerprint"]) == one.fingerprint]
    until_s = one.resolved_s
    own = [at_s for at_s in times if at_s >= one.fired_s and (until_s is None or at_s <= until_s)]
    return min(own, default=None)


def _occurrence(key: tuple[int, int], row: Mapping[str, Any], resolved_s: int | None) -> Occurrence:
    fired_ms = row["fired_at_unix_ms"]
    return Occurrence(
        fingerprint=key[0],
        number=key[1],
        alertname=str(row["alertname"]),
        labels=dict(row["labels"]),
        fired_s=int(row["at_unix_ms"] if fired_ms is None else fired_ms) // 1000,
        resolved_s=resolved_s,
    )


def _is_bad(counts: Counts, needed_ratio: float) -> bool:
    return counts.bad > needed_ratio * counts.eligible


def _first(bad: Sequence[int], fired_s: int) -> int:
    """Return the first minute of a run of bad ones that ends at a page."""
    first_s = fired_s
    for at_s in reversed(bad):
        if first_s - (at_s + MINUTE_S) > _SHORT_S:
            break
        first_s = at_s
    return first_s
