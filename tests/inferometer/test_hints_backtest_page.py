"""Says how a replay of policies is shown."""

from dataclasses import replace

from inferometer.hints_backtest_page import BRIEF, NAMES, brief, row, sheet, shown, shown_burst
from inferometer.hints_backtest_rank import ranked, winner
from loadtest.fleet.score import Score
from loadtest.report_page import page
from slo.scaling.codes import Reason
from slo.scaling.verdicts import Burst

ONE = Score(
    attainment_ratio=0.99123,
    gpu_h=10.0,
    good=1_000,
    tokens_good=100_000,
    goodput_rps=1.0,
    miss_minutes=2,
    queue_max_s=3.0,
    reversals_per_h=1.0,
    recovery_s=None,
    lost_in_drain=1,
    replicas_mean=2.5,
    hours=1.0,
)
AMONG = ranked({"ours": [ONE] * 3, "kpa": [replace(ONE, attainment_ratio=0.5, gpu_h=12.0)] * 3})


def test_rows_have_every_column() -> None:
    assert set(NAMES) == set(row(AMONG[0]))
    assert [1, 2] == [row(one)["pareto_rank"] for one in AMONG]
    assert (0.99123, 0.99123, None, "", "kpa") == tuple(
        row(AMONG[0])[name]
        for name in ("attainment_ratio", "attainment_low", "recovery_s", "dominated_by", "dominates")
    )


def test_names_stay_names_where_they_are_not_a_cell() -> None:
    burst = shown_burst(Burst(ratio=11.0, length_s=60.0, floor=3, usd_per_month=None))

    assert (("kpa",), ("ours",)) == (shown(AMONG[0]).dominates, shown(AMONG[1]).dominated_by)
    assert (Reason.BURST_UNFOLLOWABLE, 11.0, 3) == (burst.code, burst.ratio, burst.floor)


def test_a_row_for_people_has_intervals_beside_means() -> None:
    assert BRIEF == tuple(brief(AMONG[0]))
    assert ("0.9912 [0.9912, 0.9912]", "yes") == (brief(AMONG[0])["attainment"], brief(AMONG[0])["front"])
    assert "no: ours" == brief(AMONG[1])["front"]


def test_a_page_names_the_winner() -> None:
    found = sheet("trace", AMONG, 0.99, winner(AMONG, 0.99), {"seeds": "3"})

    assert ("winner", "ours") == (found.signs[0].name, found.signs[0].word)
    assert ["front", "attainment", "policies"] == [panel.id for panel in found.sections[0].panels]
    assert "Attainment against GPU-hours" in page(found, "", "")
    assert "none" == sheet("trace", [], 0.99, None, {}).signs[0].word
