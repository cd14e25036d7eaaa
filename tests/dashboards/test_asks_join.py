"""Answers side by side: what one has of a key and another has not is NULL."""

from panel_rig import PanelRig

from dashboards.asks_join import ONE, Part, alone, joined
from telemetry.queries.question import Question


def of(sql: str, **values: object) -> Question:
    return Question(sql=sql, parameters=values)


def test_what_one_has_not_is_null_and_never_0(past: PanelRig) -> None:
    parts = [
        Part(question=of("SELECT arrayJoin(['a', 'b']) AS k, 1 AS x"), columns={"x": "x * 2"}),
        Part(question=of("SELECT 'a' AS k, {n:UInt8} AS y", n=7), columns={"y": "y"}, lists={"z": "[1, 2]"}),
    ]

    assert [{"k": "a", "x": 2, "y": 7, "z": [1, 2]}, {"k": "b", "x": 2, "y": None, "z": []}] == past.reader.query(
        joined("k", parts, ["k"])
    )


def test_one_row_stands_whatever_the_others_say(past: PanelRig) -> None:
    parts = [alone(), Part(question=of("SELECT 1 AS x WHERE 0"), columns={"x": "x"})]

    assert [{"x": None}] == past.reader.query(joined(ONE, parts))


def test_the_first_answer_says_which_window_is_meant() -> None:
    parts = [
        Part(question=of("SELECT 1 AS k", since=1), columns={}),
        Part(question=of("SELECT 1 AS k", since=2), columns={}),
    ]

    assert {"since": 1} == joined("k", parts).parameters
