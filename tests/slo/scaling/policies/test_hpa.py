"""A HorizontalPodAutoscaler, by hand-worked cases."""

from typing import Any

import pytest
from scaling_rig import T0, as_policy, observed, replica

from slo.scaling.policies.hpa import (
    GPU_75,
    RUNNING_16,
    WAITING_1,
    WAITING_5,
    WAITING_75,
    Hpa,
    Kind,
    Metric,
    by_average,
    by_pods,
    proposal,
)
from slo.scaling.policies.signals import RUNNING
from telemetry.scaling import Observation


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        pytest.param(100, 7, id="spec 7: ratio 1.25"),
        pytest.param(84, 5, id="spec 7: ratio 1.05 is within the tolerance"),
        pytest.param(88, 6, id="1.1 is above the tolerance, as floats have it"),
        pytest.param(70, 5, id="0.875 rounds up to what there is"),
        pytest.param(0, 0, id="nothing"),
    ],
)
def test_an_external_average_of_16_on_five(total: float, expected: int) -> None:
    assert expected == by_average(total, 16, 5)


@pytest.mark.parametrize(
    ("values", "pending", "expected"),
    [
        pytest.param([20, 20, 20, 20, 20], 0, 7, id="1.25 on five"),
        pytest.param([17, 17, 17, 17, 17], 0, 5, id="1.06 stays"),
        pytest.param([20, 20, 20, 20, None], 0, 5, id="the silent one counts as 0: 80 of 80"),
        pytest.param([40, 40, 40, 40, None], 0, 10, id="2.5, and 160 of 80 with a silent one"),
        pytest.param([4, 4, 4, 4, None], 0, 2, id="0.25, and 32 of 80 with the silent one at its target"),
        pytest.param([20, 20, 20], 2, 5, id="those that are not ready count as 0: 60 of 80 would turn, so it stays"),
        pytest.param([40, 40, 40], 2, 8, id="120 of 80"),
        pytest.param([10, 10, 10], 2, 2, id="downward those that are not ready do not count"),
        pytest.param([None, None], 0, None, id="nobody reported"),
    ],
)
def test_an_average_of_pods_of_16(values: list[float | None], pending: int, expected: int | None) -> None:
    assert expected == by_pods(values, pending, 16, 5)


def test_fewer_pods_that_report_never_turn_the_direction() -> None:
    # Two of six report 20: with four at 0 the ratio is 0.42. And one of six reports 1: five at 16 give 0.84 of 6.
    assert 6 == by_pods([20, 20, None, None, None, None], 0, 16, 6)
    assert 6 == by_pods([1, None, None, None, None, None], 0, 16, 6)
    # More replicas asked for than exist: 1.5 of three is 5, fewer than eight.
    assert 8 == by_pods([30, 30, None], 0, 16, 8)


def each(at_s: float = T0, **values: Any) -> Observation:  # noqa: ANN401 - whatever field a test changes
    return observed(at_s, spec=5, each=values)


def test_the_settings_of_the_field() -> None:
    seen = each(running=20, waiting=3, gpu_util_ratio=0.9)

    assert [7, 15, 3, 1, 6] == [
        proposal(metric, seen) for metric in (RUNNING_16, WAITING_1, WAITING_5, WAITING_75, GPU_75)
    ]
    assert 7 == proposal(Metric(signal=RUNNING, target=16, kind=Kind.PODS), seen)


def test_the_largest_of_several_decides() -> None:
    hpa = as_policy(Hpa([RUNNING_16, WAITING_75], 1, 20))

    assert (15.0, 7) == (hpa.tick_s, hpa.decide(each(running=20)))


def test_a_missing_metric_takes_nothing_away_and_lets_others_add() -> None:
    lost: dict[str, Any] = {"gpu_util_ratio": None}

    assert 5 == Hpa([WAITING_75, GPU_75], 1, 20).decide(each(**lost))
    assert 7 == Hpa([RUNNING_16, GPU_75], 1, 20).decide(each(running=20, **lost))
    assert 5 == Hpa([GPU_75], 1, 20).decide(each(**lost))


def test_it_is_disabled_at_0_and_keeps_its_bounds() -> None:
    assert 0 == Hpa([RUNNING_16], 1, 20).decide(observed(spec=0))
    assert 6 == Hpa([RUNNING_16], 1, 6).decide(each(running=20))


def test_down_after_five_minutes() -> None:
    hpa, spec, found = Hpa([RUNNING_16], 1, 20), 5, list[int]()
    for at_s in range(0, 330, 15):
        spec = hpa.decide(observed(T0 + at_s, spec=spec, replicas=tuple(replica(n, running=4) for n in range(spec))))
        found.append(spec)

    assert [5] * 20 == found[:20]
    assert 2 == found[20], "20 running need two of 16"
