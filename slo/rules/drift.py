"""Knows when first outputs take several times what they may, for most of a day; refuses to judge one slow hour.

The anchor is the limit of the objective, `anchor_s + anchor_s_per_token * tokens_in`, so it does not move and another
mix of lengths is no drift; that an input was cached does not lengthen its limit. Over the window the share of requests
slower than three times their limit must be proven above 1 % (ten times: a page), with counts divided by how much slow
requests come together. An hour of slowness is an incident,
which other rules tell; so at least half of the window's hours must show it, and the last one too, which ends the alert
soon after the drift is undone.

Naive: P99 of the last day over that of the day before, of successful requests, above 1.2. Beside it stands the trend of
the hourly P99 of seven days, which decides nothing. Both read the hourly roll-up.

Error: as `slo.drift`. Below `min_events` requests in the window, and with none in the last hour, nothing is known.

Source: spec/slo.md 13 (`p99_drift`, seed S0: 800 ms -> 8 s), 3 (limit of the composite: 1 s + 0.2 ms per input token).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.counts import Counts, total
from slo.drift import PAGE_RATIO, TICKET_RATIO, Drift, p99_drift
from slo.inhibit import Kind
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from telemetry.percentile import P99, n_min
from telemetry.queries.asked import Asked, Dim, Metric, Pick, Source
from telemetry.queries.buckets import PERCENTILES_PPM
from telemetry.queries.drift import Anchor, slow_by_hour
from telemetry.queries.latency import percentiles
from telemetry.queries.question import Question

HOUR_S, DAY_S = 3_600, 86_400
TREND_S = 7 * DAY_S
ANCHOR_S, ANCHOR_S_PER_TOKEN = 1.0, 0.0002

_AT_P99 = PERCENTILES_PPM.index(P99)
_SLOW_PERCENT = 1
_MINUTE_S = 60
_Subject = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class P99DriftRule:
    """A P99 of the time to first output that drifts away from its limit.

    Settings: `threshold` is the multiple that makes a ticket, `window_s` whole hours. Options: `page_ratio`, the
    multiple that makes a page; `anchor_s` and `anchor_s_per_token`, the limit.
    """

    settings: Settings
    id: RuleId = field(default=RuleId.P99_DRIFT, init=False)
    kind: Kind = field(default=Kind.LATENCY, init=False)
    every_s: int = field(default=HOUR_S, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at a whole hour."""
        anchor = Anchor(base_us=self._anchor_s * 1e6, per_token_us=self._per_token_s * 1e6)
        return {
            "slow": slow_by_hour((at_s - self._window_s) * 1_000, at_s * 1_000, anchor, self._ratios),
            "hours": _p99(at_s - TREND_S, at_s, step_s=HOUR_S),
            "today": _p99(at_s - DAY_S, at_s),
            "yesterday": _p99(at_s - 2 * DAY_S, at_s - DAY_S),
        }

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        """Return what drifts, for every endpoint and model that was asked anything within seven days."""
        slow = _by_subject(rows["slow"])
        hours = _by_subject(rows["hours"])
        today, yesterday = (_ok_p99_s(rows[name]) for name in ("today", "yesterday"))
        found: list[Found] = []
        for subject in sorted(slow.keys() | hours.keys()):
            before = yesterday.get(subject)
            day_over_day = today[subject] / before if before and subject in today else None
            series = [(row["t_unix_s"] / HOUR_S, p99_s) for row in hours.get(subject, ()) if (p99_s := _p99_s(row))]
            found.append(self._found(at_s, subject, slow.get(subject, ()), day_over_day, series))
        return found

    def _found(
        self,
        at_s: int,
        subject: _Subject,
        slow: Sequence[Row],
        day_over_day: float | None,
        series: Sequence[tuple[float, float]],
    ) -> Found:
        first, second = (_lasting(slow, name) for name in ("over_first", "over_second"))
        deff = max(_deff(slow, name, self._window_s) for name in ("first", "second"))
        drift = p99_drift(first, second, day_over_day, series, deff)
        n = sum(row["n"] for row in slow)
        enough = n >= (self.settings.min_events or n_min(P99)) and slow[-1]["t_unix_s"] == at_s - HOUR_S
        return Found(
            labels={"endpoint": subject[0], "model": subject[1]},
            sound=drift.judgement.sound,
            naive=drift.judgement.naive,
            words=self._words(subject, slow, day_over_day, drift),
            bad=sum(row["over_first"] for row in slow),
            is_known=enough,
        )

    def _words(
        self, subject: _Subject, slow: Sequence[Row], day_over_day: float | None, drift: Drift
    ) -> Mapping[str, str]:
        n, first, second = (sum(row[name] for row in slow) for name in ("n", "over_first", "over_second"))
        ticket, page = self._ratios
        limit = f"{self._anchor_s:g} s" + (f" + {self._per_token_s:g} s per input token" if self._per_token_s else "")
        words = {
            "summary": f"{' '.join(subject).strip()}: {first} of {n} first outputs took more than {ticket:g} times, "
            f"{second} more than {page:g} times {limit}",
            "naive": "P99 day over day: " + ("unknown" if day_over_day is None else f"{day_over_day:.3g}"),
        }
        if drift.per_day_ratio is not None:
            words["trend"] = (
                f"{drift.per_day_ratio - 1:+.1%} a day over 7 d, {'' if drift.rises else 'not '}significant"
            )
        return words

    @property
    def _window_s(self) -> int:
        return self.settings.window_s or DAY_S

    @property
    def _ratios(self) -> tuple[float, float]:
        ticket = self.settings.threshold or TICKET_RATIO
        return ticket, max(ticket, self.settings.options.get("page_ratio", PAGE_RATIO))

    @property
    def _anchor_s(self) -> float:
        return self.settings.options.get("anchor_s", ANCHOR_S)

    @property
    def _per_token_s(self) -> float:
        return self.settings.options.get("anchor_s_per_token", ANCHOR_S_PER_TOKEN)


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


def _lasting(hours: Sequence[Row], over: str) -> Counts:
    """Return the counts of the window, with nothing bad if it was not bad for most of it and to its end."""
    counts = total(Counts(eligible=row["n"], bad=row[over]) for row in hours)
    slow = [row[over] * 100 > row["n"] * _SLOW_PERCENT for row in hours]
    lasts = bool(slow) and slow[-1] and 2 * sum(slow) >= len(slow)
    return counts if lasts else Counts(eligible=counts.eligible)


def _deff(hours: Sequence[Row], name: str, window_s: int) -> float:
    """Return the variance of the slow requests of a minute over their mean: slow ones that come together prove less."""
    minutes = window_s / _MINUTE_S
    mean = sum(row[f"over_{name}"] for row in hours) / minutes
    squares = sum(row[f"squares_{name}"] for row in hours) / minutes
    return max(1.0, (squares - mean * mean) / mean) if mean else 1.0
