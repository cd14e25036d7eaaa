from uuid import UUID

import msgspec
import pytest

from probes.finding import Finding, Subject, Word, of_fault, rows
from telemetry.fetch_error import Fault
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestRecord
from telemetry.samples import NO_RECORD, ProbeResult

RECORD = RequestRecord(
    ended_at=1,
    elapsed_us=2,
    endpoint="e",
    model="m",
    record_id=UUID(int=9),
    outcome=Outcome.OK,
    phase=Phase.DONE,
    eligible=Eligibility.GOOD,
)


def test_a_finding_is_one_row_and_its_record() -> None:
    subject = Subject(target="t", name="n", kind="completion", region="eu")
    found = Finding(outcome=Outcome.OK, ok=True, duration_us=5, value=0.5, detail={"a": "b"}, record=RECORD, text="x")

    assert [
        ProbeResult(
            ts=7,
            target="t",
            probe="n",
            outcome="ok",
            ok=1,
            duration_us=5,
            value=0.5,
            record_id=UUID(int=9),
            detail={"kind": "completion", "region": "eu", "a": "b"},
        ),
        RECORD,
    ] == rows(subject, found, 7)


def test_stages_are_rows_of_their_own() -> None:
    subject = Subject(target="t", name="film", kind="workflow")
    stages = [
        ("script", Finding(outcome=Outcome.OK, ok=True, record=RECORD)),
        ("video", Finding(outcome="x", ok=False)),
    ]

    whole, script, video, record = rows(subject, Finding(outcome="x", ok=False, stages=stages), 7)

    assert isinstance(whole, ProbeResult)
    assert isinstance(script, ProbeResult)
    assert isinstance(video, ProbeResult)
    assert ["film", "film/script", "film/video"] == [whole.probe, script.probe, video.probe]
    assert [0, 1, 0] == [whole.ok, script.ok, video.ok]
    assert [NO_RECORD, UUID(int=9), NO_RECORD] == [whole.record_id, script.record_id, video.record_id]
    assert isinstance(record, RequestRecord)
    assert record == msgspec.structs.replace(RECORD, flow_id=9), "though it is the only one, it is a flow that failed"


def test_the_requests_of_a_workflow_are_one_flow() -> None:
    other = msgspec.structs.replace(RECORD, record_id=UUID(int=2**100 + 5), flow_id=77)
    stages = [(name, Finding(outcome="ok", ok=True, record=one)) for name, one in (("a", other), ("b", RECORD))]
    subject = Subject(target="t", name="film", kind="workflow")
    made = rows(subject, Finding(outcome="ok", ok=True, stages=stages), 7)

    assert [one.flow_id for one in made if isinstance(one, RequestRecord)] == [5, 5]


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_an_outcome(fault: Fault) -> None:
    known = {*Outcome, *Word}

    assert of_fault(fault) in known
    assert (fault is Fault.GUARDED) == (of_fault(fault) == Word.GUARDED)
