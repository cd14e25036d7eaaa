"""What of a scaling profile the capacity of a target rests on."""

import json
from typing import Any

import pytest
from hints_rig import PROFILE, target

from slo.hints_profile import load_test_of, speed_ratio
from slo.scaling.capacity import Mix

AT_S = 1_784_110_200


def row(profile: object = PROFILE, target_name: str = "chat", mu: float | None = 3.0) -> dict[str, Any]:
    text = profile if isinstance(profile, str) else json.dumps(profile)
    made_ms = (AT_S - 3 * 86_400) * 1000
    return {"target": target_name, "mu_star_per_s": mu, "made_unix_ms": made_ms, "profile_json": text}


def test_a_profile_becomes_a_load_test() -> None:
    found = load_test_of(target("chat"), [row("{}", "code"), row()], AT_S)

    assert found is not None
    test = found.load_test
    assert ("loadtest:run_0193", 3.0, True, 2.6) == (test.basis, test.age_days, test.same_config, test.goodput_rps)
    assert test.mix == Mix(tokens_in=1_020, tokens_out=129)
    assert test.engine is not None
    assert (9_000, 0.029, 0.00025, 120_000, 256) == (
        test.engine.prefill_tokens_per_s, test.engine.step_alpha_s, test.engine.step_beta_s, test.engine.kv_tokens,
        test.engine.sequences_max,
    )  # fmt: skip
    assert found.starts is not None
    assert 540 == found.starts.p90_s


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param([row("no json")], None, id="none that can be read"),
        pytest.param([row("{}")], (3.0, None, None, True), id="one that says only the rate"),
        pytest.param([row({"gpus_per_replica": 8})], (3.0, None, None, False), id="one of other replicas"),
    ],
)
def test_what_is_not_told_is_unknown(rows: list[dict[str, Any]], expected: tuple[object, ...] | None) -> None:
    found = load_test_of(target("chat"), rows, AT_S)
    test = None if found is None else found.load_test

    assert expected == (None if test is None else (test.goodput_rps, test.engine, test.mix, test.same_config))


def test_speed_is_that_of_the_model_over_that_which_is_seen() -> None:
    found = load_test_of(target("chat"), [row()], AT_S)
    test = None if found is None else found.load_test

    assert pytest.approx(0.037 / 0.05) == speed_ratio(test, 0.05, 32.0, 1_084.5)
    assert {None} == {
        speed_ratio(None, 0.05, 32.0, 1.0), speed_ratio(test, None, 32.0, 1.0), speed_ratio(test, 0.05, None, 1.0),
        speed_ratio(test, 0.05, 32.0, None),
    }  # fmt: skip
