from dataclasses import replace
from datetime import datetime

import pytest
from load_rows import row
from test_load_options import options

from inferometer.load_key import Engine
from inferometer.load_opening import Opening
from inferometer.load_profile import Beside, Found, made
from loadtest.plan_spec import Objectives
from loadtest.roofline import Wall
from loadtest.search import Next
from loadtest.served import Facts
from loadtest.sweep import ClosedPoint, Measured, Tried, tried

OPTIONS = replace(options(), objectives=Objectives(ttft_s=0.5))
WINDOW_NS = (0, 60_000_000_000)


def step(rate_rps: float, ttft_us: int) -> Tried:
    rows = [row(j, at_s=j / rate_rps, ttft_us=ttft_us) for j in range(round(60 * rate_rps))]
    return tried(rate_rps, [Measured(rows=rows, window_ns=WINDOW_NS)], {"default": OPTIONS.objectives}, 60.0)


def alone(tokens_in: float, ttft_s: float) -> ClosedPoint:
    return ClosedPoint(
        users=1,
        rate_rps=2.0,
        tokens_out_per_s=12.0,
        tokens_in=tokens_in,
        ttft_p50_s=ttft_s,
        tpot_p50_s=0.01,
        held_tokens=tokens_in + 3,
    )


FOUND = Found(
    steps=(step(12.0, 900_000), step(10.0, 400_000), step(11.0, 900_000)),
    bracket=Next(rate_rps=None, accepted_rps=10.0, rejected_rps=11.0),
    code=0,
    run_ids=("s-2", "s-3", "s-4"),
)


def test_the_profile_tells_what_was_found() -> None:
    profile = made(FOUND, Opening(), OPTIONS, Engine(gpus=2, flags={"--max-num-seqs": 64}))

    assert (10.0, 10.0, 11.0) == (profile.goodput_rps, profile.accepted_rps, profile.rejected_rps)
    assert [10.0, 11.0, 12.0] == [point.rate_rps for point in profile.curve]
    assert (2, 64, 16.0, 6.0) == (
        *(profile.gpus_per_replica, profile.max_num_seqs, profile.mix.in_mean, profile.mix.out_mean),
    )  # as the target counts them: 100 and 20 were asked for
    assert (0.5, None, FOUND.run_ids) == (profile.slo.ttft_s, profile.slo.tpot_s, profile.run_ids)
    assert profile.knee_rps is not None
    assert (None, None, None) == (profile.prefill_tokens_per_s, profile.thresholds.queue_star, profile.step_alpha_us)


def test_one_user_tells_how_fast_prompts_are_read_and_a_step_of_one_request() -> None:
    opening = Opening(alone=(alone(100, 0.05), alone(400, 0.08)), run_ids=("s-0", "s-1"))
    profile = made(FOUND, opening, OPTIONS, Engine())

    assert pytest.approx(10_000) == profile.prefill_tokens_per_s
    assert pytest.approx(0.5 - 16 / 10_000) == profile.thresholds.tau_q_s
    assert pytest.approx(4.984) == profile.thresholds.queue_star
    assert ("s-0", "s-1", *FOUND.run_ids) == profile.run_ids
    assert profile.step_alpha_us is not None
    assert profile.step_beta_us is not None
    assert pytest.approx(10_000, rel=0.01) == profile.step_alpha_us + profile.step_beta_us  # T(1) = 10 ms


def test_the_profile_says_what_was_seen_of_the_cache_and_which_wall_was_met() -> None:
    facts = Facts(model="llama-8b", kv_tokens=400_000)
    engine = Engine(gpu_model="NVIDIA H100", weight_dtype="bf16", kv_dtype="auto", roofline=facts)
    rows = [row(j, at_s=j / 10) for j in range(600)]
    run = Measured(rows=rows, window_ns=WINDOW_NS, kv_used_p95=0.4, gpu_util_ratio=0.9)
    best = tried(10.0, [run], {"default": OPTIONS.objectives}, 60.0)
    opening = Opening(alone=(alone(100, 0.05), alone(400, 0.08)))
    profile = made(replace(FOUND, steps=(best,)), opening, OPTIONS, engine)

    assert (0.4, 0.9, 400_000) == (
        *(profile.thresholds.kv_at_mu_star, profile.thresholds.gpu_util_at_mu_star, profile.kv_capacity_tokens),
    )
    assert profile.wall in {wall.value for wall in Wall}
    assert profile.roofline_ratio is not None
    assert 0 < profile.roofline_ratio < 1
    unknown = made(FOUND, Opening(), OPTIONS, Engine())
    assert (None, None, None) == (unknown.wall, unknown.roofline_ratio, unknown.thresholds.kv_at_mu_star)
    days = [datetime.fromisoformat(text) for text in (profile.made_at, profile.valid_until)]
    assert 30 == (days[1] - days[0]).days


def test_what_the_target_does_not_count_is_unknown_in_the_profile() -> None:
    best = replace(FOUND.steps[1], tokens_in_mean=None, tokens_out_mean=None)
    profile = made(replace(FOUND, steps=(best,)), Opening(), OPTIONS, Engine())

    assert (None, None) == (profile.mix.in_mean, profile.mix.out_mean)


def test_what_else_is_known_of_the_target_is_told() -> None:
    best = replace(step(10.0, 400_000), prefix_hit_ratio=0.25, repeats=3, tokens_cv=0.02)
    known = Beside(baseline_id="v1", ready_to_stable_s=4.5)
    profile = made(replace(FOUND, steps=(best,)), Opening(), OPTIONS, Engine(), known)

    assert ("v1", 4.5) == (profile.baseline_id, profile.ready_to_stable_s)
    assert (0.25, 3, 0.02) == (profile.mix.prefix_hit_ratio, profile.repeats, profile.cv)
    assert profile.cold_start_s is None
