"""Knows what may go wrong with a question to the API, and how that is told; refuses to know HTTP servers.

Source: RFC 9457 (problem details); spec/ui.md 11 (`type` is `/problems/<code>`, validation is 400).
"""

from dataclasses import dataclass
from enum import StrEnum

ERRORS_MAX = 20
"""Mistakes of one request that are told."""
DETAIL_CHARS_MAX = 300
"""Longest sentence of an answer; what was asked may be longer."""


class ProblemCode(StrEnum):
    """Kinds of problems; each is a page of its own below `/problems/`."""

    INVALID_REQUEST = "invalid-request"
    """A parameter or the body is not what the route takes; `errors` names each."""
    FORBIDDEN_ORIGIN = "forbidden-origin"
    """A page of another site asked for a change."""
    NOT_FOUND = "not-found"
    """There is no such route, objective, group, alert or silence."""
    METHOD_NOT_ALLOWED = "method-not-allowed"
    """The route does not take this method."""
    CONFLICT = "conflict"
    """What is asked for does not fit the present state."""
    TOO_LARGE = "too-large"
    """The body is longer than any that a route takes."""
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    """A body must be application/json."""
    MISDIRECTED = "misdirected"
    """The Host header names a host that this server does not go by."""
    TOO_MUCH = "too-much"
    """What is asked for takes more time or memory than it may; less of it does not."""
    BUSY = "busy"
    """Another one is being computed, and one at a time is."""
    UNFINISHED = "unfinished"
    """What was being computed ended before it was done."""
    INTERNAL = "internal"
    """Our own fault; the log says more."""
    STORE_UNREACHABLE = "store-unreachable"
    """The store does not answer: what was asked for is not known now."""
    CROWDED = "crowded"
    """As many look already as may."""
    HINT_STALE = "hint-stale"
    """The target is known, and nothing that is known of it may be acted upon."""
    NOT_KEPT = "not-kept"
    """What was to be kept could not be written to disk, so it does not hold."""


STATUSES = {
    ProblemCode.INVALID_REQUEST: 400,
    ProblemCode.FORBIDDEN_ORIGIN: 403,
    ProblemCode.NOT_FOUND: 404,
    ProblemCode.METHOD_NOT_ALLOWED: 405,
    ProblemCode.CONFLICT: 409,
    ProblemCode.TOO_LARGE: 413,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ProblemCode.MISDIRECTED: 421,
    ProblemCode.TOO_MUCH: 422,
    ProblemCode.BUSY: 429,
    ProblemCode.INTERNAL: 500,
    ProblemCode.UNFINISHED: 503,
    ProblemCode.STORE_UNREACHABLE: 503,
    ProblemCode.HINT_STALE: 503,
    ProblemCode.CROWDED: 503,
    ProblemCode.NOT_KEPT: 503,
}
"""Problem to HTTP status."""
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong with a request.

    Attributes:
        where: Where it stands: `query.step_s`, `body.matchers.0.op`.
        text: What is wrong with it.
    """

    where: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong, as RFC 9457 tells it.

    Attributes:
        type: `/problems/<code>`.
        title: The kind of problem.
        status: HTTP status.
        detail: One line that says what went wrong this time.
        instance: Path that was asked.
        errors: Each mistake of an invalid request.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: tuple[Mistake, ...] = ()


def problem(code: ProblemCode, detail: str, instance: str, errors: tuple[Mistake, ...] = ()) -> Problem:
    """Return a problem; long texts are cut."""
    return Problem(
        type=f"/problems/{code}",
        title=code.replace("-", " "),
        status=STATUSES[code],
        detail=" ".join(detail.split())[:DETAIL_CHARS_MAX],
        instance=instance[:DETAIL_CHARS_MAX],
        errors=errors[:ERRORS_MAX],
    )
