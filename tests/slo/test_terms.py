"""Terms: one text for every way to write them, which reads as the same."""

import pytest
from expression_cases import TEXTS
from hypothesis import given, settings

from slo.expression import parse
from slo.terms import figures, nodes, written


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_what_is_written_reads_as_the_same(text: str) -> None:
    condition = parse(text)

    assert condition == parse(written(condition))
    assert written(condition) == written(parse(written(condition)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ttft_s<=1+2", "ttft_s <= 3"),
        ("not (ok and stream)", "not (ok and stream)"),
        ('model == "it\'s"', "model == 'it''s'"),
        ("tokens_in in [1, -2]", "tokens_in in (1, -2)"),
        ("e2e_s - (ttft_s - 1) > -0.5 * tpot_s", "e2e_s - (ttft_s - 1) > -(0.5 * tpot_s)"),
        ("coalesce(tokens_in, 0) < 5 or true", "(coalesce(tokens_in, 0) < 5) or true"),
    ],
)
def test_an_expression_has_one_form(text: str, expected: str) -> None:
    assert expected == written(parse(text))


def test_figures_are_found_wherever_they_stand() -> None:
    condition = parse("not (ttft_s <= 1 + 2 * tokens_in) or -max(tpot_s, 1) in (1, 2) or model == 'x'")

    assert ["ttft_s", "tpot_s", "tokens_in"] == list(figures(condition))
    assert condition == next(nodes(condition))
