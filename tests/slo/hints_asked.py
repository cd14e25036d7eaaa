"""The API with one target that has a hint and one that has none; the store is gone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from acts_rig import Shared
from hints_rig import target
from scaling_rig import Follower, observed
from views import NOBODY, NOW_S, Told, seen

from slo.api import application
from slo.api_guard import hosts_of
from slo.api_parts import Beyond
from slo.hints_acts import HintActs
from slo.hints_book import HintBook, kept
from slo.hints_past import Habits
from slo.hints_published import Hinting, Published
from slo.hints_starts import HintStarts
from slo.scaling.cold_start import Told as StartTold
from slo.scaling.fold import instant_s
from slo.scaling.hint import Hint
from telemetry.store import Store

NAME = "llama70b-chat"
AT_S = instant_s(NOW_S)


class Taking(HintStarts):
    """Keeps starts over a store that is gone, until it takes what it is told.

    Attributes:
        taken: What it was told; None while it takes nothing.
    """

    def __init__(self) -> None:
        gone = Store(NOBODY, request_s=1)
        super().__init__(gone, gone, [target(NAME), target("never")])
        self.taken: list[tuple[str, StartTold]] | None = None

    def tell(self, name: str, one: StartTold) -> None:
        if self.taken is None:
            super().tell(name, one)
        else:
            self.taken.append((name, one))


class Asked(Told):
    """The API with one target that has a hint and one that has none."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, seen())
        self.follower, self.at_s = Follower(), AT_S
        self.desk_of = Published([target(NAME), target("never")], lambda: (float(self.now_s), float(self.now_s)))
        book = HintBook(Store(NOBODY, request_s=1), Store(NOBODY, request_s=1), [NAME, "never"])
        self.shared = Shared()
        self.acts = HintActs(self.ledger, self.shared)
        self.starts = Taking()
        self.history = dict[int, float]()
        self.hinting = Hinting(
            published=self.desk_of, acts=self.acts, book=book, starts=self.starts, habits=lambda _: self.habits()
        )
        self.parts = replace(self.parts, hints=self.desk_of, hinting=self.hinting)
        self.can(self.parts.beyond)

    def can(self, beyond: Beyond) -> None:
        """Serve anew, with what only the whole program can do."""
        self.app = application(replace(self.parts, beyond=beyond), hosts_of("127.0.0.1", 8200), "0.0.0")

    def habits(self) -> Habits | None:
        """Return what the past says; nothing before it was looked at."""
        return Habits(history=self.history, shape=None, bursts=None, gap_s=None) if self.history else None

    def publish(self, **values: Any) -> Hint:  # noqa: ANN401 -- of an observation
        """Publish the hint of the next instant."""
        hint = self.follower.see(observed(self.at_s, **values))
        self.desk_of.publish({NAME: kept(self.at_s, self.follower.state, hint)})
        self.desk_of.reached()
        self.at_s += 15
        return hint
