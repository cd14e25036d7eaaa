from typing import Any

import pytest
from report_rig import LIMITS, answers, check, panel, report

from loadtest.plan_spec import Objectives
from loadtest.report_run import MEANS, environment, fit, sheet, verdict
from loadtest.report_shapes import Intervals, Tone

UNFIT = {"state": "unfit", "checks": [check("read lag p99", "broken"), check("plan", "held")]}


def ended(code: int, message: str = "why", halt: str = "") -> dict[str, Any]:
    return {"verdict": {"code": code, "ended": code, "halt": halt, "message": message}}


def attained(word: str | None) -> dict[str, Any]:
    told = report()["attainment"] | {"verdict": word}
    return {"attainment": told | ({"goodput_ratio": None} if word is None else {})}


@pytest.mark.parametrize(
    ("changes", "word", "tone"),
    [
        pytest.param({}, "pass", Tone.GOOD, id="kept"),
        pytest.param(attained("fail"), "fail", Tone.BAD, id="not kept"),
        pytest.param(attained("inconclusive"), "inconclusive", Tone.MUTED, id="too few"),
        pytest.param(attained(None), "none", Tone.MUTED, id="nothing was asked for"),
        pytest.param({"fit": UNFIT}, "none", Tone.MUTED, id="an unfit client outranks what was kept"),
        pytest.param({"fit": UNFIT | {"state": "void"}} | ended(4), "none", Tone.MUTED, id="so does its environment"),
        pytest.param({"fit": None}, "none", Tone.MUTED, id="nothing was sent"),
        pytest.param(ended(3), "fail", Tone.BAD, id="the target went away"),
        pytest.param(ended(130), "interrupted", Tone.MUTED, id="interrupted"),
        pytest.param(ended(1), "rows lost", Tone.BAD, id="rows lost"),
    ],
)
def test_the_first_word_is_the_verdict(changes: dict[str, Any], word: str, tone: Tone) -> None:
    sign = verdict(report(10, **changes))

    assert (word, tone) == (sign.word, sign.tone)


def test_a_verdict_says_how_many_kept_every_objective() -> None:
    assert "99 of 100 kept every objective: 94.5 % to 99.8 %, asked 90 %." == verdict(report(100)).why


@pytest.mark.parametrize(
    ("state", "tone"), [("fit", Tone.GOOD), ("unproven", Tone.MUTED), ("unfit", Tone.BAD), ("void", Tone.BAD)]
)
def test_the_second_word_is_the_fitness_of_the_client(state: str, tone: Tone) -> None:
    sign = fit(report(fit={"state": state, "checks": [check("cpu", "broken")]}))

    assert (state, tone, "cpu: 1, allowed: 2.") == (sign.word, sign.tone, sign.why)


def test_a_client_that_sent_nothing_is_not_fit() -> None:
    assert ("nothing was sent", Tone.BAD) == (fit(report(fit=None)).word, fit(report(fit=None)).tone)
    assert "" == fit(report()).why


@pytest.mark.parametrize(
    ("states", "word", "tone"),
    [
        ([], "not looked at", Tone.MUTED),
        (["ok", "ok"], "ok", Tone.GOOD),
        (["unfit", "ok"], "unfit", Tone.BAD),
        (["note", "ok"], "note", Tone.MUTED),
    ],
)
def test_the_third_word_is_the_environment(states: list[str], word: str, tone: Tone) -> None:
    found = [check("gpu", state) | {"when": "before"} for state in states]
    sign = environment(report(environment=found))

    assert (word, tone) == (sign.word, sign.tone)


def test_a_report_of_before_environments_were_looked_at_still_has_a_page() -> None:
    old = report(3)
    del old["environment"], old["flags"]

    assert "not looked at" == sheet(old, answers(3), LIMITS).signs[2].word


def test_an_unfit_run_shows_its_numbers_and_no_verdict() -> None:
    made = sheet(report(30, fit=UNFIT), answers(30), LIMITS)

    assert any("none is a verdict" in note for note in made.notes)
    assert (panel(made, "percentiles").table or panel(made, "fit").table) is not None
    chart = panel(made, "objectives").chart
    assert isinstance(chart, Intervals)
    assert {Tone.MUTED} == {row.tone for row in chart.rows}


@pytest.mark.parametrize(
    ("low", "high", "tone"),
    [(0.95, 0.99, Tone.GOOD), (0.7, 0.8, Tone.BAD), (0.8, 0.95, Tone.MUTED), (None, None, Tone.MUTED)],
)
def test_each_objective_has_its_interval(low: float | None, high: float | None, tone: Tone) -> None:
    one = {"good": 9, "judged": 10 if low else 0, "low": low, "high": high}
    made = sheet(report(attainment=report()["attainment"] | {"by_objective": {"default/ttft": one}}), [], LIMITS)
    found = panel(made, "objectives")

    assert isinstance(found.chart, Intervals)
    assert [tone] == [row.tone for row in found.chart.rows]
    assert "default: TTFT at most 500 ms; default: time per token at most 30.0 ms." == found.notes[0]


def test_a_run_without_objectives_has_no_panel_of_them() -> None:
    made = sheet(report(3, **attained(None)), answers(3), {"default": Objectives()})

    assert "Objectives" not in [section.title for section in made.sections]
    assert 6 == len(made.sections) + 1


def test_what_a_reader_must_know_stands_before_the_numbers() -> None:
    flags = [{"name": "overload", "found": "from 1 to 90 in flight", "allowed": "no growth"}]
    flags.append({"name": "new", "found": "x", "allowed": "y"})
    made = sheet(report(3, loop="closed", flags=flags, **ended(3, halt="target_gone")), answers(3), LIMITS)

    assert [
        "Closed loop: each user asks again once answered. Never compare it with an open loop.",
        "The run ended early: why.",
        f"overload: from 1 to 90 in flight, allowed: no growth. {MEANS['overload']}",
        "new: x, allowed: y.",
    ] == made.notes


def test_the_receipt_is_there_with_the_command_that_runs_it_again() -> None:
    made = sheet(report(3), answers(3), LIMITS)
    again = panel(made, "rerun")

    assert "inferometer load run http://a" == again.copy
    assert again.table is not None
    assert [["rows", "3"], ["versions", "inferometer 1"], ["plan_sha256", "ff"], ["seed", "7"]] == again.table.rows
    key = panel(made, "key").table
    assert key is not None
    assert [["model", "m"], ["gpus", "n/a"]] == key.rows


def test_a_hostile_name_is_text_of_which_every_letter_is_seen() -> None:
    name = "<img src=x onerror=alert(1)>\u202e\u200b" + "x" * 10_000
    made = sheet(report(3, model=name, run_id=name), answers(3), LIMITS)

    assert len(made.title) < 140
    (model,) = [value for fact, value in made.facts if fact == "model"]
    assert model.startswith("<img src=x onerror=alert(1)>\\u202e\\u200bxxx")
    found = [{"name": "gpu\u202e", "when": "before", "state": "flag", "found": "\u200b", "allowed": ""}]
    lines = panel(sheet(report(3, environment=found), [], LIMITS), "environment").table
    assert lines is not None
    assert [["gpu\\u202e", "before", "flag", "\\u200b", ""]] == lines.rows
