"""Histories for tests of what looks back, and the engine's own way through them, without any shortcut."""

from collections.abc import Sequence

from histories import objective

from slo.alarms import Judged, Moved, advance
from slo.buckets import Bucket
from slo.counts import Counts
from slo.demand import expected, profile
from slo.errors import CountsError
from slo.evaluation import Evaluated, Facts, evaluate
from slo.outage import LONG_S, run_of_buckets
from slo.past import HISTORY_S, Known, Past
from slo.sequential import LOOK_BACK_S
from slo.telemetry_state import Heartbeats
from slo.watched import Watched, watched

HOUR_S = 3_600
AT_S = 1_790_000_000 // HOUR_S * HOUR_S
STRICT, LOOSE = watched(objective(0.999, days=7)), watched(objective(0.95, days=7))


def known(start_s: int, eligible: int, bad: int, late_s: int = 0) -> Known:
    return Known(start_s=start_s, eligible=eligible, bad=bad, known_s=start_s + 30 + late_s)


def steady(since_s: int, until_s: int, eligible: int = 60, bad: int = 0) -> list[Known]:
    return [known(start_s, eligible, bad) for start_s in range(since_s, until_s, 30)]


def failing(at_s: int, for_s: int, until_s: int, bad: int = 60) -> list[Known]:
    """A service that is good for six hours, then bad, then good again."""
    return [
        *steady(at_s - 6 * HOUR_S, at_s, bad=0),
        *steady(at_s, at_s + for_s, bad=bad),
        *steady(at_s + for_s, until_s, bad=0),
    ]


def lived(pasts: Sequence[Past], since_s: int, until_s: int) -> list[Moved]:
    """Every instant as an engine lives it: all windows summed anew, every objective evaluated, every alert advanced."""
    moved = advance([], {}, since_s)
    moves: list[Moved] = []
    for at_s in range(since_s, until_s, 30):
        judged = [
            Judged(watched=past.watched, group=past.group, found=found(past.watched, past, since_s, at_s))
            for past in pasts
        ]
        moved = advance(judged, moved.alerts, at_s)
        moves.append(moved)
    return moves


def found(one: Watched, past: Past, since_s: int, at_s: int) -> Evaluated | None:
    counted: dict[int, Known] = {}
    for each in past.counted:
        if each.known_s <= at_s:
            counted[each.start_s] = each
    try:
        buckets = [
            Bucket(start_s=start_s, counts=Counts(eligible=each.eligible, bad=each.bad))
            for start_s, each in sorted(counted.items())
        ]
    except CountsError:
        return None
    gap = next((gap for gap in past.gaps if gap.start_s <= at_s <= gap.end_s), None)
    asked_s = since_s + (at_s - since_s) // HOUR_S * HOUR_S
    windows = {window_s: [b.counts for b in buckets if at_s - window_s <= b.start_s] for window_s in one.windows_s}
    recent = [bucket for bucket in buckets if at_s - LOOK_BACK_S <= bucket.start_s and bucket.counts.eligible]
    return evaluate(
        one,
        Facts(
            at_s=at_s,
            windows={
                window_s: Counts(eligible=sum(c.eligible for c in counts), bad=sum(c.bad for c in counts))
                for window_s, counts in windows.items()
            },
            run=run_of_buckets([bucket for bucket in recent if at_s - LONG_S <= bucket.start_s]),
            recent=recent,
            overdue=past.overdue.get(at_s, 0),
            expected=_expected(past, asked_s, one.objective.period_s),
            seen=Heartbeats.FRESH if gap is None else gap.seen,
            coverage_ratio=1.0 if gap is None else gap.coverage_ratio,
        ),
    )


def _expected(past: Past, at_s: int, period_s: int) -> float | None:
    end_s = at_s // HOUR_S * HOUR_S
    hours: dict[int, int] = {}
    last = {each.start_s: each for each in past.counted if each.known_s <= at_s}
    for each in last.values():
        if end_s - HISTORY_S <= each.start_s < end_s:
            hour_s = each.start_s // HOUR_S * HOUR_S
            hours[hour_s] = hours.get(hour_s, 0) + each.eligible
    if not hours:
        return None
    of = profile({hour_s: hours.get(hour_s, 0) for hour_s in range(min(hours), end_s, HOUR_S)}, at_s)
    return None if of is None else expected(of, at_s - period_s, at_s)
