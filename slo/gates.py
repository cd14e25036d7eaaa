"""Knows when a burn rate rests on too little to act on; refuses to know whether the rule is true.

Each gate that fails is a reason for silence, with what was found and what it needs.

    G1 min_events, min_bad   10 requests and 3 bad ones in the long window
    G2 evidence              lower 5 % point of Beta(bad + 1/2, eligible - bad + 1/2) above burn * (1 - target)
    G3 traffic_weight        pages only: bad / (expected * (1 - target)) at least the rule's share of the budget

G2 is a filter and no sequential test: asked at every instant it lets more than 5 % of borderline cases pass.
G3: of a million requests a month 99.9 % allows 1,000 bad ones; 2 bad of 5 at night burn at 400, and are 0.2 % of them.

Source: spec/slo.md 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from slo.burn_catalogue import Severity
from slo.counts import Counts, allowed_ratio, exact
from slo.special import proven_above, ratio_lower
from slo.windows import BurnRule, reach_ratio

STARVED_S = 6 * 3_600
"""A group whose counts were too few for this long is judged with others, in a wider one."""


class Gate(StrEnum):
    """Why a rule that is true keeps silent."""

    MIN_EVENTS = "min_events"
    MIN_BAD = "min_bad"
    EVIDENCE = "evidence"
    TRAFFIC_WEIGHT = "traffic_weight"


class Level(StrEnum):
    """Groups that an objective may be evaluated for, narrowest first."""

    GROUP = "group"
    REGION = "region"
    ENDPOINT = "endpoint"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What the gates of an objective ask.

    Attributes:
        min_events: Eligible requests in the long window.
        min_bad: Bad requests in the long window.
        evidence: Whether G2 is asked.
        traffic_weight: Whether G3 is asked of pages.
    """

    min_events: int = 10
    min_bad: int = 3
    evidence: bool = True
    traffic_weight: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A gate that failed.

    Attributes:
        gate: Which.
        found: What the counts give: requests, a ratio, or a share of the budget.
        needed: What `found` must reach, or exceed in the case of `EVIDENCE`.
    """

    gate: Gate
    found: float
    needed: float


DEFAULT_GATES = GateSettings()


def silences(
    rule: BurnRule, target: float, long: Counts, expected: float | None, settings: GateSettings = DEFAULT_GATES
) -> tuple[Silence, ...]:
    """Return every gate that fails; none means that the rule may speak.

    Args:
        rule: The rule.
        target: Share that is to be good.
        long: Counts of its long window.
        expected: Requests of the whole period; None if unknown, which fails no gate.
        settings: What the gates ask.
    """
    found: list[Silence] = []
    if long.eligible < settings.min_events:
        found.append(Silence(gate=Gate.MIN_EVENTS, found=long.eligible, needed=settings.min_events))
    if long.bad < settings.min_bad:
        found.append(Silence(gate=Gate.MIN_BAD, found=long.bad, needed=settings.min_bad))
    if settings.evidence and not has_evidence(rule, target, long):
        lower = ratio_lower(long.bad, long.eligible)
        found.append(Silence(gate=Gate.EVIDENCE, found=lower, needed=reach_ratio(rule, target)))
    if settings.traffic_weight and expected and rule.severity is Severity.PAGE:
        spent = Fraction(long.bad) / (exact(expected) * allowed_ratio(target))
        if spent < exact(rule.budget_ratio):
            found.append(Silence(gate=Gate.TRAFFIC_WEIGHT, found=float(spent), needed=rule.budget_ratio))
    return tuple(found)


def has_evidence(rule: BurnRule, target: float, long: Counts) -> bool:
    """Return whether the counts of the long window prove the burn (G2)."""
    return proven_above(long.bad, long.eligible, reach_ratio(rule, target))


def level(starved_s: Mapping[Level, float]) -> Level:
    """Return the narrowest group that has enough to go on.

    Args:
        starved_s: How long G1 or G2 has been failing for want of requests, per level; one that is missing does not
            starve.

    Returns:
        The service, if all starve.
    """
    return next((one for one in Level if starved_s.get(one, 0.0) < STARVED_S), Level.SERVICE)
