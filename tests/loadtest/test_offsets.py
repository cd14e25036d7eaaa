"""Offsets of worker clocks, at the limits of spec/loadtest.md 2."""

import pytest

from loadtest.offsets import OFFSET_MS_MAX, PINGS, PINGS_MAX, Ping, WorkerClock, ping, worker_clock

MS = 1_000_000


def test_the_quickest_ping_counts() -> None:
    pings = [Ping(offset_ms=9.0, rtt_ms=20.0), Ping(offset_ms=0.2, rtt_ms=0.5), Ping(offset_ms=3.0, rtt_ms=7.0)]

    assert WorkerClock(worker=1, offset_ms=0.2, rtt_ms=0.5, pings=3) == worker_clock(1, pings)


@pytest.mark.parametrize("shift_ms", [0, 3, -250])
def test_the_offset_is_exact_where_both_ways_take_the_same_time(shift_ms: int) -> None:
    told = ping(1000 * MS, 4 * MS, (1002 + shift_ms) * MS)

    assert Ping(offset_ms=shift_ms, rtt_ms=4.0) == told


@pytest.mark.parametrize(
    ("offset_ms", "rtt_ms", "pings", "is_apart", "is_known"),
    [
        pytest.param(4.9, 1.0, PINGS, False, True, id="near"),
        pytest.param(-4.9, 1.0, PINGS - 1, False, False, id="too few"),
        pytest.param(OFFSET_MS_MAX, 0.0, PINGS, True, True, id="apart"),
        pytest.param(-250.0, 3.0, PINGS, True, True, id="far apart"),
        pytest.param(6.0, 4.0, PINGS, True, False, id="slow messages may be all of it"),
        pytest.param(6.0, 4.0, PINGS_MAX, True, True, id="not shown to be near"),
    ],
)
def test_what_pings_show(offset_ms: float, rtt_ms: float, pings: int, *, is_apart: bool, is_known: bool) -> None:
    clock = WorkerClock(worker=0, offset_ms=offset_ms, rtt_ms=rtt_ms, pings=pings)

    assert (is_apart, is_known) == (clock.is_apart, clock.is_known)
