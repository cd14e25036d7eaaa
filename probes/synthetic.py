"""Knows how one completion is asked for and measured as a user would feel it; keeps no text beyond the check.

The meter, the classifier and the record are those of the tee and of the load test. The record is of traffic `probe`,
seen from the client, from before the look-up of the name. An answer that fails a check is `bad_output` in both rows.

Source: spec/measurement.md 2 (instants of a probe), 3, 7 (usage), 9; spec/reliability.md 5.4.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

from probes.answer_text import text_of
from probes.budget import Budget
from probes.checks import Checks, failed
from probes.deadlines import Deadlines
from probes.finding import Finding, Word
from probes.question import Question, Usage, Wish, filled, question, usages
from telemetry.classify import is_success
from telemetry.clock import monotonic_ns, wall_ms
from telemetry.fetch import Answer, Client, Trace
from telemetry.fetch_error import Fault, FetchError
from telemetry.guard import Policy
from telemetry.ids import RANDOM_BITS, uuid7
from telemetry.measured import columns
from telemetry.meter import MeterResult, StreamMeter
from telemetry.outcome import AbortBy, Outcome, TtftSource
from telemetry.outcome_rules import NATURE
from telemetry.record import RequestRecord

ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""Longest answer; a longer one has passed a limit of ours as one that takes too long."""
CERTIFICATE_WARN_DAYS = 21
"""A certificate that ends sooner is told as a warning."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_TRACE_BITS = 128
_BAD_REQUEST = 400
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Configured names of the rows in requests; described at `telemetry.record.RequestRecord`."""

    endpoint: str
    region: str = ""
    workload_class: str = ""
    variant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What is asked, and what its answer must be.

    Attributes:
        wish: The question.
        labels: Names of its rows.
        policy: Where it may lead.
        checks: What the answer must be.
        deadlines: How long it may take.
        tells_text: The finding shall hold the text, for the next stage of a workflow.
    """

    wish: Wish
    labels: Labels
    policy: Policy
    checks: Checks = field(default_factory=Checks)
    deadlines: Deadlines = field(default_factory=Deadlines)
    tells_text: bool = False


class Completions:
    """Asks the same completion again and again.

    Args:
        completion: What is asked.
        client: Asks it.
        budget: What may be spent on it.
        random: Makes identifiers.
    """

    def __init__(self, completion: Completion, *, client: Client, budget: Budget, random: Random) -> None:
        self.limit_s = completion.deadlines.total_s * len(usages(completion.wish))
        self._completion = completion
        self._client = client
        self._budget = budget
        self._random = random
        self._keeps = completion.tells_text or completion.checks.reads_text
        self._usages: Sequence[Usage] = usages(completion.wish)

    async def find(self, given: Mapping[str, str] = _NOTHING) -> Finding:
        """Ask once; until one way to ask for usage was accepted, a 400 is asked again with less."""
        if not self._budget.is_left(wall_ms()):
            return Finding(outcome=Word.OVER_BUDGET, ok=False)
        heard, usage = await self._settled(given)
        if is_success(heard.result.api, heard.result.http_status):
            self._usages = (usage,)
        return self._finding(heard, usage, given)

    async def _settled(self, given: Mapping[str, str]) -> "tuple[_Heard, Usage]":
        *more, least = self._usages
        for usage in more:
            heard = await self._asked(usage, given)
            if heard.result.http_status != _BAD_REQUEST:
                return heard, usage
        return await self._asked(least, given), least

    async def _asked(self, usage: Usage, given: Mapping[str, str]) -> "_Heard":
        trace_id = (self._random.getrandbits(_TRACE_BITS) | 1).to_bytes(16, "big")
        asked = question(self._completion.wish, usage, trace_id, given)
        heard = _Heard(asked, trace_id, self._completion.deadlines, keeps=self._keeps)
        try:
            async with asyncio.timeout(None) as limit:
                limit.reschedule(heard.due_s())
                async with self._client.stream(
                    "POST",
                    asked.url,
                    policy=self._completion.policy,
                    bytes_max=ANSWER_BYTES_MAX,
                    headers=asked.headers,
                    body=asked.body,
                    trace=heard.trace,
                ) as answer:
                    heard.head(answer)
                    limit.reschedule(heard.due_s())
                    while (got := await answer.read()) is not None:
                        heard.chunk(*got)
                        limit.reschedule(heard.due_s())
            heard.end(None)
        except TimeoutError:
            heard.end(heard.waits_for)
        except FetchError as fault:
            heard.fault = fault
            heard.end(AbortBy.TOTAL_DEADLINE if fault.kind is Fault.TOO_LARGE else AbortBy.UPSTREAM)
        return heard

    def _finding(self, heard: "_Heard", usage: Usage, given: Mapping[str, str]) -> Finding:
        result, fault = heard.result, heard.fault
        self._spend(result, given)
        if fault is not None and fault.kind is Fault.GUARDED:
            return Finding(outcome=Word.GUARDED, ok=False, detail={"reason": str(fault)})
        text = heard.text() if result.outcome is Outcome.OK and self._keeps else ""
        wrong = _wrong(self._completion.checks, heard, text)
        record = self._record(heard, is_wrong=bool(wrong))
        told = {
            "usage": usage.value,
            "finish": result.finish_reason,
            "code": result.raw_code,
            "check": " ".join(wrong),
            "reason": "" if fault is None else str(fault),
        }
        return Finding(
            outcome=record.outcome,
            ok=record.outcome is Outcome.OK,
            duration_us=result.elapsed_us if result.e2e_us is None else result.e2e_us,
            value=None if result.ttft_us is None else result.ttft_us / 1e6,
            detail=_shown({**told, **trace_detail(heard.trace)}),
            record=record,
            text=text,
        )

    def _record(self, heard: "_Heard", *, is_wrong: bool) -> RequestRecord:
        measured = columns(heard.result)
        if is_wrong:
            nature = NATURE[Outcome.BAD_OUTPUT]
            measured |= {"outcome": Outcome.BAD_OUTPUT, "origin": nature.origin, "eligible": nature.eligible}
            measured["in_stream"] = 1
        labels, ended_at = self._completion.labels, wall_ms()
        return RequestRecord(
            ended_at=ended_at,
            endpoint=labels.endpoint,
            model=self._completion.wish.model,
            region=labels.region,
            workload_class=labels.workload_class,
            variant=labels.variant,
            traffic="probe",
            point="client",
            record_id=uuid7(ended_at, self._random.getrandbits(RANDOM_BITS)),
            trace_id=heard.trace_id,
            bytes_in=heard.trace.sent_bytes,
            bytes_out=heard.trace.received_bytes,
            **measured,
        )

    def _spend(self, result: MeterResult, given: Mapping[str, str]) -> None:
        if not is_success(result.api, result.http_status):
            return
        wish = self._completion.wish
        tokens_in = len(filled(wish.prompt, given).encode()) if result.tokens_in is None else result.tokens_in
        tokens_out = wish.tokens_max if result.tokens_out is None else result.tokens_out
        self._budget.spend(wall_ms(), tokens_in, tokens_out)


class _Heard:
    """One answer as it comes: its meter, and its bytes where they are needed."""

    def __init__(self, asked: Question, trace_id: bytes, deadlines: Deadlines, *, keeps: bool) -> None:
        self.trace = Trace(issued_ns=monotonic_ns())
        self.trace_id = trace_id
        self.fault: FetchError | None = None
        self.is_encoded = False
        self.waits_for = AbortBy.TOTAL_DEADLINE
        self._shape = asked.shape
        self._deadlines = deadlines
        self._meter = StreamMeter(asked.shape, ttft_source=TtftSource.CLIENT)
        self._has_begun = False
        self._at_ns = self.trace.issued_ns
        self._body: bytearray | None = bytearray() if keeps else None

    @property
    def result(self) -> MeterResult:
        return self._meter.result()

    def due_s(self) -> float:
        """Return until when to wait, by the clock of the running loop."""
        found = self._meter.result() if self._shape.stream else None
        due_ns, self.waits_for = self._deadlines.next(self.trace.issued_ns, self._at_ns, found)
        return asyncio.get_running_loop().time() + (due_ns - monotonic_ns()) / 1e9

    def head(self, answer: Answer) -> None:
        self._begin()
        self._at_ns = self.trace.head_ns or self._at_ns
        self._meter.headers(answer.status, answer.headers, self._at_ns)
        self.is_encoded = answer.encoded
        if answer.encoded:
            self._meter.opaque()

    def chunk(self, at_ns: int, data: bytes) -> None:
        self._at_ns = at_ns
        self._meter.feed(data, at_ns)
        if self._body is not None:
            self._body += data

    def end(self, by: AbortBy | None) -> None:
        self._begin()
        if by is None:
            self._meter.end(monotonic_ns())
        else:
            self._meter.abort(by, monotonic_ns())

    def text(self) -> str:
        return text_of(self._shape.api, bytes(self._body or b""), streamed=bool(self.result.stream))

    def _begin(self) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        self._meter.begin(self.trace.issued_ns)
        if self.trace.connected_ns is not None:
            self._meter.connected(self.trace.connected_ns)
        if self.trace.sent_ns is not None:
            self._meter.sent(self.trace.sent_ns)


def trace_detail(trace: Trace) -> Mapping[str, str]:
    """Return how the way to an answer was, in the words of a probe's row; a certificate by the days that are left."""
    times = {"dns_us": trace.dns_us, "connect_us": trace.connect_us, "tls_us": trace.tls_us}
    told = {name: str(value) for name, value in times.items() if value is not None}
    days = certificate_days(trace, wall_ms())
    if days is None:
        return told
    return told | {"certificate_days": str(int(days)), "level": "warning" if days < CERTIFICATE_WARN_DAYS else "ok"}


def certificate_days(trace: Trace, unix_ms: int) -> float | None:
    """Return for how many days the peer's certificate still holds; None without one."""
    end_unix_s = trace.certificate_end_unix_s
    return None if end_unix_s is None else (end_unix_s - unix_ms / 1000) / _DAY_S


def _wrong(checks: Checks, heard: _Heard, text: str) -> Sequence[str]:
    if heard.result.outcome is not Outcome.OK:
        return ()
    return ("coding",) if heard.is_encoded else failed(checks, text, heard.result.tokens_out)


def _shown(detail: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in detail.items() if value}
