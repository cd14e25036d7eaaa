import pytest

from inferometer.load_progress import BAR_CHARACTERS, Progress

TOLD = {"sent": 30, "in_flight": 4, "failed": 0, "shed": 0, "ttft_p50_ms": 101.4}


@pytest.mark.parametrize(
    ("elapsed_s", "expected"),
    [
        (-2.4, "load  starts in 2 s"),
        (0, "load   0% [                    ] 30/120 sent  4 in flight  TTFT p50 101 ms  ETA 02:00"),
        (30, "load  25% [=====               ] 30/120 sent  4 in flight  TTFT p50 101 ms  ETA 01:30"),
        (130, "load 100% [====================] 30/120 sent  4 in flight  TTFT p50 101 ms  draining"),
    ],
)
def test_the_line_says_how_far_it_is(elapsed_s: float, expected: str) -> None:
    assert expected == Progress(planned=120, end_s=120.0, elapsed_s=elapsed_s).line(TOLD)


def test_what_went_wrong_is_said() -> None:
    line = Progress(planned=1, end_s=0.0, elapsed_s=1.0).line(TOLD | {"failed": 2, "shed": 1, "ttft_p50_ms": None})

    assert "2 failed  1 shed" in line
    assert "TTFT" not in line
    assert BAR_CHARACTERS == line.count("=")


def test_nobody_knows_how_many_requests_a_closed_loop_makes() -> None:
    assert "] 30 sent  4 in flight" in Progress(planned=None, end_s=9.0, elapsed_s=1.0).line(TOLD)
