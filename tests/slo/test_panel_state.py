"""How a panel stands: spec/ui.md A7 and A8."""

from dataclasses import replace

import pytest

from slo.panel_cells import Row, cells
from slo.panel_shown import Blind, PanelState, Unlock
from slo.panel_state import STALE_LEAST_S, Seen, blind_spans, filled, is_stale, state, unlock
from slo.panel_window import Span
from telemetry.panel import Column, Kind, Page, Panel, Reads, Role, Type, Unit
from telemetry.percentile import P99
from telemetry.queries.question import Question

FLAGS = {"vllm": "--enable-per-request-metrics", "sglang": "--enable-metrics --export-metrics-to-file"}
HEARD = Seen(expected=2, fresh=2, requests={"user": 7}, engines=("vllm",))


def panel(reads: Reads = Reads.REQUESTS, **changes: object) -> Panel:
    made = Panel(
        id="ep.x", title="X", page=Page.ENDPOINT, question="?", unit=Unit.SECONDS, kind=Kind.LINE,
        columns=(Column(name="t", type=Type.UNIX_S, role=Role.TIME), Column(name="v", unit=Unit.SECONDS)),
        meaning="m", action="a", reads=reads, ask=lambda _asked, _pick: Question(sql="SELECT 1"), has_steps=True,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of a panel


def stands(seen: Seen, of: Panel, *rows: Row, stale: bool = False) -> PanelState:
    return state(of, rows, cells(of.columns, rows, is_exact=True), seen, traffic="user", stale=stale)


ROW: Row = {"t": 1, "v": 0.5, "n": 7}
ROW0: Row = {"t": 1, "v": None}
CASES = [
    pytest.param(HEARD, panel(), (ROW,), PanelState.OK, id="ok"),
    pytest.param(replace(HEARD, requests={"probe": 9}), panel(), (), PanelState.NO_TRAFFIC, id="heard and no request"),
    pytest.param(replace(HEARD, fresh=0), panel(), (ROW,), PanelState.BLIND, id="nobody is heard"),
    pytest.param(Seen(), panel(), (), PanelState.BLIND, id="nobody was ever heard"),
    pytest.param(replace(HEARD, fresh=0), panel(Reads.GPU), (ROW,), PanelState.PARTIAL, id="GPUs are heard elsewhere"),
    pytest.param(replace(HEARD, fresh=1), panel(), (ROW,), PanelState.PARTIAL, id="one of two is heard"),
    pytest.param(HEARD, panel(unlock=FLAGS), ({"t": 1, "v": None},), PanelState.LOCKED, id="nothing is measured"),
    pytest.param(HEARD, panel(unlock=FLAGS, proof=("v",)), (ROW,), PanelState.OK, id="it is measured"),
    pytest.param(
        replace(HEARD, engines=("ollama",)), panel(unlock=FLAGS), (ROW0,), PanelState.OK, id="no switch of it"
    ),
    pytest.param(
        replace(HEARD, engines=()), panel(Reads.ENGINE, unlock=FLAGS), (), PanelState.OK, id="no engine lacks it"
    ),
    pytest.param(HEARD, panel(Reads.ENGINE, unlock=FLAGS), (), PanelState.LOCKED, id="an engine lacks it"),
    pytest.param(Seen(is_kept=False, requests={"user": 7}), panel(), (ROW,), PanelState.OK, id="nobody knows any more"),
    pytest.param(replace(HEARD, requests={}), panel(unlock=FLAGS), (), PanelState.NO_TRAFFIC, id="nothing to measure"),
]


@pytest.mark.parametrize(("seen", "of", "rows", "expected"), CASES)
def test_a_panel_stands_by_what_is_known(seen: Seen, of: Panel, rows: tuple[Row, ...], expected: PanelState) -> None:
    assert expected is stands(seen, of, *rows)


def test_what_is_too_old_is_stale() -> None:
    assert PanelState.STALE is stands(HEARD, panel(), ROW, stale=True)


def test_a_panel_all_of_whose_numbers_are_refused_is_refused() -> None:
    of = panel(columns=(Column(name="t", role=Role.TIME), Column(name="p99", ppm=P99)))

    assert PanelState.REFUSED is stands(HEARD, of, {"t": 1, "p99": 1.0, "n": 99})
    assert PanelState.OK is stands(HEARD, of, {"t": 1, "p99": 1.0, "n": 99}, {"t": 2, "p99": 1.0, "n": 100})


@pytest.mark.parametrize(
    ("age_s", "step_s", "expected"),
    [
        (29.0, 10, False),
        (30.0, 10, False),
        (31.0, 10, True),
        (STALE_LEAST_S, 1, False),
        (15.1, 1, True),
        (None, 1, False),
    ],
)
def test_three_steps_and_a_quarter_of_a_minute_make_stale(age_s: float | None, step_s: int, expected: bool) -> None:
    assert expected is is_stale(age_s, step_s)


def test_the_switch_is_that_of_the_engine() -> None:
    of = panel(unlock=FLAGS)

    assert Unlock(engine="sglang", flag=FLAGS["sglang"]) == unlock(of, ["sglang"])
    assert None is unlock(of, ["ollama"]), "a switch of another engine is none"
    assert None is unlock(of, [])
    assert Unlock(engine="*", flag="any") == unlock(panel(unlock={"*": "any"}), ())
    assert None is unlock(panel(), ["vllm"])


@pytest.mark.parametrize(
    ("heard_s", "expected"),
    [
        pytest.param([0, 30, 60, 90, 210, 240, 270], [], id="two minutes are not too long"),
        pytest.param([0, 30, 180, 210, 240, 270], [], id="exactly two minutes"),
        pytest.param([0, 30, 210, 240, 270], [(60, 210)], id="more than two"),
        pytest.param([150, 180, 270], [(0, 150)], id="at the start"),
        pytest.param([0, 30, 60], [(90, 300)], id="at the end"),
        pytest.param([], [(0, 300)], id="never"),
    ],
)
def test_silence_beyond_two_minutes_is_blind(heard_s: list[int], expected: list[tuple[int, int]]) -> None:
    found = blind_spans(heard_s, 0, 300, 30)

    assert expected == [(one.start, one.end) for one in found]


def test_a_step_without_requests_is_none_where_somebody_looked_and_unknown_where_nobody_did() -> None:
    counts = panel(columns=(Column(name="t", role=Role.TIME), Column(name="v", unit=Unit.PER_S)))
    span = Span(since_ms=0, until_ms=50_000, step_s=10, tick_s=1)
    rows: list[Row] = [{"t": 10, "v": 0.5, "n": 3}]
    blind = Seen(blind=(Blind(start=25, end=40),))

    assert [
        {"t": 0, "v": 0, "n": 0}, rows[0], {"t": 20, "n": None}, {"t": 30, "n": None}, {"t": 40, "v": 0, "n": 0},
    ] == filled(counts, rows, span, blind)  # fmt: skip
    assert {"t": 0, "n": 0} == filled(panel(Reads.QUANTILES), rows, span, blind)[0]
    assert [{"t": 0, "n": None}, *rows] == filled(counts, rows, span, Seen(unknown_until_s=10))[:2]


def test_of_no_request_counts_are_none_and_shares_are_unknown() -> None:
    columns = (
        Column(name="t", type=Type.UNIX_S, role=Role.TIME),
        Column(name="rate", unit=Unit.PER_S),
        Column(name="share", unit=Unit.RATIO),
        Column(name="arrived", unit=Unit.PER_S),
    )
    of = panel(columns=columns, heard=("arrived",))

    assert [{"t": 0, "rate": 0, "n": 0}] == filled(
        of, [], Span(since_ms=0, until_ms=10_000, step_s=10, tick_s=1), Seen()
    )


def test_rows_with_keys_and_without_steps_stay() -> None:
    span = Span(since_ms=0, until_ms=50_000, step_s=10, tick_s=1)
    keyed = panel(columns=(Column(name="t", role=Role.TIME), Column(name="k", role=Role.KEY)))

    assert [ROW] == filled(keyed, [ROW], span, Seen())
    assert [ROW] == filled(panel(has_steps=False), [ROW], span, Seen())


def test_a_step_of_a_heat_map_keeps_all_its_cells() -> None:
    span = Span(since_ms=0, until_ms=20_000, step_s=10, tick_s=1)
    cells = [{"t": 0, "low": 0.1, "count": 2}, {"t": 0, "low": 0.2, "count": 1}]

    assert cells == filled(panel(kind=Kind.HEATMAP), cells, span, Seen())
