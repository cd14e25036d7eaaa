"""Knows what a target comes to at one moment, and which number may be told of it; refuses to know who asks.

Every face asks here, so all of them give the same number or none. Where nothing is known no number is made up: each
face then fails in the way that its reader takes for "no data" (`slo.scaling.freshness.ANSWERS`).

Policy `raw` is the want before rounding, for a reader that steadies it itself. A want comes from what was seen, so one
below the replicas that there are is told only if everything was: fresh, every signal known, of every replica. Else the
steadied number stands, which falls for no other reason than that all signals allow it.

Source: spec/scaling.md 3 (freshness contract), 4 (`?policy=raw`).
"""

from dataclasses import dataclass
from enum import StrEnum

from slo.scaling.codes import Action, Level
from slo.scaling.freshness import ANSWERS, Answer, Number, Standing, Transport
from slo.scaling.hint import Hint
from slo.scaling.served import HintDesk, Served
from telemetry.errors import StoreUnreachableError


class Policy(StrEnum):
    """Who steadies the number."""

    DESIRED = "desired"
    """We do: whole replicas, after hysteresis."""
    RAW = "raw"
    """The reader does: what is wanted now, with a fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A target at one moment.

    Attributes:
        standing: What is known of it.
        served: Its last hint; None where there is none to be had.
    """

    standing: Standing
    served: Served | None = None

    def answer(self, transport: Transport) -> Answer:
        """Return what a transport answers."""
        return ANSWERS[self.standing][transport]

    def told(self, transport: Transport) -> Hint | None:
        """Return the hint if a transport may tell a number of it; None if it may not."""
        if self.served is None or self.answer(transport).number is Number.NONE:
            return None
        return self.served.hint

    def replicas(self, transport: Transport, policy: Policy = Policy.DESIRED) -> float | None:
        """Return the number of replicas that a transport tells; None if it tells none."""
        hint = self.told(transport)
        if hint is None:
            return None
        if self.answer(transport).number is Number.SPEC:
            return hint.replicas.spec
        return hint.replicas.desired if policy is Policy.DESIRED else _raw(hint, self.standing)


def moment(desk: HintDesk, name: str, now_unix_s: float) -> Moment:
    """Return what a target comes to."""
    try:
        served = desk.served(name, now_unix_s)
    except StoreUnreachableError:
        return Moment(standing=Standing.UNREACHABLE)
    if served is None:
        return Moment(standing=Standing.UNKNOWN)
    return Moment(standing=served.standing(now_unix_s), served=served)


def _raw(hint: Hint, standing: Standing) -> float:
    """Return the want before rounding, within bounds; what is asked for where none binds or something is not known."""
    replicas = hint.replicas
    if replicas.raw is None or hint.action in {Action.INFEASIBLE, Action.TO_ZERO}:
        return replicas.desired
    least = max(replicas.min, min(1, replicas.desired))  # only we empty a target: the reader cannot know if it may
    raw = min(max(replicas.raw, least), max(replicas.max, replicas.spec))
    whole = standing is Standing.FRESH and hint.confidence.level is not Level.LOW and _all_seen(hint)
    return raw if whole or raw > replicas.spec else replicas.desired


def _all_seen(hint: Hint) -> bool:
    return all(one.value is not None and one.coverage >= 1 for one in hint.signals.values())
