"""Knows how long a load client waits at each point of an answer, and what it means if nothing comes; never waits.

Deadlines are the tool's own and say that the server failed; patience is the simulated user's and says that the user
left. Patience counts from the planned arrival, as the user does; in a further attempt from its issue.

Source: spec/loadtest.md 4 (deadlines), 9 (patience); spec/measurement.md 3 (abort).
"""

from dataclasses import dataclass

from telemetry.outcome import AbortBy

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Limits of one answer, seconds.

    Attributes:
        connect_s: For the connection.
        first_token_s: Issue to first output.
        stall_s: Between two reads behind the first output.
        total_s: Issue to the end.
    """

    connect_s: float = 10.0
    first_token_s: float = 60.0
    stall_s: float = 30.0
    total_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When the user leaves, seconds; None never.

    Attributes:
        visible_s: No visible token since the planned arrival.
        gap_s: Nothing since the last read, behind the first output.
    """

    visible_s: float | None = None
    gap_s: float | None = None


ENDLESS = Patience()
"""A user who always waits."""


class Waits:
    """The waits of one request.

    Attributes:
        watches: The user's patience may still end before a visible token: the caller has to look for one.
    """

    __slots__ = ("_deadlines", "_first_due_ns", "_patience", "_total_due_ns", "_visible_due_ns", "watches")

    def __init__(self, issue_ns: int, ref_ns: int, deadlines: Deadlines, patience: Patience = ENDLESS) -> None:
        """Begin.

        Args:
            issue_ns: The request was put, monotonic.
            ref_ns: Its planned arrival, monotonic; the issue if there was no plan, or it is a further attempt.
            deadlines: The tool's limits.
            patience: The user's.
        """
        self._deadlines, self._patience = deadlines, patience
        self._total_due_ns = issue_ns + round(deadlines.total_s * _NS)
        self._first_due_ns = issue_ns + round(deadlines.first_token_s * _NS)
        visible_s = patience.visible_s
        self.watches = visible_s is not None
        self._visible_due_ns = ref_ns + round((visible_s or 0.0) * _NS)

    def seen(self) -> None:
        """Note that a visible token came."""
        self.watches = False

    def next(self, at_ns: int, *, has_output: bool) -> tuple[int, AbortBy]:
        """Return until when to wait, monotonic, and what it means if that passes.

        Args:
            at_ns: Instant of the last read.
            has_output: An output event came.
        """
        due = self._total_due_ns, AbortBy.TOTAL_DEADLINE
        if not has_output:
            due = min(due, (self._first_due_ns, AbortBy.FIRST_TOKEN_DEADLINE))
        else:
            due = min(due, (at_ns + round(self._deadlines.stall_s * _NS), AbortBy.STALL_DEADLINE))
            if self._patience.gap_s is not None:
                due = min(due, (at_ns + round(self._patience.gap_s * _NS), AbortBy.CLIENT))
        return min(due, (self._visible_due_ns, AbortBy.CLIENT)) if self.watches else due
