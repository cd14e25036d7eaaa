"""Ages above which a request in flight is bad whatever comes."""

import pytest

from slo.expression import parse
from slo.objective import Indicator
from slo.patience import AGE_S_MAX, patience


@pytest.mark.parametrize(
    ("text", "tokens_in", "first_s", "whole_s"),
    [
        ("ttft_s <= 2", 0, 2.0, None),
        ("e2e_s <= 20", 0, 20.0, 20.0),
        ("ok and complete and ttft_s <= 1.0 + 0.0002*tokens_in and tpot_s <= 0.05", 8_000, 2.6, None),
        ("ttft_s < 2 and e2e_s <= 10", 0, 1.999999, 10.0),
        ("tpot_s <= 0.05", 0, None, None),
        ("ok", 0, None, None),
        ("stream and e2e_s <= 5", 0, None, None),
        (f"e2e_s <= {AGE_S_MAX}", 0, None, None),
        (f"e2e_s < {AGE_S_MAX}", 0, AGE_S_MAX - 1e-6, AGE_S_MAX - 1e-6),
    ],
)
def test_an_age_is_bad_above_the_limit_that_is_asked(
    text: str, tokens_in: int, first_s: float | None, whole_s: float | None
) -> None:
    found = patience(Indicator(good=parse(text)), tokens_in)

    limits = [None if limit_s is None else round(limit_s * 1e6) for limit_s in (first_s, whole_s)]
    assert [found.first_us, found.whole_us] == limits


def test_an_objective_without_an_expression_calls_nothing_patience() -> None:
    assert patience(Indicator(), 0).first_us is None
