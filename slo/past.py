"""Knows how stored counts become the facts of one instant after another; refuses to judge them.

The counts of a bucket hold from the instant at which they were known: late rows count from then on, as they did for
the engine. What costs time is put off: as long as no rule can be true, only sums move.

Error: a bucket whose very first row came late counts from its own end on. The expected requests are looked up anew with
each hour; an engine of many objectives looks at some of them a few instants later.

Source: spec/slo.md 8 (instants, late rows), 15 (the same evaluator at the same instants, lateness replayed).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from slo.counts import Counts, allowed_ratio, exact
from slo.demand import HOURS_PER_WEEK, WEEKS, expected, profile
from slo.evaluation import Facts
from slo.objective import AlertCondition, ConditionKind, Rolling
from slo.outage import LONG_S, SHORT_S, OutageRule, run_of_buckets
from slo.periods import civil
from slo.sequential import LOOK_BACK_S
from slo.telemetry_state import Heartbeats
from slo.watched import HOUR_S, Watched
from slo.window_sums import WindowSums
from slo.windows import BUCKET_S

HISTORY_S = WEEKS * HOURS_PER_WEEK * HOUR_S
"""How far back the expected requests look."""

_LONGER_S = 3 * 86_400  # a month of 31 days, a quarter of 92, and an hour when the clocks change


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was known of a bucket from an instant on.

    Attributes:
        start_s: First second of the bucket, unix time.
        eligible: Requests that count.
        bad: The bad of them.
        known_s: The first instant at which it was known; the bucket's own end, or later for a revision.
    """

    start_s: int
    eligible: int
    bad: int
    known_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Instants at which not all of the telemetry arrived.

    Attributes:
        start_s: The first of them, unix time.
        end_s: The last of them.
        seen: How much arrived.
        coverage_ratio: Share of the collectors that was heard.
    """

    start_s: int
    end_s: int
    seen: Heartbeats = Heartbeats.ALL_STALE
    coverage_ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The history of one objective and group.

    Attributes:
        watched: The objective.
        group: Values that it is grouped by.
        counted: Its buckets in the order in which they were known.
        gaps: When not all of the telemetry arrived, in order, apart from each other.
        overdue: Instant to the requests that had been waiting for too long; none where it is missing.
    """

    watched: Watched
    group: Mapping[str, str] = field(default_factory=dict[str, str])
    counted: Sequence[Known] = ()
    gaps: Sequence[Gap] = ()
    overdue: Mapping[int, int] = field(default_factory=dict[int, int])


def lead_s(one: Watched) -> int:
    """Return how long before its first instant the counts of an objective are to begin."""
    return max(HISTORY_S, *_lengths_s(one))


class Replay:
    """One history, instant by instant.

    Attributes:
        past: The history.
    """

    def __init__(self, past: Past, since_s: int) -> None:
        """Begin before an instant, a multiple of the bucket: the first `advance` reaches it."""
        self.past = past
        self._sums = WindowSums(_lengths_s(past.watched), since_s - BUCKET_S)
        self._next = self._gap = 0
        self._hours: dict[int, int] = {}
        self._expected: float | None = None
        self._expected_s: int | None = None
        self._period = [0, 0]
        self._period_start_s = self._period_end_s = 0
        self._checks = [_check(past.watched, rule.conditions, self._sums) for rule in past.watched.rules]
        self._proofs = [
            _check(past.watched, rule.conditions, self._sums)
            for rule in past.watched.rules
            if any(one.severity == OutageRule.PROVEN_BURN for one in rule.conditions)
        ]
        self._take_older()

    def advance(self) -> None:
        """Go to the next instant."""
        self._sums.advance()
        self._begin_period()
        self._take()
        gaps = self.past.gaps
        while self._gap < len(gaps) and gaps[self._gap].end_s < self._sums.at_s:
            self._gap += 1

    @property
    def is_calm(self) -> bool:
        """Whether no rule can be true, and nothing is missing: alerts that rest go on resting."""
        if self._gap_now() is not None or self._sums.at_s in self.past.overdue:
            return False
        return not any(may_hold() for may_hold in self._checks)

    def facts(self) -> Facts:
        """Return what is known at this instant.

        Raises:
            CountsError: Counts that cannot be.
        """
        at_s, gap = self._sums.at_s, self._gap_now()
        overdue = self.past.overdue.get(at_s, 0)
        asked = overdue or any(may_hold() for may_hold in self._proofs)
        recent = self._sums.recent(LOOK_BACK_S if asked else LONG_S)
        return Facts(
            at_s=at_s,
            windows=self._sums.counts(),
            period=self._of_period(),
            run=run_of_buckets([bucket for bucket in recent if bucket.start_s >= at_s - LONG_S]),
            recent=recent,
            overdue=overdue,
            expected=self._expected_now(),
            seen=Heartbeats.FRESH if gap is None else gap.seen,
            coverage_ratio=1.0 if gap is None else gap.coverage_ratio,
        )

    def period(self) -> Counts:
        """Return the counts of the period that the budget is of.

        Raises:
            CountsError: Counts that cannot be.
        """
        own = self._of_period()
        if own is not None:
            return own
        place = self._sums.place(self.past.watched.objective.period_s)
        return Counts(eligible=self._sums.eligible[place], bad=self._sums.bad[place])

    def _take_older(self) -> None:
        """Put in what was known before the first instant; of a bucket, what was known last."""
        counted = self.past.counted
        last: dict[int, Known] = {}
        while self._next < len(counted) and counted[self._next].known_s <= self._sums.at_s:
            last[counted[self._next].start_s] = counted[self._next]
            self._next += 1
        for one in last.values():
            self._sums.put(one.start_s, one.eligible, one.bad)
            self._add_hour(one.start_s, one.eligible)

    def _take(self) -> None:
        """Put in what is known by now."""
        counted, at_s = self.past.counted, self._sums.at_s
        while self._next < len(counted) and counted[self._next].known_s <= at_s:
            one = counted[self._next]
            self._next += 1
            more, more_bad = self._sums.put(one.start_s, one.eligible, one.bad)
            self._add_hour(one.start_s, more)
            if one.start_s >= self._period_start_s:
                self._period[0] += more
                self._period[1] += more_bad

    def _add_hour(self, start_s: int, eligible: int) -> None:
        hour_s = start_s // HOUR_S * HOUR_S
        self._hours[hour_s] = self._hours.get(hour_s, 0) + eligible

    def _gap_now(self) -> Gap | None:
        gaps = self.past.gaps
        if self._gap < len(gaps) and gaps[self._gap].start_s <= self._sums.at_s:
            return gaps[self._gap]
        return None

    def _begin_period(self) -> None:
        """Count a calendar's period anew when one begins; at that instant it is the last bucket, as for the engine."""
        window, at_s = self.past.watched.objective.window, self._sums.at_s
        if isinstance(window, Rolling) or at_s < self._period_end_s:
            return
        found = civil(window, at_s)
        self._period_start_s = min(found.start_s, at_s - BUCKET_S)
        self._period_end_s = found.end_s if found.start_s < at_s else at_s + BUCKET_S
        since = [bucket.counts for bucket in self._sums.recent(at_s - self._period_start_s)]
        self._period = [sum(one.eligible for one in since), sum(one.bad for one in since)]

    def _of_period(self) -> Counts | None:
        if isinstance(self.past.watched.objective.window, Rolling):
            return None
        return Counts(eligible=self._period[0], bad=self._period[1])

    def _expected_now(self) -> float | None:
        at_s = self._sums.at_s
        end_s = at_s // HOUR_S * HOUR_S
        if self._expected_s != end_s:
            self._expected_s = end_s
            seen = {hour_s: n for hour_s, n in self._hours.items() if end_s - HISTORY_S <= hour_s < end_s}
            of = profile({at: seen.get(at, 0) for at in range(min(seen), end_s, HOUR_S)}, end_s) if seen else None
            period_s = self.past.watched.objective.period_s
            self._expected = None if of is None else expected(of, end_s - period_s, end_s)
        return self._expected


def _lengths_s(one: Watched) -> tuple[int, ...]:
    """Return the windows that are summed; a calendar's period may be longer than its unit is in general."""
    if isinstance(one.objective.window, Rolling):
        return one.windows_s
    return (*one.windows_s, one.objective.period_s + _LONGER_S)


def _check(one: Watched, conditions: Sequence[AlertCondition], sums: WindowSums) -> Callable[[], bool]:
    """Return what says whether a rule may be true now: never no if it is, in integers and without any division."""
    checks = [_CHECKS.get(condition.kind, _always)(one, condition, sums) for condition in conditions]
    return lambda: all(may_hold() for may_hold in checks)


def _may_burn(one: Watched, condition: AlertCondition, sums: WindowSums) -> Callable[[], bool]:
    reach = exact(condition.threshold or 0.0) * allowed_ratio(one.objective.target)
    place, of_eligible, of_bad = sums.place(condition.lookback_s or HOUR_S), reach.numerator, reach.denominator
    return lambda: sums.bad[place] * of_bad > of_eligible * sums.eligible[place]


def _may_be_out(one: Watched, condition: AlertCondition, sums: WindowSums) -> Callable[[], bool]:
    if condition.severity == OutageRule.PROVEN_BURN:
        return _may_burn(one, condition, sums)
    long, short = sums.place(LONG_S), sums.place(SHORT_S)
    if (
        condition.severity == OutageRule.OUTAGE_RUN
    ):  # no run is long enough that began after a good request of a minute ago
        return lambda: sums.bad[long] > 0 and sums.bad[short] == sums.eligible[short]
    return lambda: sums.bad[long] > 0 and sums.bad[long] * 10 >= sums.eligible[long] * 9


def _always(_one: Watched, _condition: AlertCondition, _sums: WindowSums) -> Callable[[], bool]:
    return lambda: True


_CHECKS: dict[ConditionKind, Callable[[Watched, AlertCondition, WindowSums], Callable[[], bool]]] = {
    ConditionKind.BURN_RATE: _may_burn,
    ConditionKind.OUTAGE: _may_be_out,
}
"""Kinds of conditions that sums alone can rule out; the others are always looked at."""
