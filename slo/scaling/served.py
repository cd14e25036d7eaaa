"""Knows what every transport of hints is handed: a target's last hint, its bytes and until when it may be acted upon.

It refuses to know how hints come about, and what a transport makes of them. A transport reads `HintDesk` and the table
of answers (`slo.scaling.freshness.ANSWERS`), so that all of them say the same at the same moment.

Source: spec/scaling.md 3 (freshness contract), 4 (transports).
"""

from dataclasses import dataclass
from typing import Protocol

from slo.scaling.codes import Action, Mode
from slo.scaling.freshness import Standing
from slo.scaling.hint import Hint
from slo.scaling.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A target's last hint.

    Attributes:
        settings: What the target was told.
        hint: The hint.
        body: Its bytes, alike on every replica of the service.
        expires_unix_s: From here on it may not be acted upon.
    """

    settings: Settings
    hint: Hint
    body: bytes
    expires_unix_s: float

    def standing(self, now_unix_s: float) -> Standing:
        """Return what it stands for at a time; what is expired is stale, however it began."""
        if self.hint.action is Action.NO_DATA or now_unix_s >= self.expires_unix_s:
            return Standing.STALE
        if self.hint.action is Action.FROZEN:
            return Standing.FROZEN
        return Standing.PARTIAL if self.hint.mode is Mode.DEGRADED else Standing.FRESH

    def left_s(self, now_unix_s: float) -> float:
        """Return for how long it may still be acted upon; 0 if no more."""
        return max(self.expires_unix_s - now_unix_s, 0.0)


class HintDesk(Protocol):
    """Where the last hints lie; every method may be called from any thread and asks nothing of the store."""

    def names(self) -> tuple[str, ...]:
        """Return the targets that are configured, in the order of the configuration."""
        ...

    def served(self, name: str, now_unix_s: float) -> Served | None:
        """Return the last hint of a target; None if it is unknown or was never seen.

        A hint that was made without data is returned like any other: native readers get it, others an error.

        Raises:
            StoreUnreachableError: The store does not answer, and the last hint is expired.
        """
        ...
