"""Knows our own algorithm as a policy among the others, so that one harness asks them all; refuses to change it.

Source: spec/scaling.md 6, 7; `slo.scaling.fold`.
"""

from slo.scaling.fold import advance
from slo.scaling.hint import Hint
from slo.scaling.settings import Known, Settings
from slo.scaling.state import TICK_S, State
from telemetry.scaling import Observation


class Ours:
    """Hints that are obeyed."""

    def __init__(self, settings: Settings, known: Known) -> None:
        """Begin with nothing remembered; what is known beside observations stays the same."""
        self._settings, self._known, self._state = settings, known, State()
        self._hint: Hint | None = None

    @property
    def tick_s(self) -> float:
        """Between two instants."""
        return float(TICK_S)

    @property
    def hint(self) -> Hint | None:
        """The last hint; None before the first."""
        return self._hint

    def decide(self, seen: Observation) -> int:
        """Return the replicas that the hint asks for."""
        self._state, self._hint = advance(self._state, self._settings, self._known, seen)
        return self._hint.replicas.desired
