"""Tests of slo.window_sums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.buckets import Bucket, in_window
from slo.counts import Counts
from slo.errors import CountsError
from slo.window_sums import WindowSums

WINDOWS_S = (60, 300, 90)

puts = st.tuples(st.integers(0, 14), st.integers(0, 9), st.floats(0, 1)).map(lambda p: (p[0], p[1], int(p[1] * p[2])))


@given(st.lists(st.lists(puts, max_size=4), max_size=25))
def test_every_window_is_the_sum_of_its_buckets_whatever_was_put_and_corrected(
    history: list[list[tuple[int, int, int]]],
) -> None:
    """Against the plain sum over all buckets, at every instant, with revisions up to seven minutes late."""
    sums = WindowSums(WINDOWS_S, 3_000)
    buckets: dict[int, Bucket] = {}
    for step in history:
        sums.advance()
        for back, eligible, bad in step:
            start_s = sums.at_s - 30 * (back + 1)
            buckets[start_s] = Bucket(start_s=start_s, counts=Counts(eligible=eligible, bad=bad))
            if back < 10:
                sums.put(start_s, eligible, bad)
            else:  # left out, for no window holds it
                sums.put(start_s, eligible, bad)
                del buckets[start_s]
        expected = {window_s: in_window(buckets.values(), sums.at_s, window_s) for window_s in WINDOWS_S}

        assert expected == sums.counts()
        assert [b for _, b in sorted(buckets.items()) if sums.at_s - b.start_s <= 120 and b.counts.eligible] == (
            sums.recent(120)
        )


def test_a_bucket_that_has_not_ended_is_left_out() -> None:
    sums = WindowSums(WINDOWS_S, 3_000)
    sums.put(3_000, 5, 5)
    sums.put(3_000 - 330, 5, 5)

    assert sums.counts() == dict.fromkeys(WINDOWS_S, Counts())
    assert sums.recent(10_000) == []


def test_sums_stand_where_their_window_does() -> None:
    sums = WindowSums(WINDOWS_S, 3_000)
    sums.put(2_910, 4, 1)

    assert (sums.eligible[sums.place(90)], sums.bad[sums.place(90)]) == (4, 1)
    assert sums.eligible[sums.place(60)] == 0


def test_counts_that_cannot_be_are_told() -> None:
    sums = WindowSums(WINDOWS_S, 3_000)
    sums.put(2_970, 4, 5)

    with pytest.raises(CountsError):
        sums.counts()
