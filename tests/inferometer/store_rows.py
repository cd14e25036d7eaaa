"""Rows in a store, and what it then answers, for tests of what may not change them."""

from uuid import UUID

from telemetry.clock import wall_ms
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestBatch, RequestRecord
from telemetry.testing.store_process import StoreProcess

DAY_MS = 86_400_000
ROLL_UP = (
    "SELECT sum(n), sum(good), sum(tokens_out), sum(tokens_by_event), sumMap(outcomes), sumMap(ttft_h), sumMap(itl_h),"
    " max(e2e_worst), min(ingested_at_min), max(ingested_at_max) FROM {table} WHERE t > now() - INTERVAL 60 HOUR"
)
"""What is older than three days leaves `r_1s` at a moment of the engine's choosing."""
QUESTIONS = (
    *(ROLL_UP.replace("{table}", table) for table in ("r_1s", "r_1m", "r_1h")),
    "SELECT count(), sum(seq), min(ended_at), max(ended_at), sum(cityHash64(endpoint, seq, record_id)) FROM requests",
    "SELECT toDate(ended_at), count() FROM requests GROUP BY ALL ORDER BY ALL",
)


def fill(process: StoreProcess, n_days: int = 3, n_rows: int = 100) -> None:
    """Insert requests on each of some days, today being the last."""
    now_ms = wall_ms()
    with_store = process.store("writer")
    for day in range(n_days):
        first = (now_ms + day) * 100_000
        records = tuple(
            RequestRecord(
                ended_at=now_ms - day * DAY_MS, elapsed_us=1000 + at, endpoint="e", model="m",
                record_id=UUID(int=first + at), outcome=Outcome.OK, phase=Phase.DONE, eligible=Eligibility.GOOD,
                ttft_us=500 + at, e2e_us=900 + at, tokens_out=3, tok_by_s=(3,),
            )
            for at in range(n_rows)
        )  # fmt: skip
        batch = RequestBatch(collector="n/fill", seqs=tuple(range(first, first + n_rows)), records=records)
        with_store.insert_requests(batch, f"fill-{first}")
    with_store.close()


def answers(process: StoreProcess) -> list[bytes]:
    """Ask the same of a store and of its copy."""
    reader = process.store("reader")
    found = [reader.raw(question, output="TSV") for question in QUESTIONS]
    reader.close()
    return found
