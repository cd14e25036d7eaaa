"""Alerts that no objective makes move by the same states: fired, held, kept while nobody looks, and ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from slo.alarms import Moved, advance
from slo.alert import Alert
from slo.alert_moves import AlertEvent, AlertState
from slo.alert_states import Timers
from slo.identity import fingerprint
from slo.inhibit import Kind
from slo.watch import BAD, Watch, of_remembered

AT_S = 1_790_000_010 // 30 * 30


def watch(event: AlertEvent, name: str = "oom", kind: Kind = Kind.OOM, severity: str = "page") -> Watch:
    labels = {"alertname": name, "endpoint": "chat", "severity": severity}
    return Watch(
        fingerprint=fingerprint(labels),
        labels=labels,
        event=event,
        timers=Timers(for_s=0, keep_firing_s=60),
        words=lambda: {"summary": f"{name} of chat"},
        kind=kind,
    )


@dataclass
class Fold:
    """The fold, as an engine drives it."""

    alerts: Mapping[int, Alert] = field(default_factory=dict[int, Alert])
    at_s: int = AT_S
    said: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])

    def step(self, *others: Watch) -> Moved:
        self.at_s += 30
        moved = advance(others, self.alerts, self.at_s)
        self.alerts = moved.alerts
        self.said += [(n.labels["alertname"], n.severity, n.status.value) for n in moved.notices]
        return moved


def states(alerts: Sequence[Alert]) -> list[AlertState]:
    return [one.record.state for one in alerts]


def test_an_alert_of_no_objective_fires_once_and_ends_once() -> None:
    fold = Fold()
    fold.step(watch(AlertEvent.OK))
    assert fold.alerts == {}, "what is calm and unknown is not worth remembering"
    moved = fold.step(watch(AlertEvent.BAD))
    fold.step(watch(AlertEvent.BAD))
    for _ in range(4):
        fold.step(watch(AlertEvent.OK))

    assert [notice.summary for notice in moved.notices] == ["oom of chat"]
    assert fold.said == [("oom", "page", "firing"), ("oom", "page", "resolved")]


def test_one_that_nobody_speaks_for_ends_and_one_that_nobody_could_judge_stays() -> None:
    fold = Fold()
    fold.step(watch(AlertEvent.BAD))
    for _ in range(20):
        (alert,) = fold.alerts.values()
        fold.step(of_remembered(alert, AlertEvent.BLIND, Kind.OOM))

    assert states(list(fold.alerts.values())) == [AlertState.FIRING]
    (alert,) = fold.alerts.values()
    assert (alert.annotations["summary"], alert.annotations["blind"][:4]) == ("oom of chat", "true")
    fold.step()
    assert fold.said == [("oom", "page", "firing"), ("oom", "page", "resolved")]


def test_what_is_held_for_its_bad_requests_is_held_while_nobody_looks() -> None:
    """Else the alert that explains another, and this one too, would be told in the dark."""
    fold = Fold()
    kinds = (Kind.ERROR_CLASS, Kind.ERRORS)
    names = ("error_rate_5xx", "error_rate_jump")
    bad = [
        replace(watch(AlertEvent.BAD, name, kind), bad=40, words=lambda: {BAD: "40"})
        for name, kind in zip(names, kinds, strict=True)
    ]
    fold.step(*bad)
    fold.step(*(of_remembered(a, AlertEvent.BLIND, k) for a, k in zip(fold.alerts.values(), kinds, strict=True)))

    assert fold.said == [("error_rate_5xx", "page", "firing")]


def test_the_kinds_of_such_alerts_decide_who_speaks() -> None:
    """slo.md 10: `oom` over `error_rate_*`, `EndpointDown` over latency, page over ticket of one rule."""
    fold = Fold()
    oom, error = watch(AlertEvent.BAD), watch(AlertEvent.BAD, "error_rate_5xx", Kind.ERRORS)
    moved = fold.step(oom, error, watch(AlertEvent.BAD, severity="ticket"))

    assert fold.said == [("oom", "page", "firing")]
    assert sorted(moved.held.values()) == ["out of memory: oom", "page over ticket of one rule: oom"]
    blind = [of_remembered(alert, AlertEvent.BLIND, kind) for alert, kind in zip(
        fold.alerts.values(), (Kind.OOM, Kind.ERRORS, Kind.OOM), strict=True
    )]  # fmt: skip
    assert fold.step(*blind).notices == (), "what is held is held while nobody looks, too"
