"""How answers are written."""

import json
from dataclasses import dataclass

import pytest
from fastapi import Request

from slo.api_reply import RETRY_S, ProblemError, refused, reply
from slo.problem import Mistake, ProblemCode


def request(method: str = "GET", **headers: str) -> Request:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    known = {
        "type": "http",
        "method": method,
        "path": "/v1/x",
        "query_string": b"",
        "server": ("h", 1),
        "scheme": "http",
    }
    return Request({**known, "headers": sent})


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    ratio: float


def test_numbers_that_json_has_not_are_null() -> None:
    for ratio in (float("nan"), float("inf"), float("-inf")):
        assert reply(request(), Body(ratio=ratio)).body == b'{"ratio":null}'


@pytest.mark.parametrize(
    ("sent", "method", "expected"),
    [
        pytest.param("{tag}", "GET", 304, id="the same"),
        pytest.param('"x", W/{tag}', "GET", 304, id="one of several, weak"),
        pytest.param("*", "GET", 304, id="any"),
        pytest.param('"x"', "GET", 200, id="another"),
        pytest.param("{tag}", "POST", 200, id="an answer to a change is always sent"),
    ],
)
def test_a_tag_says_whether_anything_is_new(sent: str, method: str, expected: int) -> None:
    tag = reply(request(), Body(ratio=0.5)).headers["etag"]
    answer = reply(request(method, if_none_match=sent.format(tag=tag)), Body(ratio=0.5))

    assert (answer.status_code, answer.headers["etag"]) == (expected, tag)
    assert answer.headers["cache-control"] == "no-cache"


def test_a_problem_is_not_kept_and_says_when_to_come_again() -> None:
    gone = refused(request(), ProblemCode.STORE_UNREACHABLE, "gone")
    busy = refused(request(), ProblemCode.BUSY, "busy")
    wrong = refused(request(), ProblemCode.INVALID_REQUEST, "odd", (Mistake(where="a", text="b"),))

    assert (429, str(RETRY_S)) == (busy.status_code, busy.headers["retry-after"])
    assert (gone.headers["retry-after"], gone.headers["cache-control"]) == (str(RETRY_S), "no-store")
    assert "retry-after" not in wrong.headers
    told = json.loads(bytes(wrong.body))
    assert (told["instance"], told["errors"]) == ("/v1/x", [{"where": "a", "text": "b"}])


def test_an_error_keeps_what_is_told() -> None:
    error = ProblemError(ProblemCode.CONFLICT, "no", Mistake(where="a", text="b"))

    assert (error.code, error.detail, len(error.mistakes)) == (ProblemCode.CONFLICT, "no", 1)
