"""Rows of a load test, as tests make them."""

from uuid import UUID

from loadtest.rows import Row
from loadtest.run_spec import Phase
from telemetry.outcome import Eligibility, Outcome
from telemetry.outcome import Phase as Reached
from telemetry.record import RequestRecord


def row(
    j: int,
    *,
    at_s: float | None = None,
    outcome: Outcome = Outcome.OK,
    attempt: int = 1,
    phase: Phase = Phase.MEASURED,
    turn: int = 1,
    flags: int = 0,
    kind: str = "default",
    ttft_us: int | None = 400_000,
    tpot_us: int | None = 20_000,
    arm: int = 0,
) -> Row:
    record = RequestRecord(
        ended_at=1,
        elapsed_us=900_000,
        endpoint="e",
        model="m",
        workload_class=kind,
        record_id=UUID(int=j),
        outcome=outcome,
        phase=Reached.DONE,
        eligible=Eligibility.GOOD if outcome is Outcome.OK else Eligibility.BAD,
        attempt=attempt,
        flags=flags,
        ttft_us=ttft_us,
        e2e_us=ttft_us and ttft_us + 500_000,
        tpot_us=tpot_us,
        icl_max_us=30_000 if tpot_us else None,
        tokens_in=16,
        tokens_out=6,
        tok_by_s=(4, 2),
        itl_h={40: 5},
        trace_id=b"\x01" * 16,
    )
    t_sched_us = j * 1_000_000 if at_s is None else round(at_s * 1e6)
    return Row(
        j=j, t_sched_us=t_sched_us, run_phase=phase, worker=0, arm=arm, len_in=1, len_out=1, record=record, turn=turn
    )
