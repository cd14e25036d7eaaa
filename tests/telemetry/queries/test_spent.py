"""Questions about one group of one objective; their answers: tests/slo/test_lookback.py."""

import pytest

from telemetry.queries.counted import BUCKET_S
from telemetry.queries.spent import STEPS_MAX, CountedGroup, series, spent

ONE = CountedGroup(slo="a", definition_hash=2**64 - 1, group={"endpoint": "'", "model": "m"})


def test_a_group_travels_beside_the_statement() -> None:
    asked = spent(ONE, 30, 60)

    assert asked.parameters == {
        "slo": "a", "definition": 2**64 - 1, "names": ["endpoint", "model"], "values": ["'", "m"], "since": 30,
        "until": 60,
    }  # fmt: skip
    assert asked.sql == spent(CountedGroup(slo="b", definition_hash=1), 0, 1).sql


def test_a_series_has_a_bounded_number_of_whole_steps() -> None:
    assert series(ONE, 0, STEPS_MAX * BUCKET_S, BUCKET_S).parameters["length"] == BUCKET_S
    for since_s, until_s, step_s in ((0, STEPS_MAX * BUCKET_S + 1, BUCKET_S), (0, 30, 31), (0, 30, 0), (30, 30, 30)):
        with pytest.raises(ValueError, match="steps of"):
            series(ONE, since_s, until_s, step_s)
