"""Silences: what they match, what they may be, and what they hide."""

from dataclasses import replace

import pytest

from slo.errors import ObjectiveError
from slo.silence import (
    HIDDEN_PAGE_S,
    MATCHERS_MAX,
    PATTERN_CHARS_MAX,
    REPEATS_MAX,
    SILENCE_S_MAX,
    Matcher,
    MatchOp,
    Silence,
    check,
    hides_too_long,
    matches,
    silenced_by,
)

LABELS = {"slo": "chat-good", "severity": "page"}


def matcher(name: str, op: str, value: str) -> Matcher:
    return Matcher(name=name, op=MatchOp(op), value=value)


ONE = Silence(
    id="s1", matchers=(matcher("slo", "=", "chat-good"),), starts_at_s=0, ends_at_s=3_600, author="ana", comment="move"
)


MATCHES = [
    pytest.param("slo", "=", "chat-good", True, id="equal"),
    pytest.param("slo", "=", "chat", False, id="a part is not equal"),
    pytest.param("slo", "!=", "chat", True, id="not equal"),
    pytest.param("slo", "=~", "chat-.*", True, id="an expression"),
    pytest.param("slo", "=~", "chat", False, id="an expression must match the whole value"),
    pytest.param("slo", "=~", "chat|chat-good", True, id="one of two"),
    pytest.param("slo", "!~", "chat-.*", False, id="not an expression"),
    pytest.param("region", "=", "", True, id="a missing label is empty"),
    pytest.param("region", "!=", "eu", True, id="a missing label is not eu"),
    pytest.param("region", "=~", ".+", False, id="a missing label has nothing"),
]


@pytest.mark.parametrize(("name", "op", "value", "matched"), MATCHES)
def test_matchers(name: str, op: str, value: str, matched: bool) -> None:
    assert matched is matches(matcher(name, op, value), LABELS)


def test_all_matchers_must_match_and_the_time_must_be_right() -> None:
    two = replace(ONE, id="s2", matchers=(*ONE.matchers, matcher("severity", "=", "ticket")))

    assert ("s1",) == silenced_by(LABELS, 0, [ONE, two])
    assert ("s1",) == silenced_by(LABELS, 3_599, [ONE])
    assert () == silenced_by(LABELS, 3_600, [ONE])
    assert () == silenced_by(LABELS, -1, [ONE])


REFUSED = [
    pytest.param({"ends_at_s": 0}, "ends_at", id="no time at all"),
    pytest.param({"ends_at_s": SILENCE_S_MAX + 1}, "ends_at", id="longer than a week"),
    pytest.param({"author": " "}, "author", id="by nobody"),
    pytest.param({"comment": ""}, "comment", id="for no reason"),
    pytest.param({"matchers": ()}, "matchers", id="without a matcher"),
    pytest.param({"matchers": ONE.matchers * (MATCHERS_MAX + 1)}, "matchers", id="with too many"),
    pytest.param({"matchers": (matcher("slo", "=~", ".*"),)}, "matchers", id="of everything"),
    pytest.param({"matchers": (matcher("slo", "!=", "x"),)}, "matchers", id="of nearly everything"),
    pytest.param({"matchers": (matcher("", "=", "x"),)}, "name", id="a label without a name"),
    pytest.param({"matchers": (matcher("slo", "=~", "("),)}, "regular expression", id="no expression"),
    pytest.param({"matchers": (matcher("slo", "=~", "(a+)+b"),)}, "group", id="an expression that may take for ever"),
    pytest.param({"matchers": (matcher("slo", "=~", "a" + ".*" * (REPEATS_MAX + 1)),)}, "repetitions", id="or long"),
    pytest.param(
        {"matchers": (matcher("slo", "=", "x" * (PATTERN_CHARS_MAX + 1)),)}, "characters", id="too long a value"
    ),
]


@pytest.mark.parametrize(("change", "named"), REFUSED)
def test_what_a_silence_may_not_be(change: dict[str, object], named: str) -> None:
    with pytest.raises(ObjectiveError, match=named):
        check(replace(ONE, **change))  # type: ignore[arg-type] -- each case changes one field


ACCEPTED = [
    pytest.param({}, id="plain"),
    pytest.param({"ends_at_s": SILENCE_S_MAX}, id="a week"),
    pytest.param({"starts_at_s": 10**9, "ends_at_s": 10**9 + SILENCE_S_MAX}, id="a week, some time"),
    pytest.param({"matchers": ONE.matchers * MATCHERS_MAX}, id="as many matchers as may be"),
    pytest.param({"matchers": (matcher("slo", "=", "x" * PATTERN_CHARS_MAX),)}, id="as long a value as may be"),
    pytest.param({"matchers": (matcher("slo", "=~", "a" + ".*" * REPEATS_MAX),)}, id="as many repetitions as may be"),
    pytest.param({"matchers": (matcher("a", "!=", "x"), *ONE.matchers)}, id="one narrow matcher is enough"),
]


@pytest.mark.parametrize("change", ACCEPTED)
def test_what_a_silence_may_be(change: dict[str, object]) -> None:
    check(replace(ONE, **change))  # type: ignore[arg-type] -- each case changes one field


def test_a_page_that_is_hidden_for_a_day_raises_a_ticket() -> None:
    assert not hides_too_long(1_000, 1_000 + HIDDEN_PAGE_S)
    assert hides_too_long(1_000, 1_001 + HIDDEN_PAGE_S)
