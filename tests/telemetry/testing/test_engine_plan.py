"""Shows that plans follow from the seed alone and keep their bounds."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.testing.engine_plan import STALL_S, Fate, Plan, plan, stalled


def plans(seed: int, *, n: int = 400, fault_ratio: float = 0.0, speed: float = 1.0, tokens_out: int = 8) -> list[Plan]:
    random = Random(seed)  # noqa: S311 a simulation, not a secret
    return [plan(random, tokens_in=100, tokens_out=tokens_out, fault_ratio=fault_ratio, speed=speed) for _ in range(n)]


def test_equal_seeds_give_equal_plans_and_others_do_not() -> None:
    assert plans(1, fault_ratio=0.5) == plans(1, fault_ratio=0.5)
    assert plans(1) != plans(2)


@given(seed=st.integers(0, 2**32), tokens_out=st.integers(1, 50), speed=st.floats(0.1, 1000))
def test_every_token_has_its_time(seed: int, tokens_out: int, speed: float) -> None:
    [drawn] = plans(seed, n=1, tokens_out=tokens_out, speed=speed)

    assert tokens_out - 1 == len(drawn.gaps_s)
    assert drawn.prefill_s > 0
    assert all(gap_s > 0 for gap_s in drawn.gaps_s)
    assert drawn.decode_s == pytest.approx(sum(drawn.gaps_s))


def test_speed_divides_every_time() -> None:
    for slow, fast in zip(plans(3), plans(3, speed=4.0), strict=True):
        assert slow.prefill_s == pytest.approx(4 * fast.prefill_s)
        assert slow.decode_s == pytest.approx(4 * fast.decode_s)


def test_faults_come_at_the_asked_ratio() -> None:
    assert {Fate.OK} == {drawn.fate for drawn in plans(4)}
    assert Fate.OK not in {drawn.fate for drawn in plans(4, fault_ratio=1.0)}
    # Seed 5: a binomial of 400 draws at 0.25 lies outside 60..140 once in 10 000 seeds.
    assert 60 < sum(drawn.fate is not Fate.OK for drawn in plans(5, fault_ratio=0.25)) < 140


def test_some_answers_stall_once() -> None:
    longest = [max(drawn.gaps_s) for drawn in plans(6)]

    assert any(gap_s > STALL_S for gap_s in longest)
    assert sum(gap_s > STALL_S for gap_s in longest) < len(longest) / 10


def test_a_stall_that_was_asked_for_comes_before_the_last_token() -> None:
    [calm] = plans(7, n=1)
    [short] = plans(7, n=1, tokens_out=1)

    assert (*calm.gaps_s[:-1], STALL_S / 2) == stalled(calm, 2.0).gaps_s
    assert () == stalled(short, 2.0).gaps_s
    assert Fate.STALL is stalled(calm, 2.0).fate
