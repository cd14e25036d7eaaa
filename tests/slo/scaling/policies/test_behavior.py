"""How an autoscaler holds back: hand-worked, 15 s apart."""

from collections.abc import Sequence

from slo.scaling.policies.behavior import DEFAULT_BEHAVIOR, Behavior, Brake, Rate, RateKind, Rules


def settled(brake: Brake, begin: int, wishes: Sequence[tuple[float, int]], low: int = 1, high: int = 100) -> list[int]:
    found: list[int] = []
    replicas = begin
    for at_s, wish in wishes:
        replicas = brake.settle(at_s, replicas, wish, low, high)
        found.append(replicas)
    return found


def test_it_goes_up_at_once_by_as_many_again_or_four() -> None:
    assert [6, 12, 20] == settled(Brake(), 2, [(0, 20), (15, 20), (30, 20)])


def test_it_goes_down_to_the_highest_of_five_minutes() -> None:
    wishes = [(0, 8), (15, 3), (285, 5), (300, 3), (585, 3), (600, 3)]

    assert [8, 8, 8, 5, 3, 3] == settled(Brake(), 8, wishes)


def test_the_number_found_at_first_is_a_recommendation() -> None:
    assert [8, 2] == settled(Brake(), 8, [(0, 2), (300, 2)])


def test_bounds_hold() -> None:
    assert [10] == settled(Brake(), 8, [(0, 20)], high=10)
    assert [8, 4] == settled(Brake(), 8, [(0, 1), (300, 1)], low=4)


SLOW = Behavior(
    up=Rules(window_s=30, rates=(Rate(kind=RateKind.PODS, value=4, period_s=60),)),
    down=Rules(window_s=0, rates=(Rate(kind=RateKind.PODS, value=1, period_s=120),)),
)


def test_an_up_window_takes_the_lowest() -> None:
    assert [4, 4, 6, 8] == settled(Brake(SLOW), 4, [(0, 8), (15, 6), (30, 9), (45, 9)])


def test_rates_count_what_the_period_already_did() -> None:
    at_once = Behavior(up=Rules(window_s=0, rates=SLOW.up.rates), down=SLOW.down)
    wishes = [(0, 6), (30, 20), (45, 20), (60, 20), (90, 20)]

    # Four in 60 s: two are left after 6, none after 8, and two again when the first two are a minute old.
    assert [6, 8, 8, 10, 12] == settled(Brake(at_once), 4, wishes)


def test_one_less_in_two_minutes() -> None:
    assert [5, 5, 4] == settled(Brake(SLOW), 6, [(0, 1), (119, 1), (120, 1)])


def test_a_share_downward_is_cut() -> None:
    half = Behavior(
        up=DEFAULT_BEHAVIOR.up, down=Rules(window_s=0, rates=(Rate(kind=RateKind.PERCENT, value=50, period_s=60),))
    )

    assert [2, 2] == settled(Brake(half), 5, [(0, 1), (30, 1)])


def test_nothing_changes() -> None:
    assert [4] == settled(Brake(), 4, [(0, 4)])
