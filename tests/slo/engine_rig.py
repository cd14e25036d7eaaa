"""An engine over a real store, whose clock and traffic a test makes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast
from uuid import UUID

import msgspec

from slo.engine import Engine, Reach
from slo.expression import parse
from slo.ledger import Ledger
from slo.notice import Notice
from slo.objective import Indicator, Objective, Rolling
from slo.reader import Reader
from slo.watched import watched
from telemetry.errors import StoreError
from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.asked import Dim
from telemetry.queries.question import Question
from telemetry.record import RequestBatch, RequestRecord
from telemetry.samples import Heartbeat, ProbeResult
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

DAY_S = 86_400


def objective(name: str, expression: str = "ok", target: float = 0.99) -> Objective:
    return Objective(
        name=name,
        service="chat",
        target=target,
        window=Rolling(length_s=DAY_S),
        indicator=Indicator(good=parse(expression), only=parse(f"endpoint == '{name}'"), group_by=(Dim.ENDPOINT,)),
    )


class Rig:
    """One endpoint, named as its objective, and an engine that watches it."""

    def __init__(
        self, reader: Store, writer: Store, ledger: Path, name: str, at_s: int, **changes: str | float
    ) -> None:
        self.reader, self.writer, self.name, self.now_s = reader, writer, name, float(at_s)
        self.watched = [watched(objective(name, **changes))]  # type: ignore[arg-type]  # of the two that it takes
        self.path = ledger
        self.said: list[tuple[str, str, str]] = []
        self.reach = Reach(channels=self.hear)
        self._n = 0
        self.now_s -= 60  # so that the first instant has somebody who looks
        self.beat()
        self.now_s += 60
        self.engine = self.started()

    def started(self, store: Store | None = None) -> Engine:
        """Return an engine that has counted the last hours, if it is new; the time before may go on being counted."""
        self.ledger = Ledger(self.path)
        reader = Reader(store or self.reader, self.writer, self.watched, "replica-1")
        engine = Engine(self.watched, reader, self.ledger, self.reach, (self.now_s, self.now_s))
        if engine.view.at_s is None:
            engine.step(self.now_s, self.now_s)
            while engine.has_more and engine.is_behind:
                engine.step(self.now_s, self.now_s)
        return engine

    def restart(self) -> None:
        self.ledger.close()
        self.engine = self.started()

    def hear(self, notices: Sequence[Notice]) -> Mapping[str, Sequence[Notice]]:
        self.said += [(one.labels["alertname"], one.severity, one.status.value) for one in notices]
        return {"channel": notices} if notices else {}

    def requests(self, good: int, bad: int, at_s: float | None = None, models: int = 1) -> None:
        """Let requests end now, one model's after the other's."""
        ended_at = round((self.now_s if at_s is None else at_s) * 1000) - 1
        records: list[RequestRecord] = []
        for n in range(good + bad):
            self._n += 1
            one = msgspec.structs.replace(
                sample_request(self._n, ended_at), endpoint=self.name, record_id=UUID(int=self._n)
            )
            if models > 1:
                one = msgspec.structs.replace(one, model=f"model-{n % models}")
            if n >= good:
                one = msgspec.structs.replace(one, outcome=Outcome.SERVER_ERROR, eligible=Eligibility.BAD)
            records.append(one)
        if records:
            first = self._n - len(records)
            batch = RequestBatch(
                collector=f"rig/{self.name}", seqs=tuple(range(first, self._n)), records=tuple(records)
            )
            self.writer.insert_requests(batch, f"{self.name}-{first}")

    def beat(self, waiting: Mapping[int, int] | None = None) -> None:
        """Let the collector be heard now, with what waits by age."""
        now_ms = round(self.now_s * 1000)
        ages = dict(waiting or {})
        beat = Heartbeat(
            ts=now_ms, collector=f"rig/{self.name}", endpoint=self.name, model="", workload_class="", boot=1,
            watermark=now_ms - 1_000, seq_last=self._n, accepted_total=self._n, stored_total=self._n, dlq_total=0,
            spooled=0, dropped_total={}, tee_frames_dropped_total=0, unparsed_conns_total=0, arrivals_total=self._n,
            first_outputs_total=self._n, tokens_out_total=0, in_flight=sum(ages.values()),
            waiting_first=sum(ages.values()), waiting_age_h=ages, in_flight_age_h=ages, loop_lag_us_max=0,
            rss_bytes=1, cpu_us_total=1, clock_offset_us=0,
        )  # fmt: skip
        self.writer.insert_samples([beat], f"{self.name}-beat-{now_ms}")

    def probe(self, *, ok: bool) -> None:
        one = ProbeResult(ts=round(self.now_s * 1000), target=self.name, probe="completion", outcome="x", ok=int(ok))
        self.writer.insert_samples([one], f"{self.name}-probe-{self.now_s}")

    def go(self, seconds: float) -> int:
        """Let time pass, and the engine take a step; returns how many instants it evaluated."""
        self.now_s += seconds
        return self.engine.step(self.now_s, self.now_s)

    def live(self, good: int, bad: int, steps: int = 1) -> None:
        """Let half a minute pass, again and again, in which requests end and the collector is heard."""
        for _ in range(steps):
            self.now_s += 30
            self.requests(good, bad)
            self.beat()
            self.engine.step(self.now_s, self.now_s)


class Refusing(Store):
    """The store, which refuses to count some objectives.

    Attributes:
        names: Those objectives.
        error: What it says.
        counts: Of each question that counts, which objectives it names.
    """

    names: frozenset[str] = frozenset()
    error = StoreError("memory limit exceeded", 241)

    def __init__(self, process: StoreProcess) -> None:
        super().__init__(process.url, user="reader", password=process.secret("reader"))
        self.counts: list[set[str]] = []

    def query(self, question: Question) -> list[dict[str, object]]:
        asked = [value for name, value in question.parameters.items() if name in {"slo", "f0_slo"}]
        for value in asked:
            self.counts.append({value} if isinstance(value, str) else set(cast("list[str]", value)))
            if self.names & self.counts[-1]:
                raise self.error
        return super().query(question)
