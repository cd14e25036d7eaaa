"""Steady services that fail at an instant, as windows of counts."""

from collections.abc import Sequence

from slo.buckets import Bucket, in_window
from slo.counts import Counts
from slo.evaluation import Facts
from slo.objective import Objective, Rolling
from slo.outage import LONG_S, run_of_buckets
from slo.watched import Watched

DAY_S = 86_400
START_S = 1_790_000_010 // 30 * 30


def objective(target: float, days: int = 30) -> Objective:
    return Objective(name="chat-good", service="chat", target=target, window=Rolling(length_s=days * DAY_S))


def failing(watched: Watched, per_bucket: int, bad_ratio: float, at_s: int) -> Facts:
    """What is known `at_s` after a service that was good for a whole period began to fail."""
    failed = [
        Bucket(start_s=START_S + s, counts=Counts(eligible=per_bucket, bad=round(per_bucket * bad_ratio)))
        for s in range(0, at_s, 30)
    ]
    windows: dict[int, Counts] = {}
    for window_s in watched.windows_s:
        good = max(0, window_s - at_s) // 30 * per_bucket
        windows[window_s] = in_window(failed, START_S + at_s, window_s) + Counts(eligible=good)
    before = [Bucket(start_s=START_S - 30, counts=Counts(eligible=per_bucket))] if at_s < LONG_S else []
    return Facts(
        at_s=START_S + at_s,
        windows=windows,
        run=run_of_buckets([*before, *failed[-LONG_S // 30 :]]),
        expected=per_bucket * watched.objective.period_s / 30,
    )


def first(instants: Sequence[int], holds: Sequence[bool]) -> int | None:
    """The first instant at which it holds."""
    return next((at for at, held in zip(instants, holds, strict=True) if held), None)
