"""Tests of collector.heartbeats."""

from dataclasses import replace

import msgspec
import pytest

from collector.connection import Counts
from collector.heartbeats import MARGIN_MS, Heartbeats, Whereabouts, clock_event, whereabouts
from collector.rows import Dimensions
from telemetry.accounting import LaneCounters
from telemetry.clock import WallAnchor
from telemetry.histogram import index
from telemetry.outcome import Phase
from telemetry.spool import Frontier
from telemetry.testing.memory_store import sample_request

START = WallAnchor(unix_ms=1_790_000_000_000, at_ns=10**12)
LANE = LaneCounters(accepted=9, stored=5, spooled=1, dropped={"quota": 2}, dlq=1)


class Rig:
    """Heartbeats over whereabouts that a test sets."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.frontier = Frontier(boot=7, seq_last=20, first_waiting=None)
        self.beats = Heartbeats(Dimensions(endpoint="chat", workload_class="endpoint"), self.counts, self.where, START)

    def where(self) -> Whereabouts:
        return whereabouts("n/1", {"requests": LANE}, self.frontier)


def after(seconds: float) -> WallAnchor:
    return WallAnchor(unix_ms=START.unix_ms + round(seconds * 1000), at_ns=START.at_ns + round(seconds * 1e9))


def test_it_says_where_the_records_are() -> None:
    rig = Rig()
    rig.counts.begun, rig.counts.lost_frames = 12, 3
    rig.counts.unparsed_connections["tunnel"] = 2
    beat = rig.beats.beat(after(1), [])

    assert (beat.endpoint, beat.model, beat.workload_class, beat.collector) == ("chat", "", "endpoint", "n/1")
    assert (beat.accepted_total, beat.stored_total, beat.spooled, beat.dlq_total) == (9, 5, 1, 1)
    assert (beat.dropped_total, beat.boot, beat.seq_last) == ({"quota": 2}, 7, 20)
    assert (beat.arrivals_total, beat.tee_frames_dropped_total, beat.unparsed_conns_total) == (12, 3, 2)
    assert beat.rss_bytes > 1 << 20
    assert beat.cpu_us_total > 0


def test_what_is_in_flight_has_an_age() -> None:
    now = after(5)
    beat = Rig().beats.beat(now, [(now.at_ns - 2_000_000_000, True), (now.at_ns - 4_000_000_000, False)])

    assert (beat.in_flight, beat.waiting_first) == (2, 1)
    assert beat.waiting_age_h == {index(2_000_000): 1}
    assert beat.in_flight_age_h == {index(2_000_000): 1, index(4_000_000): 1}


def test_what_has_ended_is_counted() -> None:
    rig = Rig()
    done, failed = sample_request(1), msgspec.structs.replace(sample_request(2), phase=Phase.QUEUED, tokens_out=None)
    rig.beats.ended([done, done, failed])
    beat = rig.beats.beat(after(1), [])

    assert (beat.first_outputs_total, beat.tokens_out_total) == (2, 2 * (done.tokens_out or 0))


def test_the_watermark_stays_behind_and_waits_for_what_is_not_stored() -> None:
    rig = Rig()
    first = rig.beats.beat(after(10), [])
    rig.frontier = replace(rig.frontier, seq_last=30, first_waiting=25)
    second = rig.beats.beat(after(11), [])
    rig.frontier = replace(rig.frontier, first_waiting=31)
    third = rig.beats.beat(after(12), [])

    assert first.watermark == START.unix_ms + 10_000 - MARGIN_MS
    assert second.watermark == first.watermark
    assert third.watermark == START.unix_ms + 12_000 - MARGIN_MS


@pytest.mark.parametrize(("lag_s", "behind_ms"), [(0.0, 0), (3.5, 3_500)])
def test_who_lags_says_less(lag_s: float, behind_ms: int) -> None:
    rig = Rig()
    rig.beats.lagged(lag_s)
    rig.beats.lagged(0.0)
    beat = rig.beats.beat(after(10), [])

    assert beat.watermark == START.unix_ms + 10_000 - MARGIN_MS - behind_ms
    assert beat.loop_lag_us_max == behind_ms * 1000
    assert rig.beats.beat(after(11), []).loop_lag_us_max == 0


def test_a_clock_that_was_set_shows() -> None:
    stepped = WallAnchor(unix_ms=after(1).unix_ms + 3_000, at_ns=after(1).at_ns)

    assert Rig().beats.beat(stepped, []).clock_offset_us == 3_000_000


def test_before_the_first_request_nothing_is_counted() -> None:
    found = whereabouts("n/1", {}, Frontier(boot=1, seq_last=0, first_waiting=None))

    assert found.lane == LaneCounters()


@pytest.mark.parametrize("step_ms", [-3_600_000, -501, 501, 3_600_000])
def test_a_step_of_the_clock_says_what_was_expected_and_what_was_found(step_ms: int) -> None:
    expected = after(7)
    event = clock_event("n/1", START, replace(expected, unix_ms=expected.unix_ms + step_ms))

    assert (event.collector, event.step_us) == ("n/1", step_ms * 1000)
    assert (event.wall_before, event.wall_after) == (expected.unix_ms, expected.unix_ms + step_ms)
    assert event.ts == event.wall_after
