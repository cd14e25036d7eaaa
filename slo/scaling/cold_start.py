"""Knows what cold starts took, phase by phase, and whether they take longer than they did; refuses to see any start.

    schedule, image, weights, init     on a node, image there, weights loaded, engine up: told by who sees it
    ready                              from being asked for to the first answer, as we see it
    stable                             from then on to the first 50 requests within their objectives

What is told of a replica within four hours of its being ready is of that start, and of two words on one phase the last
one counts. Of the engine's own start we see the life of its process, which holds the weights: whoever tells these tells
a part of it, and whoever tells both is believed.

Error: nearest rank of 20, so P90 is the third largest; a replica is asked for at the instant that shows it, up to 15 s
late, and ready at the scrape that shows it. Without a start nothing is known, and below `COMPARED_MIN` on either side
nothing is said of slower.

Source: spec/scaling.md 6.9.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from slo.scaling.lead import STARTS_MAX, Lead, lead
from telemetry.percentile import P90, rank

SPAN_S = 4 * 3_600
"""What is told of a replica within this time of its being ready is of that start."""
PHASE_S_MAX = 4_200.0
"""Longest phase that can be kept: a column holds 71 minutes of microseconds. What took longer counts as this."""
COMPARED_MIN = 5
"""Fewest starts on either side of a comparison."""
SLOWER_RATIO = 1.3
"""Times the P90 of before from which starts have become slower."""


class Phase(StrEnum):
    """What is measured of a start; the first four are parts of `ready`."""

    SCHEDULE = "schedule"
    IMAGE = "image"
    WEIGHTS = "weights"
    INIT = "init"
    READY = "ready"
    STABLE = "stable"


PARTS = (Phase.SCHEDULE, Phase.IMAGE, Phase.WEIGHTS, Phase.INIT)
"""What somebody else may tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One word on one start.

    Attributes:
        at_s: When the replica was ready, if this says so, or was given up; else when it was told; unix time.
        replica: Which; empty if nobody knows.
        took_s: How long phases took, as far as this says.
        failed: Whether the replica was given up.
    """

    at_s: float
    replica: str
    took_s: Mapping[Phase, float]
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start.

    Attributes:
        at_s: When the replica was ready, unix time.
        took_s: How long phases took, as far as they are known; `ready` is.
    """

    at_s: float
    took_s: Mapping[Phase, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slower:
    """Starts take longer than they did: `coldstart_regression`.

    Attributes:
        phase: What grew most; `ready` if no part of it is known on both sides.
        p90_s: Of whole starts, now.
        before_p90_s: The same, before.
        n: Starts that the first rests on.
        before_n: Starts that the second rests on.
    """

    phase: Phase
    p90_s: float
    before_p90_s: float
    n: int
    before_n: int

    @property
    def text(self) -> str:
        """Say it in a sentence."""
        where = "no phase of them is told" if self.phase is Phase.READY else f"{self.phase} grew most"
        return (
            f"the P90 of the last {self.n} cold starts is {self.p90_s:.0f} s, that of the {self.before_n} before was "
            f"{self.before_p90_s:.0f} s; {where}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStarts:
    """What is known of the starts of a target.

    Attributes:
        lead: Whole starts, the last 20 of 30 days.
        phases: The same of each phase that is known of any.
        failed: Replicas that were given up in these days.
        slower: That starts became slower; None if not, or if there are too few.
    """

    lead: Lead
    phases: Mapping[Phase, Lead]
    failed: int
    slower: Slower | None


def starts(told: Iterable[Told]) -> list[Start]:
    """Return the starts that are told of, oldest first; words on a replica that never was ready are left out."""
    by_replica: dict[str, list[Told]] = {}
    for one in sorted(told, key=lambda one: one.at_s):
        if not one.failed:
            by_replica.setdefault(one.replica, []).append(one)
    found = [start for words in by_replica.values() for start in _starts_of(words)]
    return sorted(found, key=lambda one: one.at_s)


def cold_starts(told: Sequence[Told]) -> ColdStarts | None:
    """Return what is known of the starts of a target; None without any that became ready.

    Args:
        told: What was told in 30 days.
    """
    found = starts(told)
    whole = lead([one.took_s[Phase.READY] for one in found])
    if whole is None:
        return None
    values = {phase: [one.took_s[phase] for one in found if phase in one.took_s] for phase in Phase}
    return ColdStarts(
        lead=whole,
        phases={phase: of for phase, took_s in values.items() if (of := lead(took_s)) is not None},
        failed=sum(one.failed for one in told),
        slower=slower(found),
    )


def slower(found: Sequence[Start]) -> Slower | None:
    """Return that the last starts took longer than those before; None if not, or if there are too few.

    The last are 20, and half of all at most, so that a young target has something to be compared with.

    Args:
        found: Of 30 days, oldest first.
    """
    n = min(STARTS_MAX, len(found) // 2)
    before, now = found[: len(found) - n], found[len(found) - n :]
    if n < COMPARED_MIN:
        return None
    p90_s, before_s = _p90_s(now, Phase.READY) or 0.0, _p90_s(before, Phase.READY) or 0.0
    if p90_s <= SLOWER_RATIO * before_s:
        return None
    grown = {
        phase: of_now - of_before
        for phase in PARTS
        if (of_now := _p90_s(now, phase)) is not None and (of_before := _p90_s(before, phase)) is not None
    }
    phase = max(grown, key=lambda one: grown[one], default=Phase.READY)
    return Slower(phase=phase, p90_s=p90_s, before_p90_s=before_s, n=n, before_n=len(before))


def _p90_s(found: Iterable[Start], phase: Phase) -> float | None:
    took_s = sorted(one.took_s[phase] for one in found if phase in one.took_s)
    return took_s[rank(P90, len(took_s)) - 1] if took_s else None


def _starts_of(words: Sequence[Told]) -> list[Start]:
    """Return the starts of one replica; where nobody knows which it was each is of another one, without parts."""
    whole = [one for one in words if Phase.READY in one.took_s]
    parts = [one for one in words if Phase.READY not in one.took_s and one.replica]
    of: dict[int, list[Told]] = {}
    for one in parts:
        near = min(range(len(whole)), key=lambda at: abs(whole[at].at_s - one.at_s), default=None)
        if near is not None and abs(whole[near].at_s - one.at_s) <= SPAN_S:
            of.setdefault(near, []).append(one)
    return [_merged(one, of.get(at, ())) for at, one in enumerate(whole)]


def _merged(seen: Told, told: Sequence[Told]) -> Start:
    """Return a start as it is seen by us, with what others told of it, oldest first."""
    took_s = dict(seen.took_s)
    theirs: dict[Phase, float] = {}
    for one in told:
        theirs |= one.took_s
    if Phase.INIT in took_s and Phase.WEIGHTS in theirs:
        took_s[Phase.INIT] = max(0.0, took_s[Phase.INIT] - theirs[Phase.WEIGHTS])
    return Start(at_s=seen.at_s, took_s=took_s | theirs)
