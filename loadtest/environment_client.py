"""Knows what the machine of the client says about a run; refuses to look at it.

A governor that saves power has doubled a measured TTFT by itself. All of it is a note: whether the client kept up is
proven by `loadtest.fitness`.

Source: spec/loadtest.md 11 (client; aiperf #1424).
"""

from dataclasses import dataclass

from loadtest.environment import Finding, State, When


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One look at the machine of the client.

    Attributes:
        governors: Of its cores, each once; None if the kernel does not say, as in most virtual machines.
        load: Mean number of runnable processes over the last minute; None if unknown.
        cores: How many it has.
        swap_bytes: Swap in use; None if unknown.
    """

    governors: frozenset[str] | None
    load: float | None
    cores: int
    swap_bytes: int | None


def findings(one: Machine, when: When) -> list[Finding]:
    """Return what is said of it."""
    governors = None if one.governors is None else ", ".join(sorted(one.governors))
    return [
        _noted("governor", when, governors, "performance", good=one.governors == frozenset({"performance"})),
        _noted(
            "load",
            when,
            None if one.load is None else f"{one.load:.2f} on {one.cores} cores",
            f"{one.cores / 2:g}",
            good=one.load is not None and one.load <= one.cores / 2,
        ),
        _noted(
            "swap",
            when,
            None if one.swap_bytes is None else f"{one.swap_bytes >> 20} MiB",
            "none",
            good=not one.swap_bytes,
        ),
    ]


def _noted(name: str, when: When, found: str | None, allowed: str, *, good: bool) -> Finding:
    state = State.UNKNOWN if found is None else State.OK if good else State.NOTE
    told = "the kernel does not say" if found is None else found
    return Finding(name=f"client_{name}", when=when, state=state, found=told, allowed=allowed)
