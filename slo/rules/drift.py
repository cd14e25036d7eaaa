"""Knows when first outputs take several times what they may, for most of a day; refuses to judge one slow hour.

The anchor is a limit, so it does not move: the option `anchor_s`, and `anchor_s_per_token` more for each input token,
so that another mix of lengths is no drift; else the P99 of the day that began at `pinned_unix_s`, such as a release, of
all successful requests; else what the objectives of the endpoint say (`slo.limits`: where their limit grows with the
prompt, that of a long one). That an input was cached does not change it. Where there is no limit there is nothing to
drift from, and nothing is known.

Over the window the share of requests slower than three times their limit must be proven above 1 % (ten times: a page).
An hour of slowness is an incident, which other rules tell; so at least half of the window's hours must show it, and the
last one too, which ends the alert soon after the drift is undone.

Naive: P99 of the last day over that of the day before, of successful requests, above 1.2. Beside slow requests stands
the trend of the hourly P99 of seven days, which decides nothing. Both read the hourly roll-up.

Error: as `slo.drift`. Against `anchor_s` requests are counted one by one, and divided by how much slow ones come
together; against the others they are of histograms, and only what is slower for certain counts, which one up to 4.43 %
above the multiple is not. Below `min_events` requests in the window, with none in the last hour, and with none in more
than half of its hours nothing is known: what is asked for eight hours a day needs a window of sixteen or less.

Source: spec/slo.md 13 (`p99_drift`, seed S0: 800 ms -> 8 s; anchor: the threshold of the objective), A14.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.counts import Counts, total
from slo.drift import PAGE_RATIO, TICKET_RATIO, Drift, p99_drift
from slo.inhibit import Kind
from slo.limits import limits
from slo.objective import Objective
from slo.rules.chosen import DAY_S, HOUR_S, least_events, window_s
from slo.rules.explained import LIMIT
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from telemetry.histogram import index
from telemetry.percentile import P99, n_min
from telemetry.queries.asked import Asked, Dim, Metric, Pick, Source
from telemetry.queries.buckets import PERCENTILES_PPM
from telemetry.queries.drift import Anchor, slow_by_hour, waits_by_hour
from telemetry.queries.latency import percentiles
from telemetry.queries.question import Question

TREND_S = 7 * DAY_S

_AT_P99 = PERCENTILES_PPM.index(P99)
_SLOW_PERCENT = 1
_MINUTE_S = 60
_Subject = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hour:
    """One hour: its start, the requests whose wait is known, and those slower than both multiples.

    `squares` are sums over its minutes of the squares of the latter; 0 where minutes are not told apart.
    """

    t_unix_s: int
    n: int
    over: tuple[int, int]
    squares: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What was judged, and the ratio that the naive reading looks at."""

    found: Drift
    day_over_day: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class P99DriftRule:
    """A P99 of the time to first output that drifts away from its limit.

    Settings: `threshold` is the multiple that makes a ticket, `window_s` a day at most. Options: `page_ratio`, the
    multiple that makes a page; `anchor_s` and `anchor_s_per_token`, the limit, or `pinned_unix_s`, the day it is of.

    Attributes:
        objectives: Whose limits hold where none is configured.
    """

    settings: Settings
    objectives: Sequence[Objective] = ()
    id: RuleId = field(default=RuleId.P99_DRIFT, init=False)
    kind: Kind = field(default=Kind.LATENCY, init=False)
    every_s: int = field(default=HOUR_S, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at a whole hour."""
        since_ms, until_ms, anchor = (at_s - self._window_s) * 1_000, at_s * 1_000, self._anchor
        pinned_s = round(self.settings.options.get("pinned_unix_s", 0)) // HOUR_S * HOUR_S
        return {
            "slow": slow_by_hour(since_ms, until_ms, anchor, self._ratios)
            if anchor
            else waits_by_hour(since_ms, until_ms),
            **({"pinned": _p99(pinned_s, pinned_s + DAY_S)} if pinned_s else {}),
            "hours": _p99(at_s - TREND_S, at_s, step_s=HOUR_S),
            "today": _p99(at_s - DAY_S, at_s),
            "yesterday": _p99(at_s - 2 * DAY_S, at_s - DAY_S),
        }

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        """Return what drifts, for every endpoint and model that was asked anything in the window or the last day."""
        slow, past = _by_subject(rows["slow"]), _by_subject(rows["hours"])
        today, yesterday, pinned = (_ok_p99_s(rows.get(name, ())) for name in ("today", "yesterday", "pinned"))
        found: list[Found] = []
        for subject in sorted(slow.keys() | _by_subject(rows["today"]).keys()):
            before = yesterday.get(subject)
            day_over_day = today[subject] / before if before and subject in today else None
            anchor = self._anchor or _of_s(pinned.get(subject)) or _said_of(self.objectives, subject)
            hours = [_hour(row, anchor, self._ratios) for row in slow.get(subject, ())] if anchor else []
            # A trend looks at all pairs of hours; it is told beside slow requests only.
            shown = past.get(subject, []) if any(hour.over[0] for hour in hours) else []
            series = [(row["t_unix_s"] / HOUR_S, p99_s) for row in shown if (p99_s := _p99_s(row))]
            found.append(self._found(at_s, subject, anchor, hours, _drift(hours, day_over_day, series, self._window_s)))
        return found

    def _found(
        self, at_s: int, subject: _Subject, anchor: Anchor | None, hours: Sequence[_Hour], drift: _Judged
    ) -> Found:
        n = sum(hour.n for hour in hours)
        enough = n >= least_events(self.settings, n_min(P99)) and _are_half(len(hours), self._window_s)
        return Found(
            labels={"endpoint": subject[0], "model": subject[1], "figure": Metric.TTFT.value},
            sound=drift.found.judgement.sound,
            naive=drift.found.judgement.naive,
            words=self._words(subject, anchor, hours, drift),
            bad=sum(hour.over[0] for hour in hours),
            is_known=enough and hours[-1].t_unix_s == at_s - HOUR_S,
        )

    def _words(
        self, subject: _Subject, anchor: Anchor | None, hours: Sequence[_Hour], drift: _Judged
    ) -> Mapping[str, str]:
        ticket, page = self._ratios
        n, first, second = sum(hour.n for hour in hours), *(sum(hour.over[at] for hour in hours) for at in (0, 1))
        told = f"{first} of {n} first outputs took more than {ticket:g} times, {second} more than {page:g} times"
        unset = "no limit is set (slo.rules.p99_drift.options.anchor_s, or an objective)"
        ratio = drift.day_over_day
        words = {
            "summary": f"{' '.join(subject).strip()}: {f'{told} {_limit_words(anchor)}' if anchor else unset}",
            "naive": "P99 day over day: " + ("unknown" if ratio is None else f"{ratio:.3g}"),
        }
        if anchor and not anchor.per_token_us:
            words[LIMIT] = f"{anchor.base_us * ticket / 1e6:g}"
        if drift.found.per_day_ratio is not None:
            of = "" if drift.found.rises else "not "
            words["trend"] = f"{drift.found.per_day_ratio - 1:+.1%} a day over 7 d, {of}significant"
        return words

    @property
    def _window_s(self) -> int:
        return window_s(self.settings, DAY_S, HOUR_S)

    @property
    def _ratios(self) -> tuple[float, float]:
        ticket = self.settings.threshold or TICKET_RATIO
        return ticket, max(ticket, self.settings.options.get("page_ratio", PAGE_RATIO))

    @property
    def _anchor(self) -> Anchor | None:
        """The limit that is configured; None leaves it to the objectives."""
        options = self.settings.options
        if "anchor_s" not in options:
            return None
        return Anchor(base_us=options["anchor_s"] * 1e6, per_token_us=options.get("anchor_s_per_token", 0.0) * 1e6)


def _p99(since_s: int, until_s: int, step_s: int | None = None) -> Question:
    asked = Asked(since_ms=since_s * 1_000, until_ms=until_s * 1_000, by=(Dim.ENDPOINT, Dim.MODEL), step_s=step_s)
    pick = Pick(source=Source.R_1H, exact=False, since_ms=asked.since_ms, until_ms=asked.until_ms)
    return percentiles(asked, pick, Metric.TTFT)


def _by_subject(rows: Sequence[Row]) -> dict[_Subject, list[Row]]:
    found: dict[_Subject, list[Row]] = {}
    for row in rows:
        found.setdefault((row["endpoint"], row["model"]), []).append(row)
    return found


def _ok_p99_s(rows: Sequence[Row]) -> dict[_Subject, float]:
    return {(row["endpoint"], row["model"]): p99_s for row in rows if (p99_s := _p99_s(row))}


def _p99_s(row: Row) -> float | None:
    """Return the P99 of successful requests; None below the least n of a P99."""
    return row["ok_s"][_AT_P99] if row["n_ok"] >= n_min(P99) else None


def _of_s(limit_s: float | None) -> Anchor | None:
    return Anchor(base_us=limit_s * 1e6) if limit_s else None


def _said_of(objectives: Sequence[Objective], subject: _Subject) -> Anchor | None:
    """Return what the objectives allow; None if they say nothing."""
    limit_us = limits(objectives, *subject).ttft_us
    return _of_s(limit_us and limit_us / 1e6)


def _hour(row: Row, anchor: Anchor, ratios: tuple[float, float]) -> _Hour:
    """Return an hour, of requests that were counted one by one, or of histograms of their waits."""
    if "waited_h" not in row:
        over, squares = ((row[f"{what}_first"], row[f"{what}_second"]) for what in ("over", "squares"))
        return _Hour(t_unix_s=row["t_unix_s"], n=row["n"], over=over, squares=squares)
    waited, left = (
        [_above(row[name], anchor.base_us * ratio) for ratio in ratios] for name in ("waited_h", "abandon_h")
    )
    n = sum(row["waited_h"].values()) + left[0]
    return _Hour(t_unix_s=row["t_unix_s"], n=n, over=(waited[0] + left[0], waited[1] + left[1]))


def _above(histogram: Mapping[int, int], limit_us: float) -> int:
    """Return the values that are above a limit for certain."""
    return sum(n for bucket, n in histogram.items() if bucket > index(int(limit_us)))


def _drift(
    hours: Sequence[_Hour], day_over_day: float | None, series: Sequence[tuple[float, float]], length_s: int
) -> _Judged:
    first, second = (_lasting(hours, at, length_s) for at in (0, 1))
    deff = max(_deff(hours, at, length_s) for at in (0, 1))
    return _Judged(found=p99_drift(first, second, day_over_day, series, deff), day_over_day=day_over_day)


def _lasting(hours: Sequence[_Hour], at: int, length_s: int) -> Counts:
    """Return the counts of the window, with nothing bad if it was not bad for half of it and to its end."""
    counts = total(Counts(eligible=hour.n, bad=hour.over[at]) for hour in hours)
    slow = [hour.over[at] * 100 > hour.n * _SLOW_PERCENT for hour in hours]
    lasts = bool(slow) and slow[-1] and _are_half(sum(slow), length_s)
    return counts if lasts else Counts(eligible=counts.eligible)


def _are_half(n_hours: int, length_s: int) -> bool:
    return 2 * n_hours >= length_s // HOUR_S


def _deff(hours: Sequence[_Hour], at: int, length_s: int) -> float:
    """Return the variance of the slow requests of a minute over their mean: slow ones that come together prove less."""
    minutes = length_s / _MINUTE_S
    mean = sum(hour.over[at] for hour in hours) / minutes
    squares = sum(hour.squares[at] for hour in hours) / minutes
    return max(1.0, (squares - mean * mean) / mean) if mean else 1.0


def _limit_words(anchor: Anchor) -> str:
    more = f" + {anchor.per_token_us / 1e6:g} s per input token" if anchor.per_token_us else ""
    return f"{anchor.base_us / 1e6:g} s{more}"
