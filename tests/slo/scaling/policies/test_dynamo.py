"""The planner of NVIDIA Dynamo, by hand-worked cases."""

from dataclasses import replace
from typing import Any

import pytest
from scaling_rig import ENGINE, T0, as_policy, observed, replica

from slo.scaling.policies.dynamo import DynamoSla, DynamoThroughput, by_throughput
from telemetry.scaling import Observation

KV = 120_000


def test_a_rate_needs_replicas() -> None:
    # scaling.md 7
    assert 6 == by_throughput(14.1, 2.6)


def used(*ratios: float | None, **values: Any) -> Observation:  # noqa: ANN401 - whatever field a test changes
    views = tuple(replica(n, kv_used_ratio=ratio) for n, ratio in enumerate(ratios))
    return observed(spec=len(ratios), replicas=views, **values)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(used(0.5, 1.01), 3, id="one above its cache"),
        pytest.param(used(0.59, 0.59), 1, id="all below 60 %: no look at what the other would have to take"),
        pytest.param(used(0.59, 0.6), 2, id="one at 60 %"),
        pytest.param(used(0.1), 1, id="the last one stays"),
        pytest.param(used(0.1, None), 2, id="one did not report"),
        pytest.param(used(0.1, 0.1, warming=1), 2, id="one starts"),
        pytest.param(used(0.1, 0.1, draining=1), 2, id="one leaves"),
        pytest.param(
            observed(spec=2, each={"kv_used_ratio": 0.5, "waiting_prompt_tokens": 60_001}), 3, id="prompts count"
        ),
        pytest.param(used(), 0, id="there is none"),
    ],
)
def test_the_cache_loop(seen: Observation, expected: int) -> None:
    policy = as_policy(DynamoThroughput(1, 10, KV))

    assert (5.0, expected) == (policy.tick_s, policy.decide(seen))


def test_bounds() -> None:
    assert 2 == DynamoThroughput(1, 2, KV).decide(used(1.1, 1.1))
    assert 2 == DynamoThroughput(2, 9, KV).decide(used(0.1, 0.1))


def sla(low: int = 1, high: int = 10, engine: Any = ENGINE, objectives: tuple[float, float] = (2.0, 0.05)) -> DynamoSla:  # noqa: ANN401 - an engine
    return DynamoSla(low, high, engine, objectives)


def at(at_s: float, spec: int, **values: Any) -> Observation:  # noqa: ANN401 - whatever field a test changes
    return observed(T0 + at_s, spec=spec, **values)


def test_the_rate_is_a_lower_bound_for_three_minutes() -> None:
    policy = sla()

    # e = 0.1133 + 129 * 0.05 / 84 = 0.190 s, all of the time: 5.26 a second; 14.1 of them need three.
    assert 3 == policy.decide(at(0, 2, arrivals_rps=14.1))
    assert 3 == policy.decide(at(175, 3, arrivals_rps=1.0)), "the bound is not due"
    light: dict[str, Any] = {"kv_used_ratio": 0.2}
    assert 2 == policy.decide(at(180, 3, arrivals_rps=1.0, each=light)), "33 requests on each of two: 37.3 ms of 40"


def test_all_late_first_tokens_ask_for_one_more() -> None:
    # 0.113 s of its own and 18,000 tokens at 9,000 a second.
    late: dict[str, Any] = {"waiting_prompt_tokens": 18_000}

    assert 3 == sla().decide(at(0, 2, each=late))
    mixed = (replica(0, waiting_prompt_tokens=18_000), replica(1))
    assert 2 == sla().decide(at(0, 2, replicas=mixed)), "one is in time"


def test_all_slow_steps_ask_for_one_more() -> None:
    # 0.8 of 120,000 tokens are 88.5 requests: a step of 51 ms.
    assert 3 == sla().decide(at(0, 2, each={"kv_used_ratio": 0.8}))


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        pytest.param({"kv_used_ratio": 0.1}, 1, id="22 requests on one: 34.5 ms of 40"),
        pytest.param({"kv_used_ratio": 0.3}, 2, id="66 on one: 45.6 ms"),
        pytest.param({"kv_used_ratio": 0.1, "waiting_prompt_tokens": 7_000}, 2, id="a queue of 1.56 s of 1.51"),
        pytest.param({"kv_used_ratio": None}, 2, id="one is silent"),
    ],
)
def test_one_less_only_if_the_other_could_take_it(each: dict[str, Any], expected: int) -> None:
    assert expected == sla().decide(at(0, 2, each=each, arrivals_rps=1.0))


def test_a_cache_that_would_overflow_keeps_both() -> None:
    easy = replace(ENGINE, step_beta_s=0.0000001)

    assert 1 == sla(engine=easy).decide(at(0, 2, each={"kv_used_ratio": 0.49}, arrivals_rps=0.1))
    assert 2 == sla(engine=easy).decide(at(0, 2, each={"kv_used_ratio": 0.51}, arrivals_rps=0.1))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"tokens_in_mean": None}, 2, id="no prompt lengths"),
        pytest.param({"tokens_out_mean": None}, 2, id="no answer lengths"),
        pytest.param({"warming": 1}, 2, id="one starts"),
        pytest.param({"arrivals_rps": None, "each": {"kv_used_ratio": 0.3}}, 2, id="no rate: the bound stays"),
    ],
)
def test_what_it_waits_for(values: dict[str, Any], expected: int) -> None:
    assert expected == sla().decide(at(0, 2, **values))


def test_the_last_one_and_none() -> None:
    policy = as_policy(sla())

    assert (5.0, 1, 0) == (policy.tick_s, policy.decide(at(0, 1, arrivals_rps=0.1)), sla().decide(at(0, 0)))


def test_an_objective_that_no_batch_keeps_gives_no_bound() -> None:
    assert 3 == sla(objectives=(2.0, 0.029)).decide(at(0, 2, arrivals_rps=99.0)), "late steps ask for one more"


def test_a_cache_of_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="cache"):
        sla(engine=replace(ENGINE, kv_tokens=None))


def test_an_engine_without_a_bound_on_requests() -> None:
    assert 3 == sla(engine=replace(ENGINE, sequences_max=None)).decide(at(0, 2, arrivals_rps=14.1))
