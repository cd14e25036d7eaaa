from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.json_schema import KEYWORDS, SCHEMA_DEPTH_MAX, fits, refused

PERSON = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
    "additionalProperties": False,
}


CASES: list[tuple[dict[str, Any], list[Any], list[Any]]] = [
    ({}, [None, 1, "x", [], {}], []),
    ({"type": "object"}, [{}], [[], None, 1]),
    ({"type": "array"}, [[]], [{}, "x"]),
    ({"type": "string"}, ["", "x"], [1, None]),
    ({"type": "boolean"}, [True, False], [0, 1]),
    ({"type": "null"}, [None], [0, ""]),
    ({"type": "number"}, [1, 1.5, -2], [True, "1"]),
    ({"type": "integer"}, [1, 2.0, 10**400], [1.5, True, float("inf")]),
    ({"type": ["string", "null"]}, ["x", None], [1]),
    ({"enum": [1, "a", None]}, [1, "a", None, 1.0], [True, "b"]),
    ({"const": False}, [False], [0, None]),
    ({"minItems": 1, "maxItems": 2}, [[1], [1, 2], "not a list"], [[], [1, 2, 3]]),
    ({"minLength": 1, "maxLength": 2}, ["a", "ab", 5], ["", "abc"]),
    ({"minimum": 1, "maximum": 2}, [1, 2, 1.5, "x"], [0, 3]),
    ({"items": {"type": "integer"}}, [[], [1, 2], "x"], [[1, "x"]]),
    (
        PERSON,
        [{"name": "a"}, {"name": "a", "age": 0}],
        [{}, {"name": ""}, {"name": "a", "age": -1}, {"name": "a", "x": 1}],
    ),
    ({"properties": {"a": {"items": PERSON}}}, [{"a": [{"name": "b"}], "c": 1}], [{"a": [{"name": 1}]}]),
]


@pytest.mark.parametrize(("schema", "good", "bad"), CASES)
def test_data_has_the_form_or_has_not(schema: dict[str, Any], good: list[object], bad: list[object]) -> None:
    assert "" == refused(schema)
    assert ([True] * len(good), [False] * len(bad)) == (
        [fits(value, schema) for value in good],
        [fits(value, schema) for value in bad],
    )


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ([], "schema is no mapping"),
        ({"pattern": "x"}, "schema has the unknown keyword 'pattern'"),
        ({1: 2}, "schema has the unknown keyword 1"),
        ({"type": "text"}, "schema.type has a value that it cannot have"),
        ({"type": 3}, "schema.type has a value that it cannot have"),
        ({"type": []}, ""),
        ({"required": "name"}, "schema.required has a value that it cannot have"),
        ({"minLength": -1}, "schema.minLength has a value that it cannot have"),
        ({"minimum": "0"}, "schema.minimum has a value that it cannot have"),
        ({"additionalProperties": {}}, "schema.additionalProperties has a value that it cannot have"),
        ({"properties": {"a": {"items": {"anyOf": []}}}}, "schema.properties.a.items has the unknown keyword 'anyOf'"),
        ({"items": 1}, "schema.items is no mapping"),
        ({"title": 1, "description": "x", "$schema": "y"}, ""),
    ],
)
def test_a_schema_is_refused_for_what_is_not_known(schema: object, expected: str) -> None:
    assert expected == refused(schema)


def test_a_schema_is_nested_so_deep_and_no_deeper() -> None:
    deep: dict[str, Any] = {}
    for _ in range(SCHEMA_DEPTH_MAX - 1):
        deep = {"items": deep}

    assert "" == refused(deep)
    assert "nested deeper" in refused({"items": deep})


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@given(schema=st.dictionaries(st.sampled_from(KEYWORDS), json_values), value=json_values)
def test_a_schema_that_is_not_refused_never_raises(schema: dict[str, Any], value: object) -> None:
    if not refused(schema):
        assert fits(value, schema) in {True, False}
