"""What a panel may be asked, and what not."""

from typing import Any

import pytest
from pydantic import ValidationError

from slo.panel_asked import FILTERS_MAX, PanelAsked
from telemetry.queries.asked import Dim


def test_filters_are_the_dimensions_that_are_named() -> None:
    asked = PanelAsked.model_validate({"endpoint": ["a", "b"], "class": ["chat"], "run": ["r1"]})

    expected = {Dim.ENDPOINT: ("a", "b"), Dim.WORKLOAD_CLASS: ("chat",), Dim.RUN_ID: ("r1",)}
    assert expected == asked.filters()
    assert {} == PanelAsked().filters()


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"color": "red"}, id="an unknown parameter"),
        pytest.param({"step": 0}, id="no step"),
        pytest.param({"traffic": "all"}, id="no traffic"),
        pytest.param({"endpoint": ["x"] * (FILTERS_MAX + 1)}, id="too many values"),
        pytest.param({"from": "x" * 41}, id="a long time"),
        pytest.param({"alert": "11"}, id="no fingerprint"),
    ],
)
def test_what_is_no_question_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PanelAsked.model_validate(asked)


def test_as_many_values_as_are_allowed_are_taken() -> None:
    assert FILTERS_MAX == len(PanelAsked(endpoint=["x"] * FILTERS_MAX).endpoint)
