"""What one observation says of a target."""

from dataclasses import replace
from typing import Any

import pytest
from scaling_rig import ENGINE, KNOWN, MIX, SETTINGS, T0, TEST, changed, observed

from slo.scaling.capacity import Mix
from slo.scaling.codes import Reason
from slo.scaling.schedule import peaks, schedule
from slo.scaling.settings import Known, LoadTest
from slo.scaling.shape import Shape
from slo.scaling.sizing import Memory, Sizing, capacity_of, sized
from slo.scaling.verdicts import Bursts

MEMORY = Memory(lead_s=540, headroom=1.24, correction=1.0, saturation=0.2, gpu_target=None, peaks=(), at_s=T0)


def said(known: Known = KNOWN, memory: Memory = MEMORY, **values: Any) -> Sizing:  # noqa: ANN401 - whatever field a test changes
    return sized(observed(**values), SETTINGS, known, memory)


def codes(of: Sizing) -> list[Reason]:
    return [want.code for want in of.wants]


def wants(of: Sizing, code: Reason) -> list[int]:
    return [want.replicas for want in of.wants if want.code is code]


def test_a_calm_hour() -> None:
    of = said()

    assert [
        Reason.CAPACITY_NOW,
        Reason.QUEUE_DEPTH,
        Reason.BACKLOG_PREFILL,
        Reason.KV_PRESSURE,
        Reason.SLO_RATIO,
    ] == codes(of)
    assert of.rho == pytest.approx(0.85 * 5 / (4 * 2.6))
    assert (0, 0.3, None, None) == (of.waiting, of.kv_used_ratio, of.infeasible, of.burst)
    assert "4.91" == f"{of.limits.derived:.3g}", "1.887 s at 2.6 rps"


OTHER = Mix(tokens_in=4_000, tokens_out=129)


@pytest.mark.parametrize(
    ("test", "mix", "itl_s", "rate", "measured"),
    [
        pytest.param(TEST, MIX, 0.05, 2.6, True, id="requests as in the test: measured"),
        pytest.param(TEST, OTHER, 0.05, None, False, id="other requests: calculated"),
        pytest.param(TEST, None, 0.05, 2.6, True, id="requests unknown: measured"),
        pytest.param(replace(TEST, engine=None), OTHER, 0.05, 2.6, True, id="nothing to calculate with: measured"),
        pytest.param(TEST, OTHER, None, 2.6, True, id="no objective to calculate for: measured"),
        pytest.param(replace(TEST, goodput_rps=None), MIX, 0.05, 4.471, False, id="not measured: calculated"),
        pytest.param(replace(TEST, mix=None), MIX, 0.05, 4.471, False, id="measured with who knows what: calculated"),
        pytest.param(TEST, Mix(tokens_in=0, tokens_out=0), 0.05, 2.6, True, id="requests of nothing"),
    ],
)
def test_where_capacity_comes_from(
    test: LoadTest, mix: Mix | None, itl_s: float | None, rate: float | None, measured: bool
) -> None:
    found = capacity_of(test, mix, itl_s, 1.0)

    assert found is not None
    assert measured is found.measured
    assert rate is None or rate == pytest.approx(found.rate_per_s, abs=0.001)


def test_without_a_load_test_there_is_no_capacity() -> None:
    assert capacity_of(None, MIX, 0.05, 1.0) is None
    assert capacity_of(LoadTest(basis="x", age_days=0), MIX, 0.05, 1.0) is None

    of = said(Known())
    assert [Reason.QUEUE_DEPTH, Reason.KV_PRESSURE, Reason.SLO_RATIO] == codes(of)
    assert (None, None, None) == (of.rho, of.limits.seed_wait_s, of.prompts)


@pytest.mark.parametrize(
    ("values", "gone"),
    [
        pytest.param({"arrivals_rps": None}, {Reason.CAPACITY_NOW, Reason.BACKLOG_PREFILL}, id="arrivals"),
        pytest.param({"tokens_in_mean": None}, {Reason.BACKLOG_PREFILL}, id="prompt tokens"),
        pytest.param({"tokens_out_mean": None}, {Reason.BACKLOG_PREFILL}, id="output tokens"),
        pytest.param(
            {"held": None, "each": {"waiting": None}}, {Reason.QUEUE_DEPTH, Reason.BACKLOG_PREFILL}, id="queue"
        ),
        pytest.param({"each": {"kv_used_ratio": None}}, {Reason.KV_PRESSURE}, id="caches"),
    ],
)
def test_a_signal_that_is_missing_asks_for_nothing(values: dict[str, Any], gone: set[Reason]) -> None:
    assert gone == set(codes(said())) - set(codes(said(**values)))


def test_who_waits_before_any_replica_waits_too() -> None:
    told = said(held=10, each={"waiting": 5, "waiting_prompt_tokens": 40_000})
    untold = said(held=10, each={"waiting": 5, "waiting_prompt_tokens": None})

    assert 30 == told.waiting
    # (5 * 1,020 + (160,000 + 10 * 1,020) / 15) / 7,650 = 2.15; and (5 * 1,020 + 30 * 1,020 / 15) / 7,650 = 0.93
    assert ([3], [1]) == (wants(told, Reason.BACKLOG_PREFILL), wants(untold, Reason.BACKLOG_PREFILL))


def test_prompts_that_are_too_long_are_left_out_of_the_signals() -> None:
    of = said(prompts=((1_024, 99), (18_432, 0), (20_480, 1)), tokens_in_mean=1_194.12, objective_ratio=0.95)

    assert of.prompts is not None
    assert (0.01, pytest.approx(1_020.0, abs=0.1)) == (of.prompts.too_long_ratio, of.prompts.tokens_read_mean)
    assert 4.95 == pytest.approx(of.rate_rps)


def test_a_cache_that_holds_all_prompts() -> None:
    assert said(prefix_hit_ratio=1.0).capacity is not None
    assert said(prefix_hit_ratio=0.5).limits.derived_wait_s == pytest.approx(2.0 - 510 / 9_000)


def test_what_replicas_cannot_help() -> None:
    slow = replace(ENGINE, step_alpha_s=0.05)

    assert Reason.INFEASIBLE_DECODE is said(changed(KNOWN, load_test=replace(TEST, engine=slow))).infeasible
    assert Reason.INFEASIBLE_PREFILL is said(prompts=((18_432, 0), (20_480, 1))).infeasible
    assert sized(observed(), replace(SETTINGS, itl_s=None), KNOWN, MEMORY).infeasible is None
    assert sized(observed(), replace(SETTINGS, ttft_s=None), KNOWN, MEMORY).limits.derived is None


def test_a_shape_asks_beside_what_arrives_now() -> None:
    day = Shape(slots={T0 % 86_400 // 600: 2.0, (T0 + 600) % 86_400 // 600: 4.0}, weekly=False)
    of = said(changed(KNOWN, shape=day), replace(MEMORY, lead_s=600))

    assert of.forecast is not None
    assert (10.0, 5.0) == (of.forecast.expected_rps, of.forecast.now_rps)
    assert ([5], [3]) == (wants(of, Reason.CAPACITY_FORECAST), wants(of, Reason.CAPACITY_NOW))


def test_schedules_ask_even_where_nothing_is_seen() -> None:
    rate = schedule("rate", "10 10 * * *", "UTC", 600, expected_rps=14.1)
    count = schedule("count", "10 10 * * *", "UTC", 600, replicas_min=9)
    memory = replace(MEMORY, peaks=peaks([rate, count], T0, 540))
    later = replace(memory, at_s=T0 - 3_600)

    assert ([7, 9], [7, 9]) == (
        wants(said(memory=memory), Reason.SCHEDULE),
        wants(said(memory=memory, arrivals_rps=None), Reason.SCHEDULE),
    )
    assert [3] == wants(said(memory=memory), Reason.CAPACITY_NOW)
    assert said(memory=later, arrivals_rps=None).forecast is None


def test_gpus_and_objectives_ask_as_they_are_remembered() -> None:
    busy = replace(MEMORY, gpu_target=5, saturation=None)

    assert [5] == wants(said(memory=busy), Reason.GPU_BUSY)
    assert [] == wants(said(memory=busy, each={"gpu_util_ratio": None}), Reason.GPU_BUSY)
    assert [] == wants(said(memory=busy), Reason.SLO_RATIO)
    assert [] == wants(said(spec=0), Reason.SLO_RATIO)


def test_bursts_need_a_capacity() -> None:
    bursts = Bursts(peak_1s_rps=66.8, mean_rps=2.57, length_s=60.0, p99_1m_rps=10.5)

    assert said(changed(KNOWN, bursts=bursts)).burst is not None
    assert said(Known(bursts=bursts)).burst is None
