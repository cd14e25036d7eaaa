"""Knows one step of one notice, as it is kept for looking back; refuses to know how anything is sent.

Source: spec/slo.md 11 (each attempt logged before and after); spec/store.md 3 (`notification_log`).
"""

from dataclasses import dataclass
from enum import StrEnum


class StepState(StrEnum):
    """What a step was."""

    INTENT = "intent"
    """A try begins."""
    SENT = "sent"
    FAILED = "failed"
    """Not heard; it is tried again."""
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What is kept of a try beside its notice.

    Attributes:
        at_ms: Wall time of the step, unix milliseconds.
        group_key: What went into one post with it.
        http_status: Of the answer; None if none came.
        duration_us: Send to answer; None before one.
    """

    at_ms: int
    group_key: str = ""
    http_status: int | None = None
    duration_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeStep:
    """One step of one notice.

    Attributes:
        channel: Name of the channel.
        key: Of the notice.
        attempt: Tries that were begun until then; 0 if it was given up untried.
        state: What it was.
        tried: The rest.
    """

    channel: str
    key: str
    attempt: int
    state: StepState
    tried: Tried

    @property
    def fingerprint(self) -> int:
        """Identity of the alert, of which the key begins with."""
        return int(self.key.partition("-")[0], 16)
