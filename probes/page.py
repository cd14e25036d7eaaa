"""Knows how a page of metrics becomes series that can be believed; refuses to know what they mean.

The official parser reads name and labels of the wanted lines, without their TYPE and HELP: what a name is stands in
`aliases`, and what a page claims of it does not matter. Names and labels of one page are those of the next, so whoever
reads again and again parses them once. A line that the parser would read too kindly is refused before.

A series is one name with one label set; what makes it unbelievable rejects all of it, is counted, and leaves the rest.

Source: spec/measurement.md 15 (T4, T5); Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/
exposition_formats); `prometheus_client.parser` 0.26, which also takes digits of other scripts, and `1 2 3` for a 1.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from probes.aliases import Engine, histogram_keys, key
from probes.page_filter import wanted

OBSERVATIONS_MAX = 2**47
"""Most observations of one histogram; as many histograms as a page can have still fit into a column together."""
LABEL_BYTES_MAX = 1024
"""Longest label value."""
LINE_BYTES_MAX = 8 << 10
"""Longest line; a line costs the parser more than its length."""
Labels = tuple[tuple[str, str], ...]
"""Names and values in order of the names, those without a value left out."""


class Reject(StrEnum):
    """Why a series is not believed."""

    MALFORMED = "malformed"
    LINE_TOO_LONG = "line_too_long"
    LABEL_TOO_LONG = "label_too_long"
    NAN = "nan"
    INFINITE = "infinite"
    NEGATIVE_ZERO = "negative_zero"
    NEGATIVE = "negative"
    DUPLICATE = "duplicate"
    TWO_SPELLINGS = "two_spellings"
    """A name stands there twice, for example with and without Ray's prefix."""
    NO_INF_BUCKET = "no_inf_bucket"
    UNORDERED = "unordered"
    """The bounds of its buckets do not rise."""
    FALLING = "falling"
    """A bucket has less in it than the one before, or a part of an observation."""
    OUT_OF_RANGE = "out_of_range"
    INCOMPLETE = "incomplete"
    """Sum or count is missing, or the count is not that of the last bucket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One gauge, counter or info.

    Attributes:
        labels: What tells it from others of its name.
        value: Finite and not negative.
    """

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """One histogram.

    Attributes:
        labels: What tells it from others of its name.
        le: Upper bounds, rising; the last one is infinite.
        cumulative: Observations at or below each bound.
        sum: Sum of the observations, in the engine's unit.
    """

    labels: Labels
    le: tuple[float, ...]
    cumulative: tuple[int, ...]
    sum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One series that is not believed.

    Attributes:
        key: Key of its name.
        labels: Its labels; None if they could not be read.
        why: The first reason found.
    """

    key: str
    labels: Labels | None
    why: Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page says of the wanted names, each by its key.

    Attributes:
        points: Gauges, counters and infos.
        buckets: Histograms.
        names: How the page spells a name.
        rejected: What it says and is not believed.
    """

    points: Mapping[str, tuple[Point, ...]]
    buckets: Mapping[str, tuple[Buckets, ...]]
    names: Mapping[str, str]
    rejected: tuple[Rejected, ...]

    @property
    def rejects(self) -> Mapping[Reject, int]:
        """Series that are not believed, by reason."""
        return Counter(one.why for one in self.rejected)


def read(body: bytes, engine: Engine) -> Page:
    """Read one page.

    Raises:
        PageError: It is too large, has too many wanted samples, or was cut off.
    """
    return Reader(engine).read(body)


class Reader:
    """Reads the pages of one engine, again and again.

    Args:
        engine: Which engine it is.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._histogram_keys = histogram_keys(engine)
        self._heads: Mapping[bytes, _Head | None] = {}  # of the last page, so as many as a page may have

    def read(self, body: bytes) -> Page:
        """Read a page.

        Raises:
            PageError: It is too large, has too many wanted samples, or was cut off.
        """
        lines = wanted(body, self.engine)
        matches = [_LINE.fullmatch(line) if len(line) <= LINE_BYTES_MAX else None for line in lines]
        known = self._heads
        new = dict.fromkeys(match[1] for match in matches if match and match[1] not in known)
        parsed = dict(zip(new, self._parsed(list(new)), strict=True))
        heads: dict[bytes, _Head | None] = {}
        series = _Series()
        for line, match in zip(lines, matches, strict=True):
            head = None
            if match:
                head = heads[match[1]] = parsed[match[1]] if match[1] in parsed else known[match[1]]
            if match and head:
                series.add(head, match[2])
            else:
                series.refuse(self._key(line), Reject.LINE_TOO_LONG if len(line) > LINE_BYTES_MAX else Reject.MALFORMED)
        self._heads = heads
        return series.page()

    def _parsed(self, heads: Sequence[bytes]) -> Sequence["_Head | None"]:
        """Return what each name with its labels says; None for one that is none."""
        samples = _together(heads)
        found = [_alone(head) for head in heads] if samples is None else samples
        return [self._head(sample) if sample else None for sample in found]

    def _head(self, sample: Sample) -> "_Head":
        name, part = self._split(sample.name)
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if v and not (part and k == "le")))
        fits = all(len(value.encode()) <= LABEL_BYTES_MAX for value in sample.labels.values())
        return _Head(name=name, key=key(name), part=part, labels=labels, le=sample.labels.get("le", ""), fits=fits)

    def _split(self, name: str) -> tuple[str, str]:
        """Return a metric's name and which part of a histogram a sample of it is; "" if it is none."""
        match = _PARTS.fullmatch(name)
        return (match[1], match[2]) if match and key(match[1]) in self._histogram_keys else (name, "")

    def _key(self, line: bytes) -> str:
        return key(self._split(re.split(rb"[ \t{]", line, maxsplit=1)[0].decode())[0])


_NUMBER = rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[Ii][Nn][Ff]|[Nn][Aa][Nn])"
_LINE = re.compile(
    rb'([a-zA-Z_:][a-zA-Z0-9_:]*+(?:[ \t]*\{(?:[^"\\\n{}]|"(?:[^"\\\n]|\\[\\n"])*+")*+\})?)'
    rb"[ \t]+(" + _NUMBER + rb")(?:[ \t]+-?[0-9]+)?[ \t\r]*"
)
_LE = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?|\+?Inf")
_PARTS = re.compile(r"(.+)_(bucket|sum|count)")


def _together(heads: Sequence[bytes]) -> Sequence[Sample | None] | None:
    try:
        samples = list(_samples(heads))
    except (ValueError, IndexError):
        return None
    return samples if len(samples) == len(heads) else None


def _alone(head: bytes) -> Sample | None:
    found = _together([head])
    return found[0] if found else None


def _samples(heads: Sequence[bytes]) -> Iterator[Sample]:
    for family in text_string_to_metric_families(b"".join(head + b" 1\n" for head in heads).decode()):
        yield from family.samples


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """Everything of a sample but its value.

    Attributes:
        name: Of the metric, as the page spells it.
        key: Its key.
        part: Which part of a histogram it is; empty if it is none.
        labels: Without the bound of a bucket.
        le: That bound; empty if there is none.
        fits: Whether all label values are short enough.
    """

    name: str
    key: str
    part: str
    labels: Labels
    le: str
    fits: bool


class _Histogram:
    """One histogram while its lines are read."""

    def __init__(self) -> None:
        self.bounds: dict[str, float] = {}
        self.whole: dict[str, float] = {}

    def add(self, part: str, le: str, value: float) -> Reject | None:
        if part != "bucket":
            again = part in self.whole
            self.whole[part] = value
            return Reject.DUPLICATE if again else None
        again = le in self.bounds
        self.bounds[le] = value
        return Reject.DUPLICATE if again else None

    def judge(self) -> Reject | None:
        """Say what is wrong with all of it."""
        if not all(map(_LE.fullmatch, self.bounds)):
            return Reject.MALFORMED
        le, values = self.le, list(self.bounds.values())
        if math.inf not in le:
            return Reject.NO_INF_BUCKET
        if any(low >= high for low, high in pairwise(le)):
            return Reject.UNORDERED
        if any(low > high for low, high in pairwise(values)) or any(value % 1 for value in values):
            return Reject.FALLING
        if values[-1] > OBSERVATIONS_MAX:
            return Reject.OUT_OF_RANGE
        return None if "sum" in self.whole and self.whole.get("count") == values[-1] else Reject.INCOMPLETE

    @property
    def le(self) -> tuple[float, ...]:
        return tuple(map(float, self.bounds))

    def made(self, labels: Labels) -> Buckets:
        cumulative = tuple(map(int, self.bounds.values()))
        return Buckets(labels=labels, le=self.le, cumulative=cumulative, sum=self.whole["sum"])


class _Series:
    """The series of a page while its lines are read."""

    def __init__(self) -> None:
        self._points: dict[tuple[str, Labels], float] = {}
        self._histograms: dict[tuple[str, Labels], _Histogram] = {}
        self._names: dict[str, set[str]] = {}
        self._bad: dict[tuple[str, Labels | None], Reject] = {}

    def refuse(self, name: str, why: Reject) -> None:
        """Take a line that could not be read."""
        self._bad.setdefault((name, None), why)

    def add(self, head: _Head, text: bytes) -> None:
        """Take a sample and its value."""
        at = (head.key, head.labels)
        self._names.setdefault(head.key, set()).add(head.name)
        value = float(text)
        why = _doubt(text, value) if head.fits else Reject.LABEL_TOO_LONG
        if head.part:
            histogram = self._histograms.setdefault(at, _Histogram())
            why = histogram.add(head.part, head.le, value) or why
        elif at in self._points:
            why = why or Reject.DUPLICATE
        else:
            self._points[at] = value
        if why is not None:
            self._bad.setdefault(at, why)

    def page(self) -> Page:
        self._judge()
        points: dict[str, list[Point]] = {}
        for (name, labels), value in self._points.items():
            if (name, labels) not in self._bad:
                points.setdefault(name, []).append(Point(labels=labels, value=value))
        buckets: dict[str, list[Buckets]] = {}
        for (name, labels), histogram in self._histograms.items():
            if (name, labels) not in self._bad:
                buckets.setdefault(name, []).append(histogram.made(labels))
        return Page(
            points={name: tuple(found) for name, found in points.items()},
            buckets={name: tuple(found) for name, found in buckets.items()},
            names={name: min(spelled) for name, spelled in self._names.items()},
            rejected=tuple(Rejected(key=name, labels=labels, why=why) for (name, labels), why in self._bad.items()),
        )

    def _judge(self) -> None:
        """Say what is wrong with whole series."""
        for at, histogram in self._histograms.items():
            if at not in self._bad and (why := histogram.judge()):
                self._bad[at] = why
        for at in (*self._points, *self._histograms):
            if len(self._names[at[0]]) > 1:
                self._bad[at] = Reject.TWO_SPELLINGS


def _doubt(text: bytes, value: float) -> Reject | None:
    """Return what is wrong with a value."""
    if math.isnan(value):
        return Reject.NAN
    if math.isinf(value):
        return Reject.INFINITE
    if text.startswith(b"-"):
        return Reject.NEGATIVE if value else Reject.NEGATIVE_ZERO
    return None
