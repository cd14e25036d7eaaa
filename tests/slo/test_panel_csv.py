"""An answer as CSV: spec/ui.md A4."""

from slo.panel_cells import Cell
from slo.panel_csv import panel_csv
from slo.panel_shown import Answer, PanelState, Provenance, columns_shown
from telemetry.panel import Column, Role, Type, Unit
from telemetry.percentile import P95

COLUMNS = (
    Column(name="t", type=Type.UNIX_S, role=Role.TIME),
    Column(name="model", type=Type.TEXT, role=Role.KEY),
    Column(name="p95", unit=Unit.SECONDS, ppm=P95),
    Column(name="rate", unit=Unit.PER_S),
    Column(name="tokens", unit=Unit.TOKENS),
    Column(name="slots", type=Type.NUMBERS, unit=Unit.REQUESTS),
)


def of(*rows: list[Cell]) -> list[str]:
    answer = Answer(
        panel="ep.ttft", unit="s", since="", until="", step_s=1, tick_s=1, columns=columns_shown(COLUMNS),
        rows=list(rows), n=[7] * len(rows), state=PanelState.OK,
        provenance=Provenance(traffic="user", method="exact", population="all", table="requests"),
    )  # fmt: skip
    return panel_csv(answer).splitlines()


def test_units_stand_in_the_headings() -> None:
    assert ["t,model,ttft_p95_s,rate_per_s,tokens,slots_requests,n"] == of()


def test_a_text_that_would_run_is_stopped_and_a_number_stays() -> None:
    found = of([1_795_741_350, '=HYPERLINK("x")', -1.5, None, 3, [1.0, None]])

    assert '2026-11-27T01:02:30Z,"\'=HYPERLINK(""x"")",-1.5,,3,1.0 ,7' == found[1]
