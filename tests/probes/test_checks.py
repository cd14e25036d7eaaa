import re
from typing import Any

import pytest

from probes.checks import PATTERN_CHARS_MAX, SEARCHED_CHARS_MAX, Checks, failed, pattern


@pytest.mark.parametrize(
    ("checks", "text", "tokens_out", "expected"),
    [
        ({}, "", None, []),
        ({"contains": ["a", "b"]}, "b a", None, []),
        ({"contains": ["a", "c"]}, "b a", None, ["contains"]),
        ({"matches": re.compile(r"^\d+$")}, "12", None, []),
        ({"matches": re.compile(r"^\d+$")}, "1x", None, ["matches"]),
        ({"schema": {"type": "object"}}, " {} ", None, []),
        ({"schema": {"type": "object"}}, "[]", None, ["schema"]),
        ({"schema": {"type": "object"}}, "```json\n{}\n```", None, ["schema"]),
        ({"schema": {"type": "object"}}, "[" * 99_999, None, ["schema"]),
        ({"tokens_min": 2, "tokens_max": 3}, "", 2, []),
        ({"tokens_min": 2, "tokens_max": 3}, "", 1, ["tokens_min"]),
        ({"tokens_min": 2, "tokens_max": 3}, "", 4, ["tokens_max"]),
        ({"tokens_min": 2, "tokens_max": 3}, "", None, ["tokens_min", "tokens_max"]),
    ],
)
def test_an_answer_passes_or_names_what_it_fails(
    checks: dict[str, Any], text: str, tokens_out: int | None, expected: list[str]
) -> None:
    assert expected == failed(Checks(**checks), text, tokens_out)


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        (Checks(), False),
        (Checks(tokens_min=1, tokens_max=2), False),
        (Checks(contains=["a"]), True),
        (Checks(matches=re.compile("a")), True),
        (Checks(schema={}), True),
    ],
)
def test_the_text_is_read_only_where_a_check_needs_it(checks: Checks, expected: bool) -> None:
    assert expected == checks.reads_text


def test_a_pattern_sees_the_start_of_an_answer() -> None:
    checks = Checks(matches=re.compile("b"))

    assert [] == failed(checks, "a" * (SEARCHED_CHARS_MAX - 1) + "b", None)
    assert ["matches"] == failed(checks, "a" * SEARCHED_CHARS_MAX + "b", None)


def test_a_pattern_is_a_regular_expression_of_bounded_length() -> None:
    assert "a" * PATTERN_CHARS_MAX == pattern("a" * PATTERN_CHARS_MAX).pattern
    with pytest.raises(ValueError, match="longer than"):
        pattern("a" * (PATTERN_CHARS_MAX + 1))
    with pytest.raises(ValueError, match="no regular expression: missing"):
        pattern("(a")
