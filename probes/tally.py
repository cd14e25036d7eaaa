"""Knows how the series of a page become one value per metric of ours; refuses to know rows or earlier pages.

Engines publish one series per rank or engine core: counters and queues are added up, a share has a mean and a largest.
Ranks that tell the same thing count once. A sum with a part missing is a wrong number, so where one series is not
believed the whole sum is unknown; in a map only its own entry is. A value that cannot be true is none.

Source: spec/measurement.md 14, 15 (T8).
"""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from probes.aliases import REPLICATED, TABLE, Engine, Fold, Kind, Source, histogram_keys, key
from probes.page import Buckets, Labels, Page, Point
from telemetry.samples import EngineSample

KEYS_MAX = 32
"""Most keys of a map that an engine's labels fill; what comes after them counts as `unknown`."""
COUNT_MAX = 2**63 - 1
"""Largest counter that is believed."""
GAUGE_MAX = 2**32 - 1
"""Largest number of requests that is believed."""
UNKNOWN = "unknown"
"""Stands for a word of an engine that is not shown."""
RATIOS = ("kv_used_ratio", "kv_used_ratio_max")
"""Columns of the sample that hold a share."""
GAUGES = ("running", "queued", "queued_capacity", "queued_deferred")
"""Columns of the sample that hold a number of requests."""
MAPS = ("success_total", "http_total")
"""Columns of the sample that hold counters by a word of the engine's."""
COUNTS = tuple(name for name in EngineSample.__struct_fields__ if name.endswith("_total") and name not in MAPS)
"""Columns of the sample that hold a counter."""

Series = tuple[str, Labels]
"""A name and a label set."""

_FOLDS: Mapping[Fold, Callable[[Collection[float]], float]] = {Fold.SUM: sum, Fold.MEAN: fmean, Fold.MAX: max}
_WORD = re.compile(r"[a-z0-9_]{1,40}")
_ENUM = "responsetype."  # LMDeploy shows the name of a Python enumeration


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a page says, by our names.

    Attributes:
        values: By canonical name, then by the key of a map; a single value has the key "".
        histograms: Its label sets, by canonical name, in seconds where it is a time; all have the same bounds.
        counters: Every counter whose name is believed, for a comparison with another page.
        odd: Values that cannot be true, which are in none of these.
        spelled: How the page calls what it has, by canonical name.
    """

    values: Mapping[str, Mapping[str, float]]
    histograms: Mapping[str, Mapping[Labels, Buckets]]
    counters: Mapping[Series, float]
    odd: int
    spelled: Mapping[str, str]


def tally(page: Page, engine: Engine) -> Tally:
    """Add a page up."""
    told = _Told(page, engine)
    values, odd = _possible(told.values())
    return Tally(
        values=values,
        histograms=told.histograms(),
        counters=dict(told.counters()),
        odd=odd,
        spelled=told.spelled,
    )


def word(text: str) -> str:
    """Return a word of an engine's as the key of a map; `unknown` if it is none."""
    plain = text.lower().removeprefix(_ENUM)
    return plain if _WORD.fullmatch(plain) else UNKNOWN


class _Told:
    """One page as its engine's table sees it."""

    def __init__(self, page: Page, engine: Engine) -> None:
        self._page = page
        self._table = TABLE[engine]
        self._histogram_keys = histogram_keys(engine)
        self._replicated = REPLICATED.get(engine, frozenset[str]())
        self._rejected: dict[str, list[Labels | None]] = {}
        for one in page.rejected:
            self._rejected.setdefault(one.key, []).append(one.labels)
        self.spelled: dict[str, str] = {}

    def values(self) -> dict[str, dict[str, float]]:
        """Return the values of everything but histograms."""
        found: dict[str, dict[str, float]] = {}
        doubtful: set[str] = set()
        for source, at in self._there():
            if source.kind in (Kind.HISTOGRAM, Kind.INFO):
                continue
            doubted = self._doubted(source, at)
            if doubted and (not source.by or None in doubted):
                doubtful.add(source.canonical)
            groups = self._grouped(source, at)
            for bad in {word(dict(labels).get(source.by, "")) for labels in doubted if labels}:
                groups.pop(bad, None)
            mine = found.setdefault(source.canonical, {})
            for name, sets in groups.items():
                mine[name] = mine.get(name, 0.0) + _FOLDS[source.fold](sets.values())
                if f"{source.canonical}_max" in RATIOS:
                    found[f"{source.canonical}_max"] = {"": max(sets.values())}
        return {name: values for name, values in found.items() if values and name.removesuffix("_max") not in doubtful}

    def histograms(self) -> Mapping[str, Mapping[Labels, Buckets]]:
        """Return the label sets of each histogram of which every series is believed."""
        found: dict[str, Mapping[Labels, Buckets]] = {}
        for source, at in self._there():
            if source.kind is not Kind.HISTOGRAM or self._doubted(source, at):
                continue
            sets: dict[Labels, Buckets] = {}
            for one in self._page.buckets.get(at, ()):
                labels = () if source.fold is Fold.MAX else self._apart(one.labels)
                if labels not in sets or sets[labels].cumulative[-1] < one.cumulative[-1]:
                    sets[labels] = _scaled(one, source.divisor)
            if len({one.le for one in sets.values()}) == 1 and math.isfinite(sum(one.sum for one in sets.values())):
                found[source.canonical] = sets
        return found

    def counters(self) -> Iterator[tuple[Series, float]]:
        """Give every counter of a name of which every series is believed."""
        for source, at in self._there():
            if source.kind is Kind.COUNTER and not self._doubted(source, at):
                yield from (((at, point.labels), point.value) for point in self._points(source, at))

    def _there(self) -> Iterator[tuple[Source, str]]:
        """Give every source that the page has, and its key there: today's name before older ones."""
        for source in self._table:
            for name in source.names:
                at = key(name)
                if at in self._page.names or at in self._rejected:
                    self.spelled.setdefault(source.canonical, self._page.names.get(at, name))
                    yield source, at
                    break

    def _grouped(self, source: Source, at: str) -> dict[str, dict[Labels, float]]:
        """Return the values of a source by key and label set; of ranks that tell the same thing, the largest."""
        groups: dict[str, dict[Labels, float]] = {}
        for point in self._points(source, at):
            name = word(dict(point.labels).get(source.by, "")) if source.by else ""
            sets = groups.setdefault(name if name in groups or len(groups) < KEYS_MAX else UNKNOWN, {})
            labels = self._apart(point.labels)
            sets[labels] = max(sets.get(labels, 0.0), point.value / source.divisor)
        return groups

    def _points(self, source: Source, at: str) -> Sequence[Point]:
        if at in self._histogram_keys:  # a counter that is the sum of a histogram
            return [Point(labels=one.labels, value=one.sum) for one in self._page.buckets.get(at, ())]
        return [point for point in self._page.points.get(at, ()) if _fits(point.labels, source)]

    def _doubted(self, source: Source, at: str) -> Sequence[Labels | None]:
        rejected = self._rejected.get(at, ())
        return [labels for labels in rejected if labels is None or _fits(labels, source)]

    def _apart(self, labels: Labels) -> Labels:
        return tuple((name, value) for name, value in labels if name not in self._replicated)


def _fits(labels: Labels, source: Source) -> bool:
    told = dict(labels)
    return all(told.get(name, "") == value for name, value in source.where.items()) and not any(
        told.get(name) in values for name, values in source.unless.items()
    )


def _scaled(one: Buckets, divisor: float) -> Buckets:
    if divisor == 1:
        return one
    le = tuple(bound / divisor for bound in one.le)
    return Buckets(labels=one.labels, le=le, cumulative=one.cumulative, sum=one.sum / divisor)


def _possible(found: Mapping[str, Mapping[str, float]]) -> tuple[dict[str, dict[str, float]], int]:
    """Return the values that can be true, and how many cannot."""
    kept = {name: {at: value for at, value in values.items() if _can_be(name, value)} for name, values in found.items()}
    odd = sum(len(values) - len(kept[name]) for name, values in found.items())
    return {name: values for name, values in kept.items() if values}, odd


def _can_be(name: str, value: float) -> bool:
    if name in RATIOS:
        return value <= 1
    if name in GAUGES:
        return value <= GAUGE_MAX and value % 1 == 0
    if name in COUNTS or name in MAPS:
        return value <= COUNT_MAX and value % 1 == 0
    return math.isfinite(value)
