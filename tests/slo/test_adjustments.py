"""Times that count less: which objectives they are of, when they hold, and what they keep back."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.adjustments import (
    AHEAD_S_MAX,
    ALL_PERCENT,
    BACK_S_MAX,
    SPAN_S_MAX,
    Agreed,
    check,
    last_state,
    muting,
    segments,
    selects,
    spans,
)
from slo.buckets import Adjustment, Bucket, adjusted
from slo.counts import Counts
from slo.errors import ObjectiveError
from slo.recurrence import REPEATED_S_MAX, repeat
from slo.silence import MATCHERS_MAX, Matcher, MatchOp

DAY_S = 86_400
START_S = 1_790_000_010
CHAT = Matcher(name="slo", op=MatchOp.EQUAL, value="chat")
ONCE = Agreed(
    id="a", matchers=(CHAT,), start_s=START_S, end_s=START_S + 600, reason="repair", author="ann", made_at_s=START_S
)
DAILY = replace(ONCE, repeat=repeat("FREQ=DAILY"))
ANY = Matcher(name="slo", op=MatchOp.MATCHES, value=".*")


def held(of: Agreed, since_s: int, until_s: int) -> list[tuple[int, int]]:
    return [(one.start_s - START_S, one.end_s - START_S) for one in spans(of, since_s, until_s)]


BOUNDS = [
    pytest.param({"end_s": START_S + SPAN_S_MAX}, {"end_s": START_S + SPAN_S_MAX + 1}, "end", id="as long as a month"),
    pytest.param({"end_s": START_S + 1}, {"end_s": START_S}, "end", id="a second"),
    pytest.param(
        {"made_at_s": START_S + BACK_S_MAX}, {"made_at_s": START_S + BACK_S_MAX + 1}, "start", id="as old as counts"
    ),
    pytest.param(
        {"made_at_s": START_S - AHEAD_S_MAX}, {"made_at_s": START_S - AHEAD_S_MAX - 1}, "start", id="in a year"
    ),
    pytest.param({"excluded_percent": 1}, {"excluded_percent": 0}, "percent_excluded", id="a part"),
    pytest.param({"excluded_percent": 100}, {"excluded_percent": 101}, "percent_excluded", id="everything"),
    pytest.param({"author": "x"}, {"author": " "}, "author", id="somebody"),
    pytest.param({"reason": "x"}, {"reason": " "}, "reason", id="a reason"),
    pytest.param({"matchers": (CHAT, ANY)}, {"matchers": (ANY,)}, "selector", id="narrow"),
    pytest.param({"matchers": (CHAT,) * MATCHERS_MAX}, {"matchers": ()}, "selector", id="matchers"),
]


@pytest.mark.parametrize(("good", "bad", "key"), BOUNDS)
def test_what_is_too_long_too_far_too_wide_or_unexplained_is_refused(
    good: dict[str, object], bad: dict[str, object], key: str
) -> None:
    check(replace(ONCE, **good))  # type: ignore[arg-type]  # fields of the record
    with pytest.raises(ObjectiveError) as refused:
        check(replace(ONCE, **bad))  # type: ignore[arg-type]  # fields of the record

    assert refused.value.key == key


def test_objectives_and_groups_are_chosen_by_their_labels() -> None:
    both = replace(ONCE, matchers=(CHAT, Matcher(name="region", op=MatchOp.MATCHES, value="eu-.*")))

    assert selects(both, {"slo": "chat", "region": "eu-1"})
    assert not selects(both, {"slo": "chat", "region": "us-1"})
    assert not selects(both, {"slo": "other", "region": "eu-1"})


def test_an_occurrence_is_cut_to_the_time_that_is_asked_for() -> None:
    assert held(ONCE, START_S, START_S + 600) == [(0, 600)]
    assert held(ONCE, START_S + 599, START_S + 900) == [(599, 600)]
    assert held(ONCE, START_S - 900, START_S + 1) == [(0, 1)]
    assert held(ONCE, START_S + 600, START_S + 900) == held(ONCE, START_S - 9, START_S) == []
    assert held(DAILY, START_S + 300, START_S + DAY_S + 60) == [(300, 600), (DAY_S, DAY_S + 60)]
    assert held(replace(DAILY, excluded_percent=0), START_S, START_S + DAY_S) == [], "it was withdrawn"


def test_it_is_over_when_its_last_occurrence_is() -> None:
    until = replace(DAILY, repeat=replace(repeat("FREQ=DAILY"), until_s=START_S + DAY_S))

    assert ONCE.over_s == START_S + 600
    assert DAILY.over_s == START_S + REPEATED_S_MAX + 600
    assert until.over_s == START_S + DAY_S + 600


def test_it_is_retroactive_if_it_had_begun() -> None:
    assert not ONCE.is_retroactive
    assert replace(ONCE, made_at_s=START_S + 1).is_retroactive


def test_a_planned_time_that_takes_out_everything_keeps_notices_back_while_it_lasts() -> None:
    late = replace(ONCE, id="late", made_at_s=START_S + 1)
    part = replace(ONCE, id="part", excluded_percent=99)
    again = replace(DAILY, id="again", made_at_s=START_S + 1)
    every = (ONCE, late, part, again)

    assert [one.id for one in muting(every, START_S + 300)] == ["a"]
    assert [one.id for one in muting(every, START_S + DAY_S + 300)] == ["again"], "its second occurrence was planned"
    assert [*muting(every, START_S - 1), *muting(every, START_S + 600)] == []
    (quiet,) = muting([ONCE], START_S)
    assert (quiet.matchers, quiet.starts_at_s <= START_S < quiet.ends_at_s) == ((CHAT,), True)


def test_what_was_withdrawn_stays_so_whatever_comes_later() -> None:
    gone = replace(ONCE, excluded_percent=0)

    assert last_state([ONCE, gone]) == last_state([gone, ONCE]) == gone


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 200), st.integers(1, ALL_PERCENT)), max_size=6),
    st.lists(st.integers(0, 9), min_size=1, max_size=20),
)
def test_segments_take_out_what_the_spans_do(out: list[tuple[int, int, int]], bad: list[int]) -> None:
    buckets = [Bucket(start_s=30 * n, counts=Counts(eligible=9, bad=of)) for n, of in enumerate(bad)]
    given_spans = [Adjustment(start_s=at, end_s=at + length, excluded_percent=p) for at, length, p in out]
    found = segments(given_spans)

    as_spans = [Adjustment(start_s=first, end_s=last, excluded_percent=percent) for first, last, percent in found]
    assert adjusted(buckets, as_spans) == adjusted(buckets, given_spans)
    assert all(first < last and not first % 30 and not last % 30 for first, last, _ in found)
    assert all(one[1] <= after[0] for one, after in itertools.pairwise(found))
    assert all(one[1:] != (after[0], after[2]) for one, after in itertools.pairwise(found)), "joined"
