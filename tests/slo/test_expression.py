"""The language of objectives: what it takes, and what it says of what it does not take."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from expression_cases import HOSTILE, quoted
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.errors import ObjectiveError
from slo.expression import ALLOWED_NAMES, EXPRESSION_CHARACTERS_MAX, EXPRESSION_DEPTH_MAX, parse
from slo.terms import Both, Compare, Either, Flag, Macro, Number, Operator, Product, Sum, Text
from telemetry.queries.bounds import Figure, Word


def test_precedence_is_that_of_arithmetic_and_logic() -> None:
    found = parse("ok and ttft_s <= 1.0 + 0.0002*tokens_in or stream")
    limit = Sum(Number(1.0), Product(Number(0.0002), Figure.TOKENS_IN))

    assert Either((Both((Macro.OK, Compare(Operator.LESS_EQUAL, Figure.TTFT_S, limit))), Flag.STREAM)) == found


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_nothing_but_itself(text: str) -> None:
    assert parse(f"model == {quoted(text)}") == Compare(Operator.EQUAL, Word.MODEL, Text(text))


@pytest.mark.parametrize(
    ("text", "found", "allowed"),
    [
        ("ttft <= 1", "'ttft' at character 1", ALLOWED_NAMES),
        ("ok and sleep(3)", "'sleep' at character 8", ALLOWED_NAMES),
        ("ttft_s", "ttft_s", "a condition: a comparison, ok, complete, stream or in_stream"),
        ("ttft_s <= 1 <= 2", "'<=' at character 13", "and, or, a comparison, or the end"),
        ("1 <", "the end", "a name, a number, a text in quotes or ("),
        ("", "the end", "a name, a number, a text in quotes or ("),
        ("min ttft_s", "'ttft_s' at character 5", "'('"),
        ("(ok", "the end", "')'"),
        ("model in ()", "')' at character 11", "a number or a text in quotes"),
        ("model in ('a', 1)", "a number beside model", "texts"),
        ("tokens_in in ('a')", "'a'", "a number; a text is only compared"),
        ("tokens_in in (-'a')", "'a'", "a number; a text is only compared"),
        ("outcome == 'crash'", "outcome 'crash'", "auth, bad_output, client_cancelled, "),
        ("'crash' != outcome", "outcome 'crash'", "auth, "),
        ("phase in ('done', 'gone')", "phase 'gone'", "connect, done, queued, streaming"),
        ("model < 'a'", "model < 'a'", "numbers with numbers; texts with texts, by == or !="),
        ("ttft_s == 'a'", "ttft_s == 'a'", "numbers with numbers; "),
        ("ok == true", "ok", "a number or a text; a condition is not compared, it stands alone or behind not"),
        ("model + 1 < 2", "model", "a number; a text is only compared"),
        ("-model == 'a'", "model", "a number; "),
        ("ttft_s * tpot_s < 1", "ttft_s * tpot_s", "a product of a number other than 0 and a field"),
        ("0 * tpot_s < 1", "0 * tpot_s", "a product of a number other than 0 and a field"),
        ("1e999 < tpot_s", "a number without end", "numbers of at most 1.8e308"),
        ("1e308 * 10 < tpot_s", "a number without end", "numbers of at most 1.8e308"),
        ("model == 'open", '"\'" at character 10', "names, numbers, texts in quotes"),
        ("ok; DROP TABLE x", "';' at character 3", "names, numbers, texts in quotes"),
        ("model not in ('a')", "'not' at character 7", "and, or, a comparison, or the end"),
    ],
)
def test_a_mistake_says_what_it_is_and_what_is_allowed(text: str, found: str, allowed: str) -> None:
    with pytest.raises(ObjectiveError) as told:
        parse(text)

    assert ("", "expr", found) == (told.value.where, told.value.key, told.value.found)
    assert told.value.allowed.startswith(allowed)


WHOLE: dict[str, tuple[int, Callable[[int], str]]] = {
    "parentheses": (EXPRESSION_DEPTH_MAX, lambda n: "(" * n + "ok" + ")" * n),
    "negations": (EXPRESSION_DEPTH_MAX, lambda n: "not " * n + "ok"),
    "signs": (EXPRESSION_DEPTH_MAX, lambda n: "-" * n + "ttft_s < 1"),
    "calls": (EXPRESSION_DEPTH_MAX, lambda n: "max(" * n + "ttft_s" + ")" * n + " < 1"),
    "sum": (EXPRESSION_DEPTH_MAX, lambda n: "ttft_s" + " + ttft_s" * (n - 1) + " < 1"),
    "product": (EXPRESSION_DEPTH_MAX, lambda n: "ttft_s" + " * 2" * (n - 1) + " < 1"),
    "characters": (EXPRESSION_CHARACTERS_MAX, "ok".ljust),
}


@pytest.mark.parametrize("part", WHOLE)
def test_an_expression_is_bounded(part: str) -> None:
    most, whole = WHOLE[part]

    assert parse(whole(most))
    with pytest.raises(ObjectiveError, match=f"allowed {most}"):
        parse(whole(most + 1))


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet="ok and not()'\"<=+-*1.,[]ttft_s model in \n", max_size=60))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    with suppress(ObjectiveError):
        assert parse(text) == parse(f"({text})")
