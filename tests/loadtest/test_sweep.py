from dataclasses import replace

import msgspec
import pytest
from load_rows import row

from loadtest.plan_spec import Objectives
from loadtest.rows import Row
from loadtest.search import Step
from loadtest.sweep import (
    ClosedPoint,
    Measured,
    closed_point,
    in_flight,
    knee_rps,
    prefill_tokens_per_s,
    step_model,
    tried,
)
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
    found = tried(
        10.0, [Measured(rows=good, window_ns=WINDOW_NS), Measured(rows=bad, window_ns=WINDOW_NS)], LIMITS, 10.0
    )

    assert Step(rate_rps=10.0, offered=200, good=190, completed=200, lengths=2) == found.step
    assert (0.95, 60.0, 57.0) == (found.point.attainment, found.point.tokens_out_per_s, found.good_tokens_per_s)
    assert (0.9, 0.02) == (found.e2e_p50_s, found.tpot_p50_s)
    assert 19.0 == found.held_tokens  # 16 of the prompt, half of 6
    assert found.point.in_flight == pytest.approx(8.2, abs=0.5)  # Little: 10 a second for 0.9 s, from an empty start


def test_what_was_seen_beside_the_runs_is_told_at_its_largest() -> None:
    rows = [row(j, at_s=j / 10) for j in range(100)]
    runs = [
        Measured(rows=rows, window_ns=WINDOW_NS, kv_used_p95=kv, gpu_util_ratio=gpu)
        for kv, gpu in ((0.4, None), (0.6, 0.9), (None, 0.8))
    ]

    assert (0.6, 0.9) == (*((point := tried(10.0, runs, LIMITS, 10.0).point).kv_used_p95, point.gpu_util_ratio),)
    assert None is tried(10.0, runs[:1], LIMITS, 10.0).point.gpu_util_ratio


def test_failures_are_infinite_and_do_not_meet() -> None:
    rows = [row(j, at_s=j / 10, outcome=Outcome.SERVER_ERROR, ttft_us=None) for j in range(100)]
    found = tried(10.0, [Measured(rows=rows, window_ns=WINDOW_NS)], LIMITS, 10.0)

    assert (100, 0, 0) == (found.step.offered, found.step.good, found.step.completed)
    assert (None, None, 0.0) == (found.point.ttft_p95_s, found.e2e_p50_s, found.good_tokens_per_s)


def test_nothing_offered_is_nothing_known() -> None:
    found = tried(10.0, [Measured(rows=[], window_ns=WINDOW_NS)], LIMITS, 10.0)

    assert (0, 0.0, 1.0, None) == (found.step.offered, found.point.lo, found.point.hi, found.held_tokens)
    assert knee_rps([found]) is None


def test_requests_that_pile_up_are_an_overload() -> None:
    rows = [row(j, at_s=j / 10, ttft_us=400_000) for j in range(600)]
    slow = [msgspec.structs.replace(r, record=msgspec.structs.replace(r.record, elapsed_us=60_000_000)) for r in rows]
    window_ns = (0, 60_000_000_000)

    assert tried(10.0, [Measured(rows=slow, window_ns=window_ns)], LIMITS, 10.0).step.overload
    assert not tried(10.0, [Measured(rows=rows, window_ns=window_ns)], LIMITS, 10.0).step.overload


def test_the_model_is_fitted_to_accepted_rates_only() -> None:
    window_ns = (0, 60_000_000_000)
    slow, fast = (
        tried(
            rate,
            [Measured(rows=[row(j, at_s=j / rate) for j in range(int(60 * rate))], window_ns=window_ns)],
            LIMITS,
            60.0,
        )
        for rate in (10.0, 20.0)
    )
    bad = tried(
        30.0,
        [Measured(rows=[row(j, at_s=j / 30, ttft_us=900_000) for j in range(1800)], window_ns=window_ns)],
        LIMITS,
        60.0,
    )
    model = step_model([slow, fast, bad], 0.99)

    assert model is not None
    assert (model.alpha_s, model.beta_s) == pytest.approx((0.02, 0.0), abs=1e-6)  # each took 20 ms a token
    assert step_model([slow, bad], 0.99) is None
    assert 20.0 == knee_rps([slow, fast, bad])


def test_a_step_is_as_long_as_it_took() -> None:
    run = Measured(rows=[row(j, at_s=j / 10) for j in range(100)], window_ns=WINDOW_NS)

    assert [1, 2, 1] == [tried(10.0, [run], LIMITS, length_s).step.lengths for length_s in (10.0, 5.0, 60.0)]
    assert 2 == tried(10.0, [run, run], LIMITS, 60.0).step.lengths


def test_users_of_a_closed_loop() -> None:
    rows = [*(row(j, at_s=j / 10) for j in range(99)), row(99, outcome=Outcome.SERVER_ERROR, ttft_us=None)]
    point = closed_point(9, Measured(rows=rows, window_ns=WINDOW_NS))

    assert point is not None
    assert (9, 9.9, 59.4, 16.0, 0.4, 0.02, 19.0) == (
        *(point.users, point.rate_rps, point.tokens_out_per_s, point.tokens_in),
        *(point.ttft_p50_s, point.tpot_p50_s, point.held_tokens),
    )
    nothing = closed_point(1, Measured(rows=[], window_ns=WINDOW_NS))
    assert nothing is not None
    assert (0.0, None, None) == (nothing.rate_rps, nothing.tokens_in, nothing.ttft_p50_s)


def test_users_of_a_closed_loop_that_measured_nothing() -> None:
    assert closed_point(9, Measured(rows=[], window_ns=(10, 10))) is None
    nothing = tried(10.0, [Measured(rows=[], window_ns=(10, 10))], LIMITS, 10.0)
    assert (None, None) == (nothing.point.tokens_out_per_s, nothing.good_tokens_per_s)


def blind(rows: list[Row]) -> list[Row]:
    """Return rows of a target that does not count tokens."""
    unknown = {"tokens_out": None, "tpot_us": None, "tok_by_s": ()}
    return [msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, **unknown)) for one in rows]


def test_output_of_unknown_length_is_unknown_and_has_no_knee() -> None:
    rows = [row(j, at_s=j / 10) for j in range(100)]
    for some in (blind(rows), [*rows[:99], *blind(rows[99:])]):
        run = Measured(rows=some, window_ns=WINDOW_NS)
        found, point = tried(10.0, [run], LIMITS, 10.0), closed_point(9, run)

        assert point is not None
        assert (10.0, None) == (point.rate_rps, point.tokens_out_per_s)
        assert (1.0, None, None) == (found.point.attainment, found.point.tokens_out_per_s, found.good_tokens_per_s)
        assert knee_rps([found]) is None


def test_whoever_left_was_offered_all_the_same() -> None:
    left = [row(j, at_s=j / 10, outcome=Outcome.CLIENT_CANCELLED, tpot_us=None) for j in range(70, 100)]
    rows = [*(row(j, at_s=j / 10) for j in range(70)), *left]
    found = tried(10.0, [Measured(rows=rows, window_ns=WINDOW_NS)], LIMITS, 10.0)

    assert (100, 70, 70, 0.7) == (found.step.offered, found.step.good, found.step.completed, found.point.attainment)


def alone(tokens_in: float | None, ttft_s: float) -> ClosedPoint:
    return ClosedPoint(
        users=1,
        rate_rps=1.0,
        tokens_out_per_s=1.0,
        tokens_in=tokens_in,
        ttft_p50_s=ttft_s,
        tpot_p50_s=0.01,
        held_tokens=10.0,
    )


def test_how_fast_a_prompt_is_read() -> None:
    assert 2000 == pytest.approx(prefill_tokens_per_s(alone(100, 0.1), alone(300, 0.2)))
    assert prefill_tokens_per_s(alone(100, 0.2), alone(300, 0.2)) is None
    assert prefill_tokens_per_s(alone(100, 0.1), alone(100, 0.2)) is None
    assert prefill_tokens_per_s(alone(None, 0.1), alone(100, 0.2)) is None


def test_one_user_is_a_step_of_one_request() -> None:
    window_ns = (0, 60_000_000_000)
    good = tried(
        20.0, [Measured(rows=[row(j, at_s=j / 20) for j in range(1200)], window_ns=window_ns)], LIMITS, 60.0
    )  # 18 in flight, 20 ms a token
    model = step_model([good], 0.99, [alone(10, 0.1)])

    assert model is not None
    assert 0.01 == pytest.approx(model.step_s(1, 10.0), rel=0.01)


@pytest.mark.parametrize("alone_s", [0.03, 0.0])
def test_a_step_that_more_requests_make_shorter_says_nothing(alone_s: float) -> None:
    """A fit whose line falls, or begins below 0, is one of noise."""
    window_ns = (0, 60_000_000_000)
    good = tried(20.0, [Measured(rows=[row(j, at_s=j / 20) for j in range(1200)], window_ns=window_ns)], LIMITS, 60.0)

    assert step_model([good], 0.99, [replace(alone(10, 0.1), tpot_p50_s=alone_s)]) is None


def test_several_runs_of_a_rate_tell_how_far_they_are_apart() -> None:
    def run(n: int, hit: float | None) -> Measured:
        return Measured(rows=[row(j, at_s=j / 10) for j in range(n)], window_ns=WINDOW_NS, prefix_hit_ratio=hit)

    found = tried(10.0, [run(90, 0.2), run(110, 0.4)], LIMITS, 10.0)

    assert (2, pytest.approx(0.3), pytest.approx(0.1414, abs=1e-3)) == (
        *(found.repeats, found.prefix_hit_ratio, found.tokens_cv),
    )
    alone = tried(10.0, [run(90, None)], LIMITS, 10.0)
    assert (1, None, None) == (alone.repeats, alone.prefix_hit_ratio, alone.tokens_cv)
