"""What one replica carries, by the specification's values (spec/scaling.md 5)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.scaling.capacity import (
    CORRECTION_BOUNDS,
    SEQUENCES_MAX,
    Batch,
    Bottleneck,
    Engine,
    Mix,
    batch,
    bottleneck,
    by_curve,
    by_formula,
    decode_s,
    learnt,
    prefill_s,
    rate_per_s,
    work_s,
)

MIX = Mix(tokens_in=1_020, tokens_out=129)


def splitwise(step_s: float, requests: int) -> Engine:
    """Return an engine whose step with so many requests takes so long, whatever they hold."""
    return Engine(prefill_tokens_per_s=9_000, step_alpha_s=0.0, step_beta_s=step_s / requests)


DESK = Engine(prefill_tokens_per_s=9_000, step_alpha_s=0.029, step_beta_s=0.00025, kv_tokens=120_000, sequences_max=256)


@pytest.mark.parametrize(
    ("step_s", "requests", "e", "mu_star"),
    [
        pytest.param(0.0369, 32, "0.2621", "3.243", id="32 requests in 36.9 ms"),
        pytest.param(0.0524, 64, "0.219", "3.882", id="64 requests in 52.4 ms"),
    ],
)
def test_a_step_measured_on_h100_gives_its_rate(step_s: float, requests: int, e: str, mu_star: str) -> None:
    engine = splitwise(step_s, requests)

    assert e == f"{work_s(engine, MIX, requests):.4g}"
    assert mu_star == f"{rate_per_s(engine, MIX, requests):.4g}"


def test_a_request_of_the_first_check_in_parts() -> None:
    engine = splitwise(0.0369, 32)

    assert ("0.1133", "0.1488") == (f"{prefill_s(engine, MIX):.4g}", f"{decode_s(engine, MIX, 32):.4g}")
    assert "105" == f"{rate_per_s(engine, MIX, 32) * 129 / 4:.3g}", "output tokens a second and GPU at TP4"
    assert "0.432" == f"{prefill_s(engine, MIX) / work_s(engine, MIX, 32):.3g}", "section 9.2: share of the input"


def test_the_batch_is_the_smallest_of_its_limits() -> None:
    fits = batch(DESK, MIX, 0.050)

    assert Batch(by_itl=84, by_kv=88, by_sequences=256) == fits
    assert (84, "0.05") == (fits.size, f"{DESK.step_s(84, MIX.ctx_tokens):.4g}")
    assert ("0.1901", "4.471") == (f"{work_s(DESK, MIX, 84):.4g}", f"{rate_per_s(DESK, MIX, 84):.4g}")


def test_tokens_held_make_a_step_longer() -> None:
    engine = Engine(prefill_tokens_per_s=1, step_alpha_s=0.01, step_beta_s=0.001, step_gamma_s=0.000001)

    assert 0.01 + 2 * 0.002 == pytest.approx(engine.step_s(2, 1_000))


def test_a_time_per_token_below_the_empty_step_fits_nobody() -> None:
    assert (0, None) == (batch(DESK, MIX, 0.029).size, by_formula(DESK, MIX, 0.029))
    assert 0 == batch(DESK, MIX, 0.0291).size
    assert 1 == batch(DESK, MIX, 0.02925).size


@pytest.mark.parametrize(
    ("mix", "itl_s", "changes", "expected"),
    [
        pytest.param(Mix(tokens_in=1_020, tokens_out=1), 0.05, {}, Bottleneck.PREFILL, id="prompts take longest"),
        pytest.param(Mix(tokens_in=10, tokens_out=500), 0.05, {}, Bottleneck.DECODE, id="steps take longest"),
        pytest.param(Mix(tokens_in=10, tokens_out=900), 9, {"sequences_max": None}, Bottleneck.KV, id="cache is full"),
        pytest.param(Mix(tokens_in=10, tokens_out=900), 9, {"sequences_max": 4}, Bottleneck.SEQUENCES, id="few seats"),
    ],
)
def test_what_limits_a_replica(mix: Mix, itl_s: float, changes: dict[str, int | None], expected: Bottleneck) -> None:
    seats = changes.get("sequences_max", 256)
    engine = Engine(
        prefill_tokens_per_s=9_000, step_alpha_s=0.029, step_beta_s=0.00025, kv_tokens=120_000, sequences_max=seats
    )

    assert expected is bottleneck(engine, mix, batch(engine, mix, itl_s))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(Mix(tokens_in=1_275, tokens_out=161.25), True, id="a quarter more of both"),
        pytest.param(Mix(tokens_in=1_276, tokens_out=129), False, id="more prompt than that"),
        pytest.param(Mix(tokens_in=1_020, tokens_out=96), False, id="less output than that"),
        pytest.param(
            Mix(tokens_in=2_040, tokens_out=129, prefix_hit_ratio=0.5), True, id="twice the prompt, half read"
        ),
    ],
)
def test_a_mix_is_like_the_tested_one_within_a_quarter(other: Mix, expected: bool) -> None:
    assert expected is other.like(MIX)


def test_a_measured_rate_keeps_the_formula_s_bottleneck_and_its_own_load() -> None:
    formula = by_formula(DESK, MIX, 0.050)
    assert formula is not None
    measured = by_curve(2.6, formula, correction=0.93)

    assert (False, True) == (formula.measured, measured.measured)
    assert (Bottleneck.PREFILL, None) == (measured.bottleneck, by_curve(2.6, None).bottleneck)
    assert measured.goodput_per_s == pytest.approx(2.418)
    assert measured.rho(2 * 2.418, 2) == pytest.approx(0.85), "at the highest good rate, what it may work"
    assert measured.rho(1.0, 0) is None


def test_a_correction_is_learnt_under_load_only_and_within_its_bounds() -> None:
    assert 1.0 == learnt(1.0, 0.5, 0.6)
    assert 1.0 == learnt(1.0, 0.5, None)
    assert 1.0 == learnt(1.0, None, 0.9)
    assert learnt(1.0, 0.9, 0.61) == pytest.approx(0.995)
    assert CORRECTION_BOUNDS == (learnt(0.71, 0.0, 0.9), learnt(1.14, 9.0, 0.9))


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 2)), max_size=20))
def test_a_correction_stays_within_its_bounds_whatever_is_seen(seen: list[tuple[float, float]]) -> None:
    correction = 1.0
    for ratio, rho in seen:
        correction = learnt(correction, ratio, rho)

        assert CORRECTION_BOUNDS[0] <= correction <= CORRECTION_BOUNDS[1]


def test_a_step_that_more_requests_do_not_make_longer_has_other_limits() -> None:
    flat = Engine(prefill_tokens_per_s=9_000, step_alpha_s=0.02, step_beta_s=0.0, sequences_max=64)

    mix = Mix(tokens_in=1_020, tokens_out=129)

    assert 64 == batch(flat, mix, 0.05).size
    assert SEQUENCES_MAX == batch(replace(flat, sequences_max=None), mix, 0.05).size
