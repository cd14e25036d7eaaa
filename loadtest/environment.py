"""Knows what is said of the surroundings of a run, and what that makes of it; refuses to know how they were looked at.

    ok        it was looked at and is as it must be
    note      it may explain a figure
    flag      the run speaks, with this said beside it
    unknown   nobody could look; that is no ok
    unfit     the run says nothing of the server: its fit is void and there is no verdict

Source: spec/loadtest.md 11 (table), 5 (`fit = void`), 1 (unfit outranks failed).
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from loadtest.conductor import EXIT_FAULT, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED, Ending
from loadtest.fitness import Fit, Fitness


class State(StrEnum):
    """How something in the surroundings is, worst first."""

    UNFIT = "unfit"
    FLAG = "flag"
    UNKNOWN = "unknown"
    NOTE = "note"
    OK = "ok"


class When(StrEnum):
    """When it was looked at."""

    BEFORE = "before"
    DURING = "during"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line about the surroundings.

    Attributes:
        name: What was looked at.
        when: When.
        state: How it is.
        found: In words, with unit.
        allowed: In words, with unit.
    """

    name: str
    when: When
    state: State
    found: str
    allowed: str


OPAQUE = Finding(
    name="environment",
    when=When.BEFORE,
    state=State.UNKNOWN,
    found="opaque: a hosted endpoint shows neither its engine nor its GPUs",
    allowed="a page of metrics",
)
"""What is said of an endpoint that somebody else runs."""

_ORDER = list(State)
_OWN_ENDINGS = frozenset({EXIT_FAULT, EXIT_INTERRUPTED})


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings with the worst first, else in their order."""
    return tuple(sorted(findings, key=lambda one: _ORDER.index(one.state)))


def unfit(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return what makes a run void."""
    return tuple(one for one in findings if one.state is State.UNFIT)


def sentence(one: Finding) -> str:
    """Return a finding in words."""
    return f"environment: {one.name} {one.when} the run: {one.found}, allowed: {one.allowed}"


def voided(ending: Ending, findings: Sequence[Finding]) -> Ending:
    """Return an ending with what its surroundings make of it: void, without a verdict, if they were unfit.

    Our own fault and an interruption keep their exit code.
    """
    broken = unfit(findings)
    if not broken:
        return ending
    checks = ending.fitness.checks if ending.fitness else ()
    code = ending.code if ending.code in _OWN_ENDINGS else EXIT_INCONCLUSIVE
    message = "; ".join(filter(None, [*map(sentence, broken), ending.message]))
    return msgspec.structs.replace(ending, code=code, message=message, fitness=Fitness(fit=Fit.VOID, checks=checks))
