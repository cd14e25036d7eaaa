import msgspec
import pytest

from loadtest.errors import PlanError
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.planner import build
from loadtest.run_spec import IN_FLIGHT_MAX, WORKERS_MAX, Phase, RunSpec, Window, decoded, encoded

PLAN = PlanSpec(seed=7, rate=RateCurve(points=((0.0, 40.0),)), duration_s=6.0)
RUN = RunSpec(run_id="a", targets=("http://127.0.0.1:1",), plan=PLAN, directory="runs/a", model="m")


def test_a_run_travels_as_json() -> None:
    assert RUN == decoded(encoded(RUN))
    assert (IN_FLIGHT_MAX, 4096) == (RUN.in_flight_max, IN_FLIGHT_MAX)
    assert WORKERS_MAX >= 8


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run_id", "../x"),
        ("run_id", ""),
        ("targets", []),
        ("targets", ["http://a", "http://b"]),  # the plan has one arm
        ("in_flight_max", 0),
        ("drain_s", -1),
        ("api", "telepathy"),
        ("colour", "red"),
    ],
)
def test_what_is_no_run_is_refused(key: str, value: object) -> None:
    data = msgspec.json.decode(encoded(RUN)) | {key: value}

    with pytest.raises(PlanError, match="not a run"):
        decoded(msgspec.json.encode(data))


def test_the_window_counts_by_planned_time() -> None:
    run = msgspec.structs.replace(RUN, warmup_s=1.0, cooldown_s=2.0)
    window = Window(run, build(PLAN))

    found = [window.phase(round(t_s * 1e9)) for t_s in (0.0, 0.999, 1.0, 3.999, 4.0, 5.9)]

    assert [Phase.WARM_UP] * 2 + [Phase.MEASURED] * 2 + [Phase.COOL_DOWN] * 2 == found
    assert (1_000_000_000, 4_000_000_000) == window.measured_ns


def test_a_plan_by_count_ends_behind_its_last_arrival() -> None:
    plan = msgspec.structs.replace(PLAN, duration_s=None, count=10)
    run = msgspec.structs.replace(RUN, plan=plan)
    built = build(plan)

    assert built.t_sched_ns[-1] + 1 == Window(run, built).end_ns
    assert Phase.MEASURED == Window(run, built).phase(built.t_sched_ns[-1])


def test_a_closed_loop_ends_in_time_and_within_what_may_be_in_flight() -> None:
    plan = PlanSpec(seed=7, slots=4, duration_s=6.0, count=100)
    window = Window(msgspec.structs.replace(RUN, plan=plan, in_flight_max=4), build(plan))

    assert (6_000_000_000, 6_000_000_000) == (window.end_ns, window.last_ns)
    with pytest.raises(ValueError, match="slots: found 4, allowed: the 3"):
        RunSpec(run_id="r", targets=("http://a",), plan=plan, directory="d", model="m", in_flight_max=3)
