"""Our values become Grafana's macros, and Grafana's macros what its plugin sends."""

import pytest

from dashboards.macros import VARIABLES, expanded, to_grafana

VALUES: dict[str, object] = {
    "since": 1,
    "until": 2,
    "at": 2,
    "step_s": 60,
    "seconds": 60.0,
    "traffic": "user",
    "most": 7,
}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("{since:Int64}", "toUnixTimestamp64Milli($__fromTime_ms)"),
        ("{until:Int64}", "toUnixTimestamp64Milli($__toTime_ms)"),
        ("{at:Int64}", "toUnixTimestamp64Milli($__toTime_ms)"),
        ("x / {seconds:Float64}, {step_s:UInt32}", "x / $__interval_s, $__interval_s"),
        ("traffic = {traffic:String}", "traffic = 'user'"),
        ("LIMIT {most:UInt32}", "LIMIT CAST(7, 'UInt32')"),
        (
            "endpoint IN {where_endpoint:Array(String)}",
            "$__conditionalAll(endpoint IN (${endpoint:singlequote}), $endpoint)",
        ),
        (
            "(empty({only_endpoint:Array(String)}) OR s.target IN {only_endpoint:Array(String)})",
            "$__conditionalAll(s.target IN (${endpoint:singlequote}), $endpoint)",
        ),
        ("(empty({only_replica:Array(String)}) OR s.replica IN {only_replica:Array(String)})", "1=1"),
    ],
)
def test_a_value_becomes_a_macro(sql: str, expected: str) -> None:
    assert expected == to_grafana(sql, VALUES)


def test_a_list_becomes_a_literal_and_quotes_are_escaped() -> None:
    values: dict[str, object] = {"a": ["it's", "b\\"], "b": "it's"}

    assert "CAST(['it\\'s', 'b\\\\'], 'Array(String)') 'it\\'s'" == to_grafana("{a:Array(String)} {b:String}", values)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, "1=1 AND 1=1"),
        ({"endpoint": ("a", "it's")}, "s.endpoint IN ('a', 'it\\'s') AND 1=1"),
        ({"model": ("m",)}, "1=1 AND lower(model) IN ('m')"),
    ],
)
def test_all_is_no_condition(chosen: dict[str, tuple[str, ...]], expected: str) -> None:
    sql = (
        "$__conditionalAll(s.endpoint IN (${endpoint:singlequote}), $endpoint)"
        " AND $__conditionalAll(lower(model) IN (${model:singlequote}), $model)"
    )

    assert expected == expanded(sql, 0, 1_000, 60, chosen)
    assert {"endpoint", "model"} == set(VARIABLES)


def test_times_and_steps_are_those_of_the_dashboard() -> None:
    sql = expanded("$__fromTime_ms $__toTime_ms $__interval_s", 1_000, 2_000, 0, {})

    assert "fromUnixTimestamp64Milli(1000) fromUnixTimestamp64Milli(2000) 1" == sql
