"""What speaks against taking one replica away (spec/scaling.md 6.2, acceptance A4)."""

from dataclasses import replace

import pytest

from slo.scaling.codes import Veto
from slo.scaling.down import Against, Budget, Signals, hold_s, load_vetoes, state_vetoes, waiting_allowed

CALM = Signals(
    replicas=6,
    warming=0,
    draining=0,
    rho=0.5,
    kv_used_ratio=0.5,
    gpu_ratio=0.6,
    saturation=0.3,
    waiting=0,
    wanted=5,
    coverage=1.0,
)
SOUND = Budget(objective=True, burn_1h=1.0, left_ratio=0.10, kept=False)


def codes(found: tuple[Against, ...]) -> set[Veto]:
    return {one.code for one in found}


def test_six_replicas_at_60_per_cent_may_lose_one() -> None:
    # A4: 72 % is below 75.
    assert () == load_vetoes(CALM)
    assert () == state_vetoes(CALM, SOUND)


def test_two_replicas_at_60_per_cent_may_not() -> None:
    # A4: 120 % and a load of 1.0 on the one that would stay.
    found = load_vetoes(replace(CALM, replicas=2, wanted=1))

    assert {Veto.GPU_BAND, Veto.RHO_AFTER, Veto.KV_AFTER, Veto.SLO_RATIO_AFTER} == codes(found)
    assert "load 50% would be 100%, allowed is less than 70%" in {one.text for one in found}
    assert "GPU 60% would be 120%, allowed is less than 75% (low)" in {one.text for one in found}


@pytest.mark.parametrize(("replicas", "limit"), [(8, 0.656), (2, 0.375)])
def test_utilisation_from_which_those_that_stay_would_be_too_busy(replicas: int, limit: float) -> None:
    below, above = (
        codes(load_vetoes(replace(CALM, replicas=replicas, wanted=1, gpu_ratio=limit + off))) for off in (-0.001, 0.001)
    )

    assert Veto.GPU_BAND not in below
    assert Veto.GPU_BAND in above


@pytest.mark.parametrize(
    ("gpu", "rho", "held"),
    [
        pytest.param(0.95, 0.5, False, id="always busy, at any load"),
        pytest.param(0.80, 0.3, False, id="twice as busy as the load explains"),
        pytest.param(0.80, 0.5, True, id="as busy as the load explains"),
        pytest.param(0.95, None, True, id="a load that is unknown explains nothing"),
    ],
)
def test_utilisation_that_does_not_follow_the_load_keeps_nothing(gpu: float, rho: float | None, held: bool) -> None:
    assert held is (Veto.GPU_BAND in codes(load_vetoes(replace(CALM, gpu_ratio=gpu, rho=rho))))


def test_some_may_wait_where_the_objective_leaves_time() -> None:
    # Q* 6.1 (scaling.md 6.4): a quarter of it on each of five.
    allowed = waiting_allowed(6.1, 6)

    assert 7.625 == pytest.approx(allowed)
    assert 0.0 == waiting_allowed(None, 6)
    assert () == load_vetoes(replace(CALM, waiting=7, waiting_allowed=allowed))
    assert {Veto.QUEUE_NONZERO} == codes(load_vetoes(replace(CALM, waiting=8, waiting_allowed=allowed)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"rho": 0.584}, {Veto.RHO_AFTER}, id="load"),
        pytest.param({"rho": None}, {Veto.RHO_AFTER}, id="load unknown"),
        pytest.param({"kv_used_ratio": 0.542}, {Veto.KV_AFTER}, id="cache"),
        pytest.param({"kv_used_ratio": None}, {Veto.KV_AFTER}, id="cache unknown"),
        pytest.param({"saturation": 0.334}, {Veto.SLO_RATIO_AFTER}, id="slow tenth"),
        pytest.param({"saturation": None}, {Veto.SLO_RATIO_AFTER}, id="slow tenth unknown"),
        pytest.param({"gpu_ratio": None}, {Veto.GPU_BAND}, id="utilisation unknown"),
        pytest.param({"waiting": 1}, {Veto.QUEUE_NONZERO}, id="one waits"),
        pytest.param({"waiting": None}, {Veto.QUEUE_NONZERO}, id="queue unknown"),
        pytest.param({"wanted": 6}, {Veto.RHO_AFTER}, id="a want needs all of them"),
        pytest.param({"wanted": 6, "rho": None}, {Veto.RHO_AFTER}, id="each code once"),
    ],
)
def test_what_the_load_says(change: dict[str, float | None], expected: set[Veto]) -> None:
    found = load_vetoes(replace(CALM, **change))  # type: ignore[arg-type]  # of the numbers that it takes

    assert expected == codes(found)
    assert len(found) == len(expected)


def test_a_fleet_without_samples_of_gpus_is_judged_by_the_rest() -> None:
    assert () == load_vetoes(replace(CALM, gpu_ratio=None, has_gpu=False))
    assert {Veto.RHO_AFTER} == codes(load_vetoes(replace(CALM, gpu_ratio=None, has_gpu=False, rho=None)))


def test_where_nothing_is_to_be_in_time_the_load_decides() -> None:
    aimless = replace(CALM, saturation=None, has_objectives=False)

    assert () == load_vetoes(aimless)
    assert {Veto.RHO_AFTER} == codes(load_vetoes(replace(aimless, rho=None))), "if it is known"


def test_what_some_did_not_tell_is_named() -> None:
    (said,) = state_vetoes(replace(CALM, holes=("kv_usage_max of 4 of 6",)), SOUND)

    assert (Veto.COVERAGE, "not every replica told all: kv_usage_max of 4 of 6") == (said.code, said.text)


@pytest.mark.parametrize(
    ("change", "budget", "expected"),
    [
        pytest.param({"warming": 1}, {}, {Veto.WARMING}, id="one warms up"),
        pytest.param({"draining": 1}, {}, {Veto.DRAINING}, id="one drains"),
        pytest.param({"coverage": 0.99}, {}, {Veto.COVERAGE}, id="one was not seen"),
        pytest.param({}, {"burn_1h": 1.01}, {Veto.BURN}, id="the budget burns"),
        pytest.param({}, {"burn_1h": None}, {Veto.BURN}, id="it is not known whether it does"),
        pytest.param({}, {"left_ratio": 0.09}, {Veto.BUDGET_LOW}, id="little is left"),
        pytest.param({}, {"left_ratio": None}, {Veto.BUDGET_LOW}, id="it is not known how much"),
        pytest.param({}, {"kept": True}, {Veto.BUDGET_LOW}, id="its policy keeps capacity"),
        pytest.param({}, {"objective": False, "burn_1h": None, "left_ratio": None}, set[Veto](), id="no objective"),
    ],
)
def test_what_the_state_says(change: dict[str, float], budget: dict[str, float | None], expected: set[Veto]) -> None:
    found = state_vetoes(replace(CALM, **change), replace(SOUND, **budget))  # type: ignore[arg-type]  # as above

    assert expected == codes(found)


def test_how_long_nothing_may_have_spoken_against_it() -> None:
    assert [300, 1_080, 4_320] == [hold_s(100, 1), hold_s(540, 1), hold_s(540, 4)]
