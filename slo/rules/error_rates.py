"""Knows the rules about error rates: one of all errors, and one of each class of them; refuses to know latencies.

All of them ask the same question, so that the store answers it once: minutes of the roll-up, over the last minute,
5 min and 1 h, and the 24 h before each of the latter two.

    jump    a rate jumped and stays there (`slo.lasting`); of all errors, and of each class
    oom     any request that ended for want of memory within 10 min is a ticket, three of one endpoint are a page

The naive reading of a class is what HTTP shows: the share of requests that failed with a status of their own. Errors
inside a stream ride on 200, and it sees none of them.

`deff` is the variance of the bad requests of a minute over their mean, of the day before the last hour.

Error: as `slo.jump`, `slo.lasting`. A rate that has no day before it is not known, so the first requests of an endpoint
raise nothing. After a day at a higher rate that rate is the usual one.

Source: spec/slo.md 13 (`error_rate_*`, `oom`; seeds S1, S3), 14 (`abandonment`), 3 (classes; jumps of `auth` and
`not_found` raise a ticket although excluded), A10, A12; `slo.rules.error_peak` for the rate at peak load.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.counts import Counts
from slo.inhibit import Kind
from slo.jump import RATE_RATIO, Judgement, Verdict, error_rate_jump
from slo.lasting import FOR_S, LAST_S, LONG_S, REFERENCE_S, SHORT_S, Looked, error_rate
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from slo.rules.subject import deff, labels, share, where
from slo.words import span
from telemetry.outcome import Outcome
from telemetry.queries.failures import failures
from telemetry.queries.question import Question
from telemetry.queries.spans import whole

EVERY_S = 60
OOM_S = 600
OOM_PAGE = 3
"""Requests that ended for want of memory within `OOM_S` at one endpoint: a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """What one rule of a rate counts.

    Attributes:
        words: What happened to a request that is counted.
        outcomes: Which end so; None for a reading that has a place of its own.
        place: Of that reading in the answer.
        of_all: Whether the rate is one of all requests; else of those that are good or bad by default.
        most: The severest alert of it.
    """

    words: str
    outcomes: tuple[Outcome, ...] | None = None
    place: int = 0
    of_all: bool = False
    most: Verdict = Verdict.PAGE


_BAD, _SHOWN, _LEFT, _CLASSES = 0, 1, 2, 3
"""Places in the answer (`telemetry.queries.failures`)."""
KINDS: Mapping[RuleId, Kin] = {
    RuleId.ERROR_RATE_JUMP: Kin(words="ended badly", place=_BAD),
    RuleId.ERROR_RATE_5XX: Kin(
        words="failed at the server",
        outcomes=(Outcome.SERVER_ERROR, Outcome.OVERLOADED, Outcome.UNAVAILABLE, Outcome.ENGINE_DEAD),
    ),
    RuleId.ERROR_RATE_TIMEOUT: Kin(
        words="ran out of time", outcomes=(Outcome.TIMEOUT_FIRST_TOKEN, Outcome.TIMEOUT_STREAM)
    ),
    RuleId.ERROR_RATE_OOM: Kin(words="ended for want of memory", outcomes=(Outcome.OOM,)),
    RuleId.ERROR_RATE_STREAM: Kin(
        words="broke in the stream", outcomes=(Outcome.STREAM_ERROR, Outcome.STREAM_TRUNCATED)
    ),
    RuleId.ERROR_RATE_CONNECT: Kin(words="found no connection", outcomes=(Outcome.CONNECT_ERROR,)),
    RuleId.ERROR_RATE_AUTH: Kin(words="were not let in", outcomes=(Outcome.AUTH,), of_all=True, most=Verdict.TICKET),
    RuleId.ERROR_RATE_NOT_FOUND: Kin(
        words="asked for what is not there", outcomes=(Outcome.NOT_FOUND,), of_all=True, most=Verdict.TICKET
    ),
    RuleId.ABANDONMENT: Kin(words="were left before any output", place=_LEFT, of_all=True, most=Verdict.TICKET),
}
"""The rules of a rate."""
_WITH_OUTCOMES = [one for one, kin in KINDS.items() if kin.outcomes is not None]
_OUTCOMES = [kin.outcomes for kin in KINDS.values() if kin.outcomes is not None]


def _asked(at_s: int, long_s: int = LONG_S, oom_s: int = OOM_S) -> Mapping[str, Question]:
    """Return the one question: last, short, long, that of `oom`, and the days before short and long."""
    short_s = _short_s(long_s)
    spans = [(at_s - length_s, at_s) for length_s in (LAST_S, short_s, long_s, oom_s)]
    spans += [(at_s - length_s - REFERENCE_S, at_s - length_s) for length_s in (short_s, long_s)]
    return {"failures": failures(spans, _OUTCOMES)}


_LAST, _SHORT, _LONG, _OOM, _BEFORE_SHORT, _BEFORE_LONG = range(6)


def _short_s(long_s: int) -> int:
    """Return the length of the short window, a twelfth of the long one, in whole minutes."""
    return whole(long_s * SHORT_S // LONG_S)


def _place(rule: RuleId) -> int:
    """Return where the answer tells what a rule counts."""
    return _CLASSES + _WITH_OUTCOMES.index(rule) if rule in _WITH_OUTCOMES else KINDS[rule].place


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRateRule:
    """A rate that jumped and stays there.

    Settings: `threshold` is the least rate; `window_s` the long window, of whole minutes, whose twelfth is the short
    one; below `min_events` requests in the short window nothing is proven.
    """

    id: RuleId
    settings: Settings
    every_s: int = field(default=EVERY_S, init=False)
    for_s: int = field(default=FOR_S, init=False)

    @property
    def kind(self) -> Kind:
        """All errors, a class of them, or what is no error."""
        if KINDS[self.id].of_all:
            return Kind.OTHER
        return Kind.ERRORS if self.id is RuleId.ERROR_RATE_JUMP else Kind.ERROR_CLASS

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at a whole minute."""
        return _asked(at_s, self._long_s)

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the windows are in the answer
        """Return the rate of every endpoint and model that had requests within a day."""
        return [self._found(row) for row in rows["failures"]]

    @property
    def _long_s(self) -> int:
        return whole(self.settings.window_s or LONG_S)

    def _found(self, row: Row) -> Found:
        kin, place = KINDS[self.id], _place(self.id)
        last, short, long = (_counts(row, at, place, kin) for at in (_LAST, _SHORT, _LONG))
        now = Looked(last=last, short=short, long=long)
        before = [_counts(row, span_at, place, kin) for span_at in (_BEFORE_SHORT, _BEFORE_LONG)]
        rate_ratio = RATE_RATIO if self.settings.threshold is None else self.settings.threshold
        judged = error_rate(
            now, before[0], before[1], deff(row["failed"][_BEFORE_LONG][place], row["squares"][place]), rate_ratio
        )
        enough = now.short.eligible >= (self.settings.min_events or 0)
        shown = _counts(row, _SHORT, _naive_place(self.id), kin)
        naive = error_rate_jump(shown, _counts(row, _BEFORE_SHORT, _naive_place(self.id), kin), 1.0, rate_ratio).naive
        return Found(
            labels=labels(row),
            sound=_capped(judged.sound, kin.most) if enough else Verdict.SILENT,
            naive=_capped(naive, kin.most),
            words=self._words(row, now, before[1], judged, shown),
            bad=now.long.bad,
            is_known=all(one.eligible for one in before),
        )

    def _words(self, row: Row, now: Looked, before: Counts, judged: Judgement, shown: Counts) -> Mapping[str, str]:
        kin, short = KINDS[self.id], span(_short_s(self._long_s))
        usual = f"{before.bad / before.eligible:.2%} in the 24 h before" if before.eligible else "nothing known before"
        words = {
            "summary": f"{where(row)}: {share(now.short)} {kin.words} over {short}, {share(now.long)} over"
            f" {span(self._long_s)}, {usual}",
            "naive": f"{'HTTP shows ' if _naive_place(self.id) == _SHOWN else ''}{share(shown)} over {short}",
        }
        if judged.p is not None:
            words["sound"] = f"p = {judged.p:.2g} that nothing happened; the last minute has {share(now.last)}"
        return words


@dataclass(frozen=True, slots=True, kw_only=True)
class OomRule:
    """Requests that ended for want of memory.

    Settings: `threshold` is the number that is a page, `window_s` the time in which they are counted.
    """

    settings: Settings
    id: RuleId = field(default=RuleId.OOM, init=False)
    kind: Kind = field(default=Kind.OOM, init=False)
    every_s: int = field(default=EVERY_S, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at a whole minute."""
        return _asked(at_s, oom_s=self._window_s)

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the windows are in the answer
        """Return how often it happened at every endpoint that had requests within a day."""
        place = _place(RuleId.ERROR_RATE_OOM)
        n: dict[str, int] = {}
        for row in rows["failures"]:
            n[row["endpoint"]] = n.get(row["endpoint"], 0) + row["failed"][_OOM][place]
        return [self._found(endpoint, times) for endpoint, times in n.items()]

    @property
    def _window_s(self) -> int:
        return whole(self.settings.window_s or OOM_S)

    def _found(self, endpoint: str, times: int) -> Found:
        page = times >= (self.settings.threshold or OOM_PAGE)
        verdict = Verdict.PAGE if page else Verdict.TICKET if times else Verdict.SILENT
        summary = f"{endpoint}: {times} requests ended for want of memory over {span(self._window_s)}"
        return Found(labels={"endpoint": endpoint}, sound=verdict, naive=verdict, words={"summary": summary}, bad=times)


def _naive_place(rule: RuleId) -> int:
    """Return what the naive reading of a rule looks at: of a class of errors, what HTTP shows."""
    return _SHOWN if KINDS[rule].outcomes and not KINDS[rule].of_all else _place(rule)


def _counts(row: Row, at: int, place: int, kin: Kin) -> Counts:
    bad = int(row["failed"][at][place])
    return Counts(eligible=max(bad, int(row["n" if kin.of_all else "eligible"][at])), bad=bad)


def _capped(verdict: Verdict, most: Verdict) -> Verdict:
    return most if verdict is Verdict.PAGE else verdict
