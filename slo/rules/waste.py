"""Knows when users wait longer and the bill does not show it; refuses to take longer prompts for waste.

A ticket if all of these are true of the window against the same hours of the days before: the P99 of the time to first
output is proven 10 % higher within strata of input length and cache hit (`slo.quantile_ratio`); a million output tokens
cost the same within 5 %; and a million of those that were in time cost 10 % more, since fewer are in time. In time is
an answer that ended well with its first output within `anchor_s + anchor_s_per_token * tokens_in`.

Naive: the P99 of all requests 10 % higher and the cost within 5 %. Longer inputs raise a P99 honestly.

Error: as `slo.quantile_ratio`. Unknown without a price, GPUs and replicas seen (`slo.rules.cost`), below `min_events`
requests in strata that can be compared, and where they are less than half of all.

Source: spec/slo.md 13 (`wasting_compute`, seed S3); spec/scaling.md 9.2 (usd_per_M_in_SLO_tokens), 9.4.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.cost import usd_per_mtok
from slo.inhibit import Kind
from slo.jump import Verdict
from slo.quantile_ratio import Bounds, Sample, pooled, quantile, ratio
from slo.rules.chosen import HOUR_S, least_events, window_s
from slo.rules.cost import Night, nights
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from telemetry.percentile import P99, n_min
from telemetry.queries.asked import Metric
from telemetry.queries.drift import Anchor
from telemetry.queries.question import Question
from telemetry.queries.spending import spending, tokens_in_time
from telemetry.queries.tails import spreads

SLOWER_RATIO = 0.1
DEARER_RATIO = 0.1
FLAT_RATIO = 0.05
WINDOW_S = 21_600
ANCHOR_S, ANCHOR_S_PER_TOKEN = 1.0, 0.0002
"""Limit of the composite good request (spec/slo.md 3), where none is configured."""

_MS = 1_000
_HALVES = ("early", "late")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """What a million tokens cost now, and times what it was; None is unknown."""

    usd_per_mtok: float | None
    ratio: float | None
    in_time_ratio: float | None

    @property
    def is_flat(self) -> bool:
        return self.ratio is not None and abs(self.ratio - 1) <= FLAT_RATIO


@dataclass(frozen=True, slots=True, kw_only=True)
class WastingComputeRule:
    """A P99 that rises at flat cost.

    Settings: `threshold` is the share by which it rises, `window_s` is rounded up to whole hours. Options:
    `gpu_usd_per_hour`, `gpus_per_replica`, `anchor_s`, `anchor_s_per_token`.
    """

    settings: Settings
    id: RuleId = field(default=RuleId.WASTING_COMPUTE, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=3_600, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at a whole hour."""
        since_ms, until_ms, options = (at_s - self._span_s) * _MS, at_s * _MS, self.settings.options
        anchor = Anchor(
            base_us=options.get("anchor_s", ANCHOR_S) * 1e6,
            per_token_us=options.get("anchor_s_per_token", ANCHOR_S_PER_TOKEN) * 1e6,
        )
        return {
            "spending": spending(since_ms, until_ms),
            "in_time": tokens_in_time(since_ms, until_ms, anchor),
            "waits": spreads(Metric.TTFT, since_ms, until_ms),
        }

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows know when they are of
        """Return what is wasted, for every endpoint that has requests now."""
        bills = nights(rows["spending"], self._span_s, self.settings.options.get("gpus_per_replica"))
        in_time = {row["endpoint"]: row for row in rows["in_time"]}
        strata: dict[str, list[Row]] = {}
        for row in rows["waits"]:
            strata.setdefault(row["endpoint"], []).append(row)
        return [
            self._found(endpoint, self._cost(bills.get(endpoint, {}), in_time.get(endpoint)), of)
            for endpoint, of in strata.items()
            if any(row[half] or row[f"{half}_failed"] for row in of for half in _HALVES)
        ]

    def _found(self, endpoint: str, cost: _Cost, strata: Sequence[Row]) -> Found:
        pairs = [(_sample(row, "before"), pooled(_sample(row, half) for half in _HALVES)) for row in strata]
        within, plain = ratio(pairs, P99), _plain(pairs)
        limit = 1 + (SLOWER_RATIO if self.settings.threshold is None else self.settings.threshold)
        is_compared = within.n >= least_events(self.settings, n_min(P99)) and within.n >= within.left_out
        is_known = is_compared and cost.usd_per_mtok is not None and cost.in_time_ratio is not None
        is_dear = cost.in_time_ratio is not None and cost.in_time_ratio > 1 + DEARER_RATIO
        is_waste = is_known and within.low > limit and cost.is_flat and is_dear
        is_naive = plain is not None and plain > limit and cost.is_flat
        return Found(
            labels={"endpoint": endpoint},
            sound=Verdict.TICKET if is_waste else Verdict.SILENT,
            naive=Verdict.TICKET if is_naive else Verdict.SILENT,
            words={
                "summary": f"{endpoint}: {_words(within, cost)}",
                "naive": "unknown" if plain is None else f"P99 {plain:.3g} times as long, whatever the prompts",
            },
            is_known=is_known,
        )

    def _cost(self, of: Mapping[int, Night | None], in_time: Row | None) -> _Cost:
        now, past = of.get(0), [one for day, one in of.items() if day and one]
        if now is None or not past:
            return _Cost(usd_per_mtok=None, ratio=None, in_time_ratio=None)
        usual = sum(one.replicas * one.span_s for one in past) / sum(one.tokens for one in past)
        dearer = now.replica_s_per_token / usual
        price = self.settings.options.get("gpu_usd_per_hour")
        return _Cost(
            usd_per_mtok=usd_per_mtok(price * now.gpus_per_replica, now.replicas * now.span_s, now.tokens)
            if price and now.gpus_per_replica
            else None,
            ratio=dearer,
            in_time_ratio=_in_time_ratio(dearer, in_time),
        )

    @property
    def _span_s(self) -> int:
        return window_s(self.settings, WINDOW_S, HOUR_S)


def _in_time_ratio(dearer: float, row: Row | None) -> float | None:
    """Return how many times a token in time costs what it did: without end if none is; None if none was before."""
    if row is None or not row["now_tokens"] or not row["before_in_time"]:
        return None
    now: float = row["now_in_time"] / row["now_tokens"]
    before: float = row["before_in_time"] / row["before_tokens"]
    return dearer * before / now if now else math.inf


def _sample(row: Row, name: str) -> Sample:
    return Sample(counts=row[name], failed=row[f"{name}_failed"])


def _plain(pairs: Sequence[tuple[Sample, Sample]]) -> float | None:
    before, now = (quantile(pooled(pair[side] for pair in pairs), P99).point for side in (0, 1))
    return now / before if now is not None and before and math.isfinite(before) else None


def _words(within: Bounds, cost: _Cost) -> str:
    if cost.usd_per_mtok is None:
        return "what a token costs is unknown"
    return (
        f"P99 of first outputs {_slower(within)}; a million output tokens cost {cost.usd_per_mtok:.3g} USD, "
        f"{cost.ratio:.3g} times as much as before, {_in_time(cost.in_time_ratio)}"
    )


def _slower(within: Bounds) -> str:
    if within.point is None:
        return "unknown"
    if math.isinf(within.point):
        return "falls on failures"
    return f"{within.point:.3g} times as long, proven {within.low:.3g}"


def _in_time(ratio_of: float | None) -> str:
    if ratio_of is None:
        return "none were in time before"
    return "none are in time" if math.isinf(ratio_of) else f"those in time {ratio_of:.3g} times as much"
