"""Expressions as SQL: names of ours, values beside them; what they mean is shown on a store in test_objective."""

import pytest
from expression_cases import HOSTILE, quoted

from slo.expression import parse
from slo.expression_sql import judged, needed, stored
from telemetry.queries.bounds import Figure
from telemetry.queries.counted import Clause


def test_a_limit_that_grows_with_the_prompt() -> None:
    expected = (
        "multiIf(isNull(ttft_s_lo), 0, isNull(tokens_in_lo), 0, "
        "multiIf(ttft_s_hi <= ($0 + $1 * tokens_in_lo), 2, ttft_s_lo > ($0 + $1 * tokens_in_hi), 0, 1))"
    )
    found = judged(parse("ttft_s <= 1.0 + 0.0002*tokens_in"))

    assert sorted(expected) == sorted(found.sql)  # the two questions for NULL stand in any order
    assert (1.0, 0.0002) == found.values


def test_what_was_stored_is_compared_as_it_is() -> None:
    assert stored(parse("http_status == 500")) == Clause(
        sql="multiIf(http_status_raw < $0 OR $0 < http_status_raw, 0,"
        " http_status_raw = $0 AND http_status_raw = $0, 2, 1)",
        values=(500.0,),
    )


def test_an_unknown_gap_is_fine_and_an_unknown_ttft_is_not() -> None:
    assert judged(parse("gap_max_s <= 2")).sql.startswith("multiIf(isNull(gap_max_s_lo), 2, ")
    assert judged(parse("ttft_s <= 2")).sql.startswith("multiIf(isNull(ttft_s_lo), 0, ")
    assert "isNull" not in judged(parse("coalesce(tpot_s, 1) <= 2 and elapsed_s < 1")).sql
    assert "isNull(coalesce(tpot_s_lo, ttft_s_lo)), 0" in judged(parse("coalesce(tpot_s, ttft_s) <= 2")).sql


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_travels_beside_the_statement(text: str) -> None:
    clause = judged(parse(f"model == {quoted(text)} or model in ({quoted(text)}, 'b')"))

    assert clause.sql == judged(parse("model == 'a' or model in ('b')")).sql
    assert (text, (text, "b")) == clause.values


def test_endless_less_endless_may_be_anything_and_is_written_once() -> None:
    clause = judged(parse("e2e_s - ttft_s - tpot_s <= 5"))

    assert 3 >= clause.sql.count("e2e_s_hi")
    assert "isNaN(x), -inf, x" in clause.sql
    assert "isNaN" not in judged(parse("e2e_s - 5 <= 5")).sql


def test_signs_and_functions_keep_the_ends_apart() -> None:
    assert Clause(
        sql="multiIf(isNull(ttft_s_lo), 0, multiIf((0 - $1) <= (0 - greatest(ttft_s_hi, $0)), 2,"
        " (0 - $1) > (0 - greatest(ttft_s_lo, $0)), 0, 1))",
        values=(1.0, 2.0),
    ) == judged(parse("-max(ttft_s, 1) >= -2"))
    assert "least(if(stream, 2, 0), (2 - 2))" == judged(parse("stream and not true")).sql


def test_terms_of_one_kind_make_one_statement() -> None:
    one, other = (judged(parse(f"ttft_s <= {limit} and not ok")) for limit in (1, 2))

    assert one.sql == other.sql
    assert one.values != other.values


def test_figures_that_may_be_unknown_are_named() -> None:
    assert (Figure.TTFT_S, Figure.TOKENS_IN) == needed(parse("ttft_s < tokens_in and elapsed_s < 1"))
