import msgspec
import pytest
from report_rig import answers, check, look, warm, with_record

from loadtest.report_client import TOKENS_S, arrivals, flight, in_flight, lags, outcomes, proof, sections, tokens
from loadtest.report_look import Look
from loadtest.report_shapes import Lines, Panel, Stack, Tone
from telemetry.outcome import Outcome


def cells(panel: Panel) -> list[list[str]]:
    assert panel.table is not None
    return panel.table.rows


def test_every_check_is_shown_in_its_order() -> None:
    fit = {"state": "unfit", "checks": [check("read lag p99", "broken"), check("plan", "held")]}
    panel = proof(look([], fit=fit))

    assert "The client was unfit: 1 of 2 checks are held." == panel.says
    assert ["read lag p99", "broken", "1", "2"] == cells(panel)[0]
    assert ["connections opened", "", "3", ""] in cells(panel)


def test_without_a_request_there_is_no_proof() -> None:
    assert "The client was nothing was sent: 0 of 0 checks are held." == proof(look([], fit=None, client={})).says


def test_lags_are_distributions_beside_their_limits() -> None:
    rows = [msgspec.structs.replace(row, read_lag_max_us=50) for row in answers(100)]
    panel = lags(look(rows))

    assert isinstance(panel.chart, Lines)
    assert [0.0003, 0.00005] == [one.points[0][0] for one in panel.chart.series]
    assert [0.005, 0.002] == [rule.at for rule in panel.chart.rules]
    assert [["dispatch lag", "100", "0.300 ms", "0.300 ms", "0.300 ms"]] == cells(panel)[:1]


def test_where_the_kernel_gives_no_stamps_the_read_lag_is_no_number() -> None:
    panel = lags(look(answers(10)))

    assert ["latest read of an answer", "0", "n/a", "n/a", "n/a"] == cells(panel)[1]
    assert lags(look([])).chart is None


def test_outcomes_are_stacked_over_time_good_ones_first() -> None:
    rows = [*answers(20, failed=4), with_record(answers(1)[0], outcome=Outcome.RATE_LIMITED)]
    panel = outcomes(look(rows, outcomes={"ok": 16, "server_error": 4}))

    assert isinstance(panel.chart, Stack)
    assert [Tone.GOOD, Tone.THROTTLED, Tone.FAULT] == [layer.tone for layer in panel.chart.layers]
    assert [16.0, 1.0, 4.0] == [sum(layer.values) for layer in panel.chart.layers]
    assert [["ok", "good", "16", "80 %"], ["server_error", "engine fault", "4", "20 %"]] == cells(panel)
    assert outcomes(look([], outcomes={})).chart is None


def test_planned_and_sent_arrivals_stand_side_by_side() -> None:
    panel = arrivals(look(answers(60)))

    assert isinstance(panel.chart, Lines)
    assert [60, 60] == [round(sum(y or 0 for _, y in one.points) * 0.5) for one in panel.chart.series]
    assert [["arrivals", "60", "60"], ["CV of the gaps", "1.00", "1.01"]] == cells(panel)[:2]
    assert ["Arrivals: poisson, seed 7."] == panel.notes


def test_arrivals_that_never_were_are_said() -> None:
    plan = {"seed": 7, "sha256": "ff", "process": None, "arrivals": 100, "cv": None, "index": None}
    panel = arrivals(look(answers(60), plan=plan))

    assert ["Arrivals: as recorded, seed 7.", "40 planned arrivals have no row, and are not drawn."] == panel.notes
    assert 1 == len(arrivals(look(answers(60), plan=plan | {"arrivals": None})).notes)  # a closed loop plans no number
    assert arrivals(look([])).chart is None


def test_tokens_count_where_they_came() -> None:
    panel = tokens(look(answers(1, ttft_us=400_000)))  # 4 tokens in the first second from 0.4 s on, 2 in the next

    assert isinstance(panel.chart, Lines)
    assert 6.0 == sum((y or 0.0) * TOKENS_S for _, y in panel.chart.series[0].points)
    assert [(1.0, 3.0)] == [(x, y) for x, y in panel.chart.series[0].points if y]
    assert tokens(look([])).chart is None
    assert flight(look([])).chart is None


@pytest.fixture
def three() -> Look:
    return look(answers(3, gap_s=1.0, elapsed_us=1_500_000))


def test_requests_in_flight_are_a_mean_over_each_bin(three: Look) -> None:
    found = dict(in_flight(three))

    # each lasts 1.5 s and comes a second after the one before; bins are half a second wide
    assert [1.0, 1.0, 2.0, 1.0, 2.0, 1.0, 1.0, 0.0] == [round(found[0.25 + 0.5 * k], 6) for k in range(8)]
    assert isinstance(flight(three).chart, Lines)


def test_what_does_not_count_is_shaded_in_every_chart_over_time() -> None:
    counted = {"n": 0, "window_ns": [5_000_000_000, 30_000_000_000]}
    rows = [warm(row) if row.t_sched_us < 5_000_000 else row for row in answers(60)]

    for section in sections(look(rows, population=counted)):
        for panel in section.panels:
            if isinstance(panel.chart, Stack) or (isinstance(panel.chart, Lines) and panel.id != "lags"):
                assert [(0.0, 5.0)] == [(one.first, one.until) for one in panel.chart.shades]
