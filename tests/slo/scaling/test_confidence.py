"""How far a hint may be trusted (spec/scaling.md 3)."""

import pytest

from slo.scaling.codes import Level
from slo.scaling.confidence import (
    FORECASTS_MAX,
    TTL_S,
    Baseline,
    Trust,
    agreement,
    baseline,
    calibration,
    freshness,
    trust,
)

GOOD = Baseline(age_days=3, same_config=True)


@pytest.mark.parametrize(("age_s", "expected"), [(0, 1), (30, 1), (45, 0.5), (TTL_S, 0), (61, 0), (None, 0)])
def test_freshness_falls_to_nothing(age_s: float | None, expected: float) -> None:
    assert expected == freshness(age_s)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(GOOD, 1.0, id="young"),
        pytest.param(Baseline(age_days=30, same_config=True), 0.8, id="a month old"),
        pytest.param(Baseline(age_days=90, same_config=True), 0.8, id="three months old"),
        pytest.param(Baseline(age_days=91, same_config=True), 0.5, id="older"),
        pytest.param(Baseline(age_days=3, same_config=False), 0.5, id="of another configuration"),
        pytest.param(Baseline(age_days=3, same_config=True, measured=False), 0.8, id="calculated"),
        pytest.param(None, 0.5, id="none"),
    ],
)
def test_the_load_test(of: Baseline | None, expected: float) -> None:
    assert expected == baseline(of)


@pytest.mark.parametrize(
    ("held", "n", "expected"), [(19, 19, 0.8), (19, 20, 1.0), (94, FORECASTS_MAX, 0.94 / 0.95), (10, 100, 0.5)]
)
def test_calibration(held: int, n: int, expected: float) -> None:
    assert expected == pytest.approx(calibration(held, n))


@pytest.mark.parametrize(
    ("model", "felt", "expected"), [(1, 1, 1), (1, 0, 1), (-1, 0, 1), (1, -1, 0.6), (None, 1, 0.8), (1, None, 0.8)]
)
def test_agreement(model: int | None, felt: int | None, expected: float) -> None:
    assert expected == agreement(model, felt)


def test_the_example_of_the_specification() -> None:
    found = trust(4.0, 1.0, GOOD, (94, 100), (1, 0))

    assert ("0.99", Level.HIGH) == (f"{found.score:.2f}", found.level)
    assert ("observed 4 s before the instant", "load test 3 d old", "calibrated 94/100") == found.why


def test_trust_lasts_as_long_as_the_time_to_live() -> None:
    # Half of the way from 30 s to 120 s.
    assert (0.0, 0.5) == tuple(
        pytest.approx(trust(75.0, 1.0, GOOD, (94, 100), (1, 0), ttl_s).score, abs=0.01) for ttl_s in (60.0, 120.0)
    )


def test_what_weakens_a_hint_is_named() -> None:
    found = trust(None, 0.6, Baseline(age_days=3, same_config=False, measured=False), (0, 0), (1, -1))

    assert 0.0 == found.score
    assert found.why == (
        "nothing seen",
        "60% of replicas seen",
        "calculated from a load test 3 d old of another configuration",
        "calibrated 0/0",
        "signals disagree",
    )
    assert ("no load test", "one signal only") == (
        trust(0, 1, None, (0, 0), (1, 0)).why[1],
        trust(0, 1, None, (0, 0), (None, 0)).why[3],
    )


@pytest.mark.parametrize(
    ("score", "expected"), [(0.8, Level.HIGH), (0.79, Level.MEDIUM), (0.5, Level.MEDIUM), (0.49, Level.LOW)]
)
def test_levels(score: float, expected: Level) -> None:
    assert expected is Trust(score=score, why=()).level
