"""The population stability index: by hand, its laws, and what chance does."""

import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.stability import moved

MIXES = st.dictionaries(st.integers(0, 8), st.integers(0, 1_000), min_size=1, max_size=9)


def test_a_mix_by_hand() -> None:
    found = moved({1: 499_999, 2: 500_001}, {1: 250_000, 2: 750_000})

    assert found is not None
    # 0.25 ln 2 + (-0.25) ln(2/3)
    assert found.index == pytest.approx(0.25 * math.log(3), abs=1e-5)
    assert found.noise == pytest.approx(2e-6 * (1 + 3 * math.sqrt(2)))
    assert (1, 0.25, 0.499999) == (found.bucket, found.share_before, found.share_now)


def test_a_bucket_that_is_new_is_far_but_not_infinitely_far() -> None:
    found = moved({1: 50, 9: 50}, {1: 100})

    assert found is not None
    assert 2 < found.index < 4
    assert (9, 0.0, 0.5) == (found.bucket, found.share_before, found.share_now)


def test_nothing_seen_on_one_side_says_nothing() -> None:
    assert moved({}, {1: 5}) is None
    assert moved({1: 5}, {1: 0}) is None


@given(now=MIXES, before=MIXES)
def test_it_is_never_negative_and_nothing_for_equal_mixes(now: dict[int, int], before: dict[int, int]) -> None:
    found, same = moved(now, before), moved(now, now)

    assert found is None or found.index >= 0
    assert same is None or same.index == 0


@pytest.mark.parametrize(("n", "buckets"), [(30, 4), (30, 12), (100, 8), (1_000, 12)])
def test_chance_seldom_exceeds_the_noise(n: int, buckets: int) -> None:
    random = Random(n * buckets)  # noqa: S311 -- seeded
    shares = [0.6**k for k in range(buckets)]
    over, plain = 0, 0
    for _ in range(400):
        now, before = (Counter(random.choices(range(buckets), shares, k=size)) for size in (n, 7 * n))
        found = moved(now, before)
        assert found is not None
        over += found.index > found.noise
        plain += found.index > 0.25

    assert over <= 8, "at most 2 %, as the docstring says"
    assert n > 30 or buckets < 12 or plain > 40, "the plain limit is true by chance where few are seen"
