"""Says who gets a request."""

from itertools import cycle

import pytest
from engines import PLAIN, asks

from loadtest.fleet.balance import HOMES_MAX, Balance, balancer
from loadtest.fleet.replica import Replica
from loadtest.fleet.requests import Wish
from loadtest.random_streams import stream


def replicas(n: int) -> list[Replica]:
    return [Replica(PLAIN) for _ in range(n)]


def test_in_turn_from_batch_to_batch() -> None:
    three, rule = replicas(3), balancer(Balance.ROUND_ROBIN, stream(1, "x"))
    requests = asks(7, 1.0)

    rule.assign(requests[:2], three)
    rule.assign(requests[2:], three)

    assert [requests[0::3], requests[1::3], requests[2::3]] == [list(one.queue) for one in three]


def test_the_fewest_open_ones_win() -> None:
    three, rule = replicas(3), balancer(Balance.LEAST, stream(1, "x"))

    rule.assign(asks(30, 0.001), three)

    assert [10, 10, 10] == [one.open for one in three]


def test_what_has_ended_is_not_open() -> None:
    two, rule = replicas(2), balancer(Balance.LEAST, stream(1, "x"))

    rule.assign(asks(10, 1.0), two)  # each ends within 0.12 s

    assert [5, 5] == [len(one.ended) + one.open for one in two]
    assert 1 == sum(one.open for one in two)


@pytest.mark.parametrize("n", [1, 2, 16])
def test_the_better_of_two(n: int) -> None:
    some, rule = replicas(n), balancer(Balance.TWO_CHOICES, stream(1, "x"))

    rule.assign(asks(50 * n, 0.0001), some)

    assert 50 * n == sum(one.open + len(one.ended) for one in some)
    assert max(one.open for one in some) <= 50 + 5  # two choices: log log n above the mean, not sqrt


def test_a_beginning_goes_where_it_went() -> None:
    four, rule = replicas(4), balancer(Balance.PREFIX, stream(1, "x"))
    wishes = cycle([Wish(prefix=(1, 2), prefix_tokens=32), Wish(prefix=(5,), prefix_tokens=32), None])
    requests = [(at * 1.0, 100, 5, next(wishes)) for at in range(30)]

    rule.assign(requests, four)

    homes = [{one[0][3].prefix for one in replica.ended if one[0][3]} for replica in four]
    assert 1 == sum((1, 2) in home for home in homes) == sum((5,) in home for home in homes)


def test_a_beginning_is_not_followed_into_a_crowd() -> None:
    four, rule = replicas(4), balancer(Balance.PREFIX, stream(1, "x"))

    rule.assign(asks(100, 0.0, wish=Wish(prefix=(1,), prefix_tokens=32)), four)

    assert max(one.open for one in four) <= 1.25 * 26


def test_a_beginning_whose_home_is_gone_finds_another() -> None:
    two, rule = replicas(2), balancer(Balance.PREFIX, stream(1, "x"))
    requests = asks(2, 1.0, wish=Wish(prefix=(1,), prefix_tokens=32))
    rule.assign(requests[:1], two)
    left = [one for one in two if not one.open]

    rule.assign(requests[1:], left)

    assert requests[1:] == list(left[0].queue)


def test_no_more_homes_are_remembered_than_allowed() -> None:
    two, rule = replicas(2), balancer(Balance.PREFIX, stream(1, "x"))
    first, last = Wish(prefix=(-1,), prefix_tokens=32), Wish(prefix=tuple(range(HOMES_MAX)), prefix_tokens=32)

    rule.assign([(0.0, 100, 5, first), (1.0, 100, 5, last)], two)

    assert HOMES_MAX == len(rule._homes)  # type: ignore[attr-defined] # noqa: SLF001 # pyright: ignore -- a bound that nobody else sees
