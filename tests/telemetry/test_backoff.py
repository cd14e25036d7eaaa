from collections.abc import Callable
from random import Random

from telemetry.backoff import CEILING_S_MAX, FIRST_S, PACE_S_MAX, Backoff, Pace


def test_waits_lie_between_the_first_and_a_doubling_ceiling() -> None:
    for seed in range(50):
        backoff = Backoff(Random(seed))  # noqa: S311  # seeded on purpose
        for n in range(40):
            wait_s = backoff.failed()

            assert FIRST_S <= wait_s <= min(FIRST_S * 2**n, CEILING_S_MAX)


def test_jitter_spreads_the_waits() -> None:
    backoffs = [Backoff(Random(seed)) for seed in range(20)]  # noqa: S311  # seeded on purpose
    for backoff in backoffs:
        for _ in range(10):
            backoff.failed()

    waits = {round(backoff.failed(), 3) for backoff in backoffs}

    assert len(waits) > 15  # seeds 0 to 19; equal waits would be a herd


def test_success_ends_the_series() -> None:
    backoff = Backoff(Random(1))  # noqa: S311  # seeded on purpose
    for _ in range(10):
        backoff.failed()

    backoff.worked()

    assert backoff.failed() == FIRST_S


def test_what_needs_a_human_waits_longest() -> None:
    assert Backoff(Random(1)).slow() == CEILING_S_MAX  # noqa: S311  # seeded on purpose
    assert Backoff(Random(1), 0.001, 0.01).slow() == 0.01  # noqa: S311  # seeded on purpose


def test_a_crowded_store_gets_fewer_batches_until_it_works_again() -> None:
    pace = Pace(1.0)

    def after(change: Callable[[], None]) -> float:
        change()
        return pace.cut_s

    crowded = [after(pace.crowded) for _ in range(5)]
    worked = [after(pace.worked) for _ in range(5)]

    assert crowded == [2.0, 4.0, 8.0, PACE_S_MAX, PACE_S_MAX]
    assert worked == [5.0, 2.5, 1.25, 1.0, 1.0]


def test_a_pace_slower_than_the_bound_stays_as_it_is() -> None:
    pace = Pace(PACE_S_MAX + 5)
    pace.crowded()

    assert pace.cut_s == PACE_S_MAX + 5
