"""Knows how what was found becomes the rows of a probe; refuses to know how it was found.

Outcomes are those of the request taxonomy where one fits, else one of `Word`. The text of an answer lives here only
for the check and the next stage of a workflow; no row holds it.

Source: spec/store.md 3 (probe_results); spec/measurement.md 9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from telemetry.fetch_error import Fault
from telemetry.ids import FLOW_BITS
from telemetry.outcome import Outcome
from telemetry.record import RequestRecord
from telemetry.samples import NO_RECORD, ProbeResult


class Word(StrEnum):
    """Outcomes of a probe that no request has."""

    GUARDED = "guarded"
    """The address may not be asked; nothing was sent."""
    LATE = "late"
    """As it should be, but slower than its budget."""
    OVER_BUDGET = "over_budget"
    """The cost cap of the day is reached; nothing was sent."""
    CERTIFICATE = "certificate"
    """The certificate was refused, or ends too soon."""
    NO_ANSWER = "no_answer"
    """The round was given up; the detail says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a probe asks, in the words of its rows.

    Attributes:
        target: Configured name of what is asked.
        name: Configured name of the probe.
        kind: Which kind of probe it is.
        region: Where it asks from; empty if not set.
    """

    target: str
    name: str
    kind: str
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one question found; the attributes of a row are described at `telemetry.samples.ProbeResult`.

    Attributes:
        record: Its row in requests; None if it has none.
        text: What the answer says; never stored.
        stages: Findings of the stages of a workflow, by name, those that were reached.
    """

    outcome: str
    ok: bool
    duration_us: int | None = None
    queue_wait_us: int | None = None
    run_us: int | None = None
    poll_interval_us: int | None = None
    value: float | None = None
    detail: Mapping[str, str] = field(default_factory=dict[str, str])
    record: RequestRecord | None = None
    text: str = field(default="", repr=False)
    stages: Sequence[tuple[str, "Finding"]] = ()


def rows(subject: Subject, found: Finding, ts: int) -> list[ProbeResult | RequestRecord]:
    """Return the rows of a finding: the whole, its stages, and what went into requests.

    Args:
        subject: What was asked.
        found: What was found.
        ts: Wall time, unix milliseconds.
    """
    named = [(subject.name, found), *((f"{subject.name}/{stage}", one) for stage, one in found.stages)]
    results = [_result(subject, name, one, ts) for name, one in named]
    records = [one.record for _, one in named if one.record is not None]
    return [*results, *(_one_flow(records) if found.stages else records)]


def of_fault(fault: Fault) -> str:
    """Return the outcome of a question that got no answer, where no meter decides it."""
    return _OUTCOMES[fault]


def _one_flow(records: Sequence[RequestRecord]) -> Sequence[RequestRecord]:
    """Return the records of a workflow's stages with one number, which is of the first one's making."""
    return [msgspec.structs.replace(one, flow_id=records[0].record_id.int & ((1 << FLOW_BITS) - 1)) for one in records]


def _result(subject: Subject, name: str, found: Finding, ts: int) -> ProbeResult:
    place = {"kind": subject.kind} | ({"region": subject.region} if subject.region else {})
    return ProbeResult(
        ts=ts,
        target=subject.target,
        probe=name,
        outcome=found.outcome,
        ok=int(found.ok),
        duration_us=found.duration_us,
        queue_wait_us=found.queue_wait_us,
        run_us=found.run_us,
        poll_interval_us=found.poll_interval_us,
        value=found.value,
        record_id=NO_RECORD if found.record is None else found.record.record_id,
        detail=place | dict(found.detail),
    )


_OUTCOMES: Mapping[Fault, str] = {
    Fault.DNS: Outcome.CONNECT_ERROR,
    Fault.REFUSED: Outcome.CONNECT_ERROR,
    Fault.UNREACHABLE: Outcome.CONNECT_ERROR,
    Fault.CONNECT_TIMEOUT: Outcome.CONNECT_ERROR,
    Fault.TLS: Outcome.CONNECT_ERROR,
    Fault.RESET: Outcome.CONNECT_ERROR,
    Fault.TIMEOUT: Outcome.TIMEOUT_FIRST_TOKEN,
    Fault.TOO_LARGE: Outcome.BAD_OUTPUT,
    Fault.PROTOCOL: Outcome.BAD_OUTPUT,
    Fault.GUARDED: Word.GUARDED,
    Fault.REDIRECT: Outcome.UNAVAILABLE,
}
