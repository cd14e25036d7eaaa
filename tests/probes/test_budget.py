import pytest

from probes.budget import DAY_MS, Budget, Cap


def test_without_a_cap_everything_is_left() -> None:
    budget = Budget(Cap())
    budget.spend(0, 10**9, 10**9)

    assert budget.is_left(0)


def test_a_round_may_begin_while_a_token_is_left() -> None:
    budget = Budget(Cap(tokens_max=10))
    budget.spend(0, 5, 4)

    assert budget.is_left(0)
    budget.spend(0, 0, 1)
    assert not budget.is_left(0)
    assert not budget.is_left(DAY_MS - 1)


def test_money_is_counted_by_the_price_of_each_direction() -> None:
    budget = Budget(Cap(usd_max=0.5, usd_per_mtok_in=1.0, usd_per_mtok_out=4.0))
    budget.spend(0, 100_000, 75_000)

    assert pytest.approx(0.4) == budget.usd
    assert budget.is_left(0)
    budget.spend(0, 0, 25_000)
    assert not budget.is_left(0)


def test_a_run_may_have_a_price_of_its_own() -> None:
    budget = Budget(Cap(usd_max=1.0, usd_per_run=0.6))
    budget.spend(0, 0, 0)

    assert budget.is_left(0)
    budget.spend(0, 0, 0)
    assert not budget.is_left(0)


def test_a_new_day_begins_with_nothing_spent_and_a_clock_set_back_gives_nothing_back() -> None:
    budget = Budget(Cap(tokens_max=1))
    budget.spend(5 * DAY_MS, 1, 0)

    assert not budget.is_left(4 * DAY_MS)
    assert budget.is_left(6 * DAY_MS)
    assert 0 == budget.tokens
