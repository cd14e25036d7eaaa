import tracemalloc
from contextlib import nullcontext
from typing import Any

import msgspec
import pytest

from inferometer.errors import ConfigurationError
from inferometer.load_keys import LoadKeys
from inferometer.load_options import (
    CHUNKS_PER_S_AND_SLOT,
    CHUNKS_PER_S_AND_WORKER,
    Options,
    chunks_per_s,
    length,
    must_measure,
    plan_spec,
    planned,
    run_spec,
    with_warm_up,
    workers,
)
from loadtest.asking import Asker
from loadtest.ceilings import Ceilings
from loadtest.plan_spec import Fixed, Lognormal, Process
from loadtest.planner import build
from loadtest.run_spec import WORKERS_MAX, Api
from loadtest.steadiness import WARM_UP_S_MAX
from loadtest.traces import built


def options(**changes: Any) -> Options:  # noqa: ANN401 -- fields of Options
    usual: dict[str, Any] = {
        "target": "http://127.0.0.1:1",
        "rate": 10.0,
        "seconds": 10.0,
        "count": None,
        "process": Process.POISSON,
        "shape": None,
        "seed": 7,
        "model": None,
        "api": Api.CHAT,
        "tokens_in": "100",
        "tokens_out": "20",
        "warm_up": 1.0,
        "cool_down": 2.0,
        "drain": 3.0,
        "start_delay": 1.5,
        "workers": None,
        "in_flight_max": 9,
        "ignore_eos": True,
        "key_file": None,
    }
    return Options(**usual | changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("512", Fixed(tokens=512)), ("512~0.6", Lognormal(median=512, sigma=0.6))],
)
def test_a_length_is_a_number_or_a_law(text: str, expected: Fixed | Lognormal) -> None:
    assert expected == length(text, "--tokens-in")


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "5~", "5~x", "5~-1", "~1", "1.5"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--tokens-in: .*allowed"):
        length(text, "--tokens-in")


def test_what_was_typed_becomes_a_run() -> None:
    keys = LoadKeys(allowed_targets=("h",))
    spec = plan_spec(options())
    run = run_spec(options(), spec, keys, run_id="r", directory="d", model="m")

    assert (1.0, 2.0, 3.0, 1.5, 9, ("h",), "m", spec) == (
        run.warmup_s,
        run.cooldown_s,
        run.drain_s,
        run.start_delay_s,
        run.in_flight_max,
        run.allowed_targets,
        run.model,
        run.plan,
    )
    assert 60 < len(planned(spec, keys)) < 140  # 100 arrivals are expected, a standard deviation is 10


def test_two_runs_of_one_plan_send_unlike_prompts() -> None:
    spec = plan_spec(options())
    plan = planned(spec, LoadKeys())
    runs = [run_spec(options(), spec, LoadKeys(), run_id=name, directory="d", model="m") for name in ("a", "b")]
    first, second = ([asker.prompt(plan.arrival(j)) for j in range(5)] for asker in (Asker(run, plan) for run in runs))

    assert {plan.sha256} == {built(run.plan, None).sha256 for run in runs}
    assert set(first).isdisjoint(second)
    assert first == [Asker(runs[0], plan).prompt(plan.arrival(j)) for j in range(5)]  # what run.json keeps repeats it


@pytest.mark.parametrize(
    "change",
    [
        {"count": 5},  # and seconds
        {"seconds": None},  # and no count
        {"shape": 2.0},  # of Poisson
        {"process": Process.GAMMA},  # without a shape
    ],
)
def test_what_is_no_plan_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="not a plan"):
        plan_spec(options(**change))


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"rate_rps_max": 9.0}, "rate_rps_max"),
        ({"duration_s_max": 9.0}, "duration_s_max"),
        ({"tokens_max": 5000}, "tokens_max"),
    ],
)
def test_a_plan_above_a_ceiling_is_refused(keys: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        planned(plan_spec(options()), LoadKeys.model_validate(keys))


def test_the_ceilings_cost_no_memory_for_each_arrival() -> None:
    """A million arrivals are a plan of 56 MB; as objects they would be 300."""
    spec = plan_spec(options(rate=1000.0, seconds=None, count=2000))
    planned(spec, LoadKeys())  # what is made once
    tracemalloc.start()
    try:
        planned(spec, LoadKeys())
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 150 * 2000


def test_a_plan_without_an_arrival_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no arrival"):
        planned(plan_spec(options(rate=0.001, seconds=1.0)), LoadKeys())


def test_a_run_that_cannot_be_is_refused() -> None:
    two_arms = msgspec.structs.replace(plan_spec(options()), arms=2)

    with pytest.raises(ConfigurationError, match="not a run"):
        run_spec(options(), two_arms, LoadKeys(), run_id="r", directory="d", model="m")


@pytest.mark.parametrize(
    ("typed", "rate", "cores", "expected"),
    [
        pytest.param(3, 10.0, 2, 3, id="what was typed"),
        pytest.param(None, 10.0, 8, 1, id="a slow plan needs one"),
        pytest.param(None, 1200.0, 8, 3, id="a fast one more"),
        pytest.param(None, 1200.0, 2, 1, id="one core is left over"),
        pytest.param(None, 1200.0, 1, 1, id="but one there is"),
    ],
)
def test_workers_are_as_many_as_the_chunks_need(typed: int | None, rate: float, cores: int, expected: int) -> None:
    plan = planned(plan_spec(options(rate=rate)), LoadKeys())

    assert expected == workers(options(workers=typed), plan, cores)
    assert abs(chunks_per_s(plan) / (20 * rate) - 1) < 0.5
    assert WORKERS_MAX >= expected
    assert CHUNKS_PER_S_AND_WORKER == 10_000


def test_a_closed_loop_has_no_rate_and_ends_where_its_tokens_reach_their_ceiling() -> None:
    plan = planned(plan_spec(options(closed=8)), LoadKeys.model_validate({"tokens_max": 1200, "rate_rps_max": 0.1}))

    assert (8, 10, 10) == (plan.spec.slots, plan.spec.count, len(plan))  # of 120 tokens each
    assert 3 == planned(plan_spec(options(closed=8, count=3)), LoadKeys()).spec.count
    with pytest.raises(ConfigurationError, match="tokens_max"):
        planned(plan_spec(options(closed=1)), LoadKeys.model_validate({"tokens_max": 100}))


@pytest.mark.parametrize(("users", "expected"), [(8, 1), (600, 3)])
def test_a_closed_loop_has_workers_for_its_users(users: int, expected: int) -> None:
    plan = planned(plan_spec(options(closed=users)), LoadKeys())

    assert users * CHUNKS_PER_S_AND_SLOT == chunks_per_s(plan)
    assert expected == workers(options(), plan, 16)


PRICES: dict[str, Any] = {"usd_per_mtok_in": 1.0, "usd_per_mtok_out": 10.0}


def test_a_plan_may_cost_no_more_than_its_ceiling() -> None:
    spec = plan_spec(options(seconds=None, count=100))  # 10,000 tokens in, 2,000 out: 0.03 USD

    assert 100 == len(planned(spec, LoadKeys(cost_usd_max=0.03, **PRICES)))
    with pytest.raises(ConfigurationError, match=r"the plan costs 0\.03, above load\.cost_usd_max of 0\.02"):
        planned(spec, LoadKeys(cost_usd_max=0.02, **PRICES))


@pytest.mark.parametrize("seed", range(20))
def test_a_closed_loop_of_varied_lengths_fits_its_ceiling(seed: int) -> None:
    keys = LoadKeys.model_validate({"tokens_max": 100_000})
    plan = planned(plan_spec(options(closed=4, tokens_in="512~0.8", tokens_out="128", seed=seed)), keys)
    more = build(msgspec.structs.replace(plan.spec, count=len(plan) + 1))

    assert sum(plan.len_in) + sum(plan.len_out) <= 100_000 < sum(more.len_in) + sum(more.len_out)


def test_a_closed_loop_ends_where_its_cost_reaches_its_ceiling() -> None:
    spec = plan_spec(options(closed=1))  # 100 tokens in, 20 out: 0.0003 USD each

    assert 99 == planned(spec, LoadKeys(cost_usd_max=0.0298, **PRICES)).spec.count
    long = plan_spec(options(closed=1, count=100_000))  # more than are prepared
    assert 20_000 == planned(long, LoadKeys(cost_usd_max=6.0, **PRICES)).spec.count
    with pytest.raises(ConfigurationError, match=r"the plan costs 0\.0003, above load\.cost_usd_max of 0\.0002"):
        planned(spec, LoadKeys(cost_usd_max=0.0002, **PRICES))


@pytest.mark.parametrize(
    ("seconds", "is_refused"),
    [(10.1, False), (10.0, True), (3.0, True), (None, False)],
)
def test_a_warm_up_must_leave_something(seconds: float | None, is_refused: bool) -> None:
    refusal = (
        pytest.raises(ConfigurationError, match=r"--warm-up: found 10 s of \d+ s") if is_refused else nullcontext()
    )
    with refusal:
        must_measure(options(seconds=seconds, warm_up=8.0, cool_down=2.0))


@pytest.mark.parametrize("known", [{}, {"usd_per_mtok_in": 1.0}, {"usd_per_mtok_out": 1.0}])
def test_a_cost_of_unknown_price_cannot_be_bounded(known: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="the price is not known"):
        planned(plan_spec(options()), LoadKeys(cost_usd_max=1.0, **known))


def test_the_ceilings_travel_with_the_run() -> None:
    keys = LoadKeys(tokens_max=5000, cost_usd_max=1.0, **PRICES)
    run = run_spec(options(), plan_spec(options()), keys, run_id="r", directory="d", model="m")

    assert Ceilings(tokens_max=5000, cost_usd_max=1.0, **PRICES) == run.ceilings


@pytest.mark.parametrize(
    "changes",
    [{"warm_up": 5.0}, {"cool_down": 5.0}, {"count": 5}, {"seconds": None}],
    ids=["a warm-up", "a cool-down", "a count", "no length"],
)
def test_a_run_until_warm_has_a_length_alone(changes: dict[str, Any]) -> None:
    asked = {"until_warm": True, "warm_up": 0.0, "cool_down": 0.0}

    assert WARM_UP_S_MAX + 10.0 == with_warm_up(options(**asked)).seconds
    assert options() == with_warm_up(options())
    with pytest.raises(ConfigurationError, match="--until-warm: allowed"):
        with_warm_up(options(**asked | changes))
