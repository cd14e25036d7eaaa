"""Shows that fates follow from the seed alone, keep their share, and can be asked for."""

from random import Random

import pytest

from telemetry.testing.engine_fate import FAULT_RATIO, STALL_S, Fate, fate


def fates(seed: int, fault_ratio: float) -> list[Fate]:
    random = Random(seed)  # noqa: S311 a simulation, not a secret
    return [fate(random, fault_ratio) for _ in range(400)]


def test_equal_seeds_give_equal_fates_and_others_do_not() -> None:
    assert fates(1, 0.5) == fates(1, 0.5)
    assert fates(1, 0.5) != fates(2, 0.5)


def test_faults_come_at_the_asked_ratio() -> None:
    assert {Fate.OK} == set(fates(4, 0.0))
    assert Fate.OK not in fates(4, 1.0)
    # Seed 5: a binomial of 400 draws at 0.25 lies outside 60..140 once in 10 000 seeds.
    assert 60 < sum(one is not Fate.OK for one in fates(5, 0.25)) < 140


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("stall", Fate.STALL), ("503", Fate.BUSY), ("ok", Fate.OK), ("nonsense", Fate.BAD_REQUEST)],
)
def test_a_request_may_ask_for_its_fate(wanted: str, expected: Fate) -> None:
    assert expected is fate(Random(1), 1.0, wanted)  # noqa: S311


def test_a_stall_is_one_by_definition() -> None:
    assert STALL_S > 1.0  # spec/measurement.md 6
    assert 0 < FAULT_RATIO < 1
