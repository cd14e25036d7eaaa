"""Knows which objective or alert a panel is about, given what the engine saw last; refuses to ask the store.

An alert is about the objective behind it and the group that its labels name; one of a built-in rule has no objective,
and its labels are filters.

Source: spec/ui.md 5 (slo.*, alert.*); spec/slo.md 9 (identity of alerts).
"""

from collections.abc import Mapping

from slo.alarms import Judged
from slo.alert import Alert
from slo.objective import counted
from slo.panel_asked import PanelAsked
from slo.shown import found_in
from slo.view import EngineView
from telemetry.queries.about import About
from telemetry.queries.asked import Dim
from telemetry.queries.spent import CountedGroup


def about(view: EngineView, asked: PanelAsked) -> About | None:
    """Return what a panel is about; None if nothing is named.

    Args:
        view: What the engine saw last.
        asked: An alert goes before an objective.

    Raises:
        ValueError: There is no such alert, objective or group.
    """
    if asked.alert:
        return of_alert(view, alert_of(view, asked.alert))
    found = judged_of(view, asked)
    return None if found is None else _of(found, None)


def alert_of(view: EngineView, fingerprint: str) -> Alert:
    """Return an alert that is remembered.

    Raises:
        ValueError: There is none.
    """
    found = view.alerts.get(int(fingerprint, 16))
    if found is None:
        raise ValueError(f"there is no alert {fingerprint}")
    return found


def judged_of(view: EngineView, asked: PanelAsked) -> Judged | None:
    """Return the objective and group that are named; None if none are.

    Raises:
        ValueError: There is no such objective or group.
    """
    if not asked.slo:
        return None
    found = found_in(view, asked.slo, asked.values())
    if found is None:
        raise ValueError(f"there is no objective {asked.slo}{f' of group {asked.group}' if asked.group else ''}")
    return found


def of_alert(view: EngineView, alert: Alert) -> About:
    """Return what an alert is about."""
    began_s = alert.record.active_at_s or alert.record.fired_at_s
    own = [one for one in view.judged if one.watched.objective.name == alert.labels.get("slo")]
    found = next((one for one in own if dict(one.group).items() <= dict(alert.labels).items()), None)
    if found is None:
        return About(where=_dims(alert.labels), began_s=began_s)
    return _of(found, began_s)


def _of(one: Judged, began_s: int | None) -> About:
    objective = one.watched.objective
    (counts,) = counted([objective])
    kept = CountedGroup(slo=objective.name, definition_hash=one.watched.definition_hash, group=one.group)
    return About(objective=counts, counted=kept, target=objective.target, where=_dims(one.group), began_s=began_s)


def _dims(labels: Mapping[str, str]) -> dict[Dim, str]:
    return {dim: labels[dim.value] for dim in Dim if labels.get(dim.value)}
