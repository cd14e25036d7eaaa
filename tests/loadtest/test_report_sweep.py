from typing import Any

from report_rig import panel, report

from loadtest.report_shapes import Lines, Sheet, Tone
from loadtest.report_sweep import sheet

PROFILE: dict[str, Any] = {
    "accepted_rps": 8.0,
    "rejected_rps": 8.4,
    "knee_rps": 6.0,
    "tokens_out_per_s": 1024.0,
    "slo": {"ttft_s": 0.5, "tpot_s": None, "target": 0.99},
    "mix": {"mix_id": "ab", "in_mean": 512.0, "prefix_hit_ratio": None},
    "run_ids": ["s-0", "s-1"],
    "wall": None,
    "curve": [{"rate_rps": 8.0}],
}


def step(rate_rps: float, attainment: float, verdict: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- columns
    usual: dict[str, Any] = {
        "rate_rps": rate_rps,
        "attainment": attainment,
        "lo": attainment - 0.01,
        "hi": attainment,
        "ttft_p95_s": 0.2,
        "tpot_p95_s": None,
        "in_flight": 3.0,
        "kv_used_p95": None,
        "gpu_util_ratio": None,
        "tokens_out_per_s": 128 * rate_rps,
        "verdict": verdict,
    }
    return usual | changes


STEPS = [step(4.0, 1.0, "accept"), step(8.0, 0.995, "accept"), step(8.4, 0.5, "reject", ttft_p95_s=None)]


def made(profile: dict[str, Any] | None = PROFILE, steps: list[dict[str, Any]] = STEPS) -> Sheet:
    return sheet("s", steps, profile, [report(run_id="s-0"), report(run_id="s-1", fit=None)])


def lines(page: Sheet, name: str) -> Lines:
    chart = panel(page, name).chart
    assert isinstance(chart, Lines)
    return chart


def test_the_first_word_is_the_number_to_act_on() -> None:
    sign = made().signs[0]

    assert ("8.00 requests/s", Tone.GOOD) == (sign.word, sign.tone)
    assert "Highest rate proven good; 8.40 requests/s was rejected." == sign.why
    assert "no rate was rejected" in made(PROFILE | {"rejected_rps": None}).signs[0].why
    assert [] == lines(made(PROFILE | {"rejected_rps": None}), "attainment").shades


def test_attainment_has_its_interval_the_bracket_and_the_target() -> None:
    chart = lines(made(), "attainment")

    assert [(4.0, 0.99, 1.0), (8.0, 0.985, 0.995), (8.4, 0.49, 0.5)] == chart.series[0].band
    assert [(8.0, 8.4)] == [(one.first, one.until) for one in chart.shades]
    assert [("mu_star", 8.0), ("knee", 6.0), ("asked 99 %", 0.99)] == [(rule.label, rule.at) for rule in chart.rules]


def test_good_tokens_are_those_of_requests_that_kept_all() -> None:
    chart = lines(made(), "curve-tokens_out_per_s")

    assert [512.0, 1024.0, 1075.2] == [y for _, y in chart.series[0].points]
    assert [512.0, 1018.88, 537.6] == [y for _, y in chart.series[1].points]


def test_a_percentile_that_failed_is_a_gap_and_a_column_without_a_value_no_chart() -> None:
    page = made()
    names = [one.id for one in page.sections[0].panels]

    assert [0.2, 0.2, None] == [y for _, y in lines(page, "curve-ttft_p95_s").series[0].points]
    assert 0.5 in [rule.at for rule in lines(page, "curve-ttft_p95_s").rules]
    assert ["attainment", "curve-tokens_out_per_s", "curve-ttft_p95_s", "curve-in_flight"] == names
    unknown = made(steps=[step(4.0, 1.0, "accept", tokens_out_per_s=None)])
    assert "curve-tokens_out_per_s" not in [one.id for one in unknown.sections[0].panels]
    some = [step(4.0, 1.0, "accept", tokens_out_per_s=None), step(8.0, 1.0, "accept")]
    assert [None, 1024.0] == [y for _, y in lines(made(steps=some), "curve-tokens_out_per_s").series[1].points]


def test_the_steps_are_the_rows_of_the_file() -> None:
    table = panel(made(), "steps").table

    assert table is not None
    assert ["8.40 requests/s", "50 %", "49 %", "50 %", "n/a"] == table.rows[2][:5]
    assert "reject" == table.rows[2][-1]


def test_runs_and_profile_are_told() -> None:
    page = made()
    runs, profile = panel(page, "runs").table, panel(page, "profile").table

    assert runs is not None
    assert profile is not None
    assert [["fit", "s-0/report.html"], ["nothing was sent", "s-1/report.html"]] == [
        [row[1], row[4]] for row in runs.rows
    ]
    assert ["run_ids", "s-0, s-1"] in profile.rows
    assert ["mix", "mix_id ab, in_mean 512.0, prefix_hit_ratio n/a"] in profile.rows
    assert ["wall", "n/a"] in profile.rows
    assert ("fit in 1 of 2 runs", Tone.MUTED) == (page.signs[1].word, page.signs[1].tone)
    assert Tone.GOOD == sheet("s", STEPS, None, [report()]).signs[1].tone


def test_a_sweep_that_accepted_nothing_has_no_number() -> None:
    page = made(profile=None)

    assert ("none", Tone.BAD) == (page.signs[0].word, page.signs[0].tone)
    assert [] == lines(page, "attainment").rules
    assert ["Curve", "Steps"] == [section.title for section in page.sections]


def test_a_sweep_without_a_step_says_so() -> None:
    page = sheet("s", [], None, [])

    assert "No step came to its end." == page.signs[0].why
    assert panel(page, "attainment").chart is None
    assert "n/a" == page.signs[1].word


def test_a_sweep_of_users_finds_no_rate() -> None:
    users = [
        {"users": at, "rate_rps": 2.0 * at, "tokens_out_per_s": 20.0 * at, "ttft_p50_s": 0.1, "loop": "closed"}
        for at in (1, 2, 4)
    ]
    page = made(profile=None, steps=users)
    chart = lines(page, "curve-tokens_out_per_s")

    assert "not looked for" == page.signs[0].word
    assert page.notes[0].startswith("Closed loop")
    assert [(1.0, 20.0), (2.0, 40.0), (4.0, 80.0)] == chart.series[0].points
    assert ([], 1) == (chart.rules, len(chart.series))
