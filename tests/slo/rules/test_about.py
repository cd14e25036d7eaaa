"""What people may read of the rules."""

import pytest

from slo.rules.about import ABOUT
from slo.rules.rule import RuleId


def test_every_rule_is_written_about() -> None:
    assert set(ABOUT) == {one.value for one in RuleId}


@pytest.mark.parametrize("name", list(ABOUT))
def test_a_line_says_where_it_comes_from_and_where_the_naive_reading_misleads(name: str) -> None:
    one = ABOUT[name]

    assert one.seed in {"S0", "S1", "S2", "S3", "S4", "slo.md 3", "slo.md 14"}
    assert "page" in one.default or "ticket" in one.default
    assert one.misleads
    assert not any("|" in text for text in (one.default, one.misleads, one.threshold, *one.options.values()))
    assert all(option.isidentifier() for option in one.options)
