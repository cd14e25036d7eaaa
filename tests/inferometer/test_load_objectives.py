from typing import Any

import pytest
from load_rows import row

from inferometer.errors import ConfigurationError
from inferometer.load_objectives import GOODPUT_RATIO, are_asked, attainment, cases, code, limits, objectives
from loadtest.goodput import goodput
from loadtest.plan_spec import Objectives, PlanSpec, RateCurve, WorkloadClass
from loadtest.verdict import Verdict

GOOD = [row(j) for j in range(400)]
BAD = [row(j, ttft_us=900_000) for j in range(400)]
FEW = [row(1)]


def plan(limit: Objectives) -> PlanSpec:
    rate = RateCurve(points=((0.0, 1.0),))
    return PlanSpec(seed=1, rate=rate, count=1, classes=(WorkloadClass(objectives=limit),))


def told(rows: list[Any], ended: int = 0, ratio: float | None = GOODPUT_RATIO) -> dict[str, Any]:
    attained = attainment(goodput(rows, {"default": Objectives(ttft_s=0.5)}), ratio)
    return {"attainment": attained, "verdict": {"ended": ended, "message": ""}}


def test_a_limit_that_was_typed_replaces_the_presets() -> None:
    assert Objectives(ttft_s=2.0, tpot_s=0.1) == objectives("llama3.1-8b", None, None)
    assert Objectives(ttft_s=0.3, tpot_s=0.1) == objectives("llama3.1-8b", 0.3, None)
    assert Objectives(tpot_s=0.05) == objectives(None, None, 0.05)
    assert Objectives() == objectives(None, None, None)


@pytest.mark.parametrize(
    ("slo", "ttft_s", "named"), [("llama9", None, "allowed: llama2-70b"), (None, 0.0, "objective"), (None, -1.0, "0")]
)
def test_what_is_no_objective_is_refused(slo: str | None, ttft_s: float | None, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        objectives(slo, ttft_s, None)


def test_a_plan_without_limits_asks_for_nothing() -> None:
    assert not are_asked(plan(Objectives()))
    assert are_asked(plan(Objectives(gap_s=1.0)))
    assert {"default": Objectives(gap_s=1.0)} == limits(plan(Objectives(gap_s=1.0)))


@pytest.mark.parametrize(
    ("rows", "ended", "expected"),
    [
        pytest.param(GOOD, 0, 0, id="kept"),
        pytest.param(BAD, 0, 3, id="not kept"),
        pytest.param(FEW, 0, 4, id="too few to tell"),
        pytest.param(BAD, 4, 4, id="unfit outranks failed"),
        pytest.param(GOOD, 130, 130, id="interrupted"),
    ],
)
def test_the_exit_code(rows: list[Any], ended: int, expected: int) -> None:
    assert expected == code(ended, told(rows)["attainment"])


def test_without_objectives_there_is_no_verdict() -> None:
    found = told(BAD, ratio=None)

    assert (0, None, 0.0) == (
        code(0, found["attainment"]),
        found["attainment"]["verdict"],
        found["attainment"]["joint"],
    )
    assert ["run"] == [case.name for case in cases(found)]
    assert told([])["attainment"]["joint"] is None


def test_a_case_for_the_run_and_for_each_objective() -> None:
    found = {case.name: (case.verdict, case.message) for case in cases(told(BAD))}

    assert ["run", "joint", "default/ttft", "default/complete"] == list(found)
    assert (Verdict.PASSED, "sent as planned") == found["run"]
    assert Verdict.FAILED is found["joint"][0]
    assert (Verdict.PASSED, "400 of 400 kept it, 95 % interval 99.05 % to 100.00 %, asked 99 %") == found[
        "default/complete"
    ]
    assert "no request says anything" == cases(told([]))[1].message


@pytest.mark.parametrize("ended", [1, 4, 130])
def test_a_run_that_is_not_fit_or_not_whole_says_nothing_of_the_server(ended: int) -> None:
    assert {Verdict.INCONCLUSIVE} == {case.verdict for case in cases(told(BAD, ended))}


def test_a_target_that_went_away_has_failed() -> None:
    assert Verdict.FAILED is cases(told(BAD, 3))[0].verdict
