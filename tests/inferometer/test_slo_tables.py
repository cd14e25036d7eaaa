"""Rows that the verbs below `slo` print."""

from dataclasses import replace
from datetime import datetime

from inferometer.slo_tables import LIST_NAMES, REACH_BRIEF, REACH_NAMES, list_rows, reach_rows, window
from slo.expression import parse
from slo.objective import Indicator, Objective, Rolling
from slo.periods import Calendar, CalendarUnit
from slo.wholes import Flow

CIVIL = Calendar(start=datetime(2026, 1, 1), zone="Europe/Berlin", count=1, unit=CalendarUnit.MONTH)  # noqa: DTZ001 -- a wall time
ONE = Objective(name="o", service="s", target=0.999, window=Rolling(length_s=30 * 86_400))

FLOWS = replace(ONE, whole=Flow(last=parse("stream"), budget_s=20))


def test_each_rule_is_a_row() -> None:
    rows = reach_rows([ONE])

    assert [14.4, 6.0, 3.0, 1.0] == [row["burn"] for row in rows]
    assert set(REACH_NAMES) == set(rows[0]) > set(REACH_BRIEF)
    assert {"requests"} == {row["counts"] for row in rows}
    assert {"flows"} == {row["counts"] for row in reach_rows([FLOWS])}
    assert {"requests at peak"} == {row["counts"] for row in reach_rows([replace(ONE, peak_only=True)])}
    assert (51.84, "reachable") == (rows[0]["detect_1_s"], rows[0]["state"])


def test_each_objective_is_a_row() -> None:
    named = Objective(
        name="p", service="s", target=0.9, window=CIVIL, indicator=Indicator(good=parse("ok"), only=parse("stream"))
    )
    first, second = list_rows([ONE, named], [1, 2])

    assert LIST_NAMES == tuple(first)
    assert ("outcome is good", "", "0000000000000001") == (first["good"], first["filter"], first["hash"])
    assert ["flows, done by (stream) within 20 s; needs target.workflow_header"] == [
        row["good"] for row in list_rows([FLOWS], [3])
    ]
    assert (
        "outcome is good; in minutes as busy as the busiest tenth of 7 d"
        == list_rows([replace(ONE, peak_only=True)], [4])[0]["good"]
    )
    assert ("ok", "stream") == (second["good"], second["filter"])
    assert ("rolling 30 d", "calendar 1M from 2026-01-01 00:00 Europe/Berlin") == (window(ONE), window(named))
