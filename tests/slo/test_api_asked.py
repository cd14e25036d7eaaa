"""What the API may be asked."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from slo.adjustments import SPAN_S_MAX
from slo.api_asked import (
    GROUP_CHARS_MAX,
    INCIDENTS_MAX,
    OBJECTIVES_MAX,
    YEAR_MAX,
    AckBody,
    AdjustmentBody,
    AlertsAsked,
    BacktestBody,
    GateAsked,
    GroupAsked,
    HistoryAsked,
    MarkerBody,
    Nothing,
    OverrideBody,
    SeriesAsked,
    SilenceBody,
    WhatIfBody,
)
from slo.desk_records import NAME_CHARS_MAX, TEXT_CHARS_MAX
from slo.silence import MATCHERS_MAX, PATTERN_CHARS_MAX

AT = "2026-11-21T08:00:00+02:00"
MATCHER = {"name": "slo", "value": "chat"}
SILENCE: dict[str, Any] = {"matchers": [MATCHER], "ends_at": AT, "author": "ann", "comment": "c"}
INCIDENT = {"start": AT, "end": AT}
TIME: dict[str, Any] = {"selector": [MATCHER], "start": AT, "reason": "r", "author": "ann"}
OVERRIDE: dict[str, Any] = {"who": "ann", "reason": "r", "until": AT}

BOUNDS = [
    pytest.param(GroupAsked, {"group": "x" * GROUP_CHARS_MAX}, {"group": "x" * (GROUP_CHARS_MAX + 1)}, id="group"),
    pytest.param(AckBody, {"who": "x" * NAME_CHARS_MAX}, {"who": "x" * (NAME_CHARS_MAX + 1)}, id="a name"),
    pytest.param(AckBody, {"who": "x"}, {"who": ""}, id="no name"),
    pytest.param(AckBody, {"who": "x", "until": AT}, {"who": "x", "until": "2026-11-21T08:00:00"}, id="a zone"),
    pytest.param(
        AckBody,
        {"who": "x", "until": f"{YEAR_MAX}-12-31T23:59:59Z"},
        {"who": "x", "until": f"{YEAR_MAX + 1}-01-01T00:00:00Z"},
        id="a year",
    ),
    pytest.param(
        SilenceBody,
        {**SILENCE, "matchers": [MATCHER] * MATCHERS_MAX},
        {**SILENCE, "matchers": [MATCHER] * (MATCHERS_MAX + 1)},
        id="matchers",
    ),
    pytest.param(
        SilenceBody,
        {**SILENCE, "matchers": [{**MATCHER, "value": "x" * PATTERN_CHARS_MAX}]},
        {**SILENCE, "matchers": [{**MATCHER, "value": "x" * (PATTERN_CHARS_MAX + 1)}]},
        id="a pattern",
    ),
    pytest.param(
        OverrideBody,
        {**OVERRIDE, "reason": "x" * TEXT_CHARS_MAX},
        {**OVERRIDE, "reason": "x" * (TEXT_CHARS_MAX + 1)},
        id="a text",
    ),
    pytest.param(
        BacktestBody,
        {"slos": ["x"] * OBJECTIVES_MAX, "incidents": [INCIDENT] * INCIDENTS_MAX},
        {"incidents": [INCIDENT] * (INCIDENTS_MAX + 1)},
        id="incidents",
    ),
    pytest.param(BacktestBody, {"slos": ["x"]}, {"slos": ["x"] * (OBJECTIVES_MAX + 1)}, id="objectives"),
    pytest.param(
        AdjustmentBody, {**TIME, "duration_s": SPAN_S_MAX}, {**TIME, "duration_s": SPAN_S_MAX + 1}, id="a long time"
    ),
    pytest.param(WhatIfBody, {"target": 0}, {"target": 1}, id="a target"),
    pytest.param(SeriesAsked, {"step_s": 30}, {"step_s": 45}, id="a step of whole buckets"),
    pytest.param(SeriesAsked, {"step_s": 7 * 86_400}, {"step_s": 7 * 86_400 + 30}, id="a step of a week"),
    pytest.param(HistoryAsked, {"fingerprint": "0" * 16}, {"fingerprint": "0" * 15}, id="a fingerprint"),
    pytest.param(GateAsked, {"min_remaining": -1}, {"min_remaining": -1.1}, id="a share"),
    pytest.param(AlertsAsked, {"state": ["firing"]}, {"state": ["loud"]}, id="a state"),
    pytest.param(MarkerBody, {"kind": "scale", "actor": "a"}, {"kind": "scale"}, id="an actor"),
    pytest.param(Nothing, {}, {"x": 1}, id="nothing"),
]


@pytest.mark.parametrize(("of", "taken", "refused"), BOUNDS)
def test_what_is_within_its_bounds_is_taken(of: type[BaseModel], taken: object, refused: object) -> None:
    of.model_validate(taken)
    with pytest.raises(ValidationError):
        of.model_validate(refused)


def test_times_have_a_zone_and_short_names_in_questions() -> None:
    asked = SeriesAsked.model_validate({"from": AT})

    assert asked.since == datetime(2026, 11, 21, 6, tzinfo=UTC)
    assert asked.until is None


@pytest.mark.parametrize(
    ("text", "expected"), [("", None), ("{}", {}), ('{"endpoint": "a/b\\"c"}', {"endpoint": 'a/b"c'})]
)
def test_a_group_is_an_object_of_strings(text: str, expected: object) -> None:
    assert GroupAsked(group=text).values() == expected


@pytest.mark.parametrize("text", ["{", "[]", '"a"', '{"a": 1}', '{"a": {"b": "c"}}', "[" * 1_000, '{"\\ud800": "a"}'])
def test_another_group_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a JSON object"):
        GroupAsked(group=text).values()
