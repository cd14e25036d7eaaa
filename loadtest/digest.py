"""Knows what the rows of a run come to: counts, percentiles, throughput, what was really sent; refuses to judge.

The population are the arrivals of the measured window, each by its last attempt. Whatever did not end well is a failure
and counts as +infinity in every percentile; only aborts that were planned are left out.

Source: spec/loadtest.md 2 (achieved CV and index), 6 (population, goodput over all offered), 18 (`report.json`);
spec/measurement.md 6 (throughput of a window), 11 (percentiles).
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from loadtest.dispersion import Dispersion, dispersion
from loadtest.rows import Row
from loadtest.run_spec import Phase
from loadtest.wilson import wilson
from telemetry.outcome import Flag, Outcome
from telemetry.percentile import P50, P90, P95, P99, Standing, percentile
from telemetry.record import RequestRecord

_US = 1e6
_PPM_PER_PERCENT = 10_000

PERCENTILES = (P50, P90, P95, P99)
"""Of each metric, in parts per million."""
METRICS: dict[str, Callable[[RequestRecord], int | None]] = {
    "ttft": lambda record: record.ttft_us,
    "ttfo": lambda record: record.ttfo_us,
    "tpot": lambda record: record.tpot_us,
    "max_gap": lambda record: record.icl_max_us,
    "e2e": lambda record: record.e2e_us,
}
"""What is told of the good answers, by name; one that an answer cannot have is left out of its n."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One percentile.

    Attributes:
        name: Of the metric.
        p: Percent.
        n: Answers that have it, and failures.
        standing: Whether it is known, fails, or has too few.
        value_s: Seconds; None unless known.
    """

    name: str
    p: float
    n: int
    standing: Standing
    value_s: float | None


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    Attributes:
        offered: Arrivals of the measured window, planned aborts left out.
        good: Those that ended well.
        good_low: Lower end of the 95 % interval of their share; None without an arrival.
        good_high: Upper end.
        planned_aborts: Arrivals that were cut on purpose.
        attempts: Attempts of the offered arrivals.
        outcomes: Offered arrivals by the outcome of their last attempt.
        figures: Percentiles.
        rate_per_s: Offered arrivals a second of the window; None without one.
        tokens_out_per_s: Output tokens that came within the window, a second; None if unknown.
        tokens_in: Median prompt, tokens; None if unknown.
        tokens_out: Median good answer, tokens; None if unknown.
        sent: How irregular the arrivals of the whole run were as they were sent.
        reused_ratio: Share of attempts on a kept connection; None without an attempt.
    """

    offered: int
    good: int
    good_low: float | None
    good_high: float | None
    planned_aborts: int
    attempts: int
    outcomes: dict[str, int]
    figures: tuple[Figure, ...]
    rate_per_s: float | None
    tokens_out_per_s: float | None
    tokens_in: int | None
    tokens_out: int | None
    sent: Dispersion
    reused_ratio: float | None


def digest(rows: Iterable[Row], window_ns: tuple[int, int]) -> Digest:
    """Return what rows come to.

    Args:
        rows: Every row of a run, in any order.
        window_ns: Beginning and end of the measured part, nanoseconds after the start of the plan.
    """
    sums = _Sums(window_ns)
    for row in rows:
        sums.add(row)
    return sums.digest()


class _Sums:
    """What is kept of the rows while they pass."""

    def __init__(self, window_ns: tuple[int, int]) -> None:
        self._from_s, self._until_s = (edge_ns / 1e9 for edge_ns in window_ns)
        self._last: dict[int, Row] = {}  # of each arrival of the window
        self._sent_us = array("q")
        self._attempts = self._reused = self._all = 0
        self._tokens, self._has_tokens = 0.0, False

    def add(self, row: Row) -> None:
        self._all += 1
        self._reused += row.reused
        self._place_tokens(row)
        if row.record.attempt == 1 and row.turn == 1 and row.sent_us is not None:
            self._sent_us.append(row.sent_us)
        if row.run_phase is not Phase.MEASURED or row.turn > 1:
            return
        self._attempts += 1
        before = self._last.get(row.j)
        if before is None or before.record.attempt < row.record.attempt:
            self._last[row.j] = row

    def digest(self) -> Digest:
        aborted = [row for row in self._last.values() if row.record.flags & Flag.ABORTED_BY_PLAN]
        offered = [row.record for row in self._last.values() if not row.record.flags & Flag.ABORTED_BY_PLAN]
        good = [record for record in offered if record.outcome is Outcome.OK]
        low, high = wilson(len(good), len(offered)) if offered else (None, None)
        span_s = self._until_s - self._from_s
        return Digest(
            offered=len(offered),
            good=len(good),
            good_low=low,
            good_high=high,
            planned_aborts=len(aborted),
            attempts=self._attempts,
            outcomes=dict(Counter(record.outcome.value for record in offered).most_common()),
            figures=tuple(_figures(good, len(offered) - len(good))),
            rate_per_s=len(offered) / span_s if span_s > 0 else None,
            tokens_out_per_s=self._tokens / span_s if self._has_tokens and span_s > 0 else None,
            tokens_in=_median([record.tokens_in for record in good]),
            tokens_out=_median([record.tokens_out for record in good]),
            sent=dispersion([us * 1000 for us in sorted(self._sent_us)]),
            reused_ratio=self._reused / self._all if self._all else None,
        )

    def _place_tokens(self, row: Row) -> None:
        """Credit the window with the tokens that came within it, by seconds from the first one on."""
        record = row.record
        if record.ttft_us is None or not record.tok_by_s:
            return
        self._has_tokens = True
        first_s = (row.t_sched_us + record.ttft_us) / _US
        for second, tokens in enumerate(record.tok_by_s):
            if self._from_s <= first_s + second < self._until_s:
                self._tokens += tokens


def _figures(good: Sequence[RequestRecord], failures: int) -> Iterable[Figure]:
    for name, of in METRICS.items():
        ordered = sorted(us for record in good if (us := of(record)) is not None)
        for p_ppm in PERCENTILES:
            found = percentile(ordered, p_ppm, failures=failures)
            value_s = None if found.value is None else found.value / _US
            p = p_ppm / _PPM_PER_PERCENT
            yield Figure(name=name, p=p, n=found.n, standing=found.standing, value_s=value_s)


def _median(values: Sequence[int | None]) -> int | None:
    known = sorted(value for value in values if value is not None)
    return known[(len(known) - 1) // 2] if known else None
