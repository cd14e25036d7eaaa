from uuid import UUID

from telemetry.dialects import RequestShape
from telemetry.measured import columns
from telemetry.meter import StreamMeter
from telemetry.record import RequestRecord


def test_what_the_meter_does_not_fill_is_what_names_and_places_the_row() -> None:
    meter = StreamMeter(RequestShape(api="openai_chat"))
    meter.begin(1_000)
    meter.end(5_000_000)
    filled = columns(meter.result())

    record = RequestRecord(ended_at=1, endpoint="e", model="m", record_id=UUID(int=1), **filled)

    assert "openai_chat" == record.api
    assert 4_999 == record.elapsed_us
    assert {
        "ended_at", "endpoint", "model", "region", "workload_class", "variant", "traffic", "replica", "tenant", "point",
        "record_id", "trace_id", "run_id", "flow_id", "attempt", "defs_version", "tee_us", "bytes_in", "bytes_out",
    } == set(RequestRecord.__struct_fields__) - set(filled)  # fmt: skip


def test_every_call_gives_a_dict_of_its_own() -> None:
    result = StreamMeter(RequestShape()).result()
    first = columns(result)
    first["flags"] = 7

    assert 7 != columns(result)["flags"]
