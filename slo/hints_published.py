"""Knows what every transport of hints is given, and when no more: the desk of hints; refuses to make hints.

A hint is not believed for longer because a wall clock went back: its age is the larger of what the wall clock says and
of what passed on the clock that never steps since it was published.

    store answers        the hint; once it is expired what an expired hint stands for
    store is silent      the hint until it expires, then an error

Source: spec/scaling.md 3 (freshness contract); `slo.scaling.served.HintDesk`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from slo.hints_acts import HintActs
from slo.hints_book import HintBook, Kept
from slo.hints_past import Habits
from slo.hints_starts import HintStarts
from slo.hints_target import Hinted
from slo.scaling.expired import expired, unix_s
from slo.scaling.hint import encoded
from slo.scaling.served import Served
from telemetry.errors import StoreUnreachableError


class NeverSeenError(StoreUnreachableError):
    """The store does not answer, and there never was a hint of the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    live: Served
    over: Served
    wall_unix_s: float
    monotonic_s: float


class Published:
    """The desk of hints; replaced target by target, read from any thread.

    Args:
        targets: The targets.
        clocks: Reads the wall clock, unix seconds, and the clock that never steps, seconds.
    """

    def __init__(self, targets: Sequence[Hinted], clocks: Callable[[], tuple[float, float]]) -> None:
        self._targets = {one.name: one for one in targets}
        self._clocks = clocks
        self._said: Mapping[str, _Said] = {}
        self._trouble = "the store was not asked yet"
        self._bells: tuple[Callable[[], None], ...] = ()
        self._is_over = False

    def follow(self, targets: Sequence[Hinted]) -> None:
        """Give hints of other targets from now on; who waits for news of one that is gone is told."""
        self._targets = {one.name: one for one in targets}
        self._said = {name: said for name, said in self._said.items() if name in self._targets}
        self._ring()

    @property
    def trouble(self) -> str:
        """Why the store does not answer; empty if it does."""
        return self._trouble

    @property
    def is_over(self) -> bool:
        """Whether the service ends, so that there will be no news."""
        return self._is_over

    def names(self) -> tuple[str, ...]:
        """Return the targets that are configured, in the order of the configuration."""
        return tuple(self._targets)

    def hinted(self, name: str) -> Hinted | None:
        """Return a target; None if there is none of that name."""
        return self._targets.get(name)

    def served(self, name: str, now_unix_s: float) -> Served | None:
        """Return the last hint of a target; None if it is unknown or was never seen.

        Raises:
            NeverSeenError: The store does not answer, and there is no hint.
            StoreUnreachableError: The store does not answer, and the last hint is expired.
        """
        said = self._said.get(name)
        if said is None:
            if self._trouble and name in self._targets:
                raise NeverSeenError(self._trouble)
            return None
        _, monotonic_s = self._clocks()
        now_unix_s = max(now_unix_s, said.wall_unix_s + monotonic_s - said.monotonic_s)
        if not said.live.left_s(now_unix_s):
            if self._trouble:
                raise StoreUnreachableError(self._trouble)
            return said.over
        return said.live

    def publish(self, kept: Mapping[str, Kept]) -> None:
        """Let hints be read from now on."""
        wall_s, monotonic_s = self._clocks()
        made = {name: self._made(name, one, wall_s, monotonic_s) for name, one in kept.items()}
        self._said = {**self._said, **made}
        self._ring()

    def reached(self, trouble: str = "") -> None:
        """Note whether the store answered; with a trouble it did not."""
        self._trouble = trouble

    def listen(self, bell: Callable[[], None]) -> None:
        """Have something called, from any thread, whenever there are new hints."""
        self._bells = (*self._bells, bell)

    def end(self) -> None:
        """Let nobody wait for news any more."""
        self._is_over = True
        self._ring()

    def _ring(self) -> None:
        for bell in self._bells:
            bell()

    def _made(self, name: str, one: Kept, wall_s: float, monotonic_s: float) -> _Said:
        settings, hint = self._targets[name].settings, one.hint
        # Of a hint that was kept while the clock went back the end lies too far ahead.
        expires_s = min(float(unix_s(hint.expires_at)), wall_s + settings.ttl_s)
        live = Served(settings=settings, hint=hint, body=one.payload.encode(), expires_unix_s=expires_s)
        gone = expired(hint)
        over = Served(settings=settings, hint=gone, body=encoded(gone), expires_unix_s=expires_s)
        return _Said(live=live, over=over, wall_unix_s=wall_s, monotonic_s=monotonic_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hinting:
    """What the routes of hints speak to.

    Attributes:
        published: Where the last hints are.
        acts: What was done with them.
        book: The same and the past, in the store.
        starts: How long replicas take.
        habits: Returns what the past says of a target; None before it was looked at.
    """

    published: Published
    acts: HintActs
    book: HintBook
    starts: HintStarts
    habits: Callable[[str], Habits | None] = lambda _: None
