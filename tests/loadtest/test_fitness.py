from dataclasses import replace

import pytest

from loadtest.fitness import (
    CEILING_RATIO_MAX,
    CLOCK_STEP_MS_MAX,
    CPU_RATIO_MAX,
    LAG_P50_US_MAX,
    LAG_P99_US_MAX,
    LAG_TTFT_RATIO_MAX,
    LITTLE_RATIO_MAX,
    LITTLE_S_MAX,
    READ_P99_US_MAX,
    UNCALIBRATED_CHUNKS_PER_S_MAX,
    Client,
    Fit,
    State,
    judged,
)
from loadtest.sketch import Sketch, add


def sketch(*values_us: float) -> Sketch:
    made: Sketch = {}
    add(made, values_us)
    return made


SOUND = Client(
    planned=100,
    sent=100,
    workers_lost=0,
    shed=0,
    lag_us=sketch(*[300] * 99, 900),
    ttft_us=sketch(*[100_000] * 100),
    read_us=sketch(*[90] * 100),
    cpu_ratio=0.2,
    chunks_per_s=800,
    ceiling_chunks_per_s=40_000,
    clock_step_ms=0.0,
    in_flight_s=50.0,
    elapsed_s=50.1,
    ended=100,
)


def test_a_client_that_kept_to_everything_is_fit() -> None:
    fitness = judged(SOUND)

    assert (Fit.FIT, ()) == (fitness.fit, fitness.reasons)
    assert {State.HELD} == {check.state for check in fitness.checks}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        pytest.param({"sent": 99}, "plan", id="an arrival was not sent"),
        pytest.param({"workers_lost": 1}, "plan", id="a worker was lost"),
        pytest.param({"shed": 1}, "shed", id="an arrival was shed"),
        pytest.param({"lag_us": sketch(*[300] * 98, 5200, 5200)}, "dispatch lag p99", id="sent late now and then"),
        pytest.param({"lag_us": sketch(*[2100] * 100)}, "dispatch lag p50", id="sent late always"),
        pytest.param({"read_us": sketch(*[90] * 98, 2100, 2100)}, "read lag p99", id="read late"),
        pytest.param({"cpu_ratio": CPU_RATIO_MAX + 0.01}, "cpu", id="no time left"),
        pytest.param({"chunks_per_s": 20_001}, "ceiling", id="more than half of what it can"),
        pytest.param({"clock_step_ms": CLOCK_STEP_MS_MAX + 0.1}, "clock", id="the clock was set"),
        pytest.param({"elapsed_s": 50.0 * (1 + LITTLE_RATIO_MAX) + 0.1}, "accounts", id="requests unaccounted for"),
        pytest.param({"capped": "memory"}, "bounds", id="out of memory"),
    ],
)
def test_one_broken_check_makes_a_run_unfit(change: dict[str, object], name: str) -> None:
    fitness = judged(replace(SOUND, **change))  # type: ignore[arg-type] # fields of Client

    assert Fit.UNFIT == fitness.fit
    assert [name] == [check.name for check in fitness.checks if check.state is State.BROKEN]
    assert name == fitness.checks[0].name
    assert fitness.reasons[0].startswith(name)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"lag_us": sketch(*[LAG_P50_US_MAX * 0.98] * 99, LAG_P99_US_MAX * 0.98)}, id="lag"),
        # 2 % of a median TTFT of 100 ms is more than the floor of 1 ms.
        pytest.param({"lag_us": sketch(*[LAG_TTFT_RATIO_MAX * 100_000 * 0.97] * 100)}, id="share of the TTFT"),
        pytest.param({"read_us": sketch(*[READ_P99_US_MAX * 0.98] * 100)}, id="read"),
        pytest.param({"cpu_ratio": CPU_RATIO_MAX}, id="cpu"),
        pytest.param({"cpu_ratio": None}, id="a short run"),
        pytest.param({"in_flight_s": 0.1, "elapsed_s": 0.1 + 99 * LITTLE_S_MAX}, id="requests that failed at once"),
        pytest.param({"chunks_per_s": CEILING_RATIO_MAX * 40_000}, id="ceiling"),
        pytest.param(
            {"chunks_per_s": UNCALIBRATED_CHUNKS_PER_S_MAX, "ceiling_chunks_per_s": None}, id="slow, not calibrated"
        ),
    ],
)
def test_what_is_just_allowed_is_fit(change: dict[str, object]) -> None:
    assert Fit.FIT == judged(replace(SOUND, **change)).fit  # type: ignore[arg-type] # fields of Client


@pytest.mark.parametrize(
    ("change", "name"),
    [
        pytest.param({"read_us": {}}, "read lag p99", id="the kernel gives no stamps"),
        pytest.param({"chunks_per_s": 2001, "ceiling_chunks_per_s": None}, "ceiling", id="fast, not calibrated"),
        pytest.param({"in_flight_s": 0.0, "elapsed_s": 0.0}, "accounts", id="nothing was in flight"),
    ],
)
def test_what_cannot_be_told_leaves_a_run_unproven(change: dict[str, object], name: str) -> None:
    fitness = judged(replace(SOUND, **change))  # type: ignore[arg-type] # fields of Client

    assert (Fit.UNPROVEN, name) == (fitness.fit, fitness.checks[0].name)
    assert fitness.reasons[0].startswith(name)
