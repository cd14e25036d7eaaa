"""Knows what past days say of a target: the shape of its days, errors of its forecasts, idle times; refuses to ask.

    error      actual a lead later over max(now, now * shape(t + L) / shape(t)), its 95 % point over the past
    gap        mean length of the runs of slots in which nothing came

Error: forecasts of the past are made with the shape of the same past, so their errors are a little too small; a lead is
rounded to whole slots of ten minutes, of which it has at least one. Gaps below a slot are not seen.

Source: spec/scaling.md 6.5 (shape, p95 over 14 d), 6.6 (bursts, E[gap]).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from slo.hints_target import Hinted
from slo.scaling.shape import SLOT_S, Shape, shape
from slo.scaling.verdicts import Bursts, bursts
from telemetry.percentile import P95, rank

PAST_S = 14 * 86_400
"""How far back days are looked at."""
SECONDS_S = 3_600
"""How far back seconds are."""
ERRORS_MIN = 100
"""Forecasts of the past below which their errors say nothing."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSeen:
    """Rows of the past, of all targets.

    Attributes:
        until_s: Where it ends, unix time, a multiple of the slot.
        slots: Of `telemetry.queries.hint_inputs.slots`.
        seconds: Of `telemetry.queries.hint_inputs.seconds`.
    """

    until_s: int
    slots: Sequence[Row] = ()
    seconds: Sequence[Row] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What the past says of one target; None is unknown.

    Attributes:
        history: Rate of each slot that had any, by its start.
        shape: Of its days.
        bursts: Of the last hour.
        gap_s: How long nothing comes, once nothing does.
    """

    history: Mapping[int, float]
    shape: Shape | None
    bursts: Bursts | None
    gap_s: float | None

    def error_p95(self, lead_s: float) -> float | None:
        """Return the 95 % point of actual over expected a lead ahead; None below `ERRORS_MIN` forecasts."""
        ahead_s = max(1, round(lead_s / SLOT_S)) * SLOT_S
        found: list[float] = []
        for at_s, now in self.history.items():
            later = self.history.get(at_s + ahead_s)
            if now > 0 and later is not None:
                growth = None if self.shape is None else self.shape.growth(at_s, ahead_s)
                found.append(later / (now * max(1.0, growth or 1.0)))
        found.sort()
        return found[rank(P95, len(found)) - 1] if len(found) >= ERRORS_MIN else None


def habits(one: Hinted, seen: PastSeen) -> Habits:
    """Return what the past says of a target."""
    history = _summed(one, seen.slots, "slots")
    counts = _summed(one, seen.seconds, "seconds")
    since_s = min(counts, default=seen.until_s)
    return Habits(
        history=history,
        shape=shape(history, seen.until_s),
        bursts=bursts([round(counts.get(at_s, 0)) for at_s in range(since_s, seen.until_s)]),
        gap_s=_gap_s(history),
    )


def _summed(one: Hinted, rows: Iterable[Row], name: str) -> dict[int, float]:
    found: dict[int, float] = {}
    for row in rows:
        if one.owns(str(row["endpoint"]), str(row["model"])):
            for at_s, value in row[name]:
                found[int(at_s)] = found.get(int(at_s), 0.0) + float(value)
    return dict(sorted(found.items()))


def _gap_s(history: Mapping[int, float]) -> float | None:
    """Return the mean length of what lies empty between slots; None if nothing does."""
    if not history:
        return None
    empty = [not history.get(at_s) for at_s in range(min(history), max(history), SLOT_S)]
    runs = [len([*run]) for is_empty, run in groupby(empty) if is_empty]
    return SLOT_S * sum(runs) / len(runs) if runs else None
