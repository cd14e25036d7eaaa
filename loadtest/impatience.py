"""Knows when a client tries again, and what its impatience costs; refuses to know sockets and clocks.

    wait = uniform in [0, min(cap, base * 2^(attempt - 1))], or what `Retry-After` says if that is longer

A retry is a further attempt of the same arrival; what a user feels runs from the first planned time.

Source: spec/loadtest.md 9.
"""

from dataclasses import dataclass

from loadtest.plan_spec import Retries
from loadtest.random_streams import Uniform
from telemetry.outcome import Outcome

RETRY_AFTER_S_MAX = 600.0
"""Longest `Retry-After` that is honoured."""

_TRIED_AGAIN = frozenset(
    {
        Outcome.RATE_LIMITED,
        Outcome.OVERLOADED,
        Outcome.UNAVAILABLE,
        Outcome.CONNECT_ERROR,
        Outcome.SERVER_ERROR,
        Outcome.TIMEOUT_FIRST_TOKEN,
        Outcome.TIMEOUT_STREAM,
    }
)


def retry_wait_s(
    policy: Retries, attempt: int, outcome: Outcome, uniform: Uniform, *, retry_after_s: float | None = None
) -> float | None:
    """Return how long to wait before the next attempt; None if there is none.

    Args:
        policy: Of the arrival's class.
        attempt: The one that ended, from 1.
        outcome: How it ended.
        uniform: Source of the jitter: the stream `retry`, or one for each arrival within it.
        retry_after_s: What the response asked for; None if nothing.
    """
    abandoned = outcome is Outcome.CLIENT_CANCELLED and policy.after_abandon
    if attempt > policy.retries or not (abandoned or outcome in _TRIED_AGAIN):
        return None
    ceiling_s = min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 32))
    return max(uniform() * ceiling_s, min(retry_after_s or 0.0, RETRY_AFTER_S_MAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What a run made the service do.

    Attributes:
        arrivals: Planned requests that were begun.
        attempts: Tries of them, first ones included.
        tokens_lost: Output tokens that reached us in attempts that failed or were abandoned.
        tokens_delivered: Output tokens that reached us in all attempts.
        tokens_generated: Growth of the engine's own counter; None if it was not read.
    """

    arrivals: int
    attempts: int
    tokens_lost: int
    tokens_delivered: int
    tokens_generated: int | None = None

    @property
    def amplification(self) -> float | None:
        """Attempts for each arrival; None without an arrival."""
        return self.attempts / self.arrivals if self.arrivals else None

    @property
    def tokens_wasted(self) -> int | None:
        """Tokens lost, and those made for nobody; None if the engine's counter was not read."""
        if self.tokens_generated is None:
            return None
        return self.tokens_lost + max(0, self.tokens_generated - self.tokens_delivered)
