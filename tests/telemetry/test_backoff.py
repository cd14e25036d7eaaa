from random import Random

from telemetry.backoff import CEILING_S_MAX, FIRST_S, Backoff


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
