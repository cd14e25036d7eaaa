"""KEDA, by hand-worked cases."""

from typing import Any

import pytest
from scaling_rig import T0, as_policy, observed

from slo.scaling.policies.hpa import GPU_75, RUNNING_16, WAITING_5
from slo.scaling.policies.keda import Fallback, FallbackBehavior, Keda, Trigger
from telemetry.scaling import Observation

LOST: dict[str, Any] = {"running": None}


def each(at_s: float = 0, spec: int = 5, **values: Any) -> Observation:  # noqa: ANN401 - whatever field a test changes
    return observed(T0 + at_s, spec=spec, each=values)


def test_between_one_and_the_most_its_autoscaler_decides() -> None:
    keda = as_policy(Keda([Trigger(metric=RUNNING_16)], 1, 20))

    assert (15.0, 7) == (keda.tick_s, keda.decide(each(running=20)))


def test_a_value_of_0_is_not_active() -> None:
    # scaling.md 7: value 0.0, activation 0
    keda = Keda([Trigger(metric=RUNNING_16)], 0, 20)

    assert [0, 0] == [keda.decide(observed(T0, spec=0)), keda.decide(each(30, running=0))]


def test_it_goes_to_0_five_minutes_after_the_last_activity_and_not_before() -> None:
    keda = Keda([Trigger(metric=WAITING_5)], 0, 20)
    found = [keda.decide(each(at_s, spec=1, waiting=int(at_s == 0))) for at_s in range(0, 345, 15)]

    assert [1] * 22 == found[:22]
    assert 0 == found[22], "at 330 s, more than 300 s after 0 s"


def test_above_its_activation_it_wakes_one_or_the_minimum() -> None:
    """The replicas of an empty target report nothing: only another source of the metric can wake it."""
    held = Trigger(metric=RUNNING_16, activation=-1.0)

    assert 1 == Keda([held], 0, 20).decide(observed(spec=0))
    assert 3 == Keda([held], 3, 20).decide(observed(spec=0))


def test_below_its_minimum_it_sets_that() -> None:
    assert 4 == Keda([Trigger(metric=RUNNING_16)], 4, 20).decide(each(spec=2, running=0))


def test_it_looks_every_other_time_for_itself() -> None:
    keda = Keda([Trigger(metric=WAITING_5)], 0, 20)

    assert [0, 1, 0] == [keda.decide(each(at_s, spec=1, waiting=0)) for at_s in (0, 15, 30)]


def test_no_data_is_0_unless_told_otherwise() -> None:
    # keda#3065: at the peak, with Prometheus down, to the minimum once its window has passed.
    trusting = Keda([Trigger(metric=RUNNING_16)], 2, 20)
    careful = Keda([Trigger(metric=RUNNING_16, ignore_null_values=False)], 2, 20)
    for at_s in range(0, 300, 15):
        assert [5, 5] == [keda.decide(each(at_s, **LOST)) for keda in (trusting, careful)]

    assert [2, 5] == [keda.decide(each(300, **LOST)) for keda in (trusting, careful)]


@pytest.mark.parametrize(
    ("behavior", "replicas", "expected"),
    [
        pytest.param(FallbackBehavior.STATIC, 9, 9, id="so many"),
        pytest.param(FallbackBehavior.CURRENT, 9, 5, id="as many as there are"),
        pytest.param(FallbackBehavior.IF_HIGHER, 3, 5, id="as many as there are, if more"),
        pytest.param(FallbackBehavior.IF_LOWER, 9, 5, id="as many as there are, if fewer"),
    ],
)
def test_after_more_failures_than_its_threshold_the_fallback_stands_in(
    behavior: FallbackBehavior, replicas: int, expected: int
) -> None:
    fallback = Fallback(failure_threshold=3, replicas=replicas, behavior=behavior)
    keda = Keda([Trigger(metric=RUNNING_16, ignore_null_values=False)], 2, 20, fallback)

    assert [5, 5, 5, expected] == [keda.decide(each(at_s, **LOST)) for at_s in (0, 15, 30, 45)]


def test_one_answer_forgets_the_failures() -> None:
    keda = Keda(
        [Trigger(metric=RUNNING_16, ignore_null_values=False)], 2, 20, Fallback(failure_threshold=1, replicas=9)
    )

    assert [5, 5, 5, 9] == [
        keda.decide(seen) for seen in (each(**LOST), each(15, running=16), each(30, **LOST), each(45, **LOST))
    ]


def test_the_fallback_of_a_target_below_1_is_none() -> None:
    keda = Keda([Trigger(metric=GPU_75, ignore_null_values=False)], 2, 20, Fallback(failure_threshold=0, replicas=9))
    lost: dict[str, Any] = {"gpu_util_ratio": None}
    found = [keda.decide(each(at_s, **lost)) for at_s in (0, 300)]

    assert [5, 2] == found, "int(0.75) * 9 is 0"
