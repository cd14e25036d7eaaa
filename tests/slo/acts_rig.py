"""A store of acts that may be gone."""

from collections.abc import Sequence

from slo.hints_acts import HintAct
from telemetry.errors import StoreUnreachableError


class Shared:
    """What replicas of a service know of each other's acts.

    Attributes:
        kept: Acts by name.
        is_gone: Whether it does not answer.
    """

    def __init__(self) -> None:
        self.kept = dict[str, HintAct]()
        self.is_gone = False

    def put_acts(self, acts: Sequence[HintAct]) -> None:
        self._look()
        self.kept |= {act.id: act for act in acts}

    def acts(self, since_s: int, until_s: int) -> Sequence[HintAct]:
        self._look()
        return [act for act in self.kept.values() if since_s * 1000 <= act.at_ms < until_s * 1000]

    def _look(self) -> None:
        if self.is_gone:
            raise StoreUnreachableError("gone")
