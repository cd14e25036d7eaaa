"""The plan of a spike, and what a scenario's run may say; the scenarios themselves are system tests."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from test_load_guard_engine import engine, pages
from test_load_options import options

from inferometer.config_schema import Config
from inferometer.errors import UnreachableError
from inferometer.load_options import Options
from inferometer.load_scenarios import (
    COLD_COLUMNS,
    SPIKE_COLUMNS,
    Spike,
    answered_with,
    ended_with,
    from_cold,
    not_back,
    spike,
)
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.planner import build
from loadtest.recovery import GROUP, Recovery, recovery

SPIKE = Spike(before_s=60.0, for_s=30.0, after_s=60.0, times=5.0)


def test_the_plan_of_a_spike() -> None:
    usual = PlanSpec(seed=7, rate=RateCurve(points=((0.0, 10.0),)), count=5)
    times_s = [t_ns / 1e9 for t_ns in build(SPIKE.plan(usual)).t_sched_ns]
    before, during, behind = (sum(a <= t < b for t in times_s) for a, b in ((0, 60), (60, 90), (90, 150)))

    assert (60.0, 90.0) == SPIKE.edges_s
    assert abs(before - 600) < 100  # a standard deviation is 24
    assert abs(during - 1500) < 160
    assert abs(behind - 600) < 100


@pytest.mark.parametrize(
    ("ended", "fit", "expected"),
    [
        (0, {"state": "fit"}, 0),
        (0, {"state": "unproven"}, 4),
        (0, None, 4),
        (3, {"state": "fit"}, 3),
        (130, {"state": "unfit"}, 130),
    ],
)
def test_a_client_that_is_not_fit_says_nothing(ended: int, fit: dict[str, str] | None, expected: int) -> None:
    assert expected == ended_with({"verdict": {"ended": ended}, "fit": fit})


def spiked(before: float = 0.1, n: int = 100, behind: int = 100) -> Recovery:
    """A spike from which nobody comes back."""
    requests = [(k / 10, before) for k in range(n)] + [(20 + k / 10, 2.0) for k in range(behind)]
    return recovery(requests, (10.0, 20.0))


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        pytest.param(spiked(), 3, "not back", id="not back"),
        pytest.param(spiked(behind=2 * GROUP), 3, "not back", id="just enough behind it"),
        pytest.param(spiked(behind=2 * GROUP - 1), 4, "39 requests behind it, needed: 40", id="too few behind it"),
        pytest.param(spiked(n=GROUP - 1), 4, "19 requests before it, needed: 20", id="too few before it"),
        pytest.param(spiked(before=math.inf), 4, "and few that fail", id="failures before it"),
    ],
)
def test_a_spike_behind_which_nobody_comes_back(
    found: Recovery, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found.back_s is None
    assert code == not_back(found)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ended", "ttfts_s", "expected"),
    [
        pytest.param(0, [3.0, 0.2, 0.2, 0.2], 0, id="all answered"),
        pytest.param(0, [math.inf, 0.2, 0.2, 0.2], 4, id="the first fails"),
        pytest.param(0, [0.2, 0.2, math.inf, math.inf], 4, id="the later ones fail"),
        pytest.param(0, [0.2, 0.2, 0.2], 4, id="too few came"),
        pytest.param(3, [math.inf] * 4, 3, id="the target went away"),
    ],
)
def test_who_fails_is_not_slow(ended: int, ttfts_s: list[float], expected: int) -> None:
    assert expected == answered_with(ended, ttfts_s)


def a_spike(config: Config, typed: Options) -> int:
    return spike(config, typed, SPIKE, "json")


def a_cold_start(config: Config, typed: Options) -> int:
    return from_cold(config, typed, 0.0, "json")


@pytest.mark.parametrize("scenario", [a_spike, a_cold_start])
def test_live_objectives_and_surroundings_are_looked_at(
    scenario: Callable[[Config, Options], int], tmp_path: Path
) -> None:
    """As for `load run`: what nobody evaluates keeps it from starting."""
    load = {"abort_on_burn": True, "burn_from": "http://127.0.0.1:9"}
    config = Config.model_validate({"data": str(tmp_path), "load": load})
    with engine(pages()) as served, pytest.raises(UnreachableError, match="--abort-on-burn"):
        scenario(config, options(target=served.url, model="m"))


def test_units_end_the_names() -> None:
    assert {"before_p95_s", "back_s"} <= set(SPIKE_COLUMNS)
    assert {"first_ttft_s", "steady_ttft_s", "extra_s"} <= set(COLD_COLUMNS)
