"""Knows in which wider group counts are judged that are too few by themselves; refuses to judge them.

A group starves if more of its requests were bad, over the longest window of its pages, than they allow, and if these
are too few or prove too little (G1, G2). Six hours are that window, so nothing is remembered, and replicas and restarts
see the same. Beside the group itself, which goes on being silent and says by which gate, all that shares its endpoint
and region is judged as one; if that starves, all of the endpoint; if that does, all of the objective.

Error: a backtest judges groups by themselves only. Budgets of slices are not put together, so that an objective which
has one is not judged in wider groups.

Source: spec/slo.md 6 (`fallback_group`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from slo.buckets import Bucket
from slo.burn_catalogue import Severity
from slo.counts import Counts, total
from slo.gates import STARVED_S, Gate, Level, level, silences
from slo.sight import Key, Sight, group_of
from slo.sliced import is_sliced
from slo.watched import Watched
from slo.windows import BurnRule, reach_ratio

_OF_FEW = frozenset({Gate.MIN_EVENTS, Gate.MIN_BAD, Gate.EVIDENCE})
_DIMS: dict[Level, frozenset[str]] = {
    Level.REGION: frozenset({"endpoint", "region"}),
    Level.ENDPOINT: frozenset({"endpoint"}),
    Level.SERVICE: frozenset(),
}
"""What the groups of a level have in common."""

_Windows = Mapping[int, Counts]


def widened(sight: Sight, watched: Iterable[Watched]) -> Sight:
    """Return what is seen, with the wider groups in which groups that starve are judged.

    Raises:
        CountsError: Counts that cannot be.
    """
    of: dict[str, list[str]] = {}
    for name, group in sight.windows:
        of.setdefault(name, []).append(group)
    found = [
        made
        for one in watched
        if one.objective.indicator.group_by and not is_sliced(one.objective)
        for made in _wider(one, of.get(one.objective.name, ()), sight)
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


def _wider(one: Watched, groups: Sequence[str], sight: Sight) -> Iterator[tuple[Key, list[Key]]]:
    """Yield the wider groups that are to be judged, each once, with the groups that they are made of."""
    rule = _slowest_page(one)
    if rule is None:
        return
    keys = [(one.objective.name, group) for group in groups]
    made: dict[Key, list[Key]] = {}
    for key in keys:
        if _starves(one, rule, sight.windows[key], sight.expected.get(key)):
            wide, parts = _level(one, rule, key, keys, sight)
            made.setdefault(wide, parts)
    yield from ((wide, parts) for wide, parts in made.items() if wide not in sight.windows)


def _level(one: Watched, rule: BurnRule, key: Key, keys: Sequence[Key], sight: Sight) -> tuple[Key, list[Key]]:
    """Return the narrowest wider group that does not starve, and what it is made of."""
    found: dict[Level, tuple[Key, list[Key]]] = {}
    starved_s: dict[Level, float] = {Level.GROUP: STARVED_S}
    for at, dims in _DIMS.items():
        common = {name: value for name, value in group_of(key[1]).items() if name in dims}
        parts = [each for each in keys if common.items() <= group_of(each[1]).items()]
        found[at] = ((key[0], json.dumps(common, separators=(",", ":"))), parts)
        if _starves(one, rule, _windows(sight, parts), _expected(sight, parts)):
            starved_s[at] = STARVED_S
    return found[level(starved_s)]


def _starves(one: Watched, rule: BurnRule, windows: _Windows, expected: float | None) -> bool:
    counts = windows.get(rule.long_s, Counts())
    target = one.objective.target
    if not counts.bad or counts.bad <= reach_ratio(rule, target) * counts.eligible:
        return False
    failed = silences(rule, target, counts, expected, one.gates)
    return any(silence.gate in _OF_FEW for silence in failed)


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
