"""Knows in which wider group counts are judged that are too few by themselves; refuses to judge them.

A group starves if more of its requests of six hours were bad than its slowest page allows, and if these are too few or
prove too little (G1, G2). Nothing is remembered for that, so replicas and restarts see the same. Beside the group
itself, which goes on being silent and says by which gate, all that shares its endpoint and region is judged as one; if
that starves, all of the endpoint; if that does, all of the objective. A wider group is judged for as long as an alert
of it is not at rest, so that this ends as every alert does, and so long no other is looked for.

Error: a backtest judges groups by themselves only. Budgets of slices are not put together, so that an objective which
has one is not judged in wider groups.

Source: spec/slo.md 6 (`fallback_group`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.buckets import Bucket
from slo.burn_catalogue import Severity
from slo.counts import Counts, total
from slo.gates import STARVED_S, Gate, Level, level, silences
from slo.sight import Key, Sight, group_of
from slo.sliced import is_sliced
from slo.watched import Watched
from slo.windows import BurnRule, reach_ratio

PROOF_N = 10
"""With so many bad requests a group that proves nothing does not lack requests: it burns just about as it may."""
_NOT_AT_REST = frozenset({AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED})
_OF_FEW = frozenset({Gate.MIN_EVENTS, Gate.MIN_BAD})
_DIMS: dict[Level, frozenset[str]] = {
    Level.REGION: frozenset({"endpoint", "region"}),
    Level.ENDPOINT: frozenset({"endpoint"}),
    Level.SERVICE: frozenset(),
}
"""What the groups of a level have in common."""

_Windows = Mapping[int, Counts]


def widened(sight: Sight, watched: Iterable[Watched], alerts: Mapping[int, Alert]) -> Sight:
    """Return what is seen, with the wider groups in which groups that starve are judged.

    Args:
        sight: What is seen.
        watched: The objectives.
        alerts: As they are remembered.
    """
    live = _live(alerts)
    of: dict[str, list[str]] = {}
    for name, group in sight.windows:
        of.setdefault(name, []).append(group)
    found = [
        made
        for one in watched
        if one.objective.indicator.group_by and not is_sliced(one.objective)
        for made in _wider(one, of.get(one.objective.name, ()), sight, live.get(one.objective.name, ()))
    ]
    if not found:
        return sight
    return replace(
        sight,
        windows={**sight.windows, **{key: _windows(sight, parts) for key, parts in found}},
        recent={**sight.recent, **{key: _recent(sight, parts) for key, parts in found}},
        expected={**sight.expected, **{key: n for key, parts in found if (n := _expected(sight, parts))}},
        wider=frozenset(key for key, _ in found),
    )


def _live(alerts: Mapping[int, Alert]) -> dict[str, list[Mapping[str, str]]]:
    """Return the labels of the objectives' own alerts that are not at rest, by objective."""
    found: dict[str, list[Mapping[str, str]]] = {}
    for alert in alerts.values():
        name = alert.labels.get("slo")
        if name and name == alert.labels["alertname"] and alert.record.state in _NOT_AT_REST:
            found.setdefault(name, []).append(alert.labels)
    return found


def _wider(
    one: Watched, groups: Sequence[str], sight: Sight, live: Sequence[Mapping[str, str]]
) -> Iterator[tuple[Key, list[Key]]]:
    """Yield the wider groups that are to be judged, each once, with the groups that they are made of."""
    rule = _slowest_page(one)
    if rule is None:
        return
    keys = [(one.objective.name, group) for group in groups]
    dims = [dim.value for dim in one.objective.indicator.group_by]
    named = [_named(group_of(group)) for group in groups]  # an alert has no label for what is empty
    of_alerts = [{dim: labels[dim] for dim in dims if dim in labels} for labels in live]
    wanted = [common for common in of_alerts if common not in named]
    for key in keys:
        is_in_one = any(common.items() <= group_of(key[1]).items() for common in wanted)
        if not is_in_one and _starves(one, rule, sight.windows[key], sight.expected.get(key)):
            wanted.append(_level(one, rule, key, keys, sight))
    for common in wanted:
        parts = _parts(common, keys)
        if common not in named and len(parts) > 1:
            yield (one.objective.name, json.dumps(common, separators=(",", ":"), sort_keys=True)), parts


def _level(one: Watched, rule: BurnRule, key: Key, keys: Sequence[Key], sight: Sight) -> dict[str, str]:
    """Return what the groups of the narrowest wider group that does not starve have in common."""
    found: dict[Level, dict[str, str]] = {}
    starved_s: dict[Level, float] = {Level.GROUP: STARVED_S}
    for at, dims in _DIMS.items():
        found[at] = {name: value for name, value in _named(group_of(key[1])).items() if name in dims}
        parts = _parts(found[at], keys)
        if _starves(one, rule, _windows(sight, parts), _expected(sight, parts)):
            starved_s[at] = STARVED_S
    chosen = _parts(found[level(starved_s)], keys)
    return next(common for common in found.values() if _parts(common, keys) == chosen)  # the one that says most


def _parts(common: Mapping[str, str], keys: Sequence[Key]) -> list[Key]:
    return [key for key in keys if common.items() <= group_of(key[1]).items()]


def _named(group: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in group.items() if value}


def _starves(one: Watched, rule: BurnRule, windows: _Windows, expected: float | None) -> bool:
    counts = windows.get(max(rule.long_s, min(int(STARVED_S), one.objective.period_s)), Counts())
    target = one.objective.target
    if not counts.bad or counts.bad <= reach_ratio(rule, target) * counts.eligible:
        return False
    failed = {silence.gate for silence in silences(rule, target, counts, expected, one.gates)}
    return bool(failed & _OF_FEW) or (Gate.EVIDENCE in failed and counts.bad < PROOF_N)


def _slowest_page(one: Watched) -> BurnRule | None:
    pages = [rule.gated_by for rule in one.rules if rule.gated_by and rule.severity is Severity.PAGE]
    return max(pages, key=lambda rule: rule.long_s, default=None)


def _windows(sight: Sight, parts: Sequence[Key]) -> _Windows:
    lengths = {length for part in parts for length in sight.windows[part]}
    return {length: total(sight.windows[part].get(length, Counts()) for part in parts) for length in lengths}


def _recent(sight: Sight, parts: Sequence[Key]) -> Sequence[Bucket]:
    sums: dict[int, Counts] = {}
    for part in parts:
        for bucket in sight.recent.get(part, ()):
            sums[bucket.start_s] = sums.get(bucket.start_s, Counts()) + bucket.counts
    return [Bucket(start_s=start_s, counts=sums[start_s]) for start_s in sorted(sums)]


def _expected(sight: Sight, parts: Sequence[Key]) -> float | None:
    known = [sight.expected[part] for part in parts if part in sight.expected]
    return sum(known) if known else None
