from uuid import UUID

import msgspec
import pytest

from telemetry import schema
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import NO_TRACE, RequestRecord

RECORD = RequestRecord(
    ended_at=1_700_000_000_000,
    elapsed_us=5,
    endpoint="e",
    model="m",
    record_id=UUID(int=7),
    outcome=Outcome.OK,
    phase=Phase.DONE,
    eligible=Eligibility.GOOD,
    itl_h={-32: 4},
    tok_by_s=(3, 2),
)


def test_a_record_is_the_row_of_its_table_without_what_spool_and_store_add() -> None:
    added = {"collector", "seq", "ingested_at", "started_at"}
    columns = [column.name for column in schema.REQUESTS.columns if column.name not in added]

    assert list(RequestRecord.__struct_fields__) == columns


def test_a_record_survives_its_wire_form() -> None:
    wire = msgspec.msgpack.encode(RECORD)

    assert msgspec.msgpack.decode(wire, type=RequestRecord) == RECORD


def test_the_docstring_explains_every_attribute() -> None:
    explained = RequestRecord.__doc__ or ""

    assert [name for name in RequestRecord.__struct_fields__ if f"\n        {name}: " not in explained] == []


def test_what_is_not_known_is_none_and_not_zero() -> None:
    durations = [name for name in RequestRecord.__struct_fields__ if name.endswith("_us") and name != "elapsed_us"]

    assert {getattr(RECORD, name) for name in durations} == {None}
    assert len(NO_TRACE) == 16


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        RECORD.elapsed_us = 6  # type: ignore[misc]  # the point of the test
