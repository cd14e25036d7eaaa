"""Knows the rule `error_rate_peak`: too many errors when it matters most; refuses to know the quiet hours.

The busy minutes of the last hour are judged, those whose load reaches the P90 of seven days: true if the lower 5 %
point of their error rate is above 0.3 %. Off the peak there are none, and nothing is said. The naive reading takes the
rate as it is: of 100 requests one error is 1 %.

Error: as `slo.jump.error_rate_peak`. Below `min_events` requests in busy minutes nothing is proven; with less than a
day of minutes it is not known which are busy.

Source: spec/slo.md 13 (`error_rate_peak`, seed S1: 0.3 % at peak; n = 1,000 needs 7, 3,600 needs 17).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.counts import Counts
from slo.inhibit import Kind
from slo.jump import PEAK_RATIO, Verdict, error_rate_peak
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from slo.rules.subject import deff, labels, share, where
from slo.words import span
from telemetry.queries.peaks import peaks
from telemetry.queries.question import Question
from telemetry.queries.spans import whole

WINDOW_S = 3_600
MINUTES_MIN = 1_440
"""Minutes with requests below which it is not known which are busy: a day of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPeakRule:
    """Errors in the busiest minutes.

    Settings: `threshold` is the rate that is allowed; `window_s` whole minutes.
    """

    settings: Settings
    id: RuleId = field(default=RuleId.ERROR_RATE_PEAK, init=False)
    kind: Kind = field(default=Kind.ERROR_CLASS, init=False)
    every_s: int = field(default=300, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at a whole minute."""
        return {"peaks": peaks(at_s, self._window_s)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the window is in the answer
        """Return the rate of every endpoint and model that had requests within seven days."""
        return [self._found(row) for row in rows["peaks"]]

    @property
    def _window_s(self) -> int:
        return whole(self.settings.window_s or WINDOW_S)

    def _found(self, row: Row) -> Found:
        limit = PEAK_RATIO if self.settings.threshold is None else self.settings.threshold
        peak = Counts(eligible=int(row["eligible"]), bad=int(row["bad"]))
        judged = error_rate_peak(peak, limit, deff(int(row["day_bad"]), int(row["day_squares"])))
        enough = peak.eligible >= (self.settings.min_events or 0)
        summary = (
            f"{where(row)}: {share(peak)} requests ended badly in {row['minutes']} minutes of the"
            f" last {span(self._window_s)} with {row['busy']} requests or more; allowed are {limit:.2%}"
        )
        return Found(
            labels=labels(row),
            sound=judged.sound if enough else Verdict.SILENT,
            naive=judged.naive,
            words={"summary": summary},
            bad=peak.bad,
            is_known=int(row["minutes_known"]) >= MINUTES_MIN,
        )
