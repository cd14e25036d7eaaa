"""Knows what is left of budgets without the times that people took out; refuses to judge and to know who did.

The counts of a time that is over do not change once late rows are not counted any more and the past is counted so far
back, so they are asked for once, in chunks; asked again is only the chunk that goes on, and the one that the edge of a
rolling window cuts.

Error: none of budgets of requests; those of slices are renewed every few minutes.

Source: spec/slo.md 4 (adjustments leave numerator and denominator; with and without), 8 (late rows).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from slo.adjustments import ALL_PERCENT, Agreed, Segment, segments, selects, spans
from slo.budget import BlindPolicy, Budget, occurrences
from slo.counts import Counts, exact
from slo.objective import Objective, Rolling
from slo.periods import civil
from slo.sight import Key, Sight, group_of
from slo.sliced import Taken, is_sliced, slice_s, sliced_budget
from slo.telemetry_state import Blind
from slo.watched import Watched
from slo.windows import BUCKET_S
from telemetry import queries
from telemetry.queries.counted import OBJECTIVES_MAX
from telemetry.store import Store

SETTLED_S = 2 * 3_600
"""Counts that are older do not change: late rows are counted for an hour."""
CHUNK_S = 6 * 3_600
"""Longest time that is asked for at once: what is settled is asked once, at each instant only what is cut or new."""
SLICED_EVERY_S = 300
"""How often budgets that are made of slices are made again."""
_NOTHING = Counts()
_NO_SUMS: Mapping[Key, Counts] = {}

Span = tuple[int, int]


class Adjuster:
    """Budgets of one engine's objectives, less what is taken out.

    Args:
        store: The store.
        watched: The objectives.
        agreed: Returns the times that count less, as they are now.
    """

    def __init__(self, store: Store, watched: Iterable[Watched], agreed: Callable[[], Sequence[Agreed]]) -> None:
        self._store, self._agreed = store, agreed
        self._watched = {one.objective.name: one for one in watched}
        self._own: dict[Key, tuple[Agreed, ...]] = {}
        self._own_of: Sequence[Agreed] = ()
        self._sums: dict[Span, dict[Key, Counts]] = {}
        self._asked: dict[Span, frozenset[str]] = {}
        self._sliced: dict[Key, Budget] = {}
        self._sliced_of: tuple[Sequence[Agreed], int] = ((), 0)

    def budgets(self, sight: Sight) -> dict[Key, Budget]:
        """Return the budgets out of whose period something is taken, by objective and group.

        Args:
            sight: What is seen at the instant; among the windows of each objective is its period.

        Raises:
            StoreError: The store did not answer.
            CountsError: Counts that cannot be.
        """
        agreed, at_s = self._agreed(), sight.at_s
        out = self._out(sight, agreed) if agreed else {}
        plain = {key: parts for key, parts in out.items() if not is_sliced(self._objective(key))}
        self._ask(sight, plain)
        found = {key: self._plain(key, parts, sight) for key, parts in plain.items()}
        sliced = {key: parts for key, parts in out.items() if key not in plain}
        if self._sliced_of[0] != agreed or at_s - self._sliced_of[1] >= SLICED_EVERY_S:
            self._sliced_of = (agreed, at_s)  # Subtle: first, so that what fails is not asked again at each instant
            self._sliced = self._of_slices(sight, sliced)
        return found | {key: budget for key, budget in self._sliced.items() if key in sliced}

    def _objective(self, key: Key) -> Objective:
        return self._watched[key[0]].objective

    def _out(self, sight: Sight, agreed: Sequence[Agreed]) -> dict[Key, tuple[Segment, ...]]:
        """Return what is taken out of the period of each objective and group out of which something is.

        Groups that stand for several are left out: no rows are theirs, and they are there for alerts alone.
        """
        at_s = sight.at_s
        if agreed != self._own_of:
            self._own, self._own_of = {}, agreed
        made: dict[tuple[tuple[str, ...], int], tuple[Segment, ...]] = {}
        found: dict[Key, tuple[Segment, ...]] = {}
        for key in sight.windows.keys() - sight.wider:
            objective = self._objective(key)
            if (own := self._own.get(key)) is None:
                labels = labels_of(objective, group_of(key[1]))
                own = self._own[key] = tuple(one for one in agreed if selects(one, labels))
            since_s = period_start_s(objective, at_s)
            of = (tuple(one.id for one in own), since_s)
            if of not in made:
                made[of] = _chunks(segments(span for one in own for span in spans(one, since_s, at_s)))
            if made[of]:
                found[key] = made[of]
        return found

    def _ask(self, sight: Sight, out: Mapping[Key, Sequence[Segment]]) -> None:
        """Have the counts of every chunk of time that is taken out of a budget of requests."""
        wanted: dict[Span, set[str]] = {}
        for (name, _), parts in out.items():
            for first_s, last_s, _percent in parts:
                wanted.setdefault((first_s, last_s), set()).add(name)
        kept = {span for span in wanted if span[1] <= sight.at_s - SETTLED_S}
        self._sums = {span: sums for span, sums in self._sums.items() if span in kept}
        self._asked = {span: names for span, names in self._asked.items() if span in kept}
        for span, names in wanted.items():
            missing = sorted(names - self._asked.get(span, frozenset()))
            for first in range(0, len(missing), OBJECTIVES_MAX):
                some = missing[first : first + OBJECTIVES_MAX]
                for (key, _), counts in self._counts(some, *span, span[1] - span[0]).items():
                    self._sums.setdefault(span, {})[key] = counts
            self._asked[span] = frozenset(name for name in names if _is_counted(sight, name, span))

    def _plain(self, key: Key, parts: Sequence[Segment], sight: Sight) -> Budget:
        objective = self._objective(key)
        since_s = period_start_s(objective, sight.at_s)
        whole = sight.windows[key].get(sight.at_s - since_s, _NOTHING)
        eligible, bad = whole.eligible * ALL_PERCENT, whole.bad * ALL_PERCENT  # hundredths, for integers are fast
        for first_s, last_s, percent in parts:
            counts = self._sums.get((first_s, last_s), _NO_SUMS).get(key)
            if counts is not None:
                eligible -= counts.eligible * percent
                bad -= counts.bad * percent
        eligible = max(0, eligible)  # Subtle: a late row may be counted in between two questions
        bad = min(max(0, bad), eligible)
        unseen = 0
        if objective.blind_policy is BlindPolicy.COUNT_BAD:
            unseen = _unseen(_blind(key, since_s, sight), parts, sight.expected.get(key, 0.0) / objective.period_s)
        left, lost = Fraction(eligible, ALL_PERCENT), Fraction(bad, ALL_PERCENT)
        return occurrences(left + unseen, lost + unseen, objective.target)

    def _of_slices(self, sight: Sight, out: Mapping[Key, Sequence[Segment]]) -> dict[Key, Budget]:
        of: dict[str, dict[Key, Sequence[Segment]]] = {}
        for key, parts in out.items():
            of.setdefault(key[0], {})[key] = parts
        return {key: left for name, own in of.items() for key, left in self._of_name(sight, name, own).items()}

    def _of_name(self, sight: Sight, name: str, out: Mapping[Key, Sequence[Segment]]) -> dict[Key, Budget]:
        objective, at_s = self._watched[name].objective, sight.at_s
        since_s, length_s = period_start_s(objective, at_s), slice_s(objective)
        sums: dict[Key, dict[int, Counts]] = {}
        for (key, start_s), counts in self._counts([name], since_s, at_s, length_s).items():
            sums.setdefault(key, {})[start_s] = counts
        taken = self._taken(name, out, since_s, length_s)
        return {
            key: sliced_budget(objective, sums.get(key, {}), since_s, at_s, taken[key], _blind(key, since_s, sight))
            for key in out
        }

    def _taken(
        self, name: str, out: Mapping[Key, Sequence[Segment]], since_s: int, length_s: int
    ) -> dict[Key, dict[int, Taken]]:
        """Return what is taken out of the slices of an objective's groups; a time is asked for once for all of them."""
        found: dict[Key, dict[int, Taken]] = {key: {} for key in out}

        def take(key: Key, at_s: int, percent: int, share: Fraction, counts: Counts) -> None:
            start_s = since_s + (at_s - since_s) // length_s * length_s
            before, weight = found[key].get(start_s, Taken()), Fraction(percent, ALL_PERCENT)
            found[key][start_s] = Taken(
                weight=before.weight + weight * share,
                eligible=before.eligible + weight * counts.eligible,
                bad=before.bad + weight * counts.bad,
            )

        for (first_s, last_s, percent), keys in _by_segment(out).items():
            for at_s in range(since_s + (first_s - since_s) // length_s * length_s, last_s, length_s):
                overlap_s = min(last_s, at_s + length_s) - max(first_s, at_s)
                for key in keys:
                    take(key, at_s, percent, Fraction(overlap_s, length_s), _NOTHING)
            for (key, at_s), counts in self._counts([name], first_s, last_s, BUCKET_S).items():
                if key in keys:
                    take(key, at_s, percent, Fraction(0), counts)
        return found

    def _counts(self, names: Sequence[str], since_s: int, until_s: int, length_s: int) -> dict[tuple[Key, int], Counts]:
        """Ask for the counts of the spans of equal length that [since, until) is made of."""
        found: dict[tuple[Key, int], Counts] = {}
        for row in self._store.query(queries.sums_by(names, since_s, until_s, length_s)):
            name, eligible, good = str(row["slo"]), int(str(row["eligible"])), int(str(row["good"]))
            if self._watched[name].definition_hash == int(str(row["definition_hash"])):
                key = (name, str(row["group_key"]))
                found[key, int(str(row["t_unix_s"]))] = Counts(eligible=eligible, bad=eligible - good)
        return found


def labels_of(objective: Objective, group: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of an objective and group that a selector may name."""
    static = {label: values[0] for label, values in objective.labels.items() if len(values) == 1}
    return {**static, **group, "slo": objective.name, "service": objective.service}


def period_start_s(objective: Objective, at_s: int) -> int:
    """Return where the period of a budget begins at an instant, in whole buckets before it, at least one."""
    window = objective.window
    if isinstance(window, Rolling):
        return at_s - window.length_s
    return at_s - max(BUCKET_S, (at_s - civil(window, at_s).start_s) // BUCKET_S * BUCKET_S)


def _by_segment(out: Mapping[Key, Sequence[Segment]]) -> dict[Segment, set[Key]]:
    found: dict[Segment, set[Key]] = {}
    for key, parts in out.items():
        for part in parts:
            found.setdefault(part, set()).add(key)
    return found


def _is_counted(sight: Sight, name: str, span: Span) -> bool:
    """Return whether all of a span is counted: the past is counted beside the present, and backward."""
    return name not in sight.behind and span[0] >= sight.since_s.get(name, span[0])


def _chunks(parts: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return segments, cut at whole multiples of `CHUNK_S`."""
    return tuple(
        (max(first_s, start_s), min(last_s, start_s + CHUNK_S), percent)
        for first_s, last_s, percent in parts
        for start_s in range(first_s // CHUNK_S * CHUNK_S, last_s, CHUNK_S)
    )


def _blind(key: Key, since_s: int, sight: Sight) -> tuple[Blind, ...]:
    """Return when in the period nobody looked at a group."""
    return sight.blind(group_of(key[1]).get("endpoint", ""), since_s, sight.at_s)


def _unseen(blind: Iterable[Blind], parts: Sequence[Segment], per_s: float) -> int:
    """Return the requests that were expected while nobody looked, less what is taken out of that time."""
    seconds = Fraction(0)
    for one in blind:
        seconds += one.length_s
        for first_s, last_s, percent in parts:
            overlap_s = max(0, min(last_s, one.end_s) - max(first_s, one.start_s))
            seconds -= Fraction(overlap_s * percent, ALL_PERCENT)
    return round(seconds * exact(per_s))
