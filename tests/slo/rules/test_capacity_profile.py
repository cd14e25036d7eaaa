"""What a scaling profile says of a step and of a replica: the worked figures of the specification."""

import json

import pytest

from slo.rules.capacity_profile import profiles_of

STEP = {"step_alpha_us": 21_400, "step_beta_us": 484, "step_gamma_us": 0}


def test_a_profile_is_read_by_target() -> None:
    rows: list[dict[str, object]] = [
        {"target": "chat", "mu_star_per_s": 3.243, "profile_json": json.dumps({**STEP, "more": {"of": "it"}})},
        {"target": "torn", "mu_star_per_s": 3.243, "profile_json": '{"step_alpha_us":'},
        {"target": "wrong", "mu_star_per_s": 3.243, "profile_json": '{"step_alpha_us": "much"}'},
        {"target": "empty", "mu_star_per_s": None, "profile_json": "{}"},
    ]
    found = profiles_of(rows)

    assert {"chat", "empty"} == set(found)
    assert 36_888 == found["chat"].step_us(32, 1_000)  # T(32) = 36.9 ms: spec/loadtest.md 19
    assert 0.85 == pytest.approx(found["chat"].rho(3 * 3.243, 3))
    assert (None, None) == (found["empty"].step_us(32, 1_000), found["empty"].rho(1, 1))
    assert found["chat"].rho(1, 0) is None


def test_tokens_that_are_held_make_a_step_longer() -> None:
    [one] = profiles_of(
        [{"target": "t", "mu_star_per_s": 1, "profile_json": '{"step_alpha_us":1,"step_beta_us":2,"step_gamma_us":3}'}]
    ).values()

    assert 1 + 10 * (2 + 3 * 100) == one.step_us(10, 100)
