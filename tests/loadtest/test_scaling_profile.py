"""What a sweep hands over: the worked example of spec/loadtest.md 19."""

import msgspec
import pytest

from loadtest.scaling_profile import (
    RHO_MAX,
    SCHEMA,
    VALID_S,
    CurvePoint,
    Limits,
    ProfileMix,
    ScalingProfile,
    StepModel,
    Thresholds,
    fitted_step,
    queue_limits,
    request_s,
)

V_P, TOKENS_IN, TOKENS_OUT = 9000, 1020, 129


def test_the_worked_example() -> None:
    e_s = request_s(TOKENS_IN, TOKENS_OUT, V_P, 0.0369, 32)
    mu = RHO_MAX / e_s
    wait_s, queue = queue_limits(2.0, TOKENS_IN, V_P, mu)

    assert pytest.approx(0.262, abs=5e-4) == e_s
    assert pytest.approx(3.24, abs=0.01) == mu
    assert pytest.approx(1.89, abs=0.005) == wait_s
    assert 6 == int(queue)
    assert pytest.approx(23, abs=0.5) == 75 / mu


def test_the_step_from_two_batches() -> None:
    found = fitted_step([(32, 1000, 0.0369), (64, 1000, 0.0524)])
    assert found is not None

    assert pytest.approx(0.484e-3, abs=1e-6) == found.beta_s
    assert pytest.approx(21.4e-3, abs=5e-5) == found.alpha_s
    assert 0.0 == found.gamma_s
    assert pytest.approx(1.0) == found.r2
    assert pytest.approx(0.0369) == found.step_s(32, 1000)


def test_the_step_with_what_requests_hold() -> None:
    truth = StepModel(alpha_s=0.02, beta_s=1e-4, gamma_s=3e-7, r2=None)
    points = [(batch, context, truth.step_s(batch, context)) for batch in (1, 8, 64) for context in (500.0, 4000.0)]
    found = fitted_step(points)
    assert found is not None

    assert [0.02, 1e-4, 3e-7, 1.0] == [
        pytest.approx(value, rel=1e-6) for value in (found.alpha_s, found.beta_s, found.gamma_s, found.r2)
    ]


def test_a_step_is_no_shorter_for_what_requests_hold() -> None:
    found = fitted_step(
        [(batch, context, 0.02 + 1e-4 * batch - 1e-8 * context) for batch in (1, 8) for context in (1, 9)]
    )
    assert found is not None

    assert 0.0 == found.gamma_s
    assert pytest.approx(1e-4, rel=1e-3) == found.beta_s


@pytest.mark.parametrize(
    "points", [[], [(4, 100, 0.02)], [(4, 100, 0.02), (4, 900, 0.03)], [(4, 1, 0.02), (4 + 1e-12, 1, 0.03)]]
)
def test_too_little_for_a_line(points: list[tuple[float, float, float]]) -> None:
    assert fitted_step(points) is None


def test_steps_that_all_take_as_long_explain_nothing() -> None:
    found = fitted_step([(1, 100, 0.02), (2, 100, 0.02)])
    assert found is not None

    assert pytest.approx(0.02) == found.alpha_s
    assert pytest.approx(0.0, abs=1e-12) == found.beta_s
    assert found.r2 is None


def test_a_prompt_that_takes_the_whole_limit_leaves_no_queue() -> None:
    assert (0.0, 0.0) == queue_limits(0.1, 9000, 9000, 5.0)


def test_the_document_has_the_names_that_scaling_reads() -> None:
    profile = ScalingProfile(
        baseline_id="b",
        run_ids=("r",),
        defs_version=1,
        made_at="2026-01-01T00:00:00Z",
        valid_until="2026-01-31T00:00:00Z",
        gpus_per_replica=1,
        slo=Limits(ttft_s=2.0, tpot_s=None, target=0.99),
        mix=ProfileMix(mix_id="m", in_mean=1020, out_mean=129, prefix_hit_ratio=None),
        goodput_rps=3.2,
        accepted_rps=3.2,
        rejected_rps=3.3,
        knee_rps=None,
        tokens_out_per_s=None,
        curve=(
            CurvePoint(
                rate_rps=1,
                attainment=1,
                lo=0.99,
                hi=1,
                ttft_p95_s=0.2,
                tpot_p95_s=None,
                in_flight=None,
                kv_used_p95=None,
                gpu_util_ratio=None,
                tokens_out_per_s=None,
            ),
        ),
        thresholds=Thresholds(tau_q_s=1.89, queue_star=6.1, kv_at_mu_star=None, gpu_util_at_mu_star=None),
        fit="fit",
        repeats=3,
        cv=0.02,
    )
    found = msgspec.json.decode(msgspec.json.encode(profile))

    assert (SCHEMA, 0.85, None) == (found["schema"], found["rho_max"], found["step_alpha_us"])
    assert profile == msgspec.json.decode(msgspec.json.encode(profile), type=ScalingProfile)
    assert 30 * 86_400 == VALID_S
    assert {
        *("schema", "baseline_id", "run_ids", "defs_version", "made_at", "valid_until"),
        *("gpus_per_replica", "slo", "mix"),
        *("goodput_rps", "accepted_rps", "rejected_rps", "knee_rps", "tokens_out_per_s", "curve"),
        *("prefill_tokens_per_s", "step_alpha_us", "step_beta_us", "step_gamma_us", "step_r2"),
        *("kv_capacity_tokens", "max_num_seqs", "rho_max", "wall", "roofline_ratio", "thresholds"),
        *("cold_start_s", "ready_to_stable_s", "fit", "repeats", "cv"),
    } == set(found)
