"""Ray Serve's policy, by hand-worked cases."""

from scaling_rig import T0, as_policy, observed

from slo.scaling.policies.ray_serve import RayServe, by_ongoing
from telemetry.scaling import Observation


def test_thirteen_ongoing_at_two_each_are_seven() -> None:
    assert 7 == by_ongoing(13, 2)


def ongoing(at_s: float, spec: int, each: int | None, held: int | None = 0) -> Observation:
    return observed(T0 + at_s, spec=spec, held=held, each={"running": each})


def followed(policy: RayServe, spec: int, each: int, until_s: int) -> list[int]:
    """Obey it every 10 s."""
    found: list[int] = []
    for at_s in range(0, until_s, 10):
        spec = policy.decide(ongoing(at_s, spec, each))
        found.append(spec)
    return found


def test_up_after_30_s_without_a_break() -> None:
    # 10 s loops: more than three in a row, so the fourth.
    assert [4, 4, 4, 8] == followed(RayServe(1, 100, loop_s=10), 4, 4, 40)


def test_down_after_600_s_without_a_break() -> None:
    found = followed(RayServe(1, 100, loop_s=10), 4, 1, 610)

    assert [4] * 60 == found[:60]
    assert 2 == found[60]


def test_a_break_begins_anew() -> None:
    policy = RayServe(1, 100, loop_s=10)
    looks = [ongoing(0, 4, 4), ongoing(10, 4, 4), ongoing(50, 4, 2), ongoing(90, 4, 4), ongoing(100, 4, 4)]

    assert [4] * 5 == [policy.decide(look) for look in looks]


def test_the_last_one_alone_goes_to_0() -> None:
    policy = RayServe(0, 100, loop_s=600)

    assert [2, 1] == [policy.decide(ongoing(at_s, 2, 0)) for at_s in (0, 600)]
    assert [1, 0] == [policy.decide(ongoing(at_s, 1, 0)) for at_s in (1_200, 1_800)]


def test_from_0_the_first_request_wakes_one() -> None:
    assert [0, 1] == [RayServe(0, 9).decide(ongoing(0, 0, None, held)) for held in (0, 3)]


def test_bounds_and_missing_data() -> None:
    assert 4 == RayServe(1, 9).decide(ongoing(0, 4, None, held=None))
    assert [4, 9] == [RayServe(1, 9, loop_s=31).decide(ongoing(0, 4, each)) for each in (2, 90)]
    policy = as_policy(RayServe(1, 9))
    assert 0.1 == policy.tick_s
