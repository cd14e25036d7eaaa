"""Says which policies of a replay are worth their GPUs."""

from dataclasses import replace

import pytest

from inferometer.hints_backtest_rank import SEEDS_MIN, better, proven_better, ranked, spread, winner
from loadtest.fleet.score import Score

ONE = Score(
    attainment_ratio=0.99,
    gpu_h=10.0,
    good=1_000,
    tokens_good=100_000,
    goodput_rps=1.0,
    miss_minutes=2,
    queue_max_s=3.0,
    reversals_per_h=1.0,
    recovery_s=60.0,
    lost_in_drain=1,
    replicas_mean=2.5,
    hours=1.0,
)


def runs(*pairs: tuple[float, float]) -> list[Score]:
    return [replace(ONE, attainment_ratio=attainment, gpu_h=gpu_h) for attainment, gpu_h in pairs]


@pytest.mark.parametrize(
    ("one", "other", "by_means", "proven"),
    [
        pytest.param([(0.99, 10)] * 3, [(0.98, 12)] * 3, True, True, id="on both axes"),
        pytest.param([(0.99, 10)] * 3, [(0.99, 12)] * 3, True, True, id="on one, equal on the other"),
        pytest.param([(0.99, 10)] * 3, [(0.99, 10)] * 3, False, False, id="equal on both"),
        pytest.param([(0.99, 12)] * 3, [(0.98, 10)] * 3, False, False, id="dearer"),
        pytest.param([(0.99, 10)] * 2, [(0.98, 12)] * 2, True, False, id="two seeds prove nothing"),
        pytest.param([(0.99, 10), (0.99, 10), (0.99, 13)], [(0.98, 12)] * 3, True, False, id="one seed says no"),
    ],
)
def test_who_is_better(
    one: list[tuple[float, float]], other: list[tuple[float, float]], by_means: bool, proven: bool
) -> None:
    assert (by_means, proven) == (better(runs(*one), runs(*other)), proven_better(runs(*one), runs(*other)))


def test_a_mean_has_an_interval_from_three_values_on() -> None:
    assert (None, None) == (spread([1.0] * (SEEDS_MIN - 1)).low, spread([1.0] * (SEEDS_MIN - 1)).high)

    found = spread([1.0, 2.0, 3.0, 4.0])
    assert found.low is not None
    assert found.high is not None
    assert 1.0 <= found.low < found.mean == 2.5 < found.high <= 4.0
    assert found == spread([1.0, 2.0, 3.0, 4.0])


def test_policies_in_order_with_what_they_cost() -> None:
    among = ranked(
        {
            "ours": runs(*[(0.995, 10)] * 3),
            "hpa-gpu": runs(*[(0.99, 20)] * 3),
            "kpa": runs(*[(0.5, 5)] * 3),
            "oracle": runs(*[(1.0, 8)] * 3),
        },
        2.0,
    )

    assert ["oracle", "ours", "hpa-gpu", "kpa"] == [one.policy for one in among]
    ours, hpa = among[1], among[2]
    assert ((), ("ours",)) == (ours.dominated_by, hpa.dominated_by), "who knows the future does not count"
    assert (("hpa-gpu",), True, False) == (ours.dominates, ours.on_front, hpa.on_front)
    assert [1, 1, 2, 1] == [one.rank for one in among]
    assert (1.25, 100.0, 3, 200.0) == (
        ours.gpu_h_over_oracle,
        ours.good_per_gpu_h,
        ours.lost_in_drain,
        ours.usd_per_mtok,
    )
    assert (60.0, 3) == (ours.recovery_s, ours.seeds)


def test_who_is_beaten_by_the_second_is_third() -> None:
    pairs = {"a": (0.99, 10), "b": (0.98, 11), "c": (0.97, 12), "d": (0.5, 12), "e": (0.4, 1)}
    among = ranked({name: runs(pair) for name, pair in pairs.items()})

    assert {"a": 1, "b": 2, "c": 3, "d": 4, "e": 1} == {one.policy: one.rank for one in among}
    assert {1} == {one.rank for one in ranked({name: runs((0.9, 5)) for name in "abc"})}, "equals stand side by side"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(0.99, "ours", id="the cheapest that keeps it"),
        pytest.param(0.4, "kpa", id="a lower one"),
        pytest.param(0.999, "ours", id="nobody keeps it: the nearest"),
    ],
)
def test_who_wins(target: float, expected: str) -> None:
    among = ranked({"ours": runs((0.995, 10)), "hpa-gpu": runs((0.99, 20)), "kpa": runs((0.5, 5))})
    found = winner(among, target)

    assert expected == (None if found is None else found.policy)
    assert winner([], target) is None
    assert among[0].usd_per_mtok is None
    assert among[0].gpu_h_over_oracle is None
