import pytest
from report_rig import answers, look, with_record

from loadtest.report_requests import LANES_MAX, SLOWEST_MAX, lanes, section, slowest, time_went
from loadtest.report_shapes import Bars, Lanes, Panel


def cells(panel: Panel) -> list[list[str]]:
    assert panel.table is not None
    return panel.table.rows


def test_the_parts_of_the_time_to_the_first_token_add_up_to_it() -> None:
    panel = time_went(look(answers(40)))

    assert isinstance(panel.chart, Bars)
    assert ["all", "slowest 5 %"] == panel.chart.bars
    # 101, 102, .. 140 ms: mean 120.5 of all, and of the last three from the 95th percentile on 139
    assert [0.1205, 0.139] == [pytest.approx(sum(layer.values[at] for layer in panel.chart.layers)) for at in (0, 1)]
    assert ["time to first token", "120 ms", "139 ms"] == cells(panel)[-1]
    assert ["wait for the head", "49.4 ms", "49.4 ms"] in cells(panel)  # the head came after 50 ms, 0.6 were ours
    assert "--enable-per-request-metrics" in panel.notes[0]


def test_where_the_engine_tells_its_queue_and_prefill_the_rest_is_network_and_front_end() -> None:
    panel = time_went(look(answers(10, srv_queue_us=20_000, srv_prefill_us=60_000)))

    assert isinstance(panel.chart, Bars)
    assert ["all"] == panel.chart.bars  # ten have no slowest 5 %
    assert ["queue", "20.0 ms"] in cells(panel)
    assert ["prefill", "60.0 ms"] in cells(panel)
    assert ["network and front end", "24.9 ms"] in cells(panel)  # mean 105.5, less 0.6 of ours, 20 and 60


def test_without_a_good_answer_there_are_no_parts() -> None:
    panel = time_went(look(answers(5, failed=5)))

    assert panel.chart is None
    assert [] == cells(panel)


def test_lanes_are_the_neighbours_of_the_slowest_one() -> None:
    rows = answers(200)
    rows[150] = with_record(rows[150], e2e_us=9_000_000, elapsed_us=9_000_000)
    panel = lanes(look(rows))

    assert isinstance(panel.chart, Lanes)
    assert LANES_MAX == len(panel.chart.lanes)
    assert "#150" in [lane.label for lane in panel.chart.lanes]
    (slow,) = [lane for lane in panel.chart.lanes if lane.label == "#150"]
    assert [75.0, 75.0003, 75.0006, 75.251, 84.0] == [slow.stages[0][1], *(until for _, _, until in slow.stages)]
    assert ["#150", "1 min 15 s", "0.300 ms", "0.300 ms", "250 ms", "8.75 s", "ok"] in cells(panel)


def test_a_request_without_a_token_waited_until_its_end() -> None:
    panel = lanes(look(answers(1, failed=1)))

    assert isinstance(panel.chart, Lanes)
    (lane,) = panel.chart.lanes
    assert [0.0, 0.9] == [round(lane.stages[-1][2] - lane.stages[-1][1], 6), lane.stages[2][2]]
    assert ("server_error", "fault") == (lane.ended, lane.tone)
    assert lanes(look([])).chart is None


def test_the_slowest_requests_are_named_with_their_outcome() -> None:
    rows = cells(slowest(look(answers(50, failed=1))))

    assert SLOWEST_MAX == len(rows)
    assert ["#49", "24.5 s", "server_error (engine fault)", "900 ms", "n/a"] == rows[0][:5]
    assert "ok" == rows[1][2]
    assert "00000000-0000-0000-0000-000000000031" == rows[0][-1]


def test_the_section_has_them_all() -> None:
    assert ["ttft-parts", "lanes", "slowest"] == [panel.id for panel in section(look(answers(3))).panels]
