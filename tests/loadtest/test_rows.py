from random import Random

import pytest

from loadtest.client import Exchange, refused
from loadtest.errors import LoadError
from loadtest.plan import Arrival
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.rows import Row, Rows, line, read
from loadtest.run_spec import Phase, RunSpec
from telemetry import clock
from telemetry.dialects import RequestShape
from telemetry.meter import StreamMeter
from telemetry.outcome import Eligibility, Flag, Outcome, TtftSource

MS = 1_000_000
SHAPE = RequestShape(api="openai_completions", model="m", stream=True)
RUN = RunSpec(
    run_id="r-1",
    targets=("http://a:1",),
    plan=PlanSpec(seed=7, rate=RateCurve(points=((0.0, 1.0),)), count=1),
    directory="d",
    model="m",
    region="x",
    variants=("canary",),
)
ARRIVAL = Arrival(j=5, t_sched_ns=250 * MS + 999, workload_class="chat", len_in=40, len_out=9, nonce=1)


def exchange(at_ns: int) -> Exchange:
    meter = StreamMeter(SHAPE, ttft_source=TtftSource.SCHED)
    meter.begin(at_ns + 2 * MS, at_ns)
    meter.connected(at_ns + 2 * MS)
    meter.sent(at_ns + 2 * MS)
    meter.headers(200, [(b"content-type", b"text/event-stream")], at_ns + 50 * MS)
    meter.feed(b'data: {"choices":[{"index":0,"text":"a","finish_reason":"length"}]}\n\n', at_ns + 60 * MS)
    meter.feed(b"data: [DONE]\n\n", at_ns + 61 * MS)
    meter.end(at_ns + 61 * MS)
    return Exchange(
        issue_ns=at_ns + 2 * MS, result=meter.result(), sent_bytes=10, received_bytes=20, lags_us=[3, 9, 4], reads=3
    )


def row_of(seen: Exchange, phase: Phase = Phase.MEASURED, attempt: int = 1) -> Row:
    return Rows(RUN, ("a:1",), 2, Random(1)).row(ARRIVAL, phase, seen, attempt=attempt)  # noqa: S311 -- identifiers


def test_a_row_says_who_asked_what_and_how_it_went() -> None:
    row = row_of(exchange(clock.monotonic_ns()))
    record = row.record

    assert (5, 250_000, Phase.MEASURED, 2, 40, 9, 3, 9) == (
        row.j,
        row.t_sched_us,
        row.run_phase,
        row.worker,
        row.len_in,
        row.len_out,
        row.reads,
        row.read_lag_max_us,
    )
    assert ("loadtest", "client", "r-1", "chat", "canary", "a:1", "a:1", "x", "m") == (
        record.traffic,
        record.point,
        record.run_id,
        record.workload_class,
        record.variant,
        record.replica,
        record.endpoint,
        record.region,
        record.model,
    )
    assert (Outcome.OK, 60_000, 2000, 10, 20, 0) == (
        record.outcome,
        record.ttft_us,
        record.sched_lag_us,
        record.bytes_in,
        record.bytes_out,
        record.flags,
    )
    assert 252_000 == row.sent_us
    assert abs(record.ended_at - clock.wall_ms()) < 5000


def test_a_row_travels_as_a_line() -> None:
    row = row_of(exchange(clock.monotonic_ns()))

    data = line(row)

    assert (1, row) == (data.count(b"\n"), read(data))


@pytest.mark.parametrize("data", [b"", b"{}", b'{"j":1', b"\xff"])
def test_what_is_no_row_is_refused(data: bytes) -> None:
    with pytest.raises(LoadError):
        read(data)


def test_warm_up_and_planned_aborts_are_flagged() -> None:
    seen = exchange(clock.monotonic_ns())
    seen.cut_by_plan = True

    row = row_of(seen, Phase.WARM_UP, attempt=2)

    assert (Flag.WARMUP | Flag.ABORTED_BY_PLAN, 2) == (row.record.flags, row.record.attempt)


def test_what_this_machine_refused_is_its_own_limit() -> None:
    row = row_of(refused(SHAPE, clock.monotonic_ns()))

    assert (Outcome.CLIENT_LIMIT, Eligibility.EXCLUDED, None, None) == (
        row.record.outcome,
        row.record.eligible,
        row.sent_us,
        row.record.ttft_us,
    )
