"""Knows one alert whole: what is remembered of it, who it is and what is said of it; refuses to know how it is judged.

Source: spec/slo.md 9 (persisted record), 12 (annotations).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slo.alert_moves import AlertState
from slo.alert_states import Record
from slo.notice import Notice, Status, fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert at one instant.

    Attributes:
        record: What must survive a restart.
        labels: Its identity.
        annotations: What was said of it last.
        explanation: What was found out when it began to fire; said beside the annotations.
        rules: Names of the rules of its objective that hold it: each spoke, and has been nearly true at least since.
        link: Where to look; empty if nowhere.
    """

    record: Record
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    explanation: Mapping[str, str] = field(default_factory=dict[str, str])
    rules: tuple[str, ...] = ()
    link: str = ""

    @property
    def fingerprint(self) -> int:
        """Its identity as a number."""
        return self.record.fingerprint

    @property
    def is_told(self) -> bool:
        """Whether somebody has to hear of it now: it fires, or its end is told again."""
        return self.record.state in {AlertState.FIRING, AlertState.RESOLVED}

    def notice(self, n: int = 0) -> Notice:
        """Return what is to be said of it.

        Args:
            n: How many times the same was said before.
        """
        record = self.record
        is_over = record.state is not AlertState.FIRING
        return Notice(
            fingerprint=record.fingerprint,
            occurrence=record.occurrence,
            status=Status.RESOLVED if is_over else Status.FIRING,
            n=n,
            starts_at_s=record.fired_at_s or record.active_at_s or record.at_s or 0,
            ends_at_s=(record.resolved_at_s or record.at_s) if is_over else None,
            labels=self.labels,
            annotations=fitted({**self.annotations, **self.explanation}),
            link=self.link,
        )
