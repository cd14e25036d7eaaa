"""Knows times in which objectives count less, as people agreed on them; refuses to count.

An agreed maintenance lasts once or comes again; it is of the objectives and groups whose labels its matchers match:
`slo`, `service`, what they are grouped by, and the labels of the SLO. What it takes out of the budget it takes out of
numerator and denominator alike. Rules never see it, so entering one never ends an alert. An occurrence that takes out
everything and was entered before it began keeps the notices of these objectives back, as a silence does.

Source: spec/slo.md 4 (adjustments), 10 (silences).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from slo.buckets import Adjustment
from slo.errors import ObjectiveError
from slo.recurrence import REPEATED_S_MAX, Repeat, occurrences
from slo.silence import Matcher, Silence, check_matchers, matches
from slo.windows import BUCKET_S

SPAN_S_MAX = 31 * 86_400
"""Longest occurrence."""
BACK_S_MAX = 400 * 86_400
"""How long ago one may begin: counts are kept as long."""
AHEAD_S_MAX = 366 * 86_400
"""How far ahead one may begin."""
ALL_PERCENT = 100

Segment = tuple[int, int, int]
"""First second, the second after the last, and how much is taken out, in percent; made of whole buckets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """A time that counts less, as it was entered.

    Attributes:
        id: Its name.
        matchers: Which objectives and groups are meant; all must match.
        start_s: First second, unix time; of one that comes again, the earliest.
        end_s: The second after the last one of the first occurrence.
        repeat: When it comes again; None for once.
        excluded_percent: How much is taken out; 0 if it was withdrawn.
        reason: Why.
        author: Who entered it.
        made_at_s: When, unix time.
    """

    id: str
    matchers: tuple[Matcher, ...]
    start_s: int
    end_s: int
    repeat: Repeat | None = None
    excluded_percent: int = ALL_PERCENT
    reason: str
    author: str
    made_at_s: int

    @property
    def is_retroactive(self) -> bool:
        """Whether it was entered after it had begun."""
        return self.made_at_s > self.start_s

    @property
    def over_s(self) -> int:
        """When the last occurrence that there may be is over."""
        if self.repeat is None:
            return self.end_s
        last_s = self.start_s + REPEATED_S_MAX
        until_s = last_s if self.repeat.until_s is None else min(last_s, self.repeat.until_s)
        return until_s + self.end_s - self.start_s


def check(agreed: Agreed) -> None:
    """Refuse what is too long, too far away, too wide, or unexplained.

    Raises:
        ObjectiveError: It names what is wrong.
    """
    length_s, ahead_s = agreed.end_s - agreed.start_s, agreed.start_s - agreed.made_at_s
    _require(0 < length_s <= SPAN_S_MAX, "end", f"{length_s} s after start", f"1 to {SPAN_S_MAX} s")
    near = -BACK_S_MAX <= ahead_s <= AHEAD_S_MAX
    _require(near, "start", f"{ahead_s} s from now", f"-{BACK_S_MAX} to {AHEAD_S_MAX} s")
    percent = agreed.excluded_percent
    _require(0 < percent <= ALL_PERCENT, "percent_excluded", str(percent), f"1 to {ALL_PERCENT}")
    _require(bool(agreed.author.strip()), "author", "nothing", "a name")
    _require(bool(agreed.reason.strip()), "reason", "nothing", "a few words")
    check_matchers(agreed.matchers, "selector")


def selects(agreed: Agreed, labels: Mapping[str, str]) -> bool:
    """Return whether an objective and group are meant, by their labels."""
    return all(matches(one, labels) for one in agreed.matchers)


def spans(agreed: Agreed, since_s: int, until_s: int) -> Iterator[Adjustment]:
    """Yield the occurrences that touch [since, until), oldest first, as far as they lie in it."""
    length_s = agreed.end_s - agreed.start_s
    for start_s in _starts(agreed, since_s, until_s):
        first_s, last_s = max(start_s, since_s), min(start_s + length_s, until_s)
        yield Adjustment(start_s=first_s, end_s=last_s, excluded_percent=agreed.excluded_percent)


def segments(adjustments: Iterable[Adjustment]) -> tuple[Segment, ...]:
    """Return spans as they apply to buckets: apart from each other, oldest first; of overlapping ones the largest."""
    edges: dict[int, list[tuple[int, int]]] = {}
    for one in adjustments:
        edges.setdefault(_down(one.start_s), []).append((one.excluded_percent, 1))
        edges.setdefault(_up(one.end_s), []).append((one.excluded_percent, -1))
    found: list[Segment] = []
    holding: Counter[int] = Counter()
    for first_s, last_s in pairwise(sorted(edges)):
        for percent, more in edges[first_s]:
            holding[percent] += more
        percent = max(+holding, default=0)
        if found and found[-1][1:] == (first_s, percent):
            found[-1] = (found[-1][0], last_s, percent)
        elif percent:
            found.append((first_s, last_s, percent))
    return tuple(found)


def muting(agreed: Iterable[Agreed], at_s: int) -> Iterator[Silence]:
    """Yield what keeps notices back at an instant: planned times that take out everything."""
    for one in agreed:
        starts = _starts(one, at_s, at_s + 1)
        if one.excluded_percent == ALL_PERCENT and any(one.made_at_s <= start_s for start_s in starts):
            yield Silence(
                id=one.id,
                matchers=one.matchers,
                starts_at_s=at_s,
                ends_at_s=at_s + 1,
                author=one.author,
                comment=one.reason,
            )


def last_state(states: Sequence[Agreed]) -> Agreed:
    """Return what holds of several states of one: once it is withdrawn, it stays so."""
    return min(states, key=lambda one: one.excluded_percent)


def _starts(agreed: Agreed, since_s: int, until_s: int) -> Iterator[int]:
    """Yield when the occurrences begin that touch [since, until)."""
    if not agreed.excluded_percent:
        return
    length_s = agreed.end_s - agreed.start_s
    if agreed.repeat is not None:
        yield from occurrences(agreed.repeat, agreed.start_s, since_s - length_s + 1, until_s)
    elif agreed.start_s < until_s and agreed.end_s > since_s:
        yield agreed.start_s


def _down(at_s: int) -> int:
    return at_s // BUCKET_S * BUCKET_S


def _up(at_s: int) -> int:
    return -(-at_s // BUCKET_S) * BUCKET_S


def _require(holds: bool, key: str, found: str, allowed: str) -> None:  # noqa: FBT001 -- the condition comes first
    if not holds:
        raise ObjectiveError("", key, found, allowed)
