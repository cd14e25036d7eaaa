from typing import Any

import pytest
from report_rig import answers, look, panel

from loadtest.report_compare import Arm, sheet
from loadtest.report_shapes import Intervals, Lines, Sheet, Tone


def metric(name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- parts of a metric
    usual: dict[str, Any] = {
        "metric": name,
        "verdict": "fail",
        "worse_ratio": 0.07,
        "low_ratio": 0.03,
        "high_ratio": 0.11,
        "margin_ratio": 0.05,
        "n": 3000,
        "n_needed": None,
        "reason": "worse by more than the margin",
    }
    return usual | changes


def made(*metrics: dict[str, Any], verdict: str | None = "fail", labels: tuple[str, ...] = ()) -> Sheet:
    before = Arm(name="baseline", looks=[look(answers(30)), look(answers(30), run_id="r2")])
    after = Arm(name="candidate", looks=[look(answers(30, failed=3), run_id="r3", key={"model": "other", "gpus": 1})])
    return sheet("Release gate", (before, after), metrics, verdict=verdict, labels=labels)


def test_a_gate_says_its_verdict_first_and_why() -> None:
    page = made(metric("ttft_p99"), metric("tpot_p50", verdict="pass"))

    assert ("fail", Tone.BAD, "1 of 2 metrics: ttft_p99 +7.0 %.") == (
        page.signs[0].word,
        page.signs[0].tone,
        page.signs[0].why,
    )
    assert [("baseline", "r1, r2"), ("candidate", "r3")] == page.facts


@pytest.mark.parametrize(("verdict", "tone"), [("pass", Tone.GOOD), ("inconclusive", Tone.MUTED)])
def test_a_verdict_without_a_metric_of_its_own_has_no_reason_there(verdict: str, tone: Tone) -> None:
    sign = made(metric("ttft_p99"), verdict=verdict).signs[0]

    assert (verdict, tone, "") == (sign.word, sign.tone, sign.why)


def test_an_interval_is_drawn_with_its_margin() -> None:
    found = panel(made(metric("ttft_p99")), "changes")

    assert isinstance(found.chart, Intervals)
    (row,) = found.chart.rows
    assert (0.03, 0.07, 0.11, 0.05, Tone.BAD) == (row.low, row.value, row.high, row.margin, row.tone)
    assert found.table is not None
    assert [
        ["ttft_p99", "fail", "+7.0 %", "+3.0 % to +11.0 %", "+5.0 %", "3,000", "worse by more than the margin"]
    ] == found.table.rows


@pytest.mark.parametrize("word", ["fails", "failed before"])
def test_what_is_no_ratio_is_a_word(word: str) -> None:
    found = panel(made(metric("ttft_p99", worse_ratio=word, low_ratio=None, high_ratio=None, n_needed=900)), "changes")

    assert found.table is not None
    assert [word, "n/a"] == found.table.rows[0][2:4]
    assert found.table.rows[0][-1].endswith("; 900 needed")
    assert found.chart is None  # there is nothing to draw


def test_an_end_that_fails_is_a_word_and_no_place() -> None:
    found = panel(made(metric("ttft_p99", high_ratio="fails")), "changes")

    assert isinstance(found.chart, Intervals)
    assert found.chart.rows[0].high is None
    assert found.table is not None
    assert "+3.0 % to fails" == found.table.rows[0][3]


def test_shares_are_told_in_points_apart_from_ratios() -> None:
    page = made(metric("ttft_p99"), metric("bad_ratio", worse_ratio=0.002))
    found = panel(page, "changes-shares")

    assert found.table is not None
    assert "+0.20 points" == found.table.rows[0][2]
    assert ["changes"] == [one.id for one in made(metric("ttft_p99")).sections[0].panels]


def test_a_comparison_has_no_verdict() -> None:
    page = made(metric("ttft_p99"), verdict=None, labels=("plans differ\u202e",))
    found = panel(page, "changes")

    assert ("none", Tone.MUTED) == (page.signs[0].word, page.signs[0].tone)
    assert ["plans differ\\u202e"] == page.notes
    assert found.table is not None
    assert "verdict" not in found.table.columns
    assert isinstance(found.chart, Intervals)
    assert Tone.A == found.chart.rows[0].tone


def test_distributions_of_both_arms_lie_over_each_other() -> None:
    found = panel(made(), "spread-ttft")

    assert isinstance(found.chart, Lines)
    assert [1.0, 0.9] == [one.points[-1][1] for one in found.chart.series]
    assert found.table is not None
    assert [["baseline", "60", "115 ms", "127 ms", "129 ms", "n too small", "0"]] == found.table.rows[:1]
    assert "fails" == found.table.rows[1][-2]  # 3 of 30: the 99th percentile lands on one of them


def test_arms_without_an_answer_are_not_drawn() -> None:
    arm = Arm(name="a", looks=[look([], fit=None)])
    page = sheet("t", (arm, arm), [], verdict=None, labels=())

    assert panel(page, "spread-ttft").chart is None
    assert ("nothing was sent", Tone.BAD) == (page.signs[1].word, page.signs[1].tone)


def test_keys_that_differ_stand_first() -> None:
    page = made()
    keys = panel(page, "keys")

    assert "2 parts differ." == keys.says
    assert keys.table is not None
    assert [["model", "m", "other", "differs"], ["gpus", "n/a", "1", "differs"]] == keys.table.rows
    same = Arm(name="a", looks=[look(answers(3))])
    assert "Nothing differs." == panel(sheet("t", (same, same), [], verdict=None, labels=()), "keys").says
    runs = panel(page, "runs").table
    assert runs is not None
    assert ["candidate", "r3", "fit", "30", "2.00 requests/s", "12.0 tok/s", "99 %"] == runs.rows[-1]
