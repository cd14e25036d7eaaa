"""What the meter returns fits the record."""

from telemetry.meter_result import MeterResult
from telemetry.record import RequestRecord

OF_THE_RECORD_ALONE = {
    *("ended_at", "endpoint", "model", "region", "workload_class", "variant", "traffic", "replica", "tenant", "point"),
    *("record_id", "trace_id", "run_id", "flow_id", "attempt", "defs_version", "tee_us", "bytes_in", "bytes_out"),
}
OF_THE_METER_ALONE = {
    *("decided_at_ns", "raw_type", "raw_code", "tok_s0"),
    *("n_bad_json", "n_bad_utf8", "n_oversize", "n_framing_fault"),
}


def test_names_are_those_of_the_record() -> None:
    record, result = set(RequestRecord.__struct_fields__), set(MeterResult.__struct_fields__)

    assert OF_THE_RECORD_ALONE == record - result
    assert OF_THE_METER_ALONE == result - record
