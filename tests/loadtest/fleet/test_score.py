"""Says what a run of a fleet is worth."""

import pytest
from engines import asks, fleet

from loadtest.fleet.outcome import Minute, Size
from loadtest.fleet.score import recovery_s, reversals, score
from loadtest.fleet.simulation import simulate


def sizes(*specs: int) -> list[Size]:
    return [Size(at_s=at, spec=spec, ready=spec, warming=0, draining=0) for at, spec in enumerate(specs)]


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        pytest.param((2, 3, 5), 0, id="up and up"),
        pytest.param((2, 3, 3, 2, 4), 2, id="up, down, up"),
        pytest.param((2,), 0, id="never"),
    ],
)
def test_changes_of_direction(specs: tuple[int, ...], expected: int) -> None:
    assert expected == reversals(sizes(*specs))


def minutes(*counts: tuple[int, int]) -> list[Minute]:
    return [Minute(at_s=60 * at, good=good, bad=bad) for at, (good, bad) in enumerate(counts)]


CALM, LATE = (20, 0), (20, 20)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param([CALM] * 12, None, id="no step"),
        pytest.param([CALM] * 5 + [(40, 0)] * 8, 0, id="a step without a miss"),
        pytest.param([CALM] * 5 + [LATE] * 3 + [(40, 0)] * 8, 180, id="three minutes of misses"),
        pytest.param([CALM] * 5 + [LATE] * 7, 420, id="never over: to the end"),
        pytest.param([(1, 0)] * 5 + [(3, 0)] * 5, None, id="too few for a step"),
        pytest.param([], None, id="nothing"),
    ],
)
def test_recovery_after_a_step(counts: list[tuple[int, int]], expected: float | None) -> None:
    assert expected == recovery_s(minutes(*counts), 0.99)


def test_a_run_is_scored() -> None:
    found = score(simulate(fleet(2), [asks(120, 1.0)], 1), 0.99, 4)

    assert (1.0, 120, 0, 0.0, None, 0) == (
        found.attainment_ratio,
        found.good,
        found.miss_minutes,
        found.reversals_per_h,
        found.recovery_s,
        found.lost_in_drain,
    )
    assert (2.0, found.hours * 8) == (pytest.approx(found.replicas_mean), pytest.approx(found.gpu_h))
    assert found.good_per_gpu_h == pytest.approx(120 / found.gpu_h)
    assert found.queue_max_s == pytest.approx(0.02)
