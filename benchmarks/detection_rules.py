"""Knows how each watcher sees a service: when it pages; refuses to know what is wrong with the service.

    workbook   burn 14.4 over 1 h and 5 min, or 6 over 6 h and 30 min; tickets at 3 over 1 d and 2 h, 1 over 3 d and 6 h
    static     a page while more than 5 % are bad over 5 min
    ours       what the engine runs: the rules of the objective, through `slo.backtest`, and beside them the built-in
               `error_rate_jump` and `p99_over_sla` with the limit of the objective, asked once a minute

A page that is over is held for two minutes, for each watcher alike, so that what flickers counts once.

Source: The Site Reliability Workbook, chapter 5, table 5-8 (and sloth's fourth window); spec/slo.md 6 (gates), 13.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.detection_traffic import BUCKET_S, DAY_S, HOUR_S, LIMIT_S, Ended
from slo.backtest import backtest
from slo.burn_catalogue import Severity
from slo.jump import Verdict
from slo.lasting import LAST_S, LONG_S, REFERENCE_S, SHORT_S
from slo.objective import Objective, Rolling
from slo.past import Known, Past
from slo.rules.error_rates import ErrorRateRule
from slo.rules.p99_limit import P99LimitRule
from slo.rules.rule import Row, Rule, RuleId, Settings
from slo.watched import watched
from slo.window_sums import WindowSums

TARGET = 0.99
OBJECTIVE = watched(Objective(name="chat-good", service="chat", target=TARGET, window=Rolling(length_s=30 * DAY_S)))
JUMP = ErrorRateRule(id=RuleId.ERROR_RATE_JUMP, settings=Settings())
OVER = P99LimitRule(settings=Settings(options={"ttft_s": LIMIT_S}))
START_S = 1_790_000_000 // DAY_S * DAY_S
HOLD_S = 120
STATIC_RATIO = 0.05
PAGES = ((14.4, HOUR_S, SHORT_S), (6.0, 6 * HOUR_S, HOUR_S // 2))
TICKETS = ((3.0, DAY_S, 2 * HOUR_S), (1.0, 3 * DAY_S, 6 * HOUR_S))
"""Burn, long window, short window."""

Spans = tuple[tuple[int, int], ...]
"""Times in which an alert stands, apart from each other: told when, and over when, in seconds from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one watcher says of a history.

    Attributes:
        pages: What wakes a person.
        all: Tickets and pages.
    """

    pages: Spans
    all: Spans


def watchers(history: Sequence[Ended], since_s: int) -> dict[str, Said]:
    """Return what every watcher says from an instant on."""
    engine = _engine(history, since_s)
    built_in = _spans(_built_in(history, since_s))
    return {
        "ours": Said(pages=_merged([*engine.pages, *built_in]), all=_merged([*engine.all, *built_in])),
        "workbook": _workbook(history, since_s),
        "static": _static(history, since_s),
    }


def _engine(history: Sequence[Ended], since_s: int) -> Said:
    starts_s = range(START_S, START_S + len(history) * BUCKET_S, BUCKET_S)
    counted = [
        Known(start_s=at_s, eligible=one.eligible, bad=one.bad, known_s=at_s + BUCKET_S)
        for at_s, one in zip(starts_s, history, strict=True)
        if one.eligible
    ]
    overdue = {at_s + BUCKET_S: one.overdue for at_s, one in zip(starts_s, history, strict=True) if one.overdue}
    end_s = len(history) * BUCKET_S + BUCKET_S
    alarms = backtest([Past(watched=OBJECTIVE, counted=counted, overdue=overdue)], START_S + since_s, START_S + end_s)
    spans = [
        (alarm.severity, (alarm.start_s - START_S, end_s if alarm.end_s is None else alarm.end_s - START_S))
        for alarm in alarms.alarms
    ]
    return Said(
        pages=_merged([span for severity, span in spans if severity is Severity.PAGE]),
        all=_merged([span for _, span in spans]),
    )


def _workbook(history: Sequence[Ended], since_s: int) -> Said:
    lengths = sorted({window_s for _, *windows in (*PAGES, *TICKETS) for window_s in windows})
    sums = WindowSums(lengths, 0)
    pages: list[tuple[int, bool]] = []
    every: list[tuple[int, bool]] = []
    for one in history:
        sums.advance()
        sums.put(sums.at_s - BUCKET_S, one.eligible, one.bad)
        if sums.at_s >= since_s:
            page, ticket = (any(_burns(sums, *rule) for rule in rules) for rules in (PAGES, TICKETS))
            pages.append((sums.at_s, page))
            every.append((sums.at_s, page or ticket))
    return Said(pages=_spans(pages), all=_spans(every))


def _burns(sums: WindowSums, burn: float, *windows_s: int) -> bool:
    reach = burn * (1 - TARGET)
    return all(sums.bad[at] > reach * sums.eligible[at] for at in map(sums.place, windows_s))


def _static(history: Sequence[Ended], since_s: int) -> Said:
    sums = WindowSums((SHORT_S,), 0)
    found: list[tuple[int, bool]] = []
    for one in history:
        sums.advance()
        sums.put(sums.at_s - BUCKET_S, one.eligible, one.bad)
        if sums.at_s >= since_s:
            found.append((sums.at_s, sums.bad[0] > STATIC_RATIO * sums.eligible[0]))
    spans = _spans(found)
    return Said(pages=spans, all=spans)


def _built_in(history: Sequence[Ended], since_s: int) -> Iterator[tuple[int, bool]]:
    """Yield at each instant whether a built-in rule pages; between two whole minutes what it found last holds."""
    errors = WindowSums((LAST_S, SHORT_S, LONG_S, REFERENCE_S + SHORT_S, REFERENCE_S + LONG_S), 0)
    slow = WindowSums((LAST_S, SHORT_S, LONG_S), 0)
    spread, jumped, over = _Spread(), _Pending(JUMP.for_s), _Pending(OVER.for_s)
    for one in history:
        errors.advance()
        slow.advance()
        at_s = errors.at_s
        errors.put(at_s - BUCKET_S, one.eligible, one.errors)
        slow.put(at_s - BUCKET_S, one.eligible, one.slow)
        spread.take(one.errors)
        if at_s >= since_s:
            if at_s % JUMP.every_s == 0:
                jumped.holds, over.holds = _jumped(errors, spread), _over(slow)
            yield at_s, jumped.is_ripe(at_s) | over.is_ripe(at_s)


class _Pending:
    """How long a rule has been true."""

    def __init__(self, for_s: int) -> None:
        self.holds, self._for_s = False, for_s
        self._since_s: int | None = None

    def is_ripe(self, at_s: int) -> bool:
        """Return whether it has been true for long enough."""
        if not self.holds:
            self._since_s = None
            return False
        self._since_s = at_s if self._since_s is None else self._since_s
        return at_s - self._since_s >= self._for_s


def _jumped(errors: WindowSums, spread: "_Spread") -> bool:
    eligible, bad = errors.eligible, errors.bad
    if bad[1] * 200 < eligible[1] or not bad[1]:
        return False  # what costs time need not be asked below 0.5 %
    before = [(sums[3] - sums[1], sums[4] - sums[2]) for sums in (eligible, bad)]
    # Last, short, long, one that only `oom` looks at, and the days before short and long.
    n, failed = ([*sums[:3], 0, *days] for sums, days in zip((eligible, bad), before, strict=True))
    row = {"n": n, "eligible": n, "failed": [[one, one] for one in failed], "squares": [spread.squares] * 2}
    return _pages(JUMP, "failures", row)


def _over(slow: WindowSums) -> bool:
    eligible, bad = slow.eligible[:3], slow.bad[:3]
    if bad[1] * 100 < eligible[1] or not bad[1]:
        return False
    fast = [{0: n - k} for n, k in zip(eligible, bad, strict=True)]
    nobody: list[dict[int, int]] = [{}] * 3
    row = {"eligible": eligible, "bad": bad, "abandon_h": nobody}
    return _pages(OVER, "slowness", {**row, "ttft_h": fast, "e2e_h": fast})


def _pages(rule: Rule, question: str, row: Row) -> bool:
    found = rule.judge(0, {question: [{"endpoint": "chat", "model": "", **row}]})
    return any(one.sound is Verdict.PAGE for one in found)


class _Spread:
    """How much the bad requests of a minute vary, of the day up to an hour ago."""

    def __init__(self) -> None:
        self._later: deque[int] = deque(maxlen=HOUR_S // BUCKET_S)
        self._sums = WindowSums((DAY_S,), 0)
        self._half: int | None = None

    def take(self, bad: int) -> None:
        """Take what was bad in the next bucket."""
        old = self._later[0] if len(self._later) == self._later.maxlen else 0
        self._later.append(bad)
        self._sums.advance()
        if self._half is None:
            self._half = old
        else:
            n = self._half + old
            self._sums.put(self._sums.at_s - BUCKET_S, n, n * n)
            self._half = None

    @property
    def squares(self) -> int:
        """The sum over the minutes of that day of their squared counts."""
        return self._sums.bad[0]


def _spans(instants: Iterable[tuple[int, bool]]) -> Spans:
    """Return the times in which something holds, and for `HOLD_S` more."""
    found: list[tuple[int, int]] = []
    for at_s, holds in instants:
        if holds:
            found.append((at_s, at_s + HOLD_S))
    return _merged(found)


def _merged(spans: Sequence[tuple[int, int]]) -> Spans:
    found: list[tuple[int, int]] = []
    for start_s, end_s in sorted(spans):
        if found and start_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end_s))
        else:
            found.append((start_s, end_s))
    return tuple(found)
