"""Knows when too many requests wait in an engine, in seconds; shows what the plain count would say.

The seed counts: 50 waiting requests are worth a note, from 75 on one acts, 100 are unsafe. What a user feels is how
long it takes until they are worked off, and that is their number over the answers that the replica ends in a second:
75 are 23 s at 3.24 a second and 7.5 s at 10. A ticket follows if that is longer than `tau_q_s`: what a time to the
first token of 2 s leaves beside reading 1,020 prompt tokens at 9,000 a second.

Answers are those that the engine counts, failed ones too: they leave the queue as well. An engine that counts none is
looked at through the requests of its replica that ended well.

Error: the quotient is the mean time in the queue if the window is steady (Little's law). A mean below one waiting
request is no queue: over five minutes its quotient says more of the moments of the scrapes than of the queue. Without
one answer in the window the time has no bound and counts as too long.

Source: spec/slo.md 13 (`queue_depth`, seed S3: 75, 50-100 safe; levels); spec/scaling.md 6.4 (tau_q 1.887 s, 23.1 s).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.chosen import window_s
from slo.rules.rule import Found, Mode, Row, Rows, RuleId, Settings
from slo.rules.scraped import engine_found, is_fresh
from telemetry.queries import engine_life
from telemetry.queries.question import Question

TAU_Q_S = 1.887
"""Seconds that a request may wait in an engine; the option `tau_q_s`."""
NOTE, ACT, UNSAFE = 50, 75, 100
"""Waiting requests per replica: the levels of the seed."""
WINDOW_S = 300
"""Time over which waiting requests and answers are looked at."""
QUEUE_MIN = 1.0
"""Mean of waiting requests below which nothing queues."""

_COVERED_RATIO = 0.8
_LEVELS = ((UNSAFE, "unsafe"), (ACT, "act"), (NOTE, "note"))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepthRule:
    """Finds engines in which requests wait for too long; `window_s` is an hour at most."""

    settings: Settings
    id: RuleId = field(default=RuleId.QUEUE_DEPTH, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=30, init=False)
    for_s: int = field(default=120, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        since_ms, until_ms = (at_s - self._window_s) * 1000, at_s * 1000
        return {
            "queues": engine_life.queues(since_ms, until_ms),
            "good": engine_life.good_answers(since_ms, until_ms),
        }

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        """Return what the answers say of every engine of the last hour."""
        good = {(row["endpoint"], row["replica"]): int(row["good"]) for row in rows["good"]}
        return [self._found(at_s, row, good.get((row["endpoint"], row["replica"]))) for row in rows["queues"]]

    @property
    def _window_s(self) -> int:
        return window_s(self.settings, WINDOW_S, most_s=engine_life.LOOK_BACK_MS // 1000)

    def _found(self, at_s: int, row: Row, good: int | None) -> Found:
        last, queued = row["queued_last"], row["queued"]
        act = ACT if self.settings.threshold is None else self.settings.threshold
        naive = Verdict.TICKET if last is not None and int(last) >= act else Verdict.SILENT
        if not is_fresh(at_s, row) or queued is None:
            return engine_found(row, "does not tell what waits in it", naive, is_known=False)
        if float(queued) < QUEUE_MIN:
            return engine_found(row, "has hardly anything waiting", naive)
        per_s = self._answers_per_s(row, good)
        if per_s is None:
            summary = f"has {float(queued):.3g} waiting, and how fast it answers is not known"
            return engine_found(row, summary, naive, is_known=self.settings.mode is Mode.NAIVE)
        tau_q_s = self.settings.options.get("tau_q_s", TAU_Q_S)
        is_long = float(queued) > tau_q_s * per_s
        summary = f"has {float(queued):.3g} waiting, {_seconds(float(queued), per_s)}, of {tau_q_s:.3g} s allowed"
        said = {} if last is None else {"naive": _level(int(last), per_s)}
        return engine_found(row, summary, naive, Verdict.TICKET if is_long else Verdict.SILENT, said=said)

    def _answers_per_s(self, row: Row, good: int | None) -> float | None:
        if row["finished"] is not None and float(row["seconds"]) >= _COVERED_RATIO * self._window_s:
            return int(row["finished"]) / float(row["seconds"])
        return None if good is None else good / self._window_s


def _seconds(queued: float, per_s: float) -> str:
    if not per_s:
        return "and nothing ended"
    return f"which is {queued / per_s:.1f} s at {per_s:.3g} answers/s"


def _level(queued: int, per_s: float) -> str:
    """Return the words of the plain count, and what its levels are in seconds."""
    name = next((name for least, name in _LEVELS if queued >= least), "below 50")
    if not per_s:
        return f"{queued} wait: {name}"
    note, act, unsafe = (level / per_s for level in (NOTE, ACT, UNSAFE))
    return f"{queued} wait: {name}; here {ACT} are {act:.1f} s, and {NOTE} to {UNSAFE} are {note:.0f} to {unsafe:.0f} s"
