"""Knows what a probe has spent today and whether it may spend more; refuses to know clocks and prices by itself.

A round may begin while something is left, so a day goes over its cap by one answer at most. An answer whose tokens
nobody told costs the most that it can: every byte of the prompt and every token that was allowed.

Source: spec/reliability.md 5.4 (cost cap).
"""

from dataclasses import dataclass

DAY_MS = 86_400_000
"""Milliseconds of a UTC day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """What may be spent on one UTC day; None is no cap.

    Attributes:
        tokens_max: Tokens in and out together.
        usd_max: Money, by the two prices.
        usd_per_mtok_in: Price of a million tokens of prompt.
        usd_per_mtok_out: Price of a million tokens of answer.
        usd_per_run: Price of a run, whatever its tokens.
    """

    tokens_max: int | None = None
    usd_max: float | None = None
    usd_per_mtok_in: float = 0.0
    usd_per_mtok_out: float = 0.0
    usd_per_run: float = 0.0


class Budget:
    """What was spent of a cap on the current day.

    Attributes:
        tokens: Spent on that day.
        usd: Spent on that day.
    """

    def __init__(self, cap: Cap) -> None:
        """Begin with nothing spent; a restart forgets what was."""
        self.tokens = 0
        self.usd = 0.0
        self._cap = cap
        self._day = -1

    def is_left(self, unix_ms: int) -> bool:
        """Return whether a round may begin."""
        self._turn(unix_ms)
        cap = self._cap
        return (cap.tokens_max is None or self.tokens < cap.tokens_max) and (
            cap.usd_max is None or self.usd < cap.usd_max
        )

    def spend(self, unix_ms: int, tokens_in: int, tokens_out: int) -> None:
        """Take what a round cost."""
        self._turn(unix_ms)
        cap = self._cap
        self.tokens += tokens_in + tokens_out
        self.usd += cap.usd_per_run + (tokens_in * cap.usd_per_mtok_in + tokens_out * cap.usd_per_mtok_out) / 1e6

    def _turn(self, unix_ms: int) -> None:
        day = unix_ms // DAY_MS
        if day > self._day:  # a clock that was set back gives nothing back
            self._day, self.tokens, self.usd = day, 0, 0.0
