"""What each rate gave: a search is one curve, its runs say how far its percentiles may be off."""

import msgspec
import pytest
from load_past import PER_S, RATES, SEARCH, START_S, TARGET, run, search, step
from panel_answers import rows
from panel_rig import PanelRig

from dashboards.asks_curve import POINTS_SHOWN, population, wilson
from loadtest.achievable import Achieved
from loadtest.digest import Figure
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.scaling_profile import CurvePoint, ProfileMix, ScalingProfile
from loadtest.wilson import Z_95
from loadtest.wilson import wilson as expected_wilson
from telemetry.queries.question import Question


@pytest.fixture(scope="module")
def tested(past: PanelRig) -> PanelRig:
    """A search, and a run that belongs to none."""
    alone = {"load_runs": [run("alone-1", START_S + 900)], "load_steps": [step("alone-1", 1, START_S + 900, 3, 0.5)]}
    for found in (search(), alone):
        for table, made in found.items():
            past.stored.insert_rows(table, made)
    return past


def test_a_search_is_one_curve_and_its_runs_are_none(tested: PanelRig) -> None:
    found = rows(tested, "lt.knee", TARGET)

    assert [("alone-1", 3.0), *((SEARCH, rate) for rate in RATES)] == [
        (one["run_id"], one["offered_per_s"]) for one in found
    ]
    assert ["", "", "", "recommended", "knee", ""] == [one["mark"] for one in found]
    assert 1.5 == found[0]["good_per_s"]
    assert None is found[0]["ttft_p95"], "its report says none"


def test_every_number_of_a_point_has_its_interval(tested: PanelRig) -> None:
    found = rows(tested, "lt.knee", TARGET, run=[SEARCH])
    last = found[-1]

    assert [0.1 * 1.5**at for at in range(5)] == pytest.approx([one["ttft_p95"] for one in found])
    for name in ("ttft_p95", "tpot_p95"):
        ends = [(one[f"{name}_low"] / one[name], one[f"{name}_high"] / one[name]) for one in found]
        assert [end for pair in ends for end in pair] == pytest.approx([0.9, 1.1] * 5)
    low, high = expected_wilson(560, 800)
    assert (8 * 0.7, 8 * low, 8 * high) == pytest.approx(
        (last["good_per_s"], last["good_per_s_low"], last["good_per_s_high"])
    )


def test_the_newest_runs_are_told_and_their_rates_in_order(past: PanelRig) -> None:
    """The newest ones are the last ones of the alphabet."""
    started = {f"knee-{10 + n}x": START_S + 60 * n for n in range(50)}
    runs = [run(run_id, at_s, target="knee") for run_id, at_s in started.items()]
    steps = [
        step(run_id, at, at_s + at, rate, 1)
        for run_id, at_s in started.items()
        for at, rate in enumerate((8, 2, 4, 1, 6))
    ]
    for table, made in {"load_runs": runs, "load_steps": steps}.items():
        past.stored.insert_rows(table, made)
    found = rows(past, "lt.knee", "knee")

    assert list(reversed(started))[: POINTS_SHOWN // 5] == list(dict.fromkeys(row["run_id"] for row in found))
    assert [1.0, 2.0, 4.0, 6.0, 8.0] * (POINTS_SHOWN // 5) == [row["offered_per_s"] for row in found]


def test_a_run_of_a_search_is_shown_within_it(tested: PanelRig) -> None:
    assert {SEARCH} == {one["run_id"] for one in rows(tested, "lt.knee", TARGET, run=[f"{SEARCH}-3"])}
    assert {"alone-1"} == {one["run_id"] for one in rows(tested, "lt.knee", TARGET, run=["alone-1"])}
    assert (200, 10) == (POINTS_SHOWN, PER_S)


@pytest.mark.parametrize(("good", "n"), [(0, 5), (5, 5), (990, 1000), (1, 3)])
def test_the_interval_of_a_share_is_that_of_load_tests(past: PanelRig, good: int, n: int) -> None:
    low, high = wilson(str(good), str(n))
    (found,) = past.reader.query(Question(sql=f"SELECT {low} AS low, {high} AS high"))

    assert expected_wilson(good, n) == pytest.approx((found["low"], found["high"]), abs=1e-12)
    assert Z_95 == pytest.approx(1.959963984540054)


def test_what_is_read_of_documents_stands_in_them() -> None:
    """Reports, profiles and plans are read by the names of their fields, in SQL."""
    read = {
        Figure: {"name", "p", "value_s", "lo", "hi"},
        Achieved: {"tokens_out_per_s_max", "percent", "wall", "remedy", "mbu", "mfu", "fitted"},
        CurvePoint: {"rate_rps", "attainment", "ttft_p95_s", "tpot_p95_s"},
        ScalingProfile: {"run_ids", "goodput_rps", "knee_rps", "curve", "mix"},
        ProfileMix: {"in_mean", "out_mean"},
    }
    plan = msgspec.to_builtins(PlanSpec(seed=7, rate=RateCurve(points=((0.0, 4.1),)), count=1))

    assert {of.__name__: set[str]() for of in read} == {
        of.__name__: names - set(of.__struct_fields__) for of, names in read.items()
    }
    assert 4.1 == plan["rate"]["points"][0][1]


def test_failures_are_infinite_unless_they_are_left_out() -> None:
    assert "inf" in population("ttft")[0]
    assert "inf" not in population("ttft", only_ok=True)[0]
