from uuid import UUID

import pytest

from loadtest.digest import METRICS, PERCENTILES, Digest, Figure, digest
from loadtest.rows import Row
from loadtest.run_spec import Phase
from telemetry.outcome import Eligibility, Flag, Outcome
from telemetry.outcome import Phase as Reached
from telemetry.percentile import Standing
from telemetry.record import RequestRecord

S = 1_000_000_000
WINDOW = (0, 10 * S)


def row(
    j: int,
    *,
    ttft_us: int | None = 100_000,
    outcome: Outcome = Outcome.OK,
    attempt: int = 1,
    phase: Phase = Phase.MEASURED,
    flags: int = 0,
    tok_by_s: tuple[int, ...] = (4, 2),
    t_sched_us: int | None = None,
) -> Row:
    record = RequestRecord(
        ended_at=1,
        elapsed_us=1,
        endpoint="e",
        model="m",
        record_id=UUID(int=j),
        outcome=outcome,
        phase=Reached.DONE,
        eligible=Eligibility.GOOD,
        attempt=attempt,
        flags=flags,
        sched_lag_us=300,
        ttft_us=ttft_us,
        e2e_us=None if ttft_us is None else 2 * ttft_us,
        tokens_in=40,
        tokens_out=6,
        tok_by_s=tok_by_s,
    )
    at_us = 100_000 * j if t_sched_us is None else t_sched_us
    return Row(
        j=j, t_sched_us=at_us, run_phase=phase, worker=0, arm=0, len_in=40, len_out=6, record=record, reused=j % 2 == 1
    )


def figure(found: Digest, name: str, p: float) -> Figure:
    (one,) = [one for one in found.figures if (one.name, one.p) == (name, p)]
    return one


def test_a_percentile_is_the_nearest_rank_of_the_measured_arrivals() -> None:
    rows = [row(j, ttft_us=(j + 1) * 1000) for j in range(100)]
    rows += [row(200, phase=Phase.WARM_UP, ttft_us=9_000_000), row(201, phase=Phase.COOL_DOWN, ttft_us=1)]
    found = digest(rows, WINDOW)

    assert (100, 100, 10.0) == (found.offered, found.good, found.rate_per_s)
    assert (0.05, 0.099) == (figure(found, "ttft", 50).value_s, figure(found, "ttft", 99).value_s)
    assert 0.19 == figure(found, "e2e", 95).value_s
    assert len(METRICS) * len(PERCENTILES) == len(found.figures)


def test_a_failure_is_in_every_denominator_and_beyond_every_value() -> None:
    rows = [row(j) for j in range(19)] + [row(19, outcome=Outcome.STREAM_ERROR, ttft_us=50_000)]
    found = digest(rows, WINDOW)

    assert (20, 19, {"ok": 19, "stream_error": 1}) == (found.offered, found.good, found.outcomes)
    assert (Standing.KNOWN, 0.1) == (figure(found, "ttft", 95).standing, figure(found, "ttft", 95).value_s)
    assert (Standing.FAILS, None) == (figure(found, "ttft", 99).standing, figure(found, "ttft", 99).value_s)
    assert found.good_low is not None
    assert found.good_low < 0.95 < (found.good_high or 0)


def test_too_few_have_no_percentile() -> None:
    assert Standing.TOO_FEW == figure(digest([row(j) for j in range(99)], WINDOW), "ttft", 99).standing


def test_an_arrival_counts_by_its_last_attempt() -> None:
    rows = [
        row(0, outcome=Outcome.OVERLOADED, ttft_us=None),
        row(0, attempt=2, ttft_us=700_000),
        row(1, outcome=Outcome.OVERLOADED, ttft_us=None),
    ]
    found = digest(rows, WINDOW)

    assert (2, 1, 3) == (found.offered, found.good, found.attempts)
    assert 2 == found.sent.n  # arrivals, not attempts


def test_planned_aborts_are_left_out() -> None:
    aborted = row(1, outcome=Outcome.CLIENT_CANCELLED, flags=Flag.ABORTED_BY_PLAN)
    found = digest([row(0), aborted], WINDOW)

    assert (1, 1, 1) == (found.offered, found.good, found.planned_aborts)


def test_what_was_shed_is_bad_and_was_not_sent() -> None:
    found = digest([row(0), row(1, outcome=Outcome.CLIENT_LIMIT, ttft_us=None, tok_by_s=())], WINDOW)

    assert (2, 1, 1) == (found.offered, found.good, found.sent.n)


def test_tokens_count_where_they_came() -> None:
    # Three answers, 4 tokens in the first second and 2 in the next: before, within and across the end of the window.
    rows = [row(0, t_sched_us=-500_000), row(1, t_sched_us=3_000_000), row(2, t_sched_us=9_000_000)]

    assert pytest.approx((2 + 6 + 4) / 10) == digest(rows, WINDOW).tokens_out_per_s


def test_what_is_unknown_stays_unknown() -> None:
    found = digest([], WINDOW)

    assert (0, 0, None, None, None, None, None) == (
        found.offered,
        found.good,
        found.good_low,
        found.tokens_out_per_s,
        found.tokens_in,
        found.reused_ratio,
        found.sent.cv,
    )
    assert digest([], (0, 0)).rate_per_s is None


def test_what_was_sent_is_described() -> None:
    found = digest([row(j) for j in range(100)], WINDOW)

    assert (100, 0.5, 40, 6) == (found.sent.n, found.reused_ratio, found.tokens_in, found.tokens_out)
    assert found.sent.cv == pytest.approx(0.0, abs=1e-9)
