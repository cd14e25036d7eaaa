"""Knows how a job is handed in and watched until it ends, and what its stamps mean; refuses to know what it makes.

The columns are measured here, on our clock: taken in to first seen running, first seen running to first seen ended.
Each instant is late by at most the pause before the look that saw it, so the longest of those pauses is stored beside
them. What the service's own stamps say stands in the detail, on its clock, never mixed with ours.

Source: spec/measurement.md 12 (async jobs, GMI video queue).
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random

import msgspec

from probes.budget import Budget
from probes.finding import Finding, Word
from probes.payload import filled_body, taken
from probes.reach import PAGE_BYTES_MAX, failed_fetch, status_outcome
from probes.synthetic import Labels, trace_detail
from telemetry.clock import monotonic_ns, wall_ms
from telemetry.events import as_object, json_or_text
from telemetry.fetch import Client, Fetched, Trace
from telemetry.fetch_error import FetchError
from telemetry.guard import Policy
from telemetry.ids import FLOW_BITS, RANDOM_BITS, uuid7
from telemetry.outcome import Outcome, Phase
from telemetry.outcome_rules import NATURE
from telemetry.record import RequestRecord

LOOK_FAULTS_MAX = 5
"""Looks in a row that may fail before a job is given up."""
SECONDS_BELOW = 10**11
"""A stamp below is in seconds."""
MILLISECONDS_BELOW = 10**14
"""A stamp below is in milliseconds, one at or above it in microseconds."""

_IDENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_NOTHING: Mapping[str, str] = {}


class Status(StrEnum):
    """What a service says of a job."""

    CREATED = "created"
    QUEUED = "queued"
    DISPATCHED = "dispatched"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDINGS: Mapping[Status, Outcome] = {
    Status.SUCCESS: Outcome.OK,
    Status.FAILED: Outcome.SERVER_ERROR,
    Status.CANCELLED: Outcome.CLIENT_CANCELLED,
}
"""Statuses after which nothing changes, and their class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a job is looked at: every `first_s` for `first_for_s`, then every `later_s`, jittered by 10 %."""

    first_s: float = 1.0
    first_for_s: float = 30.0
    later_s: float = 5.0
    jitter_ratio: float = 0.1

    def pause_s(self, elapsed_s: float, random: float) -> float:
        """Return the pause before the next look; `random` is 0 to 1."""
        base_s = self.first_s if elapsed_s < self.first_for_s else self.later_s
        return base_s * (1 + self.jitter_ratio * (2 * random - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is handed in.

    Attributes:
        url: Where to hand it in; a job is looked at below it.
        policy: Where it may lead.
        body: JSON.
        headers: With the key in it.
        total_s: Handed in to the end.
        look_s: Longest time for one question.
        labels: Names of its row in requests; None writes none.
        model: Name of the model in that row; empty if none.
        take: Place of a text in the last answer that a next stage needs; empty for none.
        pace: How often to look.
    """

    url: str
    policy: Policy
    body: Mapping[str, object] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    total_s: float = 600.0
    look_s: float = 10.0
    labels: Labels | None = None
    model: str = ""
    take: str = ""
    pace: Pace = field(default_factory=Pace)


class Jobs:
    """Hands the same job in again and again."""

    def __init__(self, job: Job, *, client: Client, budget: Budget, random: Random) -> None:
        self.limit_s = job.total_s + job.look_s
        self._job = job
        self._client = client
        self._budget = budget
        self._random = random

    async def find(self, given: Mapping[str, str] = _NOTHING) -> Finding:
        """Hand it in and wait for its end."""
        if not self._budget.is_left(wall_ms()):
            return Finding(outcome=Word.OVER_BUDGET, ok=False)
        trace = Trace(issued_ns=monotonic_ns())
        found = await self._found(given, trace)
        record = self._record(found, trace)
        return found if record is None else replace(found, record=record)

    async def _found(self, given: Mapping[str, str], trace: Trace) -> Finding:
        try:
            fetched = await self._fetch("POST", self._job.url, trace, filled_body(self._job.body, given))
        except FetchError as error:
            return failed_fetch(error, trace)
        outcome = status_outcome(fetched)
        ident = as_object(json_or_text(fetched.body)).get("request_id")
        if outcome is not Outcome.OK:
            return Finding(outcome=outcome, ok=False, duration_us=fetched.elapsed_us, detail=trace_detail(trace))
        self._budget.spend(wall_ms(), 0, 0)
        if not isinstance(ident, str) or not _IDENT.fullmatch(ident):
            detail = {"check": "request_id", **trace_detail(trace)}
            return Finding(outcome=Outcome.BAD_OUTPUT, ok=False, duration_us=fetched.elapsed_us, detail=detail)
        watch = Watch(trace.issued_ns)
        watch.saw(fetched.body, monotonic_ns())
        await self._watched(f"{self._job.url.rstrip('/')}/{ident}", watch)
        return watch.finding(self._job.take, trace_detail(trace))

    def _record(self, found: Finding, trace: Trace) -> RequestRecord | None:
        """Return the job as one request: an item of a batch, and a flow of its own until it is a stage of another."""
        labels = self._job.labels
        if labels is None or found.outcome not in set(Outcome):
            return None
        outcome, ended_at = Outcome(found.outcome), wall_ms()
        return RequestRecord(
            ended_at=ended_at,
            elapsed_us=(monotonic_ns() - trace.issued_ns) // 1000 if found.duration_us is None else found.duration_us,
            endpoint=labels.endpoint,
            model=self._job.model,
            region=labels.region,
            workload_class=labels.workload_class,
            variant=labels.variant,
            traffic="probe",
            api="async_job",
            point="client",
            record_id=uuid7(ended_at, self._random.getrandbits(RANDOM_BITS)),
            flow_id=self._random.getrandbits(FLOW_BITS),
            outcome=outcome,
            phase=Phase.DONE if outcome is Outcome.OK else Phase.QUEUED,
            origin=NATURE[outcome].origin,
            eligible=NATURE[outcome].eligible,
            e2e_us=found.duration_us if outcome is Outcome.OK else None,
            bytes_in=trace.sent_bytes,
            bytes_out=trace.received_bytes,
        )

    async def _watched(self, url: str, watch: "Watch") -> None:
        """Look again and again until the job has ended, the time is over or nothing can be seen."""
        faults = 0
        while not watch.has_ended and faults < LOOK_FAULTS_MAX:
            pause_s = self._job.pace.pause_s(watch.elapsed_s(monotonic_ns()), self._random.random())
            if watch.elapsed_s(monotonic_ns()) + pause_s > self._job.total_s:
                return
            await asyncio.sleep(pause_s)
            try:
                fetched = await self._fetch("GET", url, Trace(), None)
            except FetchError as error:
                faults += 1
                watch.missed(error.kind.value)
                continue
            if status_outcome(fetched) is Outcome.OK:
                faults = 0
                watch.saw(fetched.body, monotonic_ns())
            else:
                faults += 1
                watch.missed(str(fetched.status))
        watch.is_lost = faults >= LOOK_FAULTS_MAX

    async def _fetch(self, method: str, url: str, trace: Trace, body: object) -> Fetched:
        encoded = None if body is None else msgspec.json.encode(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        return await self._client.fetch(
            method,
            url,
            policy=self._job.policy,
            total_s=self._job.look_s,
            bytes_max=PAGE_BYTES_MAX,
            headers={**kind, **self._job.headers},
            body=encoded,
            trace=trace,
        )


class Watch:
    """What was seen of one job, look by look.

    Attributes:
        is_lost: Too many looks in a row failed.
    """

    def __init__(self, issued_ns: int) -> None:
        self.is_lost = False
        self._issued_ns = issued_ns
        self._taken_ns: int | None = None
        self._looked_ns: int | None = None
        self._running_ns: int | None = None
        self._ended_ns: int | None = None
        self._status: Status | None = None
        self._error_ns = 0
        self._looks = 0
        self._misses: dict[str, int] = {}
        self._body = b""

    @property
    def has_ended(self) -> bool:
        """Return whether nothing will change any more."""
        return self._status in ENDINGS

    def elapsed_s(self, at_ns: int) -> float:
        """Return the time since the job was handed in."""
        return (at_ns - self._issued_ns) / 1e9

    def saw(self, body: bytes, at_ns: int) -> None:
        """Take what one look showed; a status that is not known leaves the last one."""
        word = as_object(json_or_text(body)).get("status")
        status = Status(word) if isinstance(word, str) and word in set(Status) else self._status
        self._taken_ns = at_ns if self._taken_ns is None else self._taken_ns
        if status is not self._status and self._looked_ns is not None:
            self._error_ns = max(self._error_ns, at_ns - self._looked_ns)
        if status is Status.PROCESSING and self._running_ns is None:
            self._running_ns = at_ns
        self._status, self._looked_ns, self._body = status, at_ns, body
        self._looks += 1
        if self.has_ended:
            self._ended_ns = at_ns

    def missed(self, why: str) -> None:
        """Take a look that showed nothing."""
        self._misses[why] = self._misses.get(why, 0) + 1

    def finding(self, take: str, detail: Mapping[str, str]) -> Finding:
        """Return what became of the job."""
        outcome = self._outcome()
        text = (taken(self._body, take) or "") if take and outcome is Outcome.OK else ""
        check = "take" if take and outcome is Outcome.OK and not text else ""
        end_ns = self._ended_ns
        return Finding(
            outcome=Outcome.BAD_OUTPUT if check else outcome,
            ok=outcome is Outcome.OK and not check,
            duration_us=_us(self._issued_ns, end_ns),
            queue_wait_us=_us(self._taken_ns, self._running_ns),
            run_us=_us(self._running_ns, end_ns),
            poll_interval_us=self._error_ns // 1000 if self._running_ns or end_ns else None,
            detail={name: value for name, value in {**detail, **self._detail(), "check": check}.items() if value},
            text=text,
        )

    def _outcome(self) -> Outcome:
        if self._status is not None and self._status in ENDINGS:
            return ENDINGS[self._status]
        return Outcome.UNAVAILABLE if self.is_lost else Outcome.TIMEOUT_FIRST_TOKEN

    def _detail(self) -> Mapping[str, str]:
        told = as_object(json_or_text(self._body))
        created, updated = stamp_us(told.get("created_at")), stamp_us(told.get("updated_at"))
        service_us = None if created is None or updated is None or updated < created else updated - created
        return {
            "status": "" if self._status is None else self._status.value,
            "looks": str(self._looks),
            "misses": " ".join(f"{why}:{count}" for why, count in sorted(self._misses.items())),
            "service_us": "" if service_us is None else str(service_us),
            "quality": "polled",
        }


def stamp_us(value: object) -> int | None:
    """Return a service's time stamp in unix microseconds, its unit read from its size; None if it is no stamp."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MILLISECONDS_BELOW * 1000:
        return None
    if value < SECONDS_BELOW:
        return round(value * 1_000_000)
    return round(value * 1_000) if value < MILLISECONDS_BELOW else round(value)


def _us(from_ns: int | None, to_ns: int | None) -> int | None:
    return None if from_ns is None or to_ns is None else (to_ns - from_ns) // 1000
