"""The seed's rules, by the cases of spec/scaling.md 7."""

from typing import Any

from scaling_rig import T0, as_policy, observed

from slo.scaling.policies.seed import SeedPolicy
from slo.scaling.schedule import schedule
from telemetry.scaling import Observation


def each(at_s: float = 0, spec: int = 4, **values: Any) -> Observation:  # noqa: ANN401 - whatever field a test changes
    return observed(T0 + at_s, spec=spec, each=values)


def test_76_waiting_ask_for_one_more() -> None:
    assert [5, 5, 4] == [SeedPolicy(1, 9).decide(each(waiting=waiting)) for waiting in (76, 75, 74)]


def test_busy_gpus_ask_at_each_tick_until_they_are_below_65() -> None:
    policy = as_policy(SeedPolicy(1, 9))
    gpus = (0.74, 0.76, 0.70, 0.65, 0.64, 0.70)

    assert [4, 5, 5, 5, 4, 4] == [policy.decide(each(15 * n, gpu_util_ratio=gpu)) for n, gpu in enumerate(gpus)]
    assert 15.0 == policy.tick_s


def test_one_less_after_five_minutes_below_a_half() -> None:
    policy = SeedPolicy(1, 9)

    assert [4, 4, 3, 4, 3] == [policy.decide(each(at_s, gpu_util_ratio=0.4)) for at_s in (0, 285, 300, 315, 600)]


def test_a_schedule_asks_a_quarter_of_an_hour_ahead() -> None:
    noon = schedule("peak", "25 10 * * *", "UTC", 600, replicas_min=7)

    assert [4, 7] == [SeedPolicy(1, 9, [noon]).decide(each(at_s)) for at_s in (-1, 0)]


def test_bounds_and_missing_data() -> None:
    policy = SeedPolicy(1, 4)

    assert [4, 4, 4] == [
        policy.decide(each(n, gpu_util_ratio=gpu, waiting=None)) for n, gpu in enumerate((0.8, None, 0.9))
    ]
    assert 5 == SeedPolicy(5, 9).decide(each())
