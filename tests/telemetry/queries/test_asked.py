import pytest

from telemetry.queries import asked as module
from telemetry.queries.asked import (
    ENDED_WITHIN,
    Asked,
    Dim,
    Pick,
    Source,
    conditions,
    key_names,
    keys,
    parameters,
    provenance,
    table,
)

RAW = Pick(source=Source.RAW, exact=True, since_ms=0, until_ms=60_000)
MINUTES = Pick(source=Source.R_1M, exact=False, since_ms=0, until_ms=60_000)


def test_a_question_without_dimensions_has_one_group() -> None:
    asked = Asked(since_ms=0, until_ms=60_000)

    assert [] == keys(asked, RAW) == key_names(asked)
    assert {"since": 0, "until": 60_000, "traffic": "user"} == parameters(asked, RAW)
    assert [*ENDED_WITHIN, "traffic = {traffic:String}"] == conditions(asked, RAW)


def test_steps_and_dimensions_become_keys() -> None:
    asked = Asked(since_ms=0, until_ms=60_000, by=(Dim.ENDPOINT, Dim.PROMPT_LENGTH), step_s=10)

    assert ["t_unix_s", "endpoint", "prompt_length"] == key_names(asked)
    assert "toUnixTimestamp(ended_at)" in keys(asked, RAW)[0]
    assert "toUnixTimestamp(t)" in keys(asked, MINUTES)[0]
    assert "roundToExp2" in keys(asked, RAW)[2]
    assert 10 == parameters(asked, RAW)["step_s"]


def test_filters_are_parameters_in_a_fixed_order() -> None:
    where = {Dim.REPLICA: ("r",), Dim.ENDPOINT: ("a", "b")}
    asked = Asked(since_ms=0, until_ms=60_000, where=where)

    assert ["endpoint IN {where_endpoint:Array(String)}", "replica IN {where_replica:Array(String)}"] == (
        conditions(asked, RAW)[-2:]
    )
    assert ["a", "b"] == parameters(asked, RAW)["where_endpoint"]
    assert frozenset(where) == asked.dims


def test_traffic_that_is_asked_for_is_not_filtered_to_users() -> None:
    grouped = Asked(since_ms=0, until_ms=60_000, by=(Dim.TRAFFIC,))

    assert [*ENDED_WITHIN] == conditions(grouped, RAW)
    assert "traffic" not in parameters(grouped, RAW)


def test_an_answer_says_where_it_comes_from() -> None:
    assert ["'requests' AS table_used", "'exact' AS method"] == provenance(RAW)
    assert ["'r_1m' AS table_used", "'bucketed' AS method"] == provenance(MINUTES)
    assert "inferometer.r_1m AS s" == table(MINUTES)


def test_every_question_is_bounded() -> None:
    values = tuple(map(str, range(module.FILTER_VALUES_MAX)))

    assert Asked(since_ms=0, until_ms=1, where={Dim.MODEL: values}, step_s=module.STEP_S_MAX).dims == {Dim.MODEL}
    with pytest.raises(ValueError, match="1001 values of model"):
        Asked(since_ms=0, until_ms=1, where={Dim.MODEL: (*values, "x")})
    for step_s in (0, module.STEP_S_MAX + 1):
        with pytest.raises(ValueError, match="a step of"):
            Asked(since_ms=0, until_ms=1, step_s=step_s)
    for since_ms, until_ms in ((5, 5), (-1, 5)):
        with pytest.raises(ValueError, match="a window from"):
            Asked(since_ms=since_ms, until_ms=until_ms)
