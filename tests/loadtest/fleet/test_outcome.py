"""Says what share of the judged requests was good."""

import pytest

from loadtest.fleet.outcome import Minute, Result, Size


@pytest.mark.parametrize(
    ("good", "bad", "share"), [(99, 1, 0.99), (0, 3, 0.0), (0, 0, None)], ids=["some", "none good", "none judged"]
)
def test_attainment(good: int, bad: int, share: float | None) -> None:
    result = Result(
        arrived=good + bad,
        ends={},
        good=good,
        bad=bad,
        durations={},
        wait_max_s=0.0,
        tokens_good=0,
        minutes=(Minute(at_s=0, good=good, bad=bad),),
        sizes=(Size(at_s=0.0, spec=1, ready=1, warming=0, draining=0),),
        replica_s=0.0,
        serving_s=0.0,
        cold_starts=0,
        lost_in_drain=0,
        preemptions=0,
        end_s=0.0,
    )

    assert share == result.attainment
