"""The largest of now, the day's shape and the schedule."""

import pytest

from slo.scaling.codes import Reason
from slo.scaling.forecast import forecast
from slo.scaling.schedule import Peak, near, schedule

PEAK_S = 1_784_138_400  # 2026-07-15T18:00Z


def peak(**asks: float) -> Peak:
    found = near(schedule("peak", "0 18 * * *", "UTC", 3_600, **asks), PEAK_S - 600, 540)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("growth", "peaks", "expected", "source"),
    [
        pytest.param(None, [], 10.0, Reason.CAPACITY_NOW, id="nothing else is known"),
        pytest.param(0.2, [], 10.0, Reason.CAPACITY_NOW, id="a shape that falls lowers nothing"),
        pytest.param(1.14, [], 11.4, Reason.CAPACITY_FORECAST, id="a shape that rises"),
        pytest.param(1.14, [peak(expected_rps=14.1)], 14.1, Reason.SCHEDULE, id="a schedule above both"),
        pytest.param(2.0, [peak(expected_rps=14.1)], 20.0, Reason.CAPACITY_FORECAST, id="a schedule below the shape"),
        pytest.param(None, [peak(replicas_min=9)], 10.0, Reason.CAPACITY_NOW, id="a schedule that names replicas"),
    ],
)
def test_the_largest_is_expected(growth: float | None, peaks: list[Peak], expected: float, source: Reason) -> None:
    found = forecast(10.0, PEAK_S - 600, 540, growth, peaks, 1.24)

    assert expected == pytest.approx(found.expected_rps)
    assert source is found.source
    assert found.p95_rps == pytest.approx(expected * 1.24)
    assert (source is Reason.SCHEDULE) is (found.peak is not None)


def test_a_schedule_does_not_ask_before_its_time() -> None:
    assert 10.0 == forecast(10.0, PEAK_S - 1_000, 540, None, [peak(expected_rps=14.1)], None).expected_rps


def test_without_a_record_no_p95_is_known() -> None:
    assert forecast(10.0, PEAK_S, 540, None, [], None).p95_rps is None
