"""How many replicas each signal asks for (spec/scaling.md 6.1, acceptance A3 and A5)."""

import pytest

from slo.scaling.codes import Reason
from slo.scaling.forecast import Forecast
from slo.scaling.thresholds import QueueLimits, queue_limits, queue_slack_s
from slo.scaling.wants import (
    DRAIN_S_MIN,
    SLO_WINDOW_S,
    QueueMode,
    backlog,
    capacity,
    gpu,
    kv,
    queue,
    saturation,
    scheduled,
    slo,
)


def expected(rate: float, source: Reason = Reason.CAPACITY_FORECAST) -> Forecast:
    return Forecast(now_rps=rate, expected_rps=rate, p95_rps=None, source=source, lead_s=540)


def test_the_hint_of_the_specification() -> None:
    found = capacity(expected(11.4), 1.24, 2.6, 4)

    assert ("5.44", 6, Reason.CAPACITY_FORECAST) == (f"{found.raw:.3g}", found.replicas, found.code)
    assert ("14.1", "10.4") == (f"{found.value:.3g}", f"{found.threshold:.3g}")
    assert found.text == (
        "11.4 rps expected in 9 min, 14.1 with headroom 1.24; 4 replicas at 2.6 rps goodput carry 10.4; "
        "6 keep the objectives"
    )
    assert "5 rps arrive," in capacity(expected(5, Reason.CAPACITY_NOW), 1.24, 2.6, 4).text


def test_a_whole_number_is_not_rounded_up() -> None:
    assert 3 == capacity(expected(0.3), 1.0, 0.1, 3).replicas


def test_a_backlog_is_read_within_15_seconds() -> None:
    slack_s = queue_slack_s(2.0, 1_020, 9_000)
    found = backlog(5.0, 1_020, 40_000, 9_000, slack_s)

    assert (2, "1.02", 15.0) == (found.replicas, f"{found.raw:.3g}", DRAIN_S_MIN)
    assert found.text == (
        "40000 prompt tokens wait and 5100 arrive each second; one replica reads 7650; within 15 s 2 are needed"
    )
    assert 1 == backlog(5.0, 1_020, 40_000, 9_000, 30.0).replicas, "an objective that allows more time"


LIMITS = queue_limits(3.243, queue_slack_s(2.0, 1_020, 9_000))


@pytest.mark.parametrize(
    ("waiting", "ready", "mode", "wants", "code"),
    [
        pytest.param(76, 1, QueueMode.SEED, 2, Reason.QUEUE_DEPTH, id="the seed: 76 on one is one more"),
        pytest.param(75, 1, QueueMode.SEED, 2, Reason.QUEUE_DEPTH, id="75 too"),
        pytest.param(149, 2, QueueMode.SEED, 2, Reason.QUEUE_DEPTH, id="74.5 each is none"),
        pytest.param(900, 4, QueueMode.SEED, 12, Reason.QUEUE_DEPTH, id="900 on four need 12"),
        pytest.param(7, 1, QueueMode.DERIVED, 2, Reason.QUEUE_SLO, id="derived: 7 on one is above 6.1"),
        pytest.param(6, 1, QueueMode.DERIVED, 1, Reason.QUEUE_SLO, id="6 is not"),
        pytest.param(900, 4, QueueMode.DERIVED, 5, Reason.QUEUE_SLO, id="derived is one more, however many wait"),
        pytest.param(80, 0, QueueMode.SEED, 2, Reason.QUEUE_DEPTH, id="nobody is ready"),
        pytest.param(0, 4, QueueMode.SEED, 4, Reason.QUEUE_DEPTH, id="nobody waits"),
    ],
)
def test_what_a_queue_asks_for(waiting: int, ready: int, mode: QueueMode, wants: int, code: Reason) -> None:
    found = queue(waiting, ready, LIMITS, mode)

    assert (wants, code) == (found.replicas, found.code)


def test_both_thresholds_are_said_in_seconds() -> None:
    assert queue(93, 3, LIMITS).text == (
        "31 wait per replica, 9.56 s at this goodput; 75 are 23.1 s; 6.1 keep the time to first token; "
        "what the seed calls safe, 50 to 100, is 15.4 to 30.8 s"
    )
    assert "; 75 are 28.8 s; what" in queue(93, 3, queue_limits(2.6, None), QueueMode.DERIVED).text
    assert "the goodput is unknown" in queue(93, 3, queue_limits(None, 1.9), QueueMode.DERIVED).text


def test_nobody_waiting_asks_for_nobody_even_if_no_queue_is_allowed() -> None:
    none = QueueLimits(seed=75, seed_wait_s=20, derived=0.0, derived_wait_s=-1.0)

    assert (2, 3) == (queue(0, 2, none, QueueMode.DERIVED).replicas, queue(1, 2, none, QueueMode.DERIVED).replicas)


def test_caches() -> None:
    assert [0, 1, 2, 4] == [kv(used).replicas for used in ((), (0.8,), (0.8, 0.1), (0.9, 0.9, 0.9))]


@pytest.mark.parametrize(
    ("s", "replicas", "ready", "wants"),
    [
        pytest.param(0.8, 4, 4, 6, id="section 7: all ready"),
        pytest.param(0.8, 4, 3, 5, id="section 7: one is warming up and counts"),
        pytest.param(0.2, 4, 4, 2, id="section 7: half of the lower bound"),
        pytest.param(0.5, 4, 4, 4, id="in between"),
        pytest.param(0.6, 4, 1, 4, id="high, and more warm up than are needed: not fewer"),
        pytest.param(0.39, 4, 4, 4, id="floor(4 * 0.025) is none"),
        pytest.param(0.0, 4, 4, 0, id="nobody is served"),
    ],
)
def test_what_the_objectives_ask_for(s: float, replicas: int, ready: int, wants: int) -> None:
    assert wants == slo(s, replicas, ready).replicas


def test_a_band_may_be_raised_where_an_idle_engine_is_near_its_objectives() -> None:
    assert [4, 5, 3] == [slo(s, 4, 4, (0.9, 0.7)).replicas for s in (0.8, 0.95, 0.5)]


def test_a_late_tail_asks_for_no_more_than_its_bound() -> None:
    assert [6, 15, 22] == [slo(2.0, 6, 6, bound=bound).replicas for bound in (5, 15, None)]
    assert 2 == slo(0.2, 4, 4, bound=9).replicas


@pytest.mark.parametrize(
    ("seen_s", "idle_s", "expected"),
    [
        pytest.param((1.0, 0.03), (0.5, 0.02), 1 / 3, id="both from idle on"),
        pytest.param((0.4, 0.01), (0.5, 0.02), 0.0, id="quicker than idle is idle"),
        pytest.param((1.0, 0.09), (0.5, 0.06), 1 / 3, id="idle leaves nothing of the second"),
        pytest.param((1.0, 0.09), (2.5, 0.06), None, id="nor of the first"),
    ],
)
def test_what_an_idle_engine_takes_is_no_load(
    seen_s: tuple[float, float], idle_s: tuple[float, float], expected: float | None
) -> None:
    assert expected == (pytest.approx(saturation(seen_s, (2.0, 0.05), idle_s)) if expected is not None else None)
    assert (expected is None) is (saturation(seen_s, (2.0, 0.05), idle_s) is None)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param((1.0, 0.02, 2.0, 0.05), 0.5, id="the worse of both"),
        pytest.param((1.0, 0.045, 2.0, 0.05), 0.9, id="the other one"),
        pytest.param((20.0, None, 2.0, 0.05), 2.0, id="clamped"),
        pytest.param((None, 0.02, 2.0, 0.05), 0.4, id="one is unknown"),
        pytest.param((1.0, 0.02, None, None), None, id="without an objective"),
        pytest.param((None, None, 2.0, 0.05), None, id="nothing known"),
    ],
)
def test_the_slow_tenth_against_its_objectives(
    seen: tuple[float | None, float | None, float | None, float | None], expected: float | None
) -> None:
    ratio = saturation(seen[:2], seen[2:])

    assert expected == (None if expected is None else pytest.approx(ratio))
    assert (expected is None) is (ratio is None)
    assert 45 == SLO_WINDOW_S


def test_schedules_and_gpus_ask_for_what_they_are_told() -> None:
    assert (6, "schedule noon asks for 6 replicas") == (scheduled("noon", 6).replicas, scheduled("noon", 6).text)
    assert (5, Reason.GPU_BUSY) == (gpu(0.8, 5, 0.75).replicas, gpu(0.8, 5, 0.75).code)
