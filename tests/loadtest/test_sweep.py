import msgspec
import pytest
from load_rows import row

from loadtest.plan_spec import Objectives
from loadtest.search import Step
from loadtest.sweep import Measured, in_flight, knee_rps, step_model, tried
from telemetry.outcome import Outcome

LIMITS = {"default": Objectives(ttft_s=0.5)}
WINDOW_NS = (0, 10_000_000_000)


def test_requests_in_flight_are_counted_at_each_second() -> None:
    rows = [row(0, at_s=0.5), row(1, at_s=0.9), row(2, at_s=1.95), row(2, at_s=1.95, attempt=2)]  # 0.9 s each

    assert [0, 2, 1, 0] == in_flight(Measured(rows=rows, window_ns=(0, 3_000_000_000)))
    assert [2, 1] == in_flight(Measured(rows=rows, window_ns=(1_000_000_000, 2_000_000_000)))


def test_a_step_that_went_on_counts_as_its_sum() -> None:
    good = [row(j, at_s=j / 10) for j in range(100)]
    bad = [*good[:90], *(row(j, at_s=j / 10, ttft_us=900_000) for j in range(90, 100))]
    found = tried(10.0, [Measured(rows=good, window_ns=WINDOW_NS), Measured(rows=bad, window_ns=WINDOW_NS)], LIMITS)

    assert Step(rate_rps=10.0, offered=200, good=190, completed=200, lengths=2) == found.step
    assert (0.95, 60.0, 57.0) == (found.point.attainment, found.point.tokens_out_per_s, found.good_tokens_per_s)
    assert (0.9, 0.02) == (found.e2e_p50_s, found.tpot_p50_s)
    assert 19.0 == found.held_tokens  # 16 of the prompt, half of 6
    assert found.point.in_flight == pytest.approx(8.2, abs=0.5)  # Little: 10 a second for 0.9 s, from an empty start


def test_failures_are_infinite_and_do_not_meet() -> None:
    rows = [row(j, at_s=j / 10, outcome=Outcome.SERVER_ERROR, ttft_us=None) for j in range(100)]
    found = tried(10.0, [Measured(rows=rows, window_ns=WINDOW_NS)], LIMITS)

    assert (100, 0, 0) == (found.step.offered, found.step.good, found.step.completed)
    assert (None, None, 0.0) == (found.point.ttft_p95_s, found.e2e_p50_s, found.good_tokens_per_s)


def test_nothing_offered_is_nothing_known() -> None:
    found = tried(10.0, [Measured(rows=[], window_ns=WINDOW_NS)], LIMITS)

    assert (0, 0.0, 1.0, None) == (found.step.offered, found.point.lo, found.point.hi, found.held_tokens)
    assert knee_rps([found]) is None


def test_requests_that_pile_up_are_an_overload() -> None:
    rows = [row(j, at_s=j / 10, ttft_us=400_000) for j in range(600)]
    slow = [msgspec.structs.replace(r, record=msgspec.structs.replace(r.record, elapsed_us=60_000_000)) for r in rows]
    window_ns = (0, 60_000_000_000)

    assert tried(10.0, [Measured(rows=slow, window_ns=window_ns)], LIMITS).step.overload
    assert not tried(10.0, [Measured(rows=rows, window_ns=window_ns)], LIMITS).step.overload


def test_the_model_is_fitted_to_accepted_rates_only() -> None:
    window_ns = (0, 60_000_000_000)
    slow, fast = (
        tried(
            rate, [Measured(rows=[row(j, at_s=j / rate) for j in range(int(60 * rate))], window_ns=window_ns)], LIMITS
        )
        for rate in (10.0, 20.0)
    )
    bad = tried(
        30.0, [Measured(rows=[row(j, at_s=j / 30, ttft_us=900_000) for j in range(1800)], window_ns=window_ns)], LIMITS
    )
    model = step_model([slow, fast, bad], 0.99)

    assert model is not None
    assert (model.alpha_s, model.beta_s) == pytest.approx((0.02, 0.0), abs=1e-6)  # each took 20 ms a token
    assert step_model([slow, bad], 0.99) is None
    assert 20.0 == knee_rps([slow, fast, bad])
