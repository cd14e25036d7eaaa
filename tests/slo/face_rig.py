"""Targets in each standing that the freshness contract names, for the tests of what controllers are answered."""

from dataclasses import dataclass, field, replace

from scaling_rig import KNOWN, SETTINGS, T0, TARGET, Follower, changed, observed

from slo.scaling.freshness import Standing
from slo.scaling.hint import Hint, encoded
from slo.scaling.served import Served
from slo.scaling.settings import Freeze, Target
from telemetry.errors import StoreUnreachableError

NAME = TARGET.name
NOW_S = T0 + 5.0
LIVES_S = 60
FROZEN = changed(KNOWN, freeze=Freeze(until_s=T0 + 3_600, who="sre", reason="a test"))


def served(hint: Hint) -> Served:
    return Served(settings=SETTINGS, hint=hint, body=encoded(hint), expires_unix_s=T0 + LIVES_S)


def rising(target: Target = TARGET) -> Hint:
    """Return a hint for more: 11.4 rps on 4 replicas of 2.6 rps, one of them warming."""
    settings = replace(SETTINGS, target=target)
    return Follower(settings).see(observed(arrivals_rps=11.4, warming=1, cold_start_p90_s=540.0))


HINTS = {
    Standing.FRESH: rising(),
    Standing.PARTIAL: Follower().see(observed(coverage=0.6, arrivals_rps=11.4)),
    Standing.STALE: Follower().see(observed(age_s=None)),
    Standing.FROZEN: Follower(known=FROZEN).see(observed(age_s=None)),
}


@dataclass(slots=True, kw_only=True)
class Desk:
    """A desk on which hints lie that a test put there.

    Attributes:
        hints: By target; None for one that was never seen.
        is_reached: Whether the store answers.
    """

    hints: dict[str, Served | None] = field(default_factory=dict[str, Served | None])
    is_reached: bool = True

    def names(self) -> tuple[str, ...]:
        return tuple(self.hints)

    def served(self, name: str, now_unix_s: float) -> Served | None:
        found = self.hints.get(name)
        if not self.is_reached and (found is None or now_unix_s >= found.expires_unix_s):
            raise StoreUnreachableError("the store does not answer")
        return found


def desk(standing: Standing) -> tuple[Desk, float]:
    """Return a desk with one target in a standing, and the moment at which it stands so."""
    if standing is Standing.UNKNOWN:
        return Desk(hints={NAME: None}), NOW_S
    if standing is Standing.UNREACHABLE:
        return Desk(hints={NAME: served(HINTS[Standing.FRESH])}, is_reached=False), T0 + LIVES_S
    return Desk(hints={NAME: served(HINTS[standing])}), NOW_S
