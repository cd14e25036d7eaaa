"""Knows what speaks against taking one replica away; refuses to take it, and to know for how long nothing spoke.

Every signal is looked at as it would be on n - 1 replicas, with the load n / (n - 1) times as high: 2 and 1 replica
under a constant load would else follow each other for ever (dynamo#9294). What is unknown speaks against it. The GPU
bound keeps those that stay below the level at which the seed adds one; it holds where utilisation follows load, and
where it is told at all: a fleet without samples of GPUs is judged by everything else.

Source: spec/scaling.md 6.2.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from slo.scaling.codes import Veto
from slo.scaling.gpu import UP_RATIO, band, follows_load
from slo.scaling.wants import SLO_BAND

RHO, KV_RATIO = 0.70, 0.65
MEASURED_RHO = 0.75
"""The same where a load test measured what a replica carries of such requests: a formula is wrong by more."""
BUDGET_LEFT = 0.10
QUEUE_RATIO = 0.25
"""Of the queue that keeps the time to first token."""
HELD_S, EACH_S = 300.0, 120.0
"""How long nothing may have spoken against one, at least, and how long after one the next may follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is known at an instant; None is unknown and speaks against it.

    Attributes:
        replicas: n, asked for.
        warming: Of those, not ready.
        draining: Replicas that are still being emptied.
        rho: Load of the ready ones.
        kv_used_ratio: Of the fullest cache.
        gpu_ratio: Mean utilisation.
        saturation: The slow tenth against its objectives; 0 where nothing arrives.
        saturation_limit: Below which that must stay.
        waiting: Requests that wait.
        rho_limit: Below which the load must stay.
        waiting_allowed: How many of them say nothing: an engine at work has some at most instants.
        wanted: What the wants ask for, the largest of them, at the load of now.
        coverage: Share of the replicas that were seen.
        holes: What some of them did not tell, in words.
        has_objectives: Whether anything is to be in time; where nothing is, nothing is late, and the load decides.
        has_gpu: Whether utilisation is told of this fleet, or was lately; of one without it none is missing.
    """

    replicas: int
    warming: int
    draining: int
    rho: float | None
    kv_used_ratio: float | None
    gpu_ratio: float | None
    saturation: float | None
    waiting: int | None
    wanted: int
    coverage: float
    holes: tuple[str, ...] = ()
    has_gpu: bool = True
    has_objectives: bool = True
    saturation_limit: float = SLO_BAND[1]
    waiting_allowed: float = 0.0
    rho_limit: float = RHO


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is known of the error budget.

    Attributes:
        objective: Whether there is one; without it nothing is asked.
        burn_1h: Rate of the last hour; None is unknown.
        left_ratio: What is left; None is unknown.
        kept: Whether its policy says that no capacity is taken away.
    """

    objective: bool
    burn_1h: float | None
    left_ratio: float | None
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One thing that speaks against it.

    Attributes:
        code: What.
        text: A sentence for people.
    """

    code: Veto
    text: str


def load_vetoes(of: Signals) -> tuple[Against, ...]:
    """Return what the load of the replicas that would stay says; ask only with two replicas or more."""
    times = of.replicas / (of.replicas - 1)
    looks = [
        (Veto.RHO_AFTER, "load", of.rho, times, of.rho_limit),
        (Veto.KV_AFTER, "fullest cache", of.kv_used_ratio, times, KV_RATIO),
    ]
    if of.has_objectives:
        late = "slow tenth against its objective"
        looks.append((Veto.SLO_RATIO_AFTER, late, of.saturation, times, of.saturation_limit))
    found = [_after(*look) for look in looks]
    if of.has_gpu and (of.gpu_ratio is None or follows_load(of.gpu_ratio, of.rho)):
        found.append(_gpu(of.gpu_ratio, times))
    if of.wanted > of.replicas - 1:
        found.append(Against(code=Veto.RHO_AFTER, text=f"{of.wanted} replicas are asked for at the load of now"))
    if of.waiting is None or of.waiting > of.waiting_allowed:
        text = "it is not known whether requests wait" if of.waiting is None else f"{of.waiting} requests wait"
        found.append(Against(code=Veto.QUEUE_NONZERO, text=text))
    return _each_once(one for one in found if one is not None)


def state_vetoes(of: Signals, budget: Budget) -> tuple[Against, ...]:
    """Return what the state of the target says, whatever its load."""
    found = [
        (of.warming > 0, Veto.WARMING, f"{of.warming} replicas are warming up"),
        (of.draining > 0, Veto.DRAINING, f"{of.draining} replicas are still being emptied"),
        (of.coverage < 1, Veto.COVERAGE, f"{of.coverage:.0%} of the replicas were seen"),
        (bool(of.holes), Veto.COVERAGE, f"not every replica told all: {', '.join(of.holes)}"),
        (budget.kept, Veto.BUDGET_LOW, "the policy of the error budget takes no capacity away"),
    ]
    if budget.objective:
        burn, left = budget.burn_1h, budget.left_ratio
        found.append((burn is None or burn > 1, Veto.BURN, f"the budget burns at {_shown(burn)} of its rate"))
        found.append((left is None or left < BUDGET_LEFT, Veto.BUDGET_LOW, f"{_shown(left)} of the budget is left"))
    return _each_once(Against(code=code, text=text) for speaks, code, text in found if speaks)


def hold_s(lead_s: float, factor: float) -> float:
    """Return how long nothing may have spoken against it.

    Args:
        lead_s: P90 of cold starts.
        factor: What reversals lengthen it by.
    """
    return max(HELD_S, 2 * lead_s) * factor


def waiting_allowed(per_replica: float | None, replicas: int) -> float:
    """Return how many requests may wait: a quarter of what keeps the time to first token, on one replica less.

    Args:
        per_replica: Q*; None if unknown, then none may.
        replicas: n.
    """
    return 0.0 if per_replica is None else QUEUE_RATIO * max(per_replica, 0.0) * (replicas - 1)


def _after(code: Veto, name: str, value: float | None, times: float, limit: float) -> Against | None:
    if value is None:
        return Against(code=code, text=f"{name} is not known")
    if value * times < limit:
        return None
    return Against(code=code, text=f"{name} {value:.0%} would be {value * times:.0%}, allowed is less than {limit:.0%}")


def _gpu(ratio: float | None, times: float) -> Against | None:
    found = _after(Veto.GPU_BAND, "GPU", ratio, times, UP_RATIO)
    if found is None or ratio is None:
        return found
    return Against(code=found.code, text=f"{found.text} ({band(ratio)})")


def _each_once(found: Iterable[Against]) -> tuple[Against, ...]:
    return tuple({one.code: one for one in reversed([*found])}.values())[::-1]


def _shown(ratio: float | None) -> str:
    return "an unknown share" if ratio is None else f"{ratio:.3g}"
