"""Knows when first outputs take several times as long under load; refuses to take longer prompts for load.

P99 in the last hour's minutes of high load (from the P80 of the minutes of seven days on) is held against minutes of
low load (up to their P30) of the last day, within strata of input length and cache hit (`slo.quantile_ratio`): a page
if it is three times as long, and twice is proven. Where load does not vary, or is not high now, nothing is to be told.

Naive: P99 of all requests in minutes of high load over that in minutes of low load, from three on. At the peak prompts
are longer, or few requests make a maximum of a P99.

Error: as `slo.quantile_ratio`. Unknown below `min_events` requests in strata that can be compared (about 1,000 requests
at low load each), and where they are less than half of all. Failures count as infinite, if their length is known.

Source: spec/slo.md 13 (`ttft_p99_load_triple`, seed S1); spec/scaling.md 8.2.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from slo.inhibit import Kind
from slo.jump import Verdict
from slo.quantile_ratio import Bounds, Sample, pooled, quantile, ratio
from slo.rules.chosen import least_events, window_s
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from slo.rules.subject import labels, where
from telemetry.percentile import P99, n_min
from telemetry.queries.question import Question
from telemetry.queries.tails import waits_by_load

RATIO, PROVEN_RATIO = 3.0, 2.0
WINDOW_S = 3_600
LOW_S = 86_400
"""How far back minutes of low load are looked at."""
LOAD_RATIO = 1.5
"""High load must be so many times the low one."""

_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TtftP99LoadTripleRule:
    """A P99 of the time to first output that grows with load; option `proven_ratio`, what must be proven."""

    settings: Settings
    id: RuleId = field(default=RuleId.TTFT_P99_LOAD_TRIPLE, init=False)
    kind: Kind = field(default=Kind.LATENCY, init=False)
    every_s: int = field(default=900, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        since_s = at_s - window_s(self.settings, WINDOW_S)
        return {"waits": waits_by_load(since_s * _MS, at_s * _MS, (at_s - LOW_S) * _MS)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows know when they are of
        """Return what load does to every endpoint and model that had any."""
        return [self._found(list(strata)) for _, strata in groupby(rows["waits"], key=_subject)]

    def _found(self, strata: Sequence[Row]) -> Found:
        first = strata[0]
        low, high = ([_sample(row, name) for row in strata] for name in ("low", "high"))
        within = ratio(list(zip(low, high, strict=True)), P99)
        plain = _plain(pooled(low), pooled(high))
        limit = self.settings.threshold or RATIO
        varies = first["high_load"] >= LOAD_RATIO * first["low_load"]
        is_high = varies and any(one.n for one in high)
        is_known = within.n >= least_events(self.settings, n_min(P99)) and within.n >= within.left_out
        proven = within.low > self.settings.options.get("proven_ratio", PROVEN_RATIO)
        is_sound = is_high and is_known and proven and within.point is not None and within.point >= limit
        return Found(
            labels=labels(first),
            sound=Verdict.PAGE if is_sound else Verdict.SILENT,
            naive=Verdict.PAGE if plain is not None and plain >= limit else Verdict.SILENT,
            words={
                "summary": f"{where(first)}: {_words(first, within, is_high=is_high)}",
                "naive": "unknown" if plain is None else f"{plain:.3g} times as long, whatever the prompts",
            },
            is_known=is_known or not is_high,
        )


def _subject(row: Row) -> tuple[str, str]:
    return row["endpoint"], row["model"]


def _sample(row: Row, name: str) -> Sample:
    return Sample(counts=row[name], failed=row[f"{name}_failed"])


def _plain(low: Sample, high: Sample) -> float | None:
    below, above = quantile(low, P99).point, quantile(high, P99).point
    return above / below if above is not None and below and math.isfinite(below) else None


def _words(first: Row, within: Bounds, *, is_high: bool) -> str:
    if not is_high:
        return f"load is not high; high is {first['high_load']} requests a minute, low {first['low_load']}"
    if within.point is None:
        return f"no stratum of its {within.left_out} requests can be compared with low load"
    if math.isinf(within.point):
        return f"at {first['high_load']} requests a minute and more the P99 of first outputs falls on failures"
    return (
        f"at {first['high_load']} requests a minute and more the P99 of first outputs is {within.point:.3g} times that "
        f"at {first['low_load']} and fewer, proven {within.low:.3g} times, of {within.n} requests"
    )
