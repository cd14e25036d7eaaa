"""When arrivals come: spec/loadtest.md 21.1, 21.2 and the regression cases of 20."""

import pytest

from loadtest import arrivals
from loadtest.arrivals import PREPARED_MAX, planned_times
from loadtest.dispersion import dispersion
from loadtest.errors import PlanError
from loadtest.plan_spec import PLAN_S_MAX, CurveShape, PlanSpec, Process, RateCurve, TraceFormat, TraceSpec


def flat(rate: float) -> RateCurve:
    return RateCurve(points=((0, rate),))


def test_case_1_the_first_arrivals_of_seed_7() -> None:
    times = planned_times(PlanSpec(seed=7, rate=flat(40), duration_s=6))
    expected_ms = [48.269, 139.375, 139.399, 156.200, 160.806, 167.788]

    assert [pytest.approx(ms, abs=1e-3) for ms in expected_ms] == [t / 1e6 for t in times[:6]]
    assert 240 == len(times)


@pytest.mark.parametrize("seed", range(20))
def test_case_2_a_step_from_10_to_50(seed: int) -> None:
    times = planned_times(PlanSpec(seed=seed, rate=RateCurve(points=((0, 10), (10, 50))), duration_s=20))
    before = sum(t < 10e9 for t in times)

    assert abs(before - 100) <= 40
    assert abs(len(times) - before - 500) <= 90


def test_a_line_from_0_to_100_in_10_s_gives_half_of_it() -> None:
    ramp = RateCurve(points=((0, 0), (10, 100)), shape=CurveShape.LINEAR)
    times = planned_times(PlanSpec(seed=1, process=Process.CONSTANT, rate=ramp, duration_s=10))

    assert 499 <= len(times) <= 500
    assert pytest.approx(5e9, rel=1e-9) == times[124]  # 5 t^2 = 125


def test_constant_gaps_are_exact() -> None:
    times = planned_times(PlanSpec(seed=1, process=Process.CONSTANT, rate=flat(100), count=20_000))
    found = dispersion(times)

    assert [10_000_000, 20_000_000, 200_000_000_000] == [times[0], times[1], times[-1]]
    assert found.cv is not None
    assert found.cv <= 1e-6
    assert pytest.approx(0, abs=1e-3) == found.index  # the first window begins 10 ms before the first arrival


def test_no_gap_is_stretched_to_a_whole_second() -> None:
    times = planned_times(PlanSpec(seed=2, rate=flat(100), count=20_000))
    at_a_second = sum(t % 1_000_000_000 < 1000 or t % 1_000_000_000 > 999_999_000 for t in times)

    assert at_a_second < 20


def test_a_count_ends_the_plan_at_a_random_time() -> None:
    longer = planned_times(PlanSpec(seed=3, rate=flat(10), duration_s=100))
    counted = planned_times(PlanSpec(seed=3, rate=flat(10), count=50))

    assert longer[:50] == counted


def test_nothing_arrives_at_the_end_itself() -> None:
    times = planned_times(PlanSpec(seed=1, process=Process.CONSTANT, rate=flat(10), duration_s=1))

    assert [100_000_000 * k for k in range(1, 10)] == times.tolist()


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        pytest.param(PlanSpec(seed=1, rate=flat(0), count=1), "count", id="a rate of 0"),
        pytest.param(PlanSpec(seed=1, rate=flat(1e-9), count=1), "count", id="a rate that takes years"),
        pytest.param(PlanSpec(seed=1, rate=flat(1e6), duration_s=PLAN_S_MAX), "rate", id="more than can be counted"),
        pytest.param(
            PlanSpec(seed=1, trace=TraceSpec(format=TraceFormat.AZURE, sha256="0" * 64)), "rate", id="a trace"
        ),
    ],
)
def test_what_is_no_plan(spec: PlanSpec, word: str) -> None:
    with pytest.raises(PlanError, match=word):
        planned_times(spec)


def test_a_plan_may_last_a_month() -> None:
    times = planned_times(PlanSpec(seed=1, process=Process.CONSTANT, rate=flat(1e-6), duration_s=PLAN_S_MAX))

    assert [1e15, 2e15] == times.tolist()


def test_more_arrivals_than_a_plan_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "ARRIVALS_MAX", 100)
    spec = PlanSpec(seed=1, process=Process.CONSTANT, rate=flat(100), duration_s=1.005)

    assert 100 == len(planned_times(spec))
    with pytest.raises(PlanError, match="rate"):
        planned_times(PlanSpec(seed=1, process=Process.CONSTANT, rate=flat(100), duration_s=1.011))


def test_nobody_knows_when_requests_of_a_closed_loop_come() -> None:
    assert [0, 0, 0] == list(planned_times(PlanSpec(seed=1, slots=2, duration_s=9.0, count=3)))
    assert PREPARED_MAX == len(planned_times(PlanSpec(seed=1, slots=2, duration_s=9.0, count=PREPARED_MAX + 1)))
