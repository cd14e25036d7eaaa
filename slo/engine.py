"""Knows the loop: at which instant what is asked, judged, kept and said; refuses to know how any of it is done.

One engine in one thread. Each step takes the instants that are due, oldest first. An instant is one transaction in the
ledger; the view for the API is replaced behind it. While the store does not answer, instants are judged blind: alerts
stand, nothing is resolved, and after two minutes the blindness itself is told.

Source: spec/slo.md 7, 8, 9.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from slo import sight
from slo.alarms import Judged, Quiet, advance, restored, taken_over
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Transition
from slo.blindness import Blindness
from slo.buckets import Bucket, between
from slo.budget import Budget
from slo.counting import Counting
from slo.errors import CountsError
from slo.evaluation import Evaluated, evaluate
from slo.explaining import Explain, explained
from slo.instants import LAG_S_MAX, Clocks, ClockStep, due, instant_s, lag_s, may_start, read_clocks
from slo.ledger import Ledger
from slo.notice import Notice
from slo.objective import Rolling
from slo.outage import LONG_S
from slo.periods import civil
from slo.reader import Reader
from slo.sequential import LOOK_BACK_S
from slo.sight import NO_GROUP, Key, Sight, group_of
from slo.sliced import is_sliced
from slo.telemetry_state import Blind, BlindCause
from slo.view import TRANSITIONS_MAX, EngineView
from slo.watch import Watch
from slo.watched import HOUR_S, Watched
from slo.wider import widened
from slo.windows import BUCKET_S
from telemetry.errors import StoreError

SLICED_EVERY_S = 300
"""How often budgets that are made of slices are made again."""
ADJUSTED_S_MAX = 900
"""How long budgets less what people took out are told of while they cannot be made anew; then, budgets as they are."""
RECENT_S = max(LONG_S, LOOK_BACK_S)
"""Single buckets that rules look at."""
ASKED_AGAIN_N = 4
"""Instants that were blind and are asked about once more at an instant."""
KNOWN_S = 30 * 86_400
"""How far back an engine without a memory of its own looks for alerts."""
NOTED_S = 3_600.0
"""How long it is said what happened to the clock."""
_CLOCK_HOLD_S = 300
"""For how long after a step of the clock no alert begins: one short window."""

Change = tuple[Alert, Transition]
Adjust = Callable[[Sight], Mapping[Key, Budget]]
Others = Callable[[int, Mapping[int, Alert]], Sequence[Watch]]
"""Returns alerts that no objective makes; speaks for each that is remembered and must not end; never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whom the engine speaks to.

    Attributes:
        channels: Which notices go to which queue.
        quiet: Says what keeps notices back now.
        explain: Says more about an alert that begins to fire.
        adjust: Returns what is left of the budgets out of whose period people took something.
        others: Says what it finds at an instant, given the alerts that are remembered.
        is_over: Says whether a step is to end with the instant that it is at; those that are left stay due.
    """

    channels: Callable[[Sequence[Notice]], Mapping[str, Sequence[Notice]]] = lambda _: {}
    quiet: Callable[[int], Quiet] = lambda _: Quiet()
    explain: Explain = lambda _judged, _alert: {}
    adjust: Adjust = lambda _: {}
    others: Others = lambda _at_s, _before: ()
    is_over: Callable[[], bool] = lambda: False


class Engine:
    """Evaluates objectives.

    Attributes:
        view: What was seen last; replaced whole.
        unkept: Changes of state that the store does not have yet; who takes this engine's place is handed them.
        has_more: Whether the last step counted some of the past, so that the next need not wait.

    Args:
        watched: The objectives.
        reader: Asks the store.
        ledger: What must not be forgotten.
        reach: Whom it speaks to.
        clocks: Wall and monotonic clock at the start, seconds.
    """

    def __init__(
        self, watched: Sequence[Watched], reader: Reader, ledger: Ledger, reach: Reach, clocks: tuple[float, float]
    ) -> None:
        self._watched, self._reader, self._ledger, self._reach = watched, reader, ledger, reach
        self._clocks = Clocks(wall_unix_s=clocks[0], monotonic_s=clocks[1])
        self._hashes = {one.objective.name: one.definition_hash for one in watched}
        alerts = restored(ledger.alerts(), int(clocks[0]), self._hashes)
        self.view = EngineView(watched=watched, at_s=ledger.instant_s(), alerts=alerts)
        self._is_new = self.view.at_s is None
        self._learnt: tuple[Alert, ...] = ()
        self.has_more = False
        self._notes: dict[str, float] = {}
        self.unkept: tuple[Change, ...] = ()
        self._budgets: dict[Key, Budget] = {}
        self._budgets_at_s = 0
        self._adjusted: Mapping[Key, Budget] = {}
        self._adjusted_at_s = 0
        self._counting = Counting(watched, reader, ledger)
        self._blindness = Blindness(ledger)
        self._known_as: dict[Key, Judged] = {}
        self._recent: dict[Key, list[Bucket]] = {}
        self._recent_s = 0
        self._expected: dict[Key, float] = {}
        self._stale: list[frozenset[str]] = []
        self._is_ahead = False
        self._expected_at_s = 0

    def step(self, wall_s: float, monotonic_s: float) -> int:
        """Evaluate the instants that are due; returns how many.

        Args:
            wall_s: Wall clock, unix seconds.
            monotonic_s: Monotonic clock, seconds.

        Raises:
            LedgerError: What was evaluated cannot be kept; nothing was said.
        """
        self.has_more = False
        self._clocks, stepped = read_clocks(self._clocks, wall_s, monotonic_s)
        found = due(self.view.at_s, instant_s(wall_s, 0.0))
        if found.instants:  # Subtle: who is behind is asked only if an instant may be due
            lag = self._lag_s(wall_s)
            found = due(self.view.at_s, instant_s(wall_s, lag))
            for n, at_s in enumerate(found.instants):
                if self._reach.is_over():  # after a night off there is an hour of them, and minutes of work
                    return n
                judged, cause = self._judged(at_s, wall_s)
                self._keep(at_s, lag, judged, cause)
        self._take_note(wall_s, stepped, found.skipped)
        self._count_more(wall_s)
        return len(found.instants)

    def forget(self, before_s: int) -> None:
        """Forget alerts that have been at rest since before a time: their groups may never come back.

        Args:
            before_s: So long ago that no notice of them is kept anywhere; a later one may have their keys again.

        Raises:
            LedgerError: They cannot be forgotten.
        """
        rest = {
            key
            for key, alert in self.view.alerts.items()
            if alert.record.state is AlertState.INACTIVE and (alert.record.at_s or 0) < before_s
        }
        self._ledger.forget(rest)
        self.view = replace(self.view, alerts={key: one for key, one in self.view.alerts.items() if key not in rest})

    def _take_note(self, wall_s: float, stepped: ClockStep | None, skipped: int) -> None:
        """Say for an hour what happened to the clock and to instants; nothing is judged while it is behind the last."""
        now = {
            f"the wall clock was set by {stepped.by_s:+.0f} s" if stepped else "",
            f"{skipped} instants were missed, and are too old to be judged" if skipped else "",
        }
        self._notes |= dict.fromkeys(now - {""}, wall_s + NOTED_S)
        self._notes = {text: until_s for text, until_s in self._notes.items() if 0 < until_s - wall_s <= NOTED_S}
        is_back = self.view.at_s is not None and wall_s < self.view.at_s
        cause = BlindCause.CLOCK if is_back else self.view.blind_cause
        refused = [f"{name} is not counted: {why}" for name, why in self._counting.refused().items()]
        self.view = replace(self.view, problems=(*sorted(self._notes), *refused), blind_cause=cause)

    def _count_more(self, wall_s: float) -> None:
        """Count a little of the past, and say how far that is."""
        at_s = self.view.at_s
        if at_s is None or self.view.blind_cause:
            return
        with suppress(StoreError):  # what was not counted is counted later
            self.has_more = self._counting.more(at_s, int(wall_s * 1000))
        history = self._counting.progress(at_s)
        if self.view.history and not history:
            self._expected_at_s = self._budgets_at_s = 0  # what was made of a part is made anew
        self.view = replace(self.view, history=history)

    @property
    def is_behind(self) -> bool:
        """Whether the last hours of an objective are still being counted, and it is blind."""
        return self.view.at_s is not None and bool(self._counting.behind(self.view.at_s))

    def _lag_s(self, wall_s: float) -> float:
        try:
            return lag_s(sight.lags_s(self._reader.coverage(int(wall_s * 1000))))
        except StoreError:
            return float(LAG_S_MAX)

    def _judged(self, at_s: int, wall_s: float) -> tuple[list[Judged], str]:
        """Return every objective and group as it is at an instant, and why nothing is seen; empty if something is."""
        try:
            self._learn(at_s)
            if self._counting.reach(at_s, int(wall_s * 1000)):
                self._recent, self._recent_s = {}, 0
            seen = widened(self._seen(at_s), self._watched, self.view.alerts)
        except StoreError:
            return self._blind(at_s), BlindCause.STORE
        groups: dict[str, list[str]] = {}
        for name, group in (*seen.windows, *seen.invalid):
            groups.setdefault(name, []).append(group)
        known, self._known_as = self._known_as, {}
        return [
            self._found(one, (one.objective.name, group), seen, known)
            for one in self._watched
            for group in groups.get(one.objective.name, (NO_GROUP,))
        ], ""

    def _learn(self, at_s: int) -> None:
        """Take over what the store knows of the alerts of our objectives and of built-in rules, if the ledger is new.

        So times and occurrences go on alike, whoever lost his disk. What others watch is theirs to end.
        """
        if self._is_new:
            known = taken_over(self._reader.alerts(at_s - KNOWN_S), at_s, self._hashes)
            self._learnt = tuple(known.values())
            self.view = replace(self.view, alerts={**known, **self.view.alerts})
            self._is_new = False

    def _found(self, one: Watched, key: Key, seen: Sight, known: Mapping[Key, Judged]) -> Judged:
        """Return one objective and group as it is now; who it is does not change from instant to instant."""
        before = known.get(key) or Judged(watched=one, group=group_of(key[1]), is_wider=key in seen.wider)
        if key in seen.invalid:
            return replace(before, found=None)
        now = sight.facts(one, key[1], seen, _period_s(one, seen.at_s))
        found = evaluate(one, sight.as_seen_last(now, before.found))
        self._known_as[key] = judged = replace(before, found=found)
        return judged

    def _blind(self, at_s: int) -> list[Judged]:
        return [replace(one, found=self._as_seen_last(one, at_s)) for one in self._known()]

    def _as_seen_last(self, one: Judged, at_s: int) -> Evaluated:
        now = replace(sight.blind(at_s), blind=self._unseen(one.watched, one.group, at_s))
        return evaluate(one.watched, sight.as_seen_last(now, one.found))

    def _known(self) -> list[Judged]:
        """Return the objectives and groups of the last instant; of a first one, the objectives."""
        return list(self.view.judged) or [Judged(watched=one) for one in self._watched]

    def _seen(self, at_s: int) -> Sight:
        self._look_ahead(at_s)
        lengths = {length for one in self._watched for length in (*one.windows_s, _period_s(one, at_s))}
        invalid = set[Key]()
        windows = self._reader.windows(at_s, sorted(lengths), invalid)
        recent = self._recently(at_s, invalid)
        found = Sight(
            at_s=at_s,
            windows={key: of for key, of in windows.items() if key not in invalid},
            recent=recent,
            heard=self._reader.heard(at_s * 1000),
            probes=self._reader.probes(at_s),
            expected=self._expected,
            budgets=self._sliced(at_s),
            invalid=frozenset(invalid),
            behind=self._counting.behind(at_s),
            since_s=self._counting.since_s(),
            blind=self._blindness.within,
        )
        return replace(found, adjusted=self._less(found))

    def _less(self, seen: Sight) -> Mapping[Key, Budget]:
        """Return budgets less what is taken out; the last ones for a while, if they cannot be asked for."""
        try:
            self._adjusted, self._adjusted_at_s = self._reach.adjust(seen), seen.at_s
        except CountsError:  # whose counts cannot be is told of by itself
            return {}
        except StoreError:  # a question that is too much for the store blinds nobody
            return self._adjusted if seen.at_s - self._adjusted_at_s <= ADJUSTED_S_MAX else {}
        return self._adjusted

    def _sliced(self, at_s: int) -> dict[Key, Budget]:
        """Return what is left of the objectives that are judged slice by slice; renewed every few minutes."""
        if at_s - self._budgets_at_s >= SLICED_EVERY_S:
            found = [self._of_slices(one, at_s) for one in self._watched if is_sliced(one.objective)]
            self._budgets = {key: budget for of in found for key, budget in of.items()}
            self._budgets_at_s = at_s
        return self._budgets

    def _of_slices(self, one: Watched, at_s: int) -> dict[Key, Budget]:
        since_s = at_s - _period_s(one, at_s)
        try:
            return self._reader.sliced(one, since_s, at_s, lambda group: self._unseen(one, group_of(group), at_s))
        except CountsError:  # its windows say so
            return {}

    def _unseen(self, one: Watched, group: Mapping[str, str], at_s: int) -> tuple[Blind, ...]:
        """Return when in the period that ends at an instant nobody looked."""
        return self._blindness.within(group.get("endpoint", ""), at_s - _period_s(one, at_s), at_s)

    def _look_ahead(self, at_s: int) -> None:
        """Renew with each hour what is expected: of all objectives at first, then of some at each instant."""
        if at_s // HOUR_S != self._expected_at_s // HOUR_S:
            self._stale, self._expected_at_s = self._reader.expected_parts(), at_s
        while self._stale:
            names = self._stale[-1]
            found = self._reader.expected(at_s, names)
            self._expected = {key: n for key, n in self._expected.items() if key[0] not in names} | found
            self._stale.pop()
            if self._is_ahead:
                return
        self._is_ahead = True

    def _recently(self, at_s: int, invalid: set[Key]) -> dict[Key, list[Bucket]]:
        """Return the last buckets of every objective; only those that are new are asked for."""
        oldest_s = at_s - RECENT_S
        for key, buckets in self._reader.buckets(max(self._recent_s, oldest_s), at_s, invalid).items():
            self._recent.setdefault(key, []).extend(buckets)
        self._recent_s = at_s
        kept = {key: between(buckets, oldest_s, at_s) for key, buckets in self._recent.items()}
        self._recent = {key: list(buckets) for key, buckets in kept.items() if buckets}
        return self._recent

    def _keep(self, at_s: int, lag: float, judged: Sequence[Judged], cause: str) -> None:
        starts = may_start(self._clocks, at_s, _CLOCK_HOLD_S)
        quiet = self._reach.quiet(at_s)
        before = self.view.alerts
        found: list[Judged | Watch] = [*judged, *self._reach.others(at_s, before)]
        moved = advance(found, before, at_s, may_start=starts, complete=not cause, quiet=quiet)
        moved = explained(moved, judged, self._reach.explain)
        self._blindness.note(at_s, _causes(judged))
        self._ledger.save(at_s, (*self._learnt, *moved.changed), self._reach.channels(moved.notices))
        self._learnt = ()
        transitions = remembered(self.view.transitions, moved.transitions)
        self.view = replace(
            self.view,
            at_s=at_s,
            lag_s=lag,
            judged=tuple(judged),
            alerts=moved.alerts,
            held=moved.held,
            standing=moved.standing,
            transitions=transitions,
            blind_cause=cause,
        )
        self.unkept = remembered(self.unkept, moved.transitions)
        with suppress(StoreError):  # the ledger has the states; the copy in the store, for looking back, can wait
            self._reader.keep_transitions(self.unkept)
            self.unkept = ()
        if not cause:
            self._ask_again(at_s)

    def _ask_again(self, at_s: int) -> None:
        """Ask once more of a few instants that were blind: by now what was late has come."""
        with suppress(StoreError):
            for _ in range(ASKED_AGAIN_N):
                then_s = self._blindness.doubtful(at_s)
                if then_s is None:
                    return
                self._blindness.settle(then_s, sight.seen(self._reader.heard(then_s * 1000)))


def remembered(before: Sequence[Change], now: Sequence[Change]) -> tuple[Change, ...]:
    """Return the last changes of state, oldest first, no more than the view holds."""
    return (*before, *now)[-TRANSITIONS_MAX:]


def _causes(judged: Sequence[Judged]) -> dict[str, BlindCause]:
    """Return which endpoints nobody saw, and why; what is only not counted yet will be."""
    found = [(one.group.get("endpoint", ""), one.found.blind_cause) for one in judged if one.found]
    return {endpoint: cause for endpoint, cause in found if cause is not None and cause is not BlindCause.COUNTING}


def _period_s(one: Watched, at_s: int) -> int:
    """Return how long the period of a budget is at an instant, in whole buckets; a calendar's grows from its start."""
    window = one.objective.window
    if isinstance(window, Rolling):
        return window.length_s
    return max(BUCKET_S, (at_s - civil(window, at_s).start_s) // BUCKET_S * BUCKET_S)
