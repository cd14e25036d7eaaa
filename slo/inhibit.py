"""Knows which alert speaks for others, so that one fault wakes one person once; refuses to know delivery.

Of several burn rules of one severity the fastest speaks and the others are named beside it. An alert that another one
explains keeps its state and is not told; once that other one ends, it is told if it still fires. No alert ever holds
back one of a higher severity: a ticket never mutes a page.

Source: spec/slo.md 10; slogen#47 (three mails for one fault).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from slo.burn import BurnReading, Standing
from slo.burn_catalogue import Severity

EXPLAINS_RATIO = 0.8
"""A wider alert speaks for a narrower one if it counts at least this part of its bad requests."""

_WIDTHS = ("replica", "endpoint", "region")
_GROUP = ("service", "endpoint", "model", "region", "workload_class", "replica")


class Kind(StrEnum):
    """What an alert is about."""

    BURN = "burn"
    ERRORS = "errors"
    ERROR_CLASS = "error_class"
    """One class of errors, of which `ERRORS` counts all."""
    LATENCY = "latency"
    THROUGHPUT = "throughput"
    OOM = "oom"
    DOWN = "down"
    """`EndpointDown`."""
    BLIND = "blind"
    """`SLOBlind` and `TelemetryGap`."""
    INVALID = "invalid"
    """`SLIInvalid`, which says nothing of other objectives of its endpoint."""
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An alert that fires.

    Attributes:
        fingerprint: Its identity.
        labels: Its identity labels.
        severity: Who is told.
        kind: What it is about.
        bad: Bad requests that it counts now; None if it counts none.
    """

    fingerprint: int
    labels: Mapping[str, str]
    severity: Severity
    kind: Kind
    bad: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """One rule of who speaks for whom.

    Attributes:
        name: How a notice explains its silence.
        by: Kinds that speak; None is every kind.
        of: Kinds that are held back; None is every kind.
        equal: Labels that both must have alike; the first must be there, the others may be missing in both. None is all
            but the severity.
        needs_higher: Whether the speaker's severity must be higher, not just as high.
        needs_wider: Whether the speaker's group must contain the other's, and count most of its bad requests.
        bad_ratio: A speaker of another kind must count this many times the other's bad requests or more, and have the
            same group or a wider one, its service aside; None asks for nothing.
    """

    name: str
    by: frozenset[Kind] | None
    of: frozenset[Kind] | None
    equal: tuple[str, ...] | None
    needs_higher: bool = False
    needs_wider: bool = False
    bad_ratio: float | None = None


DERIVED = frozenset({Kind.BURN, Kind.ERRORS, Kind.ERROR_CLASS, Kind.LATENCY, Kind.THROUGHPUT})
"""Kinds that are computed from requests, and say little while not all of them are seen."""
RULED = DERIVED - {Kind.BURN}
"""Those of them that belong to a built-in rule, and so to an endpoint, not to an objective."""
INHIBITIONS = (
    Inhibition(name="page over ticket", by=DERIVED, of=DERIVED, equal=("slo", *_GROUP), needs_higher=True),
    Inhibition(name="page over ticket of one rule", by=None, of=None, equal=None, needs_higher=True),
    Inhibition(
        name="endpoint down",
        by=frozenset({Kind.DOWN}),
        of=frozenset({Kind.LATENCY, Kind.THROUGHPUT}),
        equal=("endpoint",),
    ),
    Inhibition(name="blind", by=frozenset({Kind.BLIND, Kind.INVALID}), of=DERIVED, equal=("slo",)),
    Inhibition(name="blind endpoint", by=frozenset({Kind.BLIND}), of=RULED, equal=("endpoint",)),
    Inhibition(name="wider group", by=None, of=None, equal=("slo",), needs_wider=True),
    Inhibition(
        name="out of memory",
        by=frozenset({Kind.OOM}),
        of=frozenset({Kind.ERRORS, Kind.ERROR_CLASS}),
        equal=("endpoint",),
    ),
    # Of a class of errors and all errors the class speaks if it explains them, else all of them do.
    Inhibition(
        name="class of errors",
        by=frozenset({Kind.ERROR_CLASS}),
        of=frozenset({Kind.ERRORS}),
        equal=("endpoint", "model"),
        bad_ratio=EXPLAINS_RATIO,
    ),
    Inhibition(
        name="all errors",
        by=frozenset({Kind.ERRORS}),
        of=frozenset({Kind.ERROR_CLASS}),
        equal=("endpoint", "model"),
        bad_ratio=1 / EXPLAINS_RATIO,
    ),
    # A failed request is slower than any limit, and bad to any objective: one fault wakes one person once.
    Inhibition(
        name="errors, not slowness",
        by=frozenset({Kind.ERRORS, Kind.ERROR_CLASS}),
        of=frozenset({Kind.LATENCY}),
        equal=("endpoint",),
        bad_ratio=EXPLAINS_RATIO,
    ),
    Inhibition(
        name="burning objective",
        by=frozenset({Kind.BURN}),
        of=RULED,
        equal=("endpoint",),
        bad_ratio=EXPLAINS_RATIO,
    ),
)
"""The default rules; the first that holds is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """The burn rule that speaks for its severity.

    Attributes:
        reading: The one that burns fastest.
        also_true: The others, fastest first; for the annotation `also_true`.
    """

    reading: BurnReading
    also_true: tuple[BurnReading, ...]


def speakers(readings: Iterable[BurnReading]) -> dict[Severity, Spoken]:
    """Return which true burn rule speaks for each severity of one objective; silent severities are absent."""
    spoken: dict[Severity, Spoken] = {}
    true = sorted((one for one in readings if one.standing is Standing.ABOVE), key=lambda one: -one.rule.burn)
    for severity in Severity:
        own = [one for one in true if one.rule.severity is severity]
        if own:
            spoken[severity] = Spoken(reading=own[0], also_true=tuple(own[1:]))
    return spoken


def inhibited(firing: Sequence[Firing], rules: Sequence[Inhibition] = INHIBITIONS) -> dict[int, tuple[int, str]]:
    """Return the alerts that are held back: fingerprint -> fingerprint of the one that speaks, and the rule's name.

    The one that speaks may be held back in turn, by a third; each such chain ends with an alert that is told.
    """
    held: dict[int, tuple[int, str]] = {}
    ordered = sorted(firing, key=_loudness)
    # Thousands may fire at once: each is compared only with those whose labels a rule wants to be its own.
    alike = [_alike(rule, ordered) for rule in rules]
    for one in ordered:
        found: list[tuple[int, int, int]] = []
        for at, (rule, speakers_of) in enumerate(zip(rules, alike, strict=True)):
            for place, other in speakers_of.get(_equal(rule, one), ()):
                if other.fingerprint not in held and _applies(rule, other, one):
                    found.append((place, at, other.fingerprint))
                    break
        if found:
            _, at, fingerprint = min(found)
            held[one.fingerprint] = (fingerprint, rules[at].name)
    return held


def newly_told(firing: Iterable[int], told: Collection[int], held_back: Collection[int]) -> tuple[int, ...]:
    """Return the fingerprints to tell now: those that fire, are not held back, and have not been told of yet.

    Args:
        firing: Fingerprints of alerts that fire.
        told: Those of them whose present occurrence was told before.
        held_back: Those that are inhibited or silenced now.
    """
    return tuple(one for one in firing if one not in told and one not in held_back)


def _loudness(one: Firing) -> tuple[int, int, int]:
    """Order alerts so that those that may speak for others come before them; the fingerprint makes it total."""
    return _rank(one.severity), -_width(one.labels), one.fingerprint


def _rank(severity: Severity) -> int:
    return 0 if severity is Severity.PAGE else 1


def _width(labels: Mapping[str, str]) -> int:
    """Return how wide a group is: 0 one replica, 1 one endpoint, 2 one region, 3 a service."""
    return next((width for width, name in enumerate(_WIDTHS) if labels.get(name)), len(_WIDTHS))


def _equal(rule: Inhibition, one: Firing) -> tuple[str, ...]:
    if rule.equal is None:
        return tuple(part for label in sorted(one.labels.items()) if label[0] != "severity" for part in label)
    return tuple(one.labels.get(name, "") for name in rule.equal)


def _alike(rule: Inhibition, ordered: Sequence[Firing]) -> dict[tuple[str, ...], list[tuple[int, Firing]]]:
    """Return the alerts that may speak by a rule, with their place in the order, by the labels that must be alike."""
    found: dict[tuple[str, ...], list[tuple[int, Firing]]] = {}
    first = "alertname" if rule.equal is None else rule.equal[0]
    for place, one in enumerate(ordered):
        if one.labels.get(first) and (rule.by is None or one.kind in rule.by):
            found.setdefault(_equal(rule, one), []).append((place, one))
    return found


def _applies(rule: Inhibition, speaker: Firing, other: Firing) -> bool:
    """Return whether an alert of a rule's kind speaks for one whose labels are alike."""
    if speaker.fingerprint == other.fingerprint or (rule.of is not None and other.kind not in rule.of):
        return False
    by, of = _rank(speaker.severity), _rank(other.severity)
    high = by < of if rule.needs_higher else by <= of
    wide = not rule.needs_wider or _is_wider(speaker, other)
    return high and wide and (rule.bad_ratio is None or _counts(speaker, other, _GROUP[1:], rule.bad_ratio))


def _is_wider(wide: Firing, narrow: Firing) -> bool:
    """Return whether a group contains another of its kind, and its alert counts most of the other's bad requests."""
    wider = wide.kind is narrow.kind and _width(wide.labels) > _width(narrow.labels)
    return wider and _counts(wide, narrow, _GROUP, EXPLAINS_RATIO)


def _counts(wide: Firing, narrow: Firing, names: Sequence[str], ratio: float) -> bool:
    """Return whether a group contains another, or is it, and its alert counts so many times its bad requests."""
    if any(narrow.labels.get(name) != wide.labels[name] for name in names if name in wide.labels):
        return False
    return wide.bad is not None and narrow.bad is not None and wide.bad >= ratio * narrow.bad
