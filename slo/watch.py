"""Knows what is said of one alert at one instant, whoever says it; refuses to know how that was found.

Objectives, built-in rules and the engine's own parts all speak of their alerts in this form, and one state machine
moves them (`slo.alarms`).

Source: spec/slo.md 9 (inputs of an instant, identity labels), 10 (kinds).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slo.alert import Alert
from slo.alert_moves import AlertEvent
from slo.alert_states import Timers, default_timers
from slo.burn_catalogue import Severity
from slo.inhibit import Kind

BAD = "bad_requests"
"""Annotation that keeps `Watch.bad` for when nobody looks any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One alert at one instant.

    Attributes:
        fingerprint: Of its labels.
        labels: Who it is; `severity` is among them.
        event: What this instant says.
        timers: What it waits for.
        words: Makes its annotations; asked only if the instant is bad.
        kind: What it is about, which decides who speaks for it.
        definition_hash: Of the objective; 0 if it has none.
        bad: Bad requests behind it; None if it counts none.
        rules: Names of the rules of its objective that hold it; none if no objective makes it.
    """

    fingerprint: int
    labels: Mapping[str, str]
    event: AlertEvent
    timers: Timers
    words: Callable[[], Mapping[str, str]]
    kind: Kind
    definition_hash: int = 0
    bad: int | None = None
    rules: tuple[str, ...] = ()


def of_remembered(alert: Alert, event: AlertEvent, kind: Kind) -> Watch:
    """Return what is said of an alert of which nothing was found, so that it does not end as if it had no cause.

    Args:
        alert: As it is remembered; its words stay.
        event: What finding nothing means for it.
        kind: What it is about.
    """
    return Watch(
        fingerprint=alert.fingerprint,
        labels=alert.labels,
        event=event,
        timers=default_timers(Severity(alert.labels["severity"]), is_burn_rule=False),
        words=lambda: alert.annotations,
        kind=kind,
        definition_hash=alert.record.definition_hash,
        bad=int(bad) if (bad := alert.annotations.get(BAD)) else None,
        rules=alert.rules,
    )
