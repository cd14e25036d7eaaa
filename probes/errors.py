"""Knows the errors of this room, one class per thing that a caller can do differently.

    ProbesError
    └── PageError    what came is no page of metrics that may be used; `kind` says why

A question that got no answer at all is `telemetry.fetch_error.FetchError`.

Source: spec/reliability.md 5.4, 12.
"""

from enum import StrEnum


class ProbesError(Exception):
    """Root of this room's errors."""


class PageFault(StrEnum):
    """Why nothing on a page of metrics may be used."""

    TOO_LARGE = "page_too_large"
    TOO_MANY_SAMPLES = "too_many_samples"
    CUT_OFF = "cut_off"
    """It ends inside a line."""
    CONTENT_TYPE = "content_type"
    """It is no page of metrics."""
    STATUS = "status"
    """The server answered with something else than 200."""
    NOTHING_KNOWN = "nothing_known"
    """It names no metric of the engine."""


class PageError(ProbesError):
    """A page of metrics that may not be used."""

    def __init__(self, kind: PageFault) -> None:
        """Keep the kind."""
        super().__init__(f"the page of metrics cannot be used: {kind}")
        self.kind = kind
