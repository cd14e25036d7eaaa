"""Knows what is followed for hints: a target's settings, and whose rows of the store are its own; refuses to read them.

Source: spec/scaling.md 1 (target), 5 (inputs of a tick), 6.6 (price of waiting for a replica).
"""

from dataclasses import dataclass

from slo.scaling.settings import Settings

TARGETS_MAX = 200
"""Targets of one service; one question to the store is about all of them."""
SCORED_LEAD_S_MAX = 14_400
"""Longest lead after which a hint is scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hinted:
    """One target.

    Attributes:
        settings: What it was told.
        endpoint: Whose rows are its own.
        model: Only those of this model; empty: all of the endpoint.
        slo: Objective whose burn and budget it heeds; empty: none.
        objective_ratio: Share of requests that shall meet its limits; None leaves it to the objective.
        cold_penalty_usd: What it costs that one waits for a replica; None if unknown.
    """

    settings: Settings
    endpoint: str
    model: str = ""
    slo: str = ""
    objective_ratio: float | None = None
    cold_penalty_usd: float | None = None

    @property
    def name(self) -> str:
        """Of the target."""
        return self.settings.target.name

    def owns(self, endpoint: str, model: str) -> bool:
        """Return whether a row is its own; one that names no model belongs to every model of its endpoint."""
        return endpoint == self.endpoint and (not self.model or model in {self.model, ""})
