from report_rig import answers, look, with_record

from loadtest.report_latency import distribution, over_time, percentiles, section
from loadtest.report_look import E2E, GAP, TPOT, TTFT
from loadtest.report_reduce import DOTS_MAX
from loadtest.report_shapes import Lines, Panel
from telemetry.outcome import Flag, Outcome


def chart(panel: Panel) -> Lines:
    assert isinstance(panel.chart, Lines)
    return panel.chart


def cells(panel: Panel) -> list[list[str]]:
    assert panel.table is not None
    return panel.table.rows


def test_percentiles_obey_their_floors() -> None:
    (ttft, *_) = cells(percentiles(look(answers(99))))

    # 99 answers of 101, 102, .. ms: p99 needs 100, p50 and p90 are certain from 11 and 64 on, p95 from 130
    assert [
        "Time to first token",
        "all",
        "99",
        "150 ms",
        "190 ms",
        "195 ms *",
        "n too small (99 < 100)",
        "199 ms",
    ] == ttft


def test_a_percentile_that_lands_on_a_failure_fails_and_both_populations_are_shown() -> None:
    panel = percentiles(look(answers(100, failed=2)))
    everyone, good = cells(panel)[:2]

    assert ["all", "100", "150 ms", "190 ms", "195 ms *", "fails"] == everyone[1:7]
    assert ["good answers", "98", "149 ms", "189 ms", "194 ms *", "n too small (98 < 100)"] == good[1:7]
    assert "2 of them failed" in panel.says


def test_each_figure_says_how_it_was_measured() -> None:
    panel = percentiles(look(answers(100)))
    assert panel.table is not None

    hint = panel.table.hints["0:3"]

    assert hint.startswith("p50 of Time to first token: from the request being due to the first output event.")
    assert "n = 100" in hint
    assert "95 % interval 140 ms to 161 ms" in hint  # ranks 40 and 61 for Bin(100, 1/2)


def test_nothing_at_all_is_no_number() -> None:
    panel = percentiles(look([]))

    assert [["Time to first token", "all", "0", "n/a", "n/a", "n/a", "n/a", "n/a"]] == cells(panel)
    assert distribution(look([]), TTFT).chart is None
    assert over_time(look([]), TTFT).chart is None


def test_a_latency_that_no_answer_has_is_left_out_and_what_is_the_same_is_told_once() -> None:
    one_token = [with_record(row, tpot_us=None, icl_max_us=None) for row in answers(30)]
    reasoning = [with_record(row, ttfo_us=900_000) for row in answers(30)]
    names = [[row[0] for row in cells(percentiles(look(rows)))] for rows in (one_token, reasoning)]

    assert ["Time to first token", "End to end"] == names[0]
    assert "Time to first visible output" in names[1]
    plain = [with_record(row, ttfo_us=row.record.ttft_us) for row in answers(30)]
    assert "Time to first visible output" not in [row[0] for row in cells(percentiles(look(plain)))]


def test_a_distribution_ends_where_failures_begin_and_has_its_objective() -> None:
    panel = distribution(look(answers(200, failed=20)), TTFT)
    (series,) = chart(panel).series

    assert 0.9 == series.points[-1][1]
    assert [0.5] == [rule.at for rule in chart(panel).rules]
    assert "The curve ends at 90 %: the other 20 requests failed." in panel.notes
    assert any("Drawn through 160 of 180 values" in note for note in panel.notes)


def test_the_table_of_a_distribution_has_intervals_bounds_and_floors() -> None:
    rows = cells(distribution(look(answers(700)), TTFT))

    assert ["p99", "793 ms", "787 ms to 799 ms", "≤ 800 ms", "700", "662"] == rows[4]
    assert "≤" not in rows[5][3]
    assert "needed" not in rows[5][3]


def test_an_interval_without_an_upper_end_says_so() -> None:
    rows = cells(distribution(look(answers(100, failed=1)), GAP))

    assert "no end" in rows[3][2] + rows[4][2]


def test_over_time_a_failed_request_stands_at_the_edge_and_no_percentile_is_drawn_of_too_few() -> None:
    panel = over_time(look(answers(60, failed=10)), TTFT)
    dots, p50, p95 = chart(panel).series

    assert 50 == len(dots.points)
    assert [25.0, 29.5] == [dots.tops[0], dots.tops[-1]]
    assert p50.points[-1][1] is None  # all of its requests failed
    assert all(value is None for _, value in p95.points)  # 10 requests in each bin
    assert [0.5] == [rule.at for rule in chart(panel).rules]
    assert "10 failed first attempts: 10 of them at the upper edge." in panel.notes
    assert [60, 10] == [sum(int(row[at]) for row in cells(panel)) for at in (1, 2)]


def test_over_time_what_was_cut_by_plan_is_no_failure() -> None:
    rows = [
        with_record(row, outcome=Outcome.CLIENT_CANCELLED, flags=Flag.ABORTED_BY_PLAN, ttft_us=None)
        if at % 4 == 0
        else row
        for at, row in enumerate(answers(60))
    ]
    panel = over_time(look(rows), TTFT)

    assert [45, 0] == [sum(int(row[at]) for row in cells(panel)) for at in (1, 2)]
    assert [] == list(chart(panel).series[0].tops)
    assert not any("failed first attempts" in note for note in panel.notes)


def test_over_time_many_requests_are_thinned_and_the_slowest_stays() -> None:
    rows = answers(3000, gap_s=0.01)
    panel = over_time(look(rows), E2E)
    dots = chart(panel).series[0].points

    assert len(dots) <= DOTS_MAX
    assert max(row.record.e2e_us or 0 for row in rows) / 1e6 == max(value for _, value in dots if value is not None)
    assert any("of 3,000 requests are drawn" in note for note in panel.notes)


def test_the_section_has_each_latency_once() -> None:
    found = [panel.id for panel in section(look(answers(30))).panels]

    assert [
        "percentiles",
        "spread-ttft",
        "spread-tpot",
        "spread-max_gap",
        "spread-e2e",
        "time-ttft",
        "time-e2e",
    ] == found
    assert TPOT.limit(look([]).limits["default"]) == 0.03
