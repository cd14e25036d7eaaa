"""Panels over a real store: what is told, and how it was measured."""

from dataclasses import replace

import msgspec
import pytest
from panel_rig import END_MS, ENDPOINT, FULL, PanelRig, beats, fill, records

from dashboards.panels import PANELS
from slo.alertmanager_body import rfc3339
from slo.panel_asked import PanelAsked
from slo.panel_desk import HEAT_STEPS_MAX, POINTS_MAX, QUERY_S_MAX, ROWS_MAX, PanelDesk
from slo.panel_documents import Documented
from slo.panel_shown import Blind, PanelState, Unlock
from telemetry.errors import StoreError, StoreUnreachableError
from telemetry.panel import Document, Panel
from telemetry.percentile import P95, nearest_rank
from telemetry.queries.about import About
from telemetry.queries.asked import Asked, Dim, Pick, Source
from telemetry.queries.question import Question
from telemetry.store import Store

DAY_MS = 86_400_000


def column(answer_columns: list[str], rows: list[list[object]], name: str) -> list[object]:
    return [row[answer_columns.index(name)] for row in rows]


def test_a_percentile_is_exact_while_rows_are_few(past: PanelRig) -> None:
    answer = past.ask("fleet.ttft", **{"from": "now-1h", "endpoint": [ENDPOINT]})
    names = [one.name for one in answer.columns]
    of_minute = [one for one in records(END_MS) if END_MS - 3_600_000 <= one.ended_at < END_MS - 3_540_000]
    fine = sorted(one.ttft_us for one in of_minute if one.outcome == "ok" and one.ttft_us is not None)
    expected = nearest_rank([*fine, *[10**12] * (60 - len(fine))], P95)

    assert ("exact", "requests") == (answer.provenance.method, answer.provenance.table)
    bounds = [name for name in names if name.endswith(("_low", "_high"))]
    assert ["tested_p95_low", "tested_p95_high"] == bounds, "of the load test, and none of what is exact"
    assert 60 == answer.step_s
    assert 60 == answer.n[0]
    assert expected == round(float(str(answer.rows[0][names.index("p95")])) * 1e6)
    assert PanelState.OK is answer.state


def test_p99_of_a_minute_of_60_is_refused_in_each_step(past: PanelRig) -> None:
    answer = past.ask("fleet.ttft", **{"from": "now-1h", "endpoint": [ENDPOINT]})
    names = [one.name for one in answer.columns]
    (refused,) = [one for one in answer.provenance.refused if one.column == "p99"]

    assert {None} == set(column(names, answer.rows, "p99"))  # type: ignore[arg-type]  # cells are objects
    assert (60, 100, "p95", len(answer.rows)) == (refused.n, refused.needed, refused.instead, len(refused.rows))
    assert refused.max is not None


def test_a_longer_step_is_certain_and_its_p99_fails_where_2_percent_do(past: PanelRig) -> None:
    answer = past.ask("fleet.ttft", **{"from": "now-1h", "step": 3_600, "endpoint": [ENDPOINT]})
    names = [one.name for one in answer.columns]
    at = [row[0] for row in answer.rows].index(END_MS // 1000 // 3_600 * 3_600 - 3_600)

    assert None is answer.rows[at][names.index("p99")]
    assert at in {place for one in answer.provenance.inf if one.column == "p99" for place in one.rows}
    assert None is not answer.rows[at][names.index("p95")]


def test_counts_are_of_a_roll_up_and_zero_where_somebody_looked(past: PanelRig) -> None:
    answer = past.ask("fleet.bad", **{"from": "now-5m", "endpoint": [ENDPOINT]})
    broken = [row[[one.name for one in answer.columns].index("broken")] for row in answer.rows]

    assert ("r_1s", 1) == (answer.provenance.table, answer.step_s)
    assert 6 == sum(float(str(one)) for one in broken)
    assert {0, 1} == set(broken)
    assert END_MS // 1000 - 1 == int(str(answer.rows[-1][0])) + 1, "it ends where all is stored: the last watermark"


@pytest.mark.parametrize(
    ("since", "table"), [("now-15m", "r_1s"), ("now-16m", "r_1m"), ("now-2d", "r_1m"), ("now-3d", "r_1h")]
)
def test_the_range_says_which_table_is_read(past: PanelRig, since: str, table: str) -> None:
    answer = past.ask("fleet.bad", **{"from": since, "endpoint": [ENDPOINT]})
    plan = past.reader.query(Question(sql=f"EXPLAIN {answer.sql}", parameters=answer.parameters))
    read = {word.rstrip(")") for row in plan for word in str(row["explain"]).split("inferometer.")[1:]}

    assert table == answer.provenance.table
    assert {table} == read


def test_what_is_old_comes_from_histograms_with_bounds(past: PanelRig) -> None:
    past.now_ms = END_MS + 15 * DAY_MS
    try:
        since, until = END_MS // 1000 - 3_600, END_MS // 1000
        answer = past.ask("fleet.ttft", **{"from": str(since), "to": str(until), "endpoint": [ENDPOINT]})
    finally:
        past.now_ms = END_MS
    names = [one.name for one in answer.columns]
    at = names.index("p95")

    assert ("bucketed", "r_1m") == (answer.provenance.method, answer.provenance.table)
    assert ["p95", "p95_low", "p95_high"] == names[at : at + 3]
    value, low, high = (float(str(one)) for one in answer.rows[0][at : at + 3])
    assert low <= value <= high <= low * 1.0444


def test_who_looked_and_whose_requests_were_left_out_is_told(past: PanelRig) -> None:
    answer = past.ask("fleet.ttft", **{"from": "now-15m", "endpoint": [ENDPOINT], "replica": ["10.0.0.1:8000"]})
    found = answer.provenance

    assert (1.0, (), (END_MS - 1_000) / 1000, 1.0) == (
        found.coverage, found.silent, found.watermark_unix_s, found.age_s,
    )  # fmt: skip
    assert "user" == found.traffic
    assert {} == found.excluded
    assert "tee" == found.ttft_source


def test_nobody_heard_for_121_s_is_blind_and_119_is_not(past: PanelRig) -> None:
    states: list[PanelState] = []
    for late_ms in (119_000, 121_000):
        past.now_ms = END_MS + late_ms
        states.append(past.ask("fleet.bad", **{"from": "now-5m", "endpoint": [ENDPOINT]}).state)
    past.now_ms = END_MS

    assert [PanelState.STALE, PanelState.BLIND] == states


def test_a_collector_without_requests_is_no_traffic(past: PanelRig) -> None:
    past.writer.insert_samples(beats(END_MS, "idle", "node/2"), "panel-beats-idle")
    answer = past.ask("fleet.bad", **{"from": "now-5m", "endpoint": ["idle"]})

    assert PanelState.NO_TRAFFIC is answer.state
    assert {0} == {float(str(cell)) for row in answer.rows for cell in row[1:]}


def test_an_engine_without_its_switch_is_told_which(past: PanelRig) -> None:
    """spec/ui.md A7: SGLang without the export of its metrics."""
    fill(past.writer, END_MS, "sglang")
    scrape = {"ts": END_MS / 1000 - 60, "endpoint": "sglang", "replica": "a", "engine": "sglang", "up": 1}
    past.stored.insert_rows("engine_metrics", [scrape])
    answer = past.ask("ep.phases", **{"from": "now-15m", "endpoint": ["sglang"]})

    flags = "--enable-metrics --export-metrics-to-file --export-metrics-to-file-dir DIR"
    assert (PanelState.LOCKED, Unlock(engine="sglang", flag=flags)) == (answer.state, answer.unlock)


def test_silence_within_the_time_is_a_gap_and_not_zero(past: PanelRig) -> None:
    made = beats(END_MS, "gap", "node/3")
    middle = END_MS - 1_800_000
    past.writer.insert_samples([one for one in made if not middle <= one.ts < middle + 600_000], "panel-beats-gap")
    answer = past.ask("fleet.bad", **{"from": "now-1h", "endpoint": ["gap"]})
    (blind,) = answer.blind
    rows = {int(str(row[0])): row[1:] for row in answer.rows}

    assert (middle // 1000, middle // 1000 + 600) == (blind.start, blind.end)
    assert {None} == set(rows[middle // 1000])
    assert {0} == set(rows[middle // 1000 - 60])


def test_a_past_time_has_its_last_step(past: PanelRig) -> None:
    answer = past.ask("fleet.bad", **{"from": "now-10m", "to": "now-5m", "endpoint": [ENDPOINT], "step": 60})

    assert END_MS // 1000 - 300 - 60 == answer.rows[-1][0]
    assert 5 == len(answer.rows)


@pytest.mark.parametrize(
    ("now_s", "until_s", "expected"),
    [
        pytest.param(90, -10, PanelState.OK, id="a time that ended a moment ago, all of which is stored"),
        pytest.param(90, 60, PanelState.STALE, id="a time whose end is not stored yet"),
        pytest.param(90, None, PanelState.STALE, id="until now"),
        pytest.param(20, None, PanelState.OK, id="until now, a moment old"),
    ],
)
def test_what_is_whole_is_not_stale(past: PanelRig, now_s: int, until_s: int | None, expected: PanelState) -> None:
    """The past ends, and with it the heartbeats, which say that all is stored up to a second before."""
    end_s = END_MS // 1000
    until = "now" if until_s is None else rfc3339(end_s + until_s)
    try:
        past.now_ms = END_MS + now_s * 1000
        answer = past.ask("ep.stats", **{"from": rfc3339(end_s - 1_800), "to": until, "endpoint": [FULL]})
    finally:
        past.now_ms = END_MS

    assert expected is answer.state


def test_who_looked_is_unknown_beyond_what_is_kept_of_heartbeats(past: PanelRig) -> None:
    made = [msgspec.structs.replace(one, endpoint="unheard") for one in records(END_MS, "unheard")[-60:]]
    past.stored.insert("node/unheard", made)
    past.now_ms = END_MS + 15 * DAY_MS
    since, until = END_MS // 1000 - 120, END_MS // 1000
    answer = past.ask("fleet.bad", **{"from": str(since), "to": str(until), "step": 60, "endpoint": ["unheard"]})
    past.now_ms = END_MS

    assert PanelState.OK is answer.state
    assert () == answer.blind
    assert None is answer.provenance.coverage
    assert [since, None] == answer.rows[0][:2], "no request, and nobody knows whether somebody looked"
    assert [None, 60] == answer.n


@pytest.mark.parametrize(("up", "expected"), [(0, PanelState.LOCKED), (1, PanelState.OK)])
def test_an_engine_that_shows_its_metrics_lacks_no_switch(past: PanelRig, up: int, expected: PanelState) -> None:
    name = f"idle {up}"
    past.writer.insert_samples(beats(END_MS, name, f"node/{name}"), f"panel-beats-{name}")
    scrape = {"ts": END_MS / 1000 - 60, "endpoint": name, "replica": "a", "engine": "sglang", "up": up}
    past.stored.insert_rows("engine_metrics", [scrape])

    assert expected is past.ask("ep.cache", **{"from": "now-15m", "endpoint": [name]}).state
    assert PanelState.LOCKED is not past.ask("ep.cache", **{"from": "now-15m", "endpoint": ["nobody"]}).state


def test_a_heat_map_of_too_many_cells_has_longer_steps(past: PanelRig) -> None:
    def crowded(asked: Asked, _pick: Pick) -> Question:
        steps = f"intDiv({asked.since_ms}, 1000) + number * {asked.step_s}"
        length_s = (asked.until_ms - asked.since_ms) // 1000
        cells = f"SELECT {steps} AS t, arrayJoin(range(60)) AS low, low + 1 AS high, 1 AS count, 1 AS n"
        return Question(sql=f"{cells} FROM numbers({length_s // (asked.step_s or 1)})")

    panel = replace(_heat(past), ask=crowded)
    too_long = PanelAsked.model_validate({"from": "now-400d", "step": 86_400})
    longest = past.desk.answer(past.desk.aim(panel, too_long))
    asked = PanelAsked.model_validate({"from": str(END_MS // 1000 - 86_400), "to": str(END_MS // 1000)})
    answer = past.desk.answer(past.desk.aim(panel, asked))

    assert 600 == answer.step_s
    assert len(answer.rows) <= ROWS_MAX
    newest_s = int(str(answer.rows[-1][0]))
    assert END_MS // 1000 - 2 * 600 <= newest_s < END_MS // 1000, "the last whole step is there"
    assert ROWS_MAX - 60 < len(longest.rows) <= ROWS_MAX
    assert rfc3339(int(str(longest.rows[0][0]))) == longest.since, "the oldest are not, and it says so"


def test_a_heat_map_of_a_day_has_few_steps(past: PanelRig) -> None:
    answer = past.ask("ep.heat", **{"from": "now-1d", "endpoint": [ENDPOINT]})

    assert 300 == answer.step_s
    assert 86_400 / 300 <= HEAT_STEPS_MAX < 86_400 / 60, "of the day's usual minutes there are too many"


def test_what_only_raw_rows_know_is_refused_when_they_are_gone(past: PanelRig) -> None:
    past.now_ms = END_MS + 15 * DAY_MS
    answer = past.ask("fleet.bad", **{"from": str(END_MS // 1000 - 60), "to": str(END_MS // 1000), "tenant": ["a"]})
    past.now_ms = END_MS

    assert PanelState.REFUSED is answer.state
    assert answer.error is not None
    assert "tenant" in answer.error.detail


def test_what_is_wrong_with_one_question_is_told_in_its_answer(past: PanelRig) -> None:
    def typo(_asked: Asked, _pick: Pick) -> Question:
        return Question(sql="SELECT nothing FROM inferometer.requests")

    panel = replace(_panel(past), ask=typo)
    answer = past.desk.answer(past.desk.aim(panel, PanelAsked()))

    assert PanelState.ERROR is answer.state
    assert answer.error is not None
    assert "nothing" in answer.error.detail
    assert "SELECT nothing FROM inferometer.requests" == answer.sql


def test_no_question_may_take_longer_than_the_bound(past: PanelRig) -> None:
    panel = _panel(past)
    assert panel.ask is not None
    asked = Asked(since_ms=0, until_ms=1_000, step_s=1)
    question = panel.ask(asked, Pick(source=Source.RAW, exact=True, since_ms=0, until_ms=1_000))

    assert question.seconds_max > QUERY_S_MAX == 5.0
    assert (1_500, 10_000) == (POINTS_MAX, ROWS_MAX)


def test_a_store_that_does_not_answer_is_an_error_of_the_whole() -> None:
    desk = PanelDesk(PANELS, Store("http://127.0.0.1:1", request_s=1), _nothing, lambda: END_MS)
    with pytest.raises(StoreUnreachableError):
        desk.aim(next(one for one in PANELS if one.ask is not None), PanelAsked())


@pytest.mark.parametrize(
    ("known", "expected", "age_s"),
    [
        pytest.param(Documented(at_s=END_MS // 1000 - 20), PanelState.OK, None, id="seen"),
        pytest.param(Documented(at_s=END_MS // 1000 - 121), PanelState.STALE, 121.0, id="late"),
        pytest.param(Documented(is_blind=True), PanelState.BLIND, None, id="not seen yet"),
        pytest.param(Documented(at_s=END_MS // 1000, is_blind=True), PanelState.BLIND, None, id="blind"),
    ],
)
def test_what_the_engine_knows_stands_by_how_well_it_sees(
    known: Documented, expected: PanelState, age_s: float | None
) -> None:
    desk = PanelDesk(PANELS, Store("http://127.0.0.1:1", request_s=1), lambda _of, _asked: known, lambda: END_MS)
    panel = desk.find("slo.list")
    assert panel is not None
    answer = desk.answer(desk.aim(panel, PanelAsked()))

    assert (expected, known.at_s, age_s) == (answer.state, answer.provenance.watermark_unix_s, answer.provenance.age_s)


def test_a_panel_of_an_alert_is_of_its_labels(past: PanelRig) -> None:
    about = About(where={Dim.ENDPOINT: FULL}, began_s=END_MS // 1000 - 600)
    desk = PanelDesk(PANELS, past.reader, _nothing, lambda: END_MS, about=lambda _: about)
    panel = desk.find("alert.exemplars")
    assert panel is not None
    answer = desk.answer(desk.aim(panel, PanelAsked.model_validate({"from": "now-1h", "endpoint": ["nobody"]})))

    assert [FULL] == answer.parameters["where_endpoint"]
    assert 4 == len(answer.rows)


def test_a_document_may_say_of_which_time_it_is(past: PanelRig) -> None:
    known = Documented(at_s=END_MS // 1000, span_s=(60, 120), step_s=30, blind=(Blind(start=60, end=90),))
    desk = PanelDesk(PANELS, past.reader, lambda _of, _asked: known, lambda: END_MS)
    panel = desk.find("slo.budget")
    assert panel is not None
    answer = desk.answer(desk.aim(panel, PanelAsked()))

    assert ("1970-01-01T00:01:00Z", "1970-01-01T00:02:00Z", 30) == (answer.since, answer.until, answer.step_s)
    assert known.blind == answer.blind


def test_a_document_that_the_store_refuses_is_an_error_of_the_panel_alone(past: PanelRig) -> None:
    def refused(_document: Document, _asked: PanelAsked) -> Documented:
        raise StoreError("memory limit exceeded", 241)

    desk = PanelDesk(PANELS, past.reader, refused, lambda: END_MS)
    panel = desk.find("slo.mttr")
    assert panel is not None

    assert PanelState.ERROR is desk.answer(desk.aim(panel, PanelAsked())).state


def _panel(past: PanelRig) -> Panel:
    panel = past.desk.find("fleet.bad")
    assert panel is not None
    return panel


def _heat(past: PanelRig) -> Panel:
    panel = past.desk.find("ep.heat")
    assert panel is not None
    return panel


def _nothing(_document: Document, _asked: PanelAsked) -> Documented:
    return Documented()
