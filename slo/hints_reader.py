"""Knows which questions an instant of all targets takes; refuses to make anything of the answers.

Four questions an instant, whatever the number of targets, and three more every ten minutes about the past.

Source: spec/scaling.md 5 (inputs), 6.5 (14 d), 6.6 (bursts); `telemetry.queries.hint_inputs`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from slo.hints_past import PAST_S, SECONDS_S, PastSeen
from slo.hints_sight import WINDOW_S, Seen
from slo.hints_target import Hinted
from telemetry.queries import hint_inputs
from telemetry.queries.profiles import profiles
from telemetry.queries.question import Question
from telemetry.store import Store

PAST_EVERY_S = hint_inputs.SLOT_S
"""How often the past is looked at."""
Row = Mapping[str, Any]


class HintReader:
    """Asks the store about targets.

    Args:
        store: The store, as who may read.
        targets: Which.
    """

    def __init__(self, store: Store, targets: Sequence[Hinted]) -> None:
        self._store = store
        self.follow(targets)

    def follow(self, targets: Sequence[Hinted]) -> None:
        """Ask about other targets from now on."""
        self._endpoints = sorted({one.endpoint for one in targets})

    def seen(self, at_s: int) -> Seen:
        """Return what is seen of all targets at an instant.

        Raises:
            StoreError: The store did not answer; so for every method.
        """
        at_ms, window_ms = at_s * 1000, WINDOW_S * 1000
        return Seen(
            at_s=at_s,
            engines=self._ask(hint_inputs.engines(at_ms, window_ms, self._endpoints)),
            demand=self._ask(hint_inputs.demand(at_ms, window_ms, self._endpoints)),
            mix=self._ask(hint_inputs.mix(at_ms - window_ms, at_ms, self._endpoints)),
            gpus=self._ask(hint_inputs.gpus(at_ms, window_ms, self._endpoints)),
        )

    def store_s(self) -> float:
        """Return what time it is by the store's own clock, unix seconds."""
        (row,) = self._ask(hint_inputs.clock())
        return int(row["now_unix_ms"]) / 1000

    def past(self, at_s: int) -> PastSeen:
        """Return what the past of all targets is, up to the last whole slot."""
        until_s = at_s // PAST_EVERY_S * PAST_EVERY_S
        end_ms = until_s * 1000
        return PastSeen(
            until_s=until_s,
            slots=self._ask(hint_inputs.slots(end_ms - PAST_S * 1000, end_ms, self._endpoints)),
            seconds=self._ask(hint_inputs.seconds(end_ms - SECONDS_S * 1000, end_ms, self._endpoints)),
        )

    def profiles(self, at_s: int) -> Sequence[Row]:
        """Return the scaling profiles that hold."""
        return self._ask(profiles(at_s * 1000))

    def _ask(self, question: Question) -> Sequence[Row]:
        return cast("Sequence[Row]", self._store.query(question))
