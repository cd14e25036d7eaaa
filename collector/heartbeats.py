"""Knows what an observer says of itself and of its clock, so that its silence means something; refuses to judge.

One heartbeat is of the whole endpoint, whatever the models: the ages of what is in flight tell a stall before anything
ends, the watermark up to when every ended request is stored, and the totals what was lost on the way.

Source: spec/store.md 3 (heartbeats, clock_events), 10.10 (watermark); spec/slo.md 3 (overdue), 7 (no traffic is not no
telemetry).
"""

import resource
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from collector.connection import Counts
from collector.rows import Dimensions
from telemetry.accounting import LaneCounters
from telemetry.clock import WallAnchor
from telemetry.histogram import index
from telemetry.outcome import Phase
from telemetry.record import RequestRecord
from telemetry.samples import ClockEvent, Heartbeat
from telemetry.spool import Frontier
from telemetry.watermark import Watermark

MARGIN_MS = 1_000
"""How far the watermark stays behind: records are made a little after their end, and clocks may differ by a step."""
_NOTHING = LaneCounters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where the records are now.

    Attributes:
        collector: Identity of the own spool.
        lane: Accounting of the requests.
        frontier: What waits.
    """

    collector: str
    lane: LaneCounters
    frontier: Frontier


class Heartbeats:
    """The heartbeats of one observer.

    Args:
        names: Configured names of the endpoint.
        counts: Of the observer.
        where: Says where the records are.
        anchor: Both clocks at the start.
    """

    def __init__(self, names: Dimensions, counts: Counts, where: Callable[[], Whereabouts], anchor: WallAnchor) -> None:
        self._names, self._counts, self._where = names, counts, where
        self._watermark = Watermark(anchor.unix_ms)
        self._anchor = anchor
        self._first_outputs = self._tokens_out = 0
        self._lag_s = 0.0

    def ended(self, records: Iterable[RequestRecord]) -> None:
        """Take note of finished requests."""
        for record in records:
            self._first_outputs += record.phase in (Phase.STREAMING, Phase.DONE)
            self._tokens_out += record.tokens_out or 0

    def lagged(self, lag_s: float) -> None:
        """Take note of how old the newest frame was when it was read."""
        self._lag_s = max(self._lag_s, lag_s)

    def beat(self, now: WallAnchor, open_requests: Iterable[tuple[int, bool]]) -> Heartbeat:
        """Return the heartbeat of this second.

        Args:
            now: Both clocks.
            open_requests: Of each open request when it began, monotonic ns, and whether it has no output yet.
        """
        at = self._where()
        self._watermark.note(at.frontier.seq_last, now.unix_ms - MARGIN_MS - round(self._lag_s * 1000))
        lag_us, self._lag_s = round(self._lag_s * 1e6), 0.0
        running, waiting = _ages(open_requests, now.at_ns)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Heartbeat(
            ts=now.unix_ms,
            collector=at.collector,
            endpoint=self._names.endpoint,
            model="",
            workload_class=self._names.workload_class,
            boot=at.frontier.boot,
            watermark=self._watermark.at_ms(at.frontier.first_waiting),
            seq_last=at.frontier.seq_last,
            accepted_total=at.lane.accepted,
            stored_total=at.lane.stored,
            dlq_total=at.lane.dlq,
            spooled=at.lane.spooled,
            dropped_total=dict(at.lane.dropped),
            tee_frames_dropped_total=self._counts.lost_frames,
            unparsed_conns_total=sum(self._counts.unparsed_connections.values()),
            arrivals_total=self._counts.begun,
            first_outputs_total=self._first_outputs,
            tokens_out_total=self._tokens_out,
            in_flight=sum(running.values()),
            waiting_first=sum(waiting.values()),
            waiting_age_h=waiting,
            in_flight_age_h=running,
            loop_lag_us_max=lag_us,
            rss_bytes=usage.ru_maxrss * 1024,
            cpu_us_total=round((usage.ru_utime + usage.ru_stime) * 1e6),
            clock_offset_us=self._anchor.step_ms(now) * 1000,
        )


def whereabouts(collector: str, lanes: Mapping[str, LaneCounters], frontier: Frontier) -> Whereabouts:
    """Return where the requests are, given the accounting of every lane."""
    return Whereabouts(collector=collector, lane=lanes.get("requests", _NOTHING), frontier=frontier)


def clock_event(collector: str, before: WallAnchor, now: WallAnchor) -> ClockEvent:
    """Return what is kept of a step of the wall clock.

    Args:
        collector: Identity of the own spool.
        before: Both clocks at a time before it.
        now: Both clocks after it.
    """
    expected_ms = before.unix_ms_at(now.at_ns)
    return ClockEvent(
        ts=now.unix_ms,
        collector=collector,
        step_us=before.step_ms(now) * 1000,
        wall_before=expected_ms,
        wall_after=now.unix_ms,
    )


def _ages(open_requests: Iterable[tuple[int, bool]], now_ns: int) -> tuple[dict[int, int], dict[int, int]]:
    running: Counter[int] = Counter()
    waiting: Counter[int] = Counter()
    for began_ns, is_waiting in open_requests:
        bucket = index((now_ns - began_ns) // 1000)
        running[bucket] += 1
        if is_waiting:
            waiting[bucket] += 1
    return dict(running), dict(waiting)
