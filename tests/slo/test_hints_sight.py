"""How rows of one instant become the observation of a target."""

from dataclasses import replace
from typing import Any

import pytest
from hints_rig import target

from slo.hints_sight import ROLLOUT_S, Promise, Seen, counted, observation
from slo.hints_spec import Counted, replicas
from slo.scaling.lead import Lead
from telemetry.histogram import index

AT_S = 1_784_110_200
CHAT = target("chat")
THERE = replicas(Counted(up=2, down=0, silent=0), 2, is_loading=False)


def engine(name: str, ago_s: float = 4.0, **values: Any) -> dict[str, Any]:  # noqa: ANN401 -- any column
    heard_ms = round((AT_S - ago_s) * 1000)
    row: dict[str, Any] = {
        "endpoint": "chat", "replica": name, "model": "m", "heard_unix_ms": heard_ms, "is_up": 1, "n_up": 9,
        "up_unix_ms": heard_ms, "since_unix_ms": (AT_S - 600) * 1000, "values": (8, 3, 0.5), "prefix_hits": 30,
        "prefix_queries": 100, "begun_unix_s": 0.0, "config_hash": 0, "sleep_state": "",
    }  # fmt: skip
    return {**row, **values}


def beat(
    collector: str, ago_s: float = 1.0, rps: float | None = 2.0, model: str = "m", since_s: float = 600.0
) -> dict[str, Any]:
    heard_ms = round((AT_S - ago_s) * 1000)
    return {
        "endpoint": "chat", "model": model, "collector": collector, "since_unix_ms": round((AT_S - since_s) * 1000),
        "heard_unix_ms": heard_ms, "arrivals_rps": rps,
    }  # fmt: skip


def mixed(**values: Any) -> dict[str, Any]:  # noqa: ANN401 -- any column
    row: dict[str, Any] = {
        "endpoint": "chat", "model": "m", "n": 40, "n_ok": 30, "tokens_in": 40_000, "n_in": 40, "tokens_out": 3_000,
        "n_out": 30, "ttft_h": {index(400_000): 30}, "tpot_h": {index(10_000): 30}, "prompts": {1_024: 40},
    }  # fmt: skip
    return {**row, **values}


def seen(*engines: dict[str, Any], **rows: Any) -> Seen:  # noqa: ANN401 -- rows of other kinds
    usual: dict[str, Any] = {"demand": [beat("a"), beat("b", rps=1.0)], "mix": [mixed()]}
    return Seen(at_s=AT_S, engines=engines, **{**usual, **rows})


def test_every_figure_comes_from_its_rows() -> None:
    gpus = [{"endpoint": "chat", "replica": "r1", "gpu_util_ratio": 0.6}]
    promise = Promise(objective_ratio=0.99, attainment_1h_ratio=0.98, burn_1h=2.0, budget_left_ratio=0.5)
    found = observation(CHAT, seen(engine("r1"), engine("r2"), gpus=gpus), THERE, promise, Lead(p50_s=9, p90_s=99, n=3))

    assert (1.0, 1.0, 3.0, 0.5, 0) == (
        found.age_s, found.coverage, found.arrivals_rps, found.completed_rps, found.held,
    )  # fmt: skip
    assert (1_000.0, 100.0, 0.3) == (found.tokens_in_mean, found.tokens_out_mean, found.prefix_hit_ratio)
    assert ((1_024, 40),) == found.prompts
    assert (pytest.approx(0.4, rel=0.05), pytest.approx(0.01, rel=0.05)) == (found.ttft_p90_s, found.tpot_p95_s)
    assert (0.99, 0.98, 2.0, 0.5) == (
        found.objective_ratio, found.attainment_1h_ratio, found.burn_1h, found.budget_left_ratio,
    )  # fmt: skip
    assert (9, 99) == (found.cold_start_p50_s, found.cold_start_p90_s)
    first, second = found.replicas
    assert ("r1", 600.0, 4.0, 8, 3, 0.5, 0.6) == (
        first.name, first.ready_for_s, first.age_s, first.running, first.waiting, first.kv_used_ratio,
        first.gpu_util_ratio,
    )  # fmt: skip
    assert second.gpu_util_ratio is None


def test_gpus_that_no_replica_is_named_for_are_those_of_the_endpoint() -> None:
    gpus = [{"endpoint": "chat", "replica": "", "gpu_util_ratio": 0.7}]

    assert {0.7} == {one.gpu_util_ratio for one in observation(CHAT, seen(engine("r1"), gpus=gpus), THERE).replicas}


def test_holes_stay_holes() -> None:
    hole = engine("r1", values=(None, None, None), prefix_hits=None, prefix_queries=None)
    found = observation(CHAT, seen(hole, demand=[beat("a", rps=None)], mix=[]), THERE)

    assert {None} == {
        found.arrivals_rps, found.completed_rps, found.tokens_in_mean, found.ttft_p90_s, found.prefix_hit_ratio,
        found.running, found.waiting, found.gpu_util_ratio, found.cold_start_p90_s, found.objective_ratio,
    }  # fmt: skip
    assert (1.0, ()) == (found.age_s, found.prompts)


def test_what_is_silent_lowers_the_coverage_and_says_nothing() -> None:
    two = observation(CHAT, seen(engine("r1"), demand=[beat("a"), beat("b", ago_s=90.0, rps=50.0)]), THERE)
    none = observation(CHAT, seen(engine("r1"), demand=[]), THERE)
    old = observation(CHAT, seen(engine("r1"), engine("gone", ago_s=61.0)), THERE)

    assert (0.5, 2.0) == (two.coverage, two.arrivals_rps)
    assert (None, 0.0, None) == (none.age_s, none.coverage, none.arrivals_rps)
    assert ["r1"] == [one.name for one in old.replicas]


@pytest.mark.parametrize(
    ("beats", "coverage", "age_s"),
    [
        pytest.param([beat("old", 95.0), beat("new", since_s=90.0)], 1.0, 1.0, id="one took its place"),
        pytest.param([beat("old", 35.0), beat("new", since_s=30.0)], 1.0, 1.0, id="a short time ago"),
        pytest.param([beat("x", 300.0), beat("y", 95.0, since_s=290.0), beat("z", since_s=90.0)], 1.0, 1.0, id="twice"),
        pytest.param([beat("old", 95.0), beat("a"), beat("new", since_s=90.0)], 1.0, 1.0, id="beside another"),
        pytest.param([beat("old", 95.0), beat("new", since_s=100.0)], 0.5, 1.0, id="both were heard together"),
        pytest.param([beat("old", 35.0), beat("b", 70.0), beat("new", since_s=30.0)], 0.5, 1.0, id="beside a silent"),
        pytest.param([beat("a"), beat("b", 50.0)], 1.0, 50.0, id="one is late"),
        pytest.param([beat("a", 70.0), beat("b", 90.0)], 0.0, 70.0, id="all are silent"),
    ],
)
def test_a_collector_that_took_the_place_of_another_is_no_second_one(
    beats: list[dict[str, Any]], coverage: float, age_s: float
) -> None:
    found = observation(CHAT, seen(engine("r1"), engine("r2"), demand=beats), THERE)

    assert (coverage, age_s) == (found.coverage, found.age_s)


def test_replicas_are_counted_by_what_is_heard() -> None:
    rows = (
        engine("up"), engine("down", is_up=0), engine("silent", ago_s=61.0), engine("never", ago_s=61.0, n_up=0),
        engine("other", endpoint="code"), engine("asleep", sleep_state="weights_offloaded"),
        engine("awake", sleep_state="awake"),
    )  # fmt: skip

    assert Counted(up=2, down=2, silent=1) == counted(CHAT, seen(*rows))
    assert ["up", "awake"] == [one.name for one in observation(CHAT, seen(*rows), THERE).replicas]


def of_hash(number: int, ago_s: float) -> dict[str, Any]:
    return engine(f"{number}-{ago_s}", config_hash=number, since_unix_ms=round((AT_S - ago_s) * 1000))


@pytest.mark.parametrize(
    ("engines", "strangers"),
    [
        pytest.param([of_hash(1, 3_600), of_hash(1, 900)], 0, id="one configuration"),
        pytest.param([of_hash(1, 3_600), of_hash(1, 900), of_hash(2, 60)], 1, id="the first of a new one"),
        pytest.param([of_hash(1, 900), of_hash(2, 600), of_hash(2, 60)], 1, id="the last of the old one"),
        pytest.param([of_hash(1, 3_600), of_hash(0, 900), of_hash(0, 60)], 0, id="some tell none"),
        pytest.param([of_hash(1, 3_600), of_hash(2, 900), of_hash(1, 60)], 0, id="the younger is of the old one"),
        pytest.param([of_hash(1, 3_600), of_hash(2, 900), of_hash(3, 60)], 0, id="each is another"),
        pytest.param([of_hash(1, 3_600), of_hash(2, ROLLOUT_S - 1)], 1, id="within the hour"),
        pytest.param([of_hash(1, 3_600), of_hash(2, ROLLOUT_S)], 0, id="no longer"),
    ],
)
def test_a_rollout_passes_where_one_configuration_follows_another(
    engines: list[dict[str, Any]], strangers: int
) -> None:
    assert strangers == observation(CHAT, seen(*engines), THERE).strangers


def test_an_objective_of_its_own_stands_in_and_models_are_told_apart() -> None:
    one = replace(CHAT, model="m", objective_ratio=0.95)
    rows = [beat("a"), beat("a", model="other", rps=70.0)]

    assert 0.95 == observation(one, seen(engine("r1"), demand=rows), THERE).objective_ratio
    assert 2.0 == observation(one, seen(engine("r1"), demand=rows), THERE).arrivals_rps
    assert 72.0 == observation(CHAT, seen(engine("r1"), demand=rows), THERE).arrivals_rps
