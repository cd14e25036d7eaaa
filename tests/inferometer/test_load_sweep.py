"""The search over a target of known capacity; on real processes: tests/system/test_load_sweep.py."""

from dataclasses import replace

import pytest
from load_rows import row
from test_load_options import options

from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.load_key import Engine
from inferometer.load_options import plan_spec
from inferometer.load_sweep import COLUMNS, TRIES_MAX, Found, made, run, searched
from loadtest.conductor import EXIT_INCONCLUSIVE, EXIT_INTERRUPTED
from loadtest.plan_spec import Objectives
from loadtest.planner import build
from loadtest.search import RATIO_ENOUGH
from loadtest.sweep import Measured

OPTIONS = replace(options(), objectives=Objectives(ttft_s=0.5))
CAPACITY_RPS = 10.0


def carried(rate_rps: float, number: int) -> tuple[str, int, Measured]:
    """Carry out 60 s: above the capacity every third answer is late."""
    late = rate_rps > CAPACITY_RPS
    rows = [
        row(j, at_s=j / rate_rps, ttft_us=900_000 if late and j % 3 == 0 else 400_000)
        for j in range(round(60 * rate_rps))
    ]
    return f"s-{number}", 0, Measured(rows=rows, window_ns=(0, 60_000_000_000))


def found(**changes: object) -> Found:
    asked: dict[str, object] = {"rate_rps_max": 1000.0, "climbs": False}
    return searched(carried, OPTIONS, 12.0, 40, **asked | changes)  # type: ignore[arg-type] # as they came


@pytest.mark.parametrize("climbs", [True, False])
def test_the_bracket_holds_the_capacity(climbs: bool) -> None:
    bracket = found(climbs=climbs).bracket

    assert bracket.accepted_rps is not None
    assert bracket.rejected_rps is not None
    assert bracket.accepted_rps <= CAPACITY_RPS < bracket.rejected_rps
    assert bracket.rejected_rps / bracket.accepted_rps <= RATIO_ENOUGH


@pytest.mark.parametrize(
    ("spoilt", "code", "numbers"),
    [
        pytest.param({1, 2}, 0, ["s-0", "s-3"], id="two runs left out"),
        pytest.param({1, *range(2, 1 + TRIES_MAX)}, EXIT_INCONCLUSIVE, ["s-0"], id="never fit again"),
    ],
)
def test_a_run_of_an_unfit_client_is_left_out_and_made_again(spoilt: set[int], code: int, numbers: list[str]) -> None:
    def unfit(rate_rps: float, number: int) -> tuple[str, int, Measured]:
        run_id, _, measured = carried(rate_rps, number)
        return run_id, EXIT_INCONCLUSIVE if number in spoilt else 0, measured

    ended = searched(unfit, OPTIONS, 12.0, 40, rate_rps_max=1000.0, climbs=False)
    assert (code, tuple(numbers)) == (ended.code, ended.run_ids[:2])


def test_an_interrupted_run_ends_the_search() -> None:
    def interrupted(rate_rps: float, number: int) -> tuple[str, int, Measured]:
        return f"s-{number}", EXIT_INTERRUPTED, carried(rate_rps, number)[2]

    ended = searched(interrupted, OPTIONS, 12.0, 40, rate_rps_max=1000.0, climbs=False)
    assert (EXIT_INTERRUPTED, (), ()) == (ended.code, ended.run_ids, ended.steps)


def test_no_more_rates_than_asked_for_but_each_to_its_end() -> None:
    def unsure(rate_rps: float, number: int) -> tuple[str, int, Measured]:
        run_id, code, measured = carried(rate_rps, number)
        return run_id, code, Measured(rows=measured.rows[:100], window_ns=measured.window_ns)  # 100 of 100 prove little

    ended = searched(unsure, OPTIONS, 5.0, 1, rate_rps_max=1000.0, climbs=False)
    assert (1, 3, 300) == (len(ended.steps), len(ended.run_ids), ended.steps[0].step.offered)


def test_the_profile_tells_what_was_found() -> None:
    ended = found()
    plan = build(plan_spec(OPTIONS))
    profile = made(ended, OPTIONS, plan, Engine(gpus=2))

    assert (profile.goodput_rps, profile.rejected_rps) == (ended.bracket.accepted_rps, ended.bracket.rejected_rps)
    assert sorted(one.step.rate_rps for one in ended.steps) == [point.rate_rps for point in profile.curve]
    assert (2, 100.0, 20.0, 0.5) == (
        *(profile.gpus_per_replica, profile.mix.in_mean, profile.mix.out_mean, profile.slo.ttft_s),
    )
    assert profile.knee_rps is not None
    assert ended.run_ids == profile.run_ids
    assert "verdict" == COLUMNS[-1]


def test_a_sweep_without_an_objective_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs an objective"):
        run(Config(), options(), 10.0, 1, "json", climbs=False)
