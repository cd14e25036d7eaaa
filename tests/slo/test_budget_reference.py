"""Every budget method and burn window against a slow reference: lists of events, fractions, nothing shared.

The reference knows no buckets and no sums: it asks each event, and each moment, what applies to it.
"""

from collections.abc import Set as AbstractSet
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.buckets import Adjustment, Bucket, adjusted, in_window, slices
from slo.budget import (
    BlindPolicy,
    EmptySlice,
    composite,
    occurrences,
    projected_remaining,
    ratio_timeslices,
    timeslices,
)
from slo.burn import Standing, burn_rate, read
from slo.burn_catalogue import CATALOGUES
from slo.counts import Counts
from slo.windows import BurnRule, burn_rules

TARGETS = st.sampled_from([0.9, 0.95, 0.99, 0.999, 0.9999])
DAY_S = 86_400
AT_S = 100 * DAY_S
SPAN_S = 900


class Event(NamedTuple):
    at_s: int
    good: bool


class Out(NamedTuple):
    start_s: int
    end_s: int
    percent: int


def counted(events: list[Event], blind: AbstractSet[int] = frozenset()) -> list[Bucket]:
    starts = {event.at_s // 30 * 30 for event in events} | blind
    return [
        Bucket(
            start_s=start,
            counts=Counts(
                eligible=sum(start <= event.at_s < start + 30 for event in events),
                bad=sum(start <= event.at_s < start + 30 and not event.good for event in events),
            ),
            blind=start in blind,
        )
        for start in sorted(starts)
    ]


def decimal(value: float) -> Fraction:
    return Fraction(Decimal(str(value)))


def share_of(at_s: int, out: list[Out]) -> Fraction:
    return 1 - Fraction(max([one.percent for one in out if one.start_s <= at_s < one.end_s], default=0), 100)


def left(sli: Fraction, target: float) -> Fraction:
    return 1 - (1 - sli) / (1 - decimal(target))


def event(low_s: int, high_s: int) -> st.SearchStrategy[Event]:
    return st.builds(Event, st.integers(low_s, high_s - 1), st.booleans())


def out_of(one: int, other: int, percent: int) -> Out:
    return Out(30 * min(one, other), 30 * max(one, other), percent)


def span(low_s: int, high_s: int) -> st.SearchStrategy[Out]:
    steps = st.integers(low_s // 30, high_s // 30)
    return st.builds(out_of, steps, steps, st.integers(0, 100))


EVENTS = st.lists(event(0, SPAN_S), max_size=40)
OUTS = st.lists(span(0, SPAN_S), max_size=3)


@settings(deadline=None)
@given(events=EVENTS, out=OUTS, target=TARGETS)
def test_occurrences(events: list[Event], out: list[Out], target: float) -> None:
    adjustments = [Adjustment(start_s=a, end_s=b, excluded_percent=p) for a, b, p in out]
    found = occurrences(*adjusted(counted(events), adjustments), target)
    n = sum((share_of(one.at_s, out) for one in events), Fraction(0))
    good = sum((share_of(one.at_s, out) for one in events if one.good), Fraction(0))

    if n == 0:
        assert (None, None) == (found.sli, found.remaining)
    else:
        assert (float(good / n), float(left(good / n, target))) == (found.sli, found.remaining)


class Reference(NamedTuple):
    """One slice, ten seconds by ten seconds."""

    weight: Fraction
    n: Fraction
    good: Fraction
    blind: bool


def cut(events: list[Event], blind: set[int], out: list[Out], slice_s: int) -> list[Reference]:
    return [
        Reference(
            sum((share_of(at_s, out) for at_s in range(start, start + slice_s, 10)), Fraction(0)) / (slice_s // 10),
            sum((share_of(one.at_s, out) for one in events if start <= one.at_s < start + slice_s), Fraction(0)),
            sum((share_of(e.at_s, out) for e in events if start <= e.at_s < start + slice_s and e.good), Fraction(0)),
            any(start <= at < start + slice_s for at in blind),
        )
        for start in range(0, SPAN_S, slice_s)
    ]


def slow_timeslices(parts: list[Reference], slice_target: float, empty: str, blind: str) -> tuple[Fraction, Fraction]:
    good = bad = Fraction(0)
    for part in parts:
        if part.n > 0 and part.good / part.n < decimal(slice_target):
            bad += part.weight
        elif part.blind:
            bad += part.weight if blind == "count_bad" else 0
        elif part.n > 0 or empty == "good":
            good += part.weight
        elif empty == "bad":
            bad += part.weight
    return good, bad


SLICES = {
    "events": EVENTS,
    "blind": st.sets(st.integers(0, SPAN_S // 30 - 1).map(lambda at: at * 30), max_size=3),
    "out": OUTS,
    "slice_s": st.sampled_from([60, 150, 450]),
    "target": TARGETS,
}


@settings(max_examples=100, deadline=None)
@given(
    **SLICES,
    slice_target=st.sampled_from([0.5, 0.7, 0.9, 1.0]),
    empty=st.sampled_from(EmptySlice),
    policy=st.sampled_from(BlindPolicy),
)
def test_timeslices(
    events: list[Event],
    blind: set[int],
    out: list[Out],
    slice_s: int,
    target: float,
    slice_target: float,
    empty: EmptySlice,
    policy: BlindPolicy,
) -> None:
    adjustments = [Adjustment(start_s=a, end_s=b, excluded_percent=p) for a, b, p in out]
    parts = slices(counted(events, blind), 0, SPAN_S, slice_s, adjustments)
    found = timeslices(parts, target, slice_target, empty, policy)
    good, bad = slow_timeslices(cut(events, blind, out, slice_s), slice_target, empty, policy)

    assert (float(good + bad), float(bad)) == (found.judged, found.bad)
    if good + bad == 0:
        assert (None, None) == (found.sli, found.remaining)
    else:
        sli = good / (good + bad)
        assert (float(sli), float(left(sli, target))) == (found.sli, found.remaining)


@settings(max_examples=60, deadline=None)
@given(**SLICES)
def test_ratio_timeslices(events: list[Event], blind: set[int], out: list[Out], slice_s: int, target: float) -> None:
    adjustments = [Adjustment(start_s=a, end_s=b, excluded_percent=p) for a, b, p in out]
    found = ratio_timeslices(slices(counted(events, blind), 0, SPAN_S, slice_s, adjustments), target)
    judged = [part for part in cut(events, blind, out, slice_s) if part.n and not part.blind]

    if not judged:
        assert (None, None, None) == (found.sli, found.remaining, found.sli_by_requests)
    else:
        weight = sum((part.weight for part in judged), Fraction(0))
        sli = sum((part.weight * part.good / part.n for part in judged), Fraction(0)) / weight
        by_requests = sum(part.good for part in judged) / sum(part.n for part in judged)
        # A mean of ratios rounds once for each slice.
        assert found.sli == pytest.approx(float(sli), rel=1e-14)
        assert found.remaining == pytest.approx(float(left(sli, target)), abs=1e-9)
        assert float(by_requests) == found.sli_by_requests


@settings(deadline=None)
@given(parts=st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 10)), min_size=1, max_size=5), target=TARGETS)
def test_composite(parts: list[tuple[float | None, float]], target: float) -> None:
    found = composite(parts, target)
    weight = sum((Fraction(w) for _, w in parts), Fraction(0))
    sli = sum((Fraction(sli or 0.0) * Fraction(w) for sli, w in parts), Fraction(0)) / weight

    assert found.sli == pytest.approx(float(sli), rel=1e-14)
    assert found.remaining == pytest.approx(float(left(sli, target)), abs=1e-9)


@settings(deadline=None)
@given(bad=st.integers(0, 1_000), expected=st.integers(1_000, 10**7), target=TARGETS)
def test_projected_remaining(bad: int, expected: int, target: float) -> None:
    assert float(left(1 - Fraction(bad, expected), target)) == projected_remaining(bad, target, expected)


RULES = sorted(
    {
        rule
        for catalogue in CATALOGUES.values()
        for days in (7, 28, 30, 90)
        for rule in burn_rules(catalogue, days * DAY_S).kept
    },
    key=lambda rule: (rule.burn, rule.long_s, rule.severity),
)


@settings(deadline=None)
@given(
    rule=st.sampled_from(RULES),
    target=TARGETS,
    rates=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    recent=st.lists(event(AT_S - 600, AT_S), max_size=20),
    old=st.lists(event(AT_S - 5 * DAY_S, AT_S), max_size=20),
)
def test_every_burn_window(
    rule: BurnRule, target: float, rates: tuple[int, int], recent: list[Event], old: list[Event]
) -> None:
    # Beside events anywhere, some close to the windows' edges, where a wrong bound shows.
    edges = [
        Event(AT_S - window + shift, good)
        for window, count in zip((rule.long_s, rule.short_s), rates, strict=True)
        for shift, good in ((-1, False), (0, False), (1, True))[: count % 4]
    ]
    events = [*recent, *old, *edges, *(Event(AT_S + 1, False) for _ in range(rates[0]))]
    buckets = counted(events)
    long, short = (in_window(buckets, AT_S, window) for window in (rule.long_s, rule.short_s))
    found = read(rule, target, long, short)
    burns: list[Fraction] = []
    for window in (rule.long_s, rule.short_s):
        inside = [one for one in events if AT_S - window <= one.at_s < AT_S]
        bad = sum(not one.good for one in inside)
        burns.append(Fraction(bad, len(inside)) / (1 - decimal(target)) if inside else Fraction(0))
    level = decimal(rule.burn)
    above, near = min(burns) > level, min(burns) > level * Fraction(9, 10)

    assert [float(burn) for burn in burns] == [found.burn_long, found.burn_short]
    assert burn_rate(long, target) == found.burn_long
    assert (Standing.ABOVE if above else Standing.NEAR if near else Standing.BELOW) is found.standing
