"""Knative's pod autoscaler, by hand-worked cases."""

from scaling_rig import T0, as_policy, observed

from slo.scaling.policies.kpa import Kpa
from telemetry.scaling import Observation


def holding(at_s: float, ready: int, total: float) -> Observation:
    """Return replicas that hold so many requests, the rest before them."""
    running = int(total // ready) if ready else 0
    return observed(T0 + at_s, spec=ready, held=int(total - running * ready), each={"running": running})


def test_a_surge_makes_it_panic() -> None:
    # scaling.md 7: r 4, target 10, stable 40, panic 120: 12 / 4 is above 2
    kpa = Kpa(1, 100, target=10)
    for at_s in range(0, 64, 2):  # it starts in panic; a calm minute ends that
        assert 4 == kpa.decide(holding(at_s, 4, 40))

    assert 5 == kpa.decide(holding(64, 4, 120)), "6 s give 66.7: 7 is not twice 4; 60 s give 42.7"
    assert 10 == kpa.decide(holding(66, 4, 120)), "93.3"
    assert 12 == kpa.decide(holding(68, 4, 120))


def test_in_panic_it_never_goes_down_until_a_minute_is_calm() -> None:
    kpa = Kpa(1, 100, target=10)
    kpa.decide(holding(0, 1, 10))
    assert 3 == kpa.decide(holding(6, 1, 30)), "30 / 10 is 3 and three times one"

    found = [kpa.decide(holding(at_s, 3, 10)) for at_s in range(8, 72, 2)]
    assert [3] * 30 == found[:30], "68 s: 60 s later, not more"
    assert 1 == found[31]


def test_with_more_than_one_it_starts_in_panic() -> None:
    kpa, lone = Kpa(1, 100, target=10), Kpa(1, 100, target=10)

    assert 4 == kpa.decide(holding(0, 4, 10))
    assert 1 == lone.decide(holding(0, 1, 1))


def test_it_halves_at_most() -> None:
    kpa = Kpa(1, 100, target=10)
    kpa.decide(holding(0, 8, 10))

    assert 4 == kpa.decide(holding(62, 8, 10))


def test_bounds_and_missing_data() -> None:
    assert 5 == Kpa(1, 5, target=1).decide(holding(0, 1, 50))
    assert 3 == Kpa(3, 5).decide(holding(0, 1, 1))
    assert 4 == Kpa(1, 5).decide(observed(spec=4, held=None, each={"running": None}))
    assert 0 == Kpa(0, 5).decide(observed(spec=0, held=0))


def test_requests_before_an_empty_target_wake_it() -> None:
    policy = as_policy(Kpa(0, 5, target=10))

    assert (2.0, 3) == (policy.tick_s, policy.decide(observed(spec=0, held=25)))
