"""Knows when the slowest requests move away from the usual ones; refuses to take long answers for a slow tail.

The spread of a stratum (input length, cache hit) is P99 over P50. A ticket if that of the time to first output, or of
the time per token, is proven above 1.5 times what it was in the same hours of the seven days before: values are divided
by the median of their stratum now times its spread before, and the P99 of that is bounded (`slo.quantile_ratio`).
Both halves of the window must show it, for a bad quarter of an hour is an incident. Neither duration grows with the
length of the answer.

Naive: P99 over P50 of the whole time of requests, above two. Answers of different lengths make that wide by nature.

Error: as `slo.quantile_ratio`, shared out between three quantiles of every stratum. Unknown below `min_events` requests
in strata that can be compared (about 1,200 requests before, each), and where they are less than half of all. Successful
requests only: failures have no spread.

Source: spec/slo.md 13 (`tail_spread`, seed S1); spec/scaling.md 8.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from slo.inhibit import Kind
from slo.jump import Verdict
from slo.quantile_ratio import ALPHA, Bounds, Sample, divided, inverse, pooled, quantile, times
from slo.rules.chosen import least_events, window_s
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from telemetry.percentile import P50, P99, n_min
from telemetry.queries.asked import Metric
from telemetry.queries.question import Question
from telemetry.queries.tails import spreads

RATIO = 1.5
NAIVE_RATIO = 2.0
WINDOW_S = 21_600

_SOUND = {Metric.TTFT: "the time to first output", Metric.TPOT: "the time per token"}
_HALVES = ("early", "late")
_Subject = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TailSpreadRule:
    """A spread that is wider than in the same hours before; `window_s` is a day at most."""

    settings: Settings
    id: RuleId = field(default=RuleId.TAIL_SPREAD, init=False)
    kind: Kind = field(default=Kind.LATENCY, init=False)
    every_s: int = field(default=3_600, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        since_s = at_s - window_s(self.settings, WINDOW_S)
        return {metric: spreads(metric, since_s * 1_000, at_s * 1_000) for metric in (*_SOUND, Metric.E2E)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows know when they are of
        """Return what spread, for every endpoint and model that has requests now."""
        strata = {metric: _by_subject(rows[metric]) for metric in (*_SOUND, Metric.E2E)}
        named = {subject for of in strata.values() for subject, some in of.items() if any(map(_is_asked, some))}
        subjects = sorted(named)
        return [
            self._found(subject, {name: of.get(subject, []) for name, of in strata.items()}) for subject in subjects
        ]

    def _found(self, subject: _Subject, strata: Mapping[Metric, Sequence[Row]]) -> Found:
        limit = self.settings.threshold or RATIO
        spread = {metric: _spread(strata[metric], _HALVES) for metric in _SOUND}
        known = {metric: one for metric, one in spread.items() if self._is_known(one)}
        wide = {metric: one for metric, one in known.items() if one.low > limit and _lasts(strata[metric], limit)}
        asked = {metric for metric, one in spread.items() if one.n + one.left_out}
        plain = _plain(strata[Metric.E2E])
        told = "; ".join(_words(metric, one) for metric, one in (wide or known).items()) or "too few requests"
        return Found(
            labels={"endpoint": subject[0], "model": subject[1]},
            sound=Verdict.TICKET if wide else Verdict.SILENT,
            naive=Verdict.TICKET if plain is not None and plain > NAIVE_RATIO else Verdict.SILENT,
            words={
                "summary": f"{' '.join(subject).strip()}: {told}",
                "naive": "unknown" if plain is None else f"P99 of the whole time is {plain:.3g} times its median",
            },
            is_known=bool(wide) or (bool(asked) and asked <= known.keys()),
        )

    def _is_known(self, spread: Bounds) -> bool:
        return spread.n >= least_events(self.settings, n_min(P99)) and spread.n >= spread.left_out


def _by_subject(rows: Sequence[Row]) -> dict[_Subject, list[Row]]:
    return {subject: list(of) for subject, of in groupby(rows, key=lambda row: (row["endpoint"], row["model"]))}


def _is_asked(row: Row) -> bool:
    return any(row[half] or row[f"{half}_failed"] for half in _HALVES)


def _lasts(strata: Sequence[Row], limit: float) -> bool:
    """Return whether either half of the window shows a spread that is wider than a limit."""
    points = [_spread(strata, (half,)).point for half in _HALVES]
    return all(point is not None and point > limit for point in points)


def _spread(strata: Sequence[Row], parts: Sequence[str]) -> Bounds:
    """Return the spread in parts of the window over the spread before, within strata."""
    share = ALPHA / 2 / (3 * max(1, len(strata)))
    pairs: list[tuple[Bounds, Sample]] = []
    for row in strata:
        now, before = _sample(row, parts), Sample(counts=row["before"])
        was = times(quantile(before, P99, share), inverse(quantile(before, P50, share)))
        pairs.append((times(quantile(now, P50, share), was), now))
    return divided(pairs, P99, ALPHA / 2)


def _plain(strata: Sequence[Row]) -> float | None:
    now = pooled(_sample(row, _HALVES) for row in strata)
    high, middle = quantile(now, P99).point, quantile(now, P50).point
    return high / middle if high is not None and middle else None


def _sample(row: Row, parts: Sequence[str]) -> Sample:
    """Return the successful requests of parts of the window."""
    return pooled(Sample(counts=row[part]) for part in parts)


def _words(metric: Metric, one: Bounds) -> str:
    return f"the tail of {_SOUND[metric]} is {one.point or 0:.3g} times as wide as before, proven {one.low:.3g}"
