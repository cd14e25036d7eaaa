"""What the routes share."""

from datetime import UTC, datetime

import pytest
from views import judged, seen

from slo.api_asked import GroupAsked
from slo.api_parts import identity, invalid, judged_of, seconds, span_s
from slo.api_reply import ProblemError
from slo.problem import ProblemCode

VIEW = seen(judged())
AT = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "group", "code"),
    [
        pytest.param("no", "", ProblemCode.NOT_FOUND, id="no objective"),
        pytest.param("chat", '{"endpoint":"no"}', ProblemCode.NOT_FOUND, id="no group"),
        pytest.param("chat", "no", ProblemCode.INVALID_REQUEST, id="no object"),
    ],
)
def test_what_is_not_there_is_a_problem(name: str, group: str, code: ProblemCode) -> None:
    assert judged_of(VIEW, "chat", GroupAsked()) is VIEW.judged[0]
    with pytest.raises(ProblemError) as caught:
        judged_of(VIEW, name, GroupAsked(group=group))

    assert caught.value.code is code


def test_a_time_has_a_default_and_does_not_end_before_it_begins() -> None:
    at_s = seconds(AT)

    assert span_s(None, None, at_s, 60) == span_s(None, AT, 0, 60) == (at_s - 60, at_s)
    assert span_s(AT, None, at_s + 1, 60) == (at_s, at_s + 1)
    assert span_s(None, None, 30, 60) == (0, 30)
    with pytest.raises(ProblemError):
        span_s(AT, AT, 0, 60)


def test_an_identity_has_sixteen_digits() -> None:
    assert identity("00000000000000ab") == 0xAB
    for text in ("ab", "00000000000000AB", "0x000000000000ab", "00000000000000a_"):
        with pytest.raises(ProblemError):
            identity(text)


def test_what_is_invalid_names_its_place() -> None:
    error = invalid("query.step_s", "is odd")

    assert (str(error), [one.where for one in error.mistakes]) == ("query.step_s: is odd", ["query.step_s"])
