"""What GPU utilisation says, and what it hides (spec/scaling.md 6.7, acceptance A8)."""

import pytest

from slo.scaling.gpu import Band, Busy, Contradiction, band, contradiction, seen, witnessed


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        (0.49, Band.OVER_PROVISIONED),
        (0.50, Band.LOW),
        (0.70, Band.HEALTHY),
        (0.90, Band.TIGHT),
        (0.95, Band.TIGHT),
        (0.96, Band.OVER_SUBSCRIBED),
    ],
)
def test_bands(gpu: float, expected: Band) -> None:
    assert expected is band(gpu)


@pytest.mark.parametrize(
    ("gpu", "rho", "expected"),
    [
        pytest.param(0.95, 0.3, Contradiction.PINNED, id="busy and idle: A8"),
        pytest.param(0.60, 0.9, Contradiction.HIDDEN_SATURATION, id="idle and full: A8"),
        pytest.param(0.80, 0.7, None, id="they agree"),
        pytest.param(0.95, 0.9, None, id="busy and full"),
        pytest.param(None, 0.9, None, id="utilisation unknown"),
        pytest.param(0.95, None, None, id="load unknown"),
    ],
)
def test_contradictions_have_names(gpu: float | None, rho: float | None, expected: Contradiction | None) -> None:
    assert expected is contradiction(gpu, rho)


def test_a_witness_is_the_load_or_the_cache() -> None:
    assert [True, True, False, False] == [
        witnessed(0.7, None),
        witnessed(0.1, 0.5),
        witnessed(0.69, 0.49),
        witnessed(None, None),
    ]


def targets(looks: list[tuple[float, float | None, bool, int]]) -> list[int | None]:
    busy, found = Busy(), list[int | None]()
    for at_s, gpu, witness, replicas in looks:
        busy = seen(busy, at_s, gpu, witness, replicas)
        found.append(busy.target)
    return found


def test_one_more_after_five_minutes_and_one_more_after_five_more() -> None:
    looks: list[tuple[float, float | None, bool, int]] = [
        (0, 0.8, True, 4),
        (285, 0.8, True, 4),
        (300, 0.8, True, 4),
        (585, 0.7, True, 5),
        (600, 0.7, True, 5),
        (900, 0.7, True, 5),
        (915, 0.64, True, 6),
    ]

    assert [None, None, 5, 5, 6, 6, None] == targets(looks), "a sixth that was not applied is asked for, not a seventh"


def test_without_a_witness_it_asks_for_nothing() -> None:
    assert [None, None, None] == targets([(0, 0.95, False, 4), (300, 0.95, False, 4), (900, 0.95, False, 4)])


def test_a_dip_begins_anew_and_a_gap_does_not() -> None:
    assert [None, None, None] == targets([(0, 0.8, True, 4), (150, 0.74, True, 4), (300, 0.8, True, 4)])
    assert [None, None, 5] == targets([(0, 0.8, True, 4), (150, None, True, 4), (300, 0.8, True, 4)])
