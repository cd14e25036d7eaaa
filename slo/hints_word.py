"""Knows what objectives and scaling hints tell each other: how a target's objective stands, what an alert is to say.

It refuses to evaluate, and to make hints. Of several groups that of the target's endpoint counts, else the one that
burns fastest.

Source: spec/scaling.md 1 (slo), 6.2 (burn_1h, budget_left).
"""

from collections.abc import Iterable

from slo.alarms import Judged
from slo.hints_sight import Promise
from slo.hints_target import Hinted
from slo.scaling.codes import Action
from slo.scaling.hint import Hint
from slo.shown import known
from slo.view import EngineView
from slo.watched import HOUR_S


def promise(one: Hinted, view: EngineView) -> Promise:
    """Return how the objective of a target stands; unknown without one, or while nothing was evaluated."""
    judged = [each for each in known(view) if one.slo and each.watched.objective.name == one.slo]
    own = [each for each in judged if each.group.get("endpoint", one.endpoint) == one.endpoint] or judged
    worst = max(own, key=_burn, default=None)
    if worst is None:
        return Promise()
    objective = worst.watched.objective.target
    if worst.found is None:
        return Promise(objective_ratio=objective)
    counts = worst.found.facts.windows.get(HOUR_S)
    attainment = None if counts is None or not counts.eligible else 1 - counts.bad / counts.eligible
    return Promise(
        objective_ratio=objective,
        attainment_1h_ratio=attainment,
        burn_1h=worst.found.burn.get(HOUR_S),
        budget_left_ratio=worst.found.left.remaining,
    )


def clause(hints: Iterable[Hint]) -> str:
    """Return what an alert says of hints that ask for a change, or cannot; empty if all are to hold."""
    told = [one for one in hints if one.action is not Action.HOLD]
    return "; ".join(f"{one.target.name}: {_asked(one)}" for one in told)


def _asked(hint: Hint) -> str:
    of = hint.replicas
    why = next((one.text for one in hint.reasons if one.binding), "")
    asked = hint.action.value if of.spec == of.desired else f"{hint.action}, {of.spec} -> {of.desired} replicas"
    return f"{asked} ({why})" if why else asked


def _burn(one: Judged) -> float:
    return -1.0 if one.found is None else one.found.burn.get(HOUR_S, 0.0)
