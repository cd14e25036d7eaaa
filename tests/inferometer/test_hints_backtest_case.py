"""Replays a policy on traffic with what a user knows of it."""

from dataclasses import replace

import pytest

from inferometer.hints_backtest_case import Case, burst_of, given, mix_of, rates, replayed
from loadtest.fleet.engine import Engine
from loadtest.fleet.load_test import Goodput
from loadtest.fleet.requests import Request
from loadtest.fleet.spec import FleetSpec, Signals
from loadtest.scaling_profile import Limits

ENGINE = Engine(
    alpha_s=0.01, beta_s=0.0, gamma_s=0.0, prefill_s=0.0001, kv_blocks=1000, seqs_max=8, batched_tokens_max=1000
)
PART: list[Request] = [(at / 10, 100, 11, None) for at in range(6_000)]
CASE = Case(
    name="steady",
    fleet=FleetSpec(
        engine=ENGINE, replicas=1, limits=Limits(ttft_s=0.5, tpot_s=0.1, target=0.99), start_unix_s=9_000.0
    ),
    gpus=4,
    parts=[PART],
    goodput=Goodput(rps=5.0, in_flight=2.0, attainment=0.99),
    mix=mix_of(PART),
)


def test_what_a_user_knows() -> None:
    told = given(CASE, 100.0)

    assert (100.0, 11.0) == (CASE.mix.tokens_in, CASE.mix.tokens_out)
    assert (5.0, 2.0, 0.5, 0.1) == (told.replica_rps, told.in_flight, told.settings.ttft_s, told.settings.itl_s)
    assert 10_000 == pytest.approx(told.load_test.engine.prefill_tokens_per_s if told.load_test.engine else 0)
    assert (1, 10, 4) == (
        told.settings.replicas_min,
        told.settings.replicas_max,
        told.settings.target.gpus_per_replica,
    )
    assert told.lead_s > 200.0


def test_rates_of_what_is_to_come() -> None:
    assert (9_000.0, 10.0) == given(CASE, 100.0).rates[0]
    assert [(0.0, 10 / 30), (30.0, 0.0), (60.0, 1 / 30)] == rates([[*PART[:100:10], (61.0, 1, 1, None)]], 0.0)
    assert [] == rates([], 0.0)


@pytest.mark.parametrize("policy", ["ours", "static-peak", "oracle", "kpa"])
def test_a_run_has_a_score_the_same_for_the_same_seed(policy: str) -> None:
    found = replayed(CASE, policy, 30.0, 1)

    assert found.attainment_ratio is not None
    assert 0 < found.attainment_ratio <= 1
    assert found.gpu_h > 0
    assert found == replayed(CASE, policy, 30.0, 1)


def test_bursts_that_no_replica_can_follow_have_a_floor() -> None:
    calm = [(float(at), 100, 11, None) for at in range(600)]
    burst = [(600.0 + at / 40, 100, 11, None) for at in range(2_400)]
    found = burst_of(replace(CASE, parts=[calm, burst, [(1_800.0, 100, 11, None)]]), 300.0, 2.0)

    assert found is not None
    assert (60.0, 8, 8 * 4 * 2.0 * 730) == (found.length_s, found.floor, found.usd_per_month), "40 rps at 5 each"
    assert burst_of(CASE, 300.0, None) is None
    assert burst_of(replace(CASE, parts=[]), 300.0, None) is None


def test_faults_can_be_injected() -> None:
    blind = replace(CASE, fleet=replace(CASE.fleet, signals=Signals(loss_ratio=1.0)))

    assert 0.0 == replayed(blind, "ours", 30.0, 1).reversals_per_h, "without data nothing is changed"


def test_nobody_is_called_so() -> None:
    with pytest.raises(ValueError, match="found policy 'mine'"):
        replayed(CASE, "mine", 30.0, 1)
