"""From the rows of a run to what the gate compares: the population, failures, and tokens by second."""

from uuid import UUID

import pytest

from loadtest.gate import Request, Run
from loadtest.gate_rows import gated_run
from loadtest.plan_spec import Objectives
from loadtest.rows import Row
from loadtest.run_spec import Phase
from telemetry.outcome import Eligibility, Flag, Outcome
from telemetry.outcome import Phase as Reached
from telemetry.record import RequestRecord

WINDOW_NS = (10_000_000_000, 20_000_000_000)
LIMITS = {"chat": Objectives(ttft_s=0.5)}


def row(
    j: int,
    *,
    outcome: Outcome = Outcome.OK,
    attempt: int = 1,
    phase: Phase = Phase.MEASURED,
    turn: int = 1,
    flags: int = 0,
    tok_by_s: tuple[int, ...] = (4, 2),
    tokens_out: int | None = 6,
    kind: str = "chat",
    ttft_us: int | None = 400_000,
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
        eligible=Eligibility.GOOD,
        attempt=attempt,
        flags=flags,
        ttft_us=ttft_us,
        tpot_us=20_000,
        icl_max_us=30_000,
        tok_by_s=tok_by_s,
        tokens_out=tokens_out,
    )
    return Row(
        j=j, t_sched_us=j * 1_000_000, run_phase=phase, worker=0, arm=0, len_in=1, len_out=1, record=record, turn=turn
    )


def run(*rows: Row) -> Run:
    return gated_run(rows, WINDOW_NS, LIMITS)


def test_a_request() -> None:
    expected = Request(at_s=12.0, ttft_s=0.4, tpot_s=0.02, max_gap_s=0.03, is_bad=False, meets=True)

    assert Run(since_s=10.0, until_s=20.0, requests=[expected], tokens=[(12.0, 4), (13.0, 2)]) == run(row(12))


def test_the_last_attempt_counts_whatever_order_rows_come_in() -> None:
    first, second = row(12, outcome=Outcome.OVERLOADED, ttft_us=None), row(12, attempt=2)

    assert [False] == [one.is_bad for one in run(first, second).requests]
    assert run(second, first) == run(first, second)


def test_only_first_turns_of_the_measured_part_count_and_all_tokens() -> None:
    found = run(row(5, phase=Phase.WARM_UP), row(12), row(12, turn=2, attempt=2), row(19, flags=Flag.ABORTED_BY_PLAN))

    assert [12.0] == [one.at_s for one in found.requests]
    assert [(5.0, 4), (6.0, 2), (12.0, 8), (13.0, 4), (19.0, 4), (20.0, 2)] == found.tokens


@pytest.mark.parametrize(
    ("found", "tokens"),
    [
        pytest.param(row(13, tok_by_s=(), tokens_out=None), None, id="no usage"),
        pytest.param(row(13, ttft_us=None), None, id="nobody knows when"),
        pytest.param(row(13, tok_by_s=(), tokens_out=0), [(12.0, 4), (13.0, 2)], id="known to be none"),
        pytest.param(
            row(13, tok_by_s=(), tokens_out=None, outcome=Outcome.SERVER_ERROR), [(12.0, 4), (13.0, 2)], id="no answer"
        ),
    ],
)
def test_tokens_of_an_answer_that_are_unknown_are_not_0(found: Row, tokens: list[tuple[float, int]] | None) -> None:
    assert tokens == run(row(12), found).tokens


def test_whatever_did_not_end_well_is_bad() -> None:
    found = run(row(12, outcome=Outcome.STREAM_TRUNCATED), row(13, outcome=Outcome.CLIENT_CANCELLED, ttft_us=None))

    assert [(True, False), (True, False)] == [(one.is_bad, one.meets) for one in found.requests]


def test_objectives_are_of_the_class() -> None:
    found = run(row(12, ttft_us=600_000), row(13, kind="batch", ttft_us=600_000))

    assert [False, None] == [one.meets for one in found.requests]
