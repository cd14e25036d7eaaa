"""Knows the tickets that a policy asks for when budgets run low, one for each threshold; refuses to freeze anything.

`BudgetLow` fires from the instant that a threshold with the action `notify` is crossed until what is left has risen
above it by the policy's hysteresis. Which threshold that is stands in the label `below`. While a page of the same
objective and group fires it is held back, for the page says more.

Source: spec/slo.md 16 (`notify`), 9 (identity labels).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slo.alarms import Judged, identity_of
from slo.alert import Alert
from slo.alert_moves import AlertEvent
from slo.alert_states import Timers, default_timers
from slo.burn_catalogue import Severity
from slo.identity import fingerprint
from slo.inhibit import Kind
from slo.watch import Watch, of_remembered

NAME = "BudgetLow"
TIMERS = Timers(for_s=0, keep_firing_s=default_timers(Severity.TICKET, is_burn_rule=True).keep_firing_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Low:
    """A threshold that a budget has crossed.

    Attributes:
        judged: The objective and group.
        threshold: Share of the budget.
        remaining: Share that is left now; None if unknown.
        actions: What the policy asks for now, at all thresholds that are crossed.
    """

    judged: Judged
    threshold: float
    remaining: float | None
    actions: tuple[str, ...] = ()


def of_budgets(low: Sequence[Low] | None, alerts: Mapping[int, Alert]) -> list[Watch]:
    """Return what is to be said of budgets.

    Args:
        low: What is crossed; None if nothing is known since the start.
        alerts: As they are remembered.
    """
    found = [_watch(one) for one in low or ()]
    spoken = {one.fingerprint for one in found}
    calm = AlertEvent.BLIND if low is None else AlertEvent.OK
    remembered = (alert for key, alert in alerts.items() if alert.labels.get("alertname") == NAME and key not in spoken)
    return [*found, *(of_remembered(alert, calm, Kind.BURN) for alert in remembered)]


def _watch(one: Low) -> Watch:
    labels = {**identity_of(one.judged, NAME, Severity.TICKET), "below": f"{one.threshold:.0%}"}
    return Watch(
        fingerprint=fingerprint(labels),
        labels=labels,
        event=AlertEvent.BLIND if one.remaining is None else AlertEvent.BAD,
        timers=TIMERS,
        words=lambda: _words(one),
        kind=Kind.BURN,
        definition_hash=one.judged.watched.definition_hash,
    )


def _words(one: Low) -> dict[str, str]:
    left = "an unknown share" if one.remaining is None else f"{one.remaining:.1%}"
    objective = one.judged.watched.objective
    where = " ".join(one.judged.group.values()) or objective.service
    return {
        "summary": f"{objective.name}: {where} has {left} of its error budget left, {one.threshold:.0%} is the limit",
        "policy": ", ".join(action.replace("_", " ") for action in one.actions),
    }
