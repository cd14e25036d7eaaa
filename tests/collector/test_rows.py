from random import Random

from collector.labels import UNKNOWN, Labels
from collector.rows import Dimensions, Rows, Seen
from telemetry.clock import STEP_MS_MAX, WallAnchor
from telemetry.dialects import RequestShape
from telemetry.meter import MeterResult, StreamMeter
from telemetry.outcome import Flag, Outcome
from telemetry.record import RequestRecord

UNIX_MS = 1_790_000_000_000
MS_NS = 1_000_000
DIMENSIONS = Dimensions(endpoint="chat", region="eu", workload_class="batch", variant="canary")


def rows() -> Rows:
    anchor = WallAnchor(unix_ms=UNIX_MS, at_ns=0)
    return Rows(DIMENSIONS, Labels(["known"]), random=Random(1), anchor=anchor)  # noqa: S311 -- seeded


def answered(*, status: int = 200) -> MeterResult:
    """Return the result of a unary answer that took 7 ms."""
    meter = StreamMeter(RequestShape())
    meter.begin(0)
    meter.connected(0)
    meter.sent(MS_NS)
    meter.headers(status, [], 5 * MS_NS)
    meter.end(7 * MS_NS)
    return meter.result()


def test_a_row_holds_what_the_meter_measured_and_what_the_wire_told() -> None:
    seen = Seen(t_issue_ns=0, model="known", trace_id=b"t" * 16, replica="10.0.0.1:8000", bytes_in=3, bytes_out=4)

    record = rows().record(answered(), seen)

    assert record.ended_at == UNIX_MS + 7
    assert (record.endpoint, record.region, record.workload_class, record.variant) == ("chat", "eu", "batch", "canary")
    assert (record.model, record.replica, record.trace_id) == ("known", "10.0.0.1:8000", b"t" * 16)
    assert (record.bytes_in, record.bytes_out, record.traffic, record.point) == (3, 4, "user", "tee")
    assert (record.elapsed_us, record.headers_us, record.send_us, record.outcome) == (7000, 5000, 1000, Outcome.OK)
    assert (record.record_id.version, record.record_id.int >> 80) == (7, UNIX_MS + 7)


def test_every_column_that_the_meter_knows_reaches_the_row() -> None:
    result = answered()
    record = rows().record(result, Seen(t_issue_ns=0))
    shared = set(RequestRecord.__struct_fields__) & set(MeterResult.__struct_fields__)

    assert {name: getattr(record, name) for name in shared} == {name: getattr(result, name) for name in shared}


def test_a_request_that_was_not_read_has_an_unknown_model() -> None:
    assert rows().record(answered(), Seen(t_issue_ns=0, model=None)).model == UNKNOWN


def test_an_error_teaches_no_model_and_is_counted() -> None:
    made = rows()

    assert made.record(answered(status=404), Seen(t_issue_ns=0, model="typo")).model == UNKNOWN
    assert made.record(answered(status=200), Seen(t_issue_ns=0, model="new")).model == "new"
    assert made.folded["model"] == 1


def test_flags_of_the_wire_join_those_of_the_meter() -> None:
    record = rows().record(answered(), Seen(t_issue_ns=0, flags=Flag.EARLY_RESPONSE))

    assert record.flags & Flag.EARLY_RESPONSE


def test_a_wall_clock_within_the_bound_has_not_stepped() -> None:
    made = rows()

    assert made.check_clock(WallAnchor(unix_ms=UNIX_MS + STEP_MS_MAX + 10, at_ns=10 * MS_NS)) is None
    assert made.clock_steps == 0
    assert made.record(answered(), Seen(t_issue_ns=0)).ended_at == UNIX_MS + 7


def test_a_step_moves_later_rows_and_marks_those_that_were_open() -> None:
    made = rows()
    stepped = WallAnchor(unix_ms=UNIX_MS - STEP_MS_MAX - 1, at_ns=0)
    before, again = made.check_clock(stepped), made.check_clock(stepped)

    across = made.record(answered(), Seen(t_issue_ns=0))
    later = made.record(answered(), Seen(t_issue_ns=1))

    assert (before and before.unix_ms, again) == (UNIX_MS, None)
    assert made.clock_steps == 1
    assert across.ended_at == UNIX_MS - STEP_MS_MAX - 1 + 7
    assert across.flags & Flag.CLOCK_SUSPECT
    assert not later.flags & Flag.CLOCK_SUSPECT
    assert across.elapsed_us == later.elapsed_us == 7000


def test_what_the_headers_named_wins_over_what_is_configured() -> None:
    record = rows().record(answered(), Seen(t_issue_ns=0, flow_id=5, workload_class="workflow", attempt=3))

    assert (record.flow_id, record.workload_class, record.attempt) == (5, "workflow", 3)
