"""Requests of every kind for the tests of the queries, and the store that they went into through the real views."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import httpx

from telemetry.clock import wall_ms
from telemetry.ids import RANDOM_BITS, uuid7
from telemetry.outcome import Eligibility, Outcome, Phase, TokSource, TtftQuality
from telemetry.queries import Question
from telemetry.record import RequestBatch, RequestRecord
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

HOUR_MS = 3_600_000
N_HOURS, N_ROWS = 3, 2_000
SINCE_MS = (wall_ms() // HOUR_MS - N_HOURS - 1) * HOUR_MS
"""Whole hours, the last of which ended an hour ago: every roll-up fits, and all of it is kept."""
UNTIL_MS = SINCE_MS + N_HOURS * HOUR_MS

_ENDINGS = (
    *[(Outcome.OK, Eligibility.GOOD, Phase.DONE)] * 16,
    (Outcome.STREAM_ERROR, Eligibility.BAD, Phase.STREAMING),
    (Outcome.OVERLOADED, Eligibility.BAD, Phase.QUEUED),
    (Outcome.CLIENT_CANCELLED, Eligibility.CENSORED, Phase.QUEUED),
    (Outcome.CONTEXT_LENGTH, Eligibility.EXCLUDED, Phase.QUEUED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A store and what is in it.

    Attributes:
        records: What was inserted.
        reader: Asks.
        writer: Inserts.
        process: The store itself.
    """

    records: tuple[RequestRecord, ...]
    reader: Store
    writer: Store
    process: StoreProcess

    def rows(self, question: Question) -> list[dict[str, object]]:
        return self.reader.query(question)

    def insert(self, collector: str, records: Sequence[RequestRecord]) -> None:
        batch = RequestBatch(collector=collector, seqs=tuple(range(1, len(records) + 1)), records=tuple(records))
        self.writer.insert_requests(batch, collector)

    def insert_rows(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert rows of any table, as a writer does over HTTP."""
        sql = f"INSERT INTO inferometer.{table} ({', '.join(rows[0])}) FORMAT JSONEachRow"
        answer = httpx.post(
            self.process.url,
            params={"query": sql, "insert_deduplication_token": f"{table}-{len(rows)}-{hash(str(rows))}"},
            content="\n".join(json.dumps(row) for row in rows),
            auth=("writer", self.process.secret("writer")),
        )
        assert answer.status_code == 200, answer.text


def record(at: int, random: Random) -> RequestRecord:
    outcome, eligible, phase = random.choice(_ENDINGS)
    has_output = phase is not Phase.QUEUED
    ttft_us = int(random.lognormvariate(12.5, 0.8)) if has_output else None
    tokens = random.randrange(1, 200)
    elapsed_us = (ttft_us or 50_000) + 20_000 * tokens
    ended_at = SINCE_MS + at * (UNTIL_MS - SINCE_MS) // N_ROWS
    seconds = 1 + 20_000 * tokens // 1_000_000
    return RequestRecord(
        ended_at=ended_at,
        elapsed_us=elapsed_us,
        endpoint=random.choice(("chat", "code")),
        model=random.choice(("small", "large", "it's")),
        region=random.choice(("eu", "us")),
        replica=f"10.0.0.{random.randrange(3)}:8000",
        record_id=uuid7(ended_at, random.getrandbits(RANDOM_BITS)),
        outcome=outcome,
        phase=phase,
        eligible=eligible,
        in_stream=int(outcome is Outcome.STREAM_ERROR),
        e2e_us=elapsed_us if outcome is Outcome.OK else None,
        ttft_us=ttft_us,
        ttfo_us=ttft_us,
        tpot_us=20_000 + random.randrange(500) if has_output and tokens > 1 else None,
        icl_max_us=random.randrange(20_000, 90_000) if has_output and tokens > 1 else None,
        srv_queue_us=random.choice((0, 0, 1_000, None)),
        tokens_in=random.choice((None, 100, 700, 9_000)),
        tokens_out=tokens if has_output else None,
        tok_by_s=(tokens // seconds,) * seconds if has_output and at % 3 else (),
        tok_source=TokSource.USAGE if has_output else TokSource.NONE,
        ttft_quality=TtftQuality.EXACT if has_output else TtftQuality.NONE,
    )
