"""Knows the alerts that an engine raises about its own parts; refuses to know how these fare, and to tell anybody.

| alert | severity | while |
|---|---|---|
| `NotifierFailing` | page if the target is told of pages, else ticket | a target has heard nothing for five minutes |
| `ConfigRejected` | ticket | a reload was refused, and what was read before goes on |
| `SilencedPage` | ticket | silences have hidden a page for more than a day |
| `SecondScaler` | ticket | the replicas of a target change more than three times an hour, and no hint asked for it |
| `ColdStartRegression` | ticket | the P90 of a target's last cold starts is over 1.3 times that of the 30 days before |

All are told by the channels that there are: the target that fails hears of it when it hears again. No label names a
replica, so those that find the same say the same.

Source: spec/slo.md 1 (a broken reload), 10 (a page that is hidden), 11 (`NotifierFailing`);
spec/scaling.md 3 (a second scaler), 6.9 (`coldstart_regression`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from slo.alarms import Quiet
from slo.alert import Alert
from slo.alert_moves import AlertEvent, AlertState
from slo.alert_states import Timers, default_timers
from slo.burn_catalogue import Severity
from slo.channels import Channel
from slo.identity import fingerprint
from slo.inhibit import Kind
from slo.scaling.state import FOREIGN_MAX
from slo.silence import hides_too_long, silenced_by
from slo.target import Target
from slo.watch import Watch

SAID_CHARS_MAX = 1_000
"""Longest sentence of an alert."""


def of_targets(targets: Iterable[Target], failing: Collection[Target], channels: Sequence[Channel]) -> list[Watch]:
    """Return what is to be said of targets; of one that nobody has tried yet that nothing is known.

    Args:
        targets: All of them.
        failing: Those that have heard nothing for too long.
        channels: What they belong to.
    """
    paged = {channel.name for channel in channels if Severity.PAGE in channel.severities}
    return [
        _watch(
            "NotifierFailing",
            Severity.PAGE if target.channel in paged else Severity.TICKET,
            f"{target.channel} hears nothing: {target.why}" if target in failing else "",
            is_known=target in failing or (target.sent_n > 0 and target.failing_since_s is None),
            channel=target.channel,
            instance=str(target.instance),
        )
        for target in targets
    ]


def of_reload(refused: str, targets: str = "") -> Watch:
    """Return what is to be said of the configuration.

    Args:
        refused: Why objectives were refused at the last reload; empty if they were not.
        targets: The same of scaling targets.
    """
    named = (("objectives", refused), ("scaling targets", targets))
    said = [f"the {what} are refused, and what was read before goes on: {why}" for what, why in named if why]
    return _watch("ConfigRejected", Severity.TICKET, "; ".join(said))


def of_silences(alerts: Mapping[int, Alert], quiet: Quiet, at_s: int) -> Watch:
    """Return what is to be said of pages that silences hide: one alert for all, however often a silence is renewed.

    A page that somebody took on is not hidden. One that nobody hides is told again each hour.

    Args:
        alerts: As they are remembered.
        quiet: What keeps notices back.
        at_s: The instant.
    """
    hidden = sorted(
        (alert.record.fired_at_s or at_s, alert.labels["alertname"], alert.labels.get("slo", ""))
        for alert in alerts.values()
        if _is_hidden(alert, quiet, at_s)
    )
    named = ", ".join(dict.fromkeys(f"{slo}: {name}" if slo not in {"", name} else name for _, name, slo in hidden))
    said = f"silences have hidden {len(hidden)} firing pages for more than a day: {named}" if hidden else ""
    return _watch("SilencedPage", Severity.TICKET, said[:SAID_CHARS_MAX])


def of_scalers(fought: Mapping[str, bool]) -> list[Watch]:
    """Return what is to be said of scaling targets.

    Args:
        fought: Name of each target that was seen to whether something else scales it, too.
    """
    return [
        _watch(
            "SecondScaler",
            Severity.TICKET,
            f"replicas of {name} were changed more than {FOREIGN_MAX} times within an hour, and no hint asked for it: "
            "let one scaler act on it alone"
            if is_fought
            else "",
            target=name,
        )
        for name, is_fought in fought.items()
    ]


def of_starts(slower: Mapping[str, str]) -> list[Watch]:
    """Return what is to be said of how long replicas take.

    Args:
        slower: Name of each target whose starts are known to a sentence; empty if they are not slower than before.
    """
    return [
        _watch("ColdStartRegression", Severity.TICKET, said and f"{name}: {said}", target=name)
        for name, said in slower.items()
    ]


def _is_hidden(alert: Alert, quiet: Quiet, at_s: int) -> bool:
    record = alert.record
    if record.state is not AlertState.FIRING or alert.labels["severity"] != Severity.PAGE:
        return False
    heard_s = max(record.fired_at_s or at_s, record.last_sent_at_s or 0)
    if not hides_too_long(heard_s, at_s) or alert.fingerprint in quiet.acknowledged:
        return False
    return bool(silenced_by(alert.labels, at_s, quiet.silences))


def _watch(name: str, severity: Severity, said: str, *, is_known: bool = True, **labels: str) -> Watch:
    """Return what is said of one alert; nothing said is that all is well, if that is known."""
    named = {**labels, "alertname": name, "severity": severity.value}
    return Watch(
        fingerprint=fingerprint(named),
        labels=named,
        event=AlertEvent.BAD if said else AlertEvent.OK if is_known else AlertEvent.BLIND,
        timers=Timers(for_s=0, keep_firing_s=default_timers(severity, is_burn_rule=False).keep_firing_s),
        words=lambda: {"summary": said},
        kind=Kind.OTHER,
    )
