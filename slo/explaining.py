"""Knows which alerts are looked into at an instant, and puts what was found out beside them; refuses to ask the store.

Those that begin to fire are looked into. Where the store had no time for a question, it is asked again at the instants
that follow, until nothing is lacking or the alert is no news any more; what was found out once is never given up.

Source: spec/slo.md 12 (alerts arrive explained).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from slo.alarms import Judged, Moved
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.rules.explained import judged_of

GAPS = "explanation_gaps"
"""Annotation that names what could not be found out."""
AGAIN_S = 300
"""For how long what could not be found out is asked for again."""
_GROUP_LABELS = ("endpoint", "model", "region", "workload_class", "replica")

Words = Mapping[str, str]
Explain = Callable[[Judged, Alert], Words]
"""Given what was judged and its alert, returns annotations; never raises."""


def explained(moved: Moved, judged: Sequence[Judged], explain: Explain) -> Moved:
    """Return the alerts of an instant with what can be found out about those that are news.

    Args:
        moved: The alerts after the instant.
        judged: Every objective and group that was evaluated.
        explain: Asked about one alert after the other.
    """
    of = {(one.watched.objective.name, *sorted(one.group.items())): one for one in judged}
    words: dict[int, Words] = {}
    for alert in _news(moved):
        group = {name: alert.labels[name] for name in _GROUP_LABELS if name in alert.labels}
        one = of.get((alert.labels.get("slo", ""), *sorted(group.items()))) or judged_of(alert)
        if one is not None and _says_more(found := explain(one, alert), alert.explanation):
            words[alert.fingerprint] = found
    return _told(moved, words) if words else moved


def _news(moved: Moved) -> Iterator[Alert]:
    """Yield what begins to fire, then what began a while ago and is not wholly explained."""
    begun = {alert.fingerprint: alert for alert, to in moved.transitions if to.after is AlertState.FIRING}
    yield from begun.values()
    for key, alert in moved.alerts.items():
        if key not in begun and GAPS in alert.explanation and _is_fresh(alert):
            yield alert


def _is_fresh(alert: Alert) -> bool:
    at_s, fired_at_s = alert.record.at_s, alert.record.fired_at_s
    is_firing = alert.record.state is AlertState.FIRING
    return is_firing and at_s is not None and fired_at_s is not None and at_s - fired_at_s <= AGAIN_S


def _says_more(found: Words, before: Words) -> bool:
    more = len(found.keys() - {GAPS}) - len(before.keys() - {GAPS})
    return not before or more > 0 or (more == 0 and GAPS not in found)


def _told(moved: Moved, words: Mapping[int, Words]) -> Moved:
    def told(alert: Alert) -> Alert:
        more = words.get(alert.fingerprint)
        return alert if more is None else replace(alert, explanation=more)

    alerts = {key: told(alert) for key, alert in moved.alerts.items()}
    return replace(
        moved,
        alerts=alerts,
        changed=tuple(map(told, moved.changed)),
        transitions=tuple((told(alert), transition) for alert, transition in moved.transitions),
        notices=tuple(
            replace(notice, annotations=alerts[notice.fingerprint].notice().annotations) for notice in moved.notices
        ),
        standing=tuple(map(told, moved.standing)),
    )
