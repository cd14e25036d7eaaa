"""Knows how one target of notices fares, and how long it is to be left alone; refuses to send, and to wait.

Source: spec/slo.md 11 (full jitter 1-60 s, `Retry-After`, `NotifierFailing`: failing for more than 5 minutes).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from telemetry.backoff import Backoff

FAILING_S = 300.0
"""A target that has failed for longer than this is said to fail."""
RETRY_S = 1.0
RETRY_S_MAX = 60.0
"""Longest wait of our own between two tries; the receiver may ask for a longer one."""
_NAMED_N = 3  # keys that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One target and what became of what was sent to it.

    Attributes:
        channel: Name of the channel.
        instance: Which of the channel's URLs, from 0 on.
        sent_n: Notices that it took; of an Alertmanager, each time that one was told again.
        failed_n: Tries that failed.
        given_up_n: Notices that it will never hear of.
        failing_since_s: When the series of failures began, on the notifier's clock; None while it hears.
        why: Why the last try failed, or what it refused; empty if there is nothing to say.
    """

    channel: str
    instance: int = 0
    sent_n: int = 0
    failed_n: int = 0
    given_up_n: int = 0
    failing_since_s: float | None = None
    why: str = ""

    def is_failing(self, now_s: float) -> bool:
        """Return whether others have to be told that it does not hear us."""
        return self.failing_since_s is not None and now_s - self.failing_since_s > FAILING_S


class Tries:
    """The tries of one target; used by one task, looked at by any.

    Attributes:
        target: How it fares.

    Args:
        target: How it fares at the start.
        random: Source of the jitter.
    """

    def __init__(self, target: Target, random: Random) -> None:
        self.target = target
        self._backoff = Backoff(random, RETRY_S, RETRY_S_MAX)
        self._free_at_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """Return how long the target is to be left alone."""
        return 0.0 if self._free_at_s is None else max(0.0, self._free_at_s - now_s)

    def heard(self, notices_n: int, now_s: float, *, gap_s: float = 0.0, given_up: Sequence[str] = ()) -> None:
        """Note that it took so many notices.

        Args:
            notices_n: That many.
            now_s: Now.
            gap_s: Least time to the next post.
            given_up: Keys of those that it refused beside.
        """
        self._backoff.worked()
        self._free_at_s = now_s + gap_s
        told = self.target
        self.target = replace(
            told,
            sent_n=told.sent_n + notices_n,
            given_up_n=told.given_up_n + len(given_up),
            failing_since_s=None,
            why=f"refused {', '.join(given_up[:_NAMED_N])}" if given_up else "",
        )

    def failed(self, now_s: float, why: str, *, retry_after_s: float | None = None, given_up_n: int = 0) -> None:
        """Note that a try failed.

        Args:
            now_s: Now.
            why: In a few words.
            retry_after_s: What it asked for; None if it did not.
            given_up_n: How many notices it will never hear of.
        """
        self._free_at_s = now_s + max(self._backoff.failed(), retry_after_s or 0.0)
        told = self.target
        self.target = replace(
            told,
            failed_n=told.failed_n + 1,
            given_up_n=told.given_up_n + given_up_n,
            failing_since_s=now_s if told.failing_since_s is None else told.failing_since_s,
            why=why,
        )
