"""Knows how an answer of the API is written: JSON without NaN, an entity tag, problems; refuses to know routes.

Source: RFC 9110 (ETag, If-None-Match, 304), 9457 (problems); spec/slo.md 17.
"""

import hashlib

import msgspec
from fastapi import Request, Response

from slo.problem import MEDIA_TYPE, Mistake, Problem, ProblemCode, problem

RETRY_S = 5
"""When to ask again after one of these."""
_COME_AGAIN = frozenset({429, 503})


class ProblemError(Exception):
    """A question that is not answered.

    Attributes:
        code: The kind of problem.
        detail: One line that says what went wrong.
        mistakes: Each mistake of an invalid request.
    """

    def __init__(self, code: ProblemCode, detail: str, *mistakes: Mistake) -> None:
        """Keep what is to be told."""
        super().__init__(detail)
        self.code, self.detail, self.mistakes = code, detail, mistakes


def reply(request: Request, body: object, status: int = 200) -> Response:
    """Return an answer; 304 without a body if the asker has the same already.

    Args:
        request: What was asked.
        body: A record; what is NaN or infinite becomes null.
        status: HTTP status.
    """
    content = msgspec.json.encode(body)
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    known = known_tags(request)
    if request.method == "GET" and (tag in known or "*" in known):
        return Response(status_code=304, headers=headers)
    return Response(content=content, status_code=status, headers=headers, media_type="application/json")


def known_tags(request: Request) -> list[str]:
    """Return the entity tags that the asker has, without the marks of weak ones."""
    return [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]


def refused(request: Request, code: ProblemCode, detail: str, mistakes: tuple[Mistake, ...] = ()) -> Response:
    """Return a problem."""
    return told(problem(code, detail, request.url.path, mistakes))


def told(said: Problem) -> Response:
    """Return a problem that is already put into words."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}  # our own faults pass by the guard
    if said.status in _COME_AGAIN:
        headers["Retry-After"] = str(RETRY_S)
    return Response(content=msgspec.json.encode(said), status_code=said.status, headers=headers, media_type=MEDIA_TYPE)
