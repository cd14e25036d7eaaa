"""Knows what the findings of built-in rules mean for alerts; refuses to know when a rule is asked.

What is not known resolves nothing: where a rule could not be judged, and where the collectors of an endpoint are not
heard, its alerts stand as they were.

| the rule of an alert | says bad | says nothing | does not name it any more |
|---|---|---|---|
| judged, collectors heard | bad | ok | no_traffic |
| judged, too few collectors heard | bad | blind | blind |
| judged by requests, no collector heard | blind | blind | blind |
| judged, none heard for a day, others are | blind | blind | no_traffic |
| not judged, or the store says nothing | blind | blind | blind |
| disabled, or in another mode | - | - | it ends |

A rule that is not seen in requests alone, and whose subject no collector has, needs none to be heard. A collector that
was not heard for a day is not expected any more (`telemetry.queries.coverage`): an endpoint that has no other is gone.
An engine that is not named any more is blind until its endpoint is gone or another engine of it is known, and so is a
collector until all that are expected are heard.

Error: an engine whose own scraper falls silent is taken to be gone while those of others of its endpoint go on.

Source: spec/slo.md 7 (missing data), 9 (identity), 13 (both verdicts, `mode`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from slo.alert import Alert
from slo.alert_moves import AlertEvent
from slo.alert_states import Timers, default_timers
from slo.burn_catalogue import Severity
from slo.identity import IDENTITY, fingerprint, identity_labels
from slo.inhibit import DERIVED, Kind
from slo.jump import Verdict
from slo.rules.rule import Found, Mode, Rule
from slo.rules.scraped import must_be_heard
from slo.rules.services import Services
from slo.sight import Heard
from slo.telemetry_state import COVERAGE_RATIO
from slo.watch import BAD, Watch, of_remembered

NO_SERVICES = Services()
"""Each endpoint is its own service."""
NEVER_S = -1
"""The instant of what was never tried."""

_IDENTITIES_KEPT = 16_384
_OF_REQUESTS = DERIVED | {Kind.OOM}
"""Kinds that are seen in requests alone: while no collector is heard they say nothing."""
_READINGS = {Mode.SOUND: (False,), Mode.NAIVE: (True,), Mode.BOTH: (False, True)}
"""Which readings act, whether each is naive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """What a rule found last.

    Attributes:
        rule: The rule.
        found: Worst first; silent ones too.
        at_s: The instant that it was asked about; None before the first.
        left_out: Subjects beyond those.
        trouble: Why it could not be judged since; empty if it could.
        tried_s: The instant at which it was tried last.
    """

    rule: Rule
    found: tuple[Found, ...] = ()
    at_s: int | None = None
    left_out: int = 0
    trouble: str = ""
    tried_s: int = NEVER_S


def spoken(
    last: Sequence[Last],
    heard: Mapping[str, Heard] | None,
    before: Mapping[int, Alert],
    services: Services = NO_SERVICES,
) -> list[Watch]:
    """Return what rules say of their alerts, also of those that are remembered and have no finding any more.

    Args:
        last: What every rule found last.
        heard: Who is heard, by endpoint; None while the store does not answer, which says nothing of any alert.
        before: The alerts that are remembered.
        services: Of which service each endpoint is a part.
    """
    found: dict[int, Watch] = {}
    for watch in (watch for one in last for watch in _said(one, heard or {}, services)):
        if watch.fingerprint not in found or watch.event is AlertEvent.BAD:
            found[watch.fingerprint] = watch
    said = [*found.values(), *_unsaid(last, before, found, heard or {})]
    return said if heard is not None else [replace(watch, event=AlertEvent.BLIND) for watch in said]


def _said(one: Last, heard: Mapping[str, Heard], services: Services) -> Iterator[Watch]:
    """Yield the alerts of what a rule found: a page and a ticket of each way to read it that acts."""
    rule = one.rule
    for found in one.found if rule.settings.enabled else ():
        coverage = _coverage(rule, found.labels, heard)
        service = services.of(found.labels.get("endpoint", ""), found.labels.get("model", ""))
        named = replace(found, labels={"service": service, **found.labels})
        for is_naive in _READINGS[rule.settings.mode]:
            verdict = found.naive if is_naive else found.sound
            told = Severity(verdict.value) if verdict is not Verdict.SILENT else None
            told = rule.settings.severity if told and rule.settings.severity else told
            for severity in Severity:
                is_known = found.is_known or (is_naive and told is not None)
                event = _event(one, coverage, is_known=is_known, is_bad=told is severity)
                yield _watch(rule, named, severity, event, is_naive=is_naive)


def _event(one: Last, coverage: float, *, is_known: bool, is_bad: bool) -> AlertEvent:
    unseen = coverage == 0 and one.rule.kind in _OF_REQUESTS
    if one.trouble or not is_known or unseen:
        return AlertEvent.BLIND
    if is_bad:
        return AlertEvent.BAD
    return AlertEvent.OK if coverage >= COVERAGE_RATIO else AlertEvent.BLIND


def _watch(rule: Rule, found: Found, severity: Severity, event: AlertEvent, *, is_naive: bool) -> Watch:
    method = {"method": "naive"} if is_naive else {}
    said = {**found.labels, **method, "alertname": rule.id.value, "severity": severity.value}
    key, labels = _identity(tuple(said.items()))
    keep_firing_s = default_timers(severity, is_burn_rule=False).keep_firing_s
    return Watch(
        fingerprint=key,
        labels=labels,
        event=event,
        timers=Timers(for_s=rule.for_s, keep_firing_s=keep_firing_s),
        words=lambda: {
            "summary": f"{rule.id}: {' '.join(filter(None, found.labels.values())) or 'everything'}",
            **found.words,
            "verdict": found.sound.value,
            "naive_verdict": found.naive.value,
            **({} if found.bad is None else {BAD: str(found.bad)}),
            **method,
        },
        kind=rule.kind,
        bad=found.bad,
    )


@lru_cache(maxsize=_IDENTITIES_KEPT)
def _identity(said: tuple[tuple[str, str], ...]) -> tuple[int, Mapping[str, str]]:
    """Return the fingerprint and the labels of an alert; who it is does not change from instant to instant."""
    finer = {name: value for name, value in said if name not in IDENTITY and value}
    labels = identity_labels(dict(said), finer)
    return fingerprint(labels), labels


def _unsaid(
    last: Iterable[Last], before: Mapping[int, Alert], found: Mapping[int, Watch], heard: Mapping[str, Heard]
) -> Iterator[Watch]:
    """Yield what is said of alerts that are remembered and that no finding is about."""
    of = {one.rule.id.value: one for one in last if one.rule.settings.enabled}
    for key, alert in before.items():
        one = None if key in found or alert.labels.get("slo") else of.get(alert.labels["alertname"])
        if one is not None and ("method" in alert.labels) in _READINGS[one.rule.settings.mode]:
            judged = not one.trouble and not one.left_out
            event = AlertEvent.NO_TRAFFIC if judged and _is_over(one, alert.labels, heard) else AlertEvent.BLIND
            yield of_remembered(alert, event, one.rule.kind)


def _is_over(one: Last, labels: Mapping[str, str], heard: Mapping[str, Heard]) -> bool:
    """Return whether it is known of a subject that is not named any more that there is nothing of it, or it is gone."""
    if _is_gone(labels, heard):
        return True
    if not must_be_heard(one.rule.id, labels):
        return _coverage(one.rule, labels, heard) >= COVERAGE_RATIO
    endpoint = labels.get("endpoint", "")
    if not endpoint:
        return bool(heard) and all(who.fresh >= who.expected for who in heard.values())
    others = [found for found in one.found if found.labels.get("endpoint") == endpoint]
    return any(found.is_known and must_be_heard(one.rule.id, found.labels) for found in others)


def _is_gone(labels: Mapping[str, str], heard: Mapping[str, Heard]) -> bool:
    endpoint = labels.get("endpoint", "")
    return bool(endpoint) and endpoint not in heard and any(one.fresh for one in heard.values())


def _coverage(rule: Rule, labels: Mapping[str, str], heard: Mapping[str, Heard]) -> float:
    """Return the share of the collectors of a subject that is heard; 1 for one that is seen without collectors."""
    endpoint = labels.get("endpoint", "")
    if rule.kind not in _OF_REQUESTS and endpoint not in heard:
        return 1.0
    of = [heard[endpoint]] if endpoint in heard else [] if endpoint else list(heard.values())
    expected = sum(one.expected for one in of)
    return sum(one.fresh for one in of) / expected if expected else 0.0
