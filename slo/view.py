"""Knows what the engine saw last, for whoever asks; refuses to know how it is shown.

Source: spec/slo.md 17 (what the API tells, `as_of`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.alarms import Judged
from slo.alert import Alert
from slo.alert_states import Transition
from slo.watched import Watched

TRANSITIONS_MAX = 1_000
"""Changes of state that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView:
    """The last instant, whole; replaced, never changed.

    Attributes:
        watched: The objectives.
        at_s: The instant; None before the first.
        lag_s: How far behind the wall clock it was.
        judged: Every objective and group.
        alerts: All of which something is remembered.
        held: Fingerprint of what is held back to the reason.
        standing: What fires or has just ended, and is not held back.
        transitions: The last changes of state, oldest first.
        blind_cause: Why nothing is seen; empty if something is.
        history: How many hours of the past are counted, and of how many; None if all are. Until then a rule that
            looks further back says nothing, and budgets are of what is counted.
        problems: What is wrong with the engine itself, for people: a rejected configuration, an instant that was late.
    """

    watched: Sequence[Watched]
    at_s: int | None = None
    lag_s: float = 0.0
    judged: Sequence[Judged] = ()
    alerts: Mapping[int, Alert] = field(default_factory=dict[int, Alert])
    held: Mapping[int, str] = field(default_factory=dict[int, str])
    standing: Sequence[Alert] = ()
    transitions: Sequence[tuple[Alert, Transition]] = ()
    blind_cause: str = ""
    history: tuple[int, int] | None = None
    problems: Sequence[str] = ()
