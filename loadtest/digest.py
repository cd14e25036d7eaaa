"""Knows what the rows of a run come to: counts, percentiles, throughput, what was really sent; refuses to judge.

The population are the arrivals of the measured window, each by its last attempt. Whatever did not end well is a failure
and counts as +infinity in every percentile; only aborts that were planned are left out.

Source: spec/loadtest.md 2 (achieved CV and index), 6 (population, goodput over all offered), 18 (`report.json`);
spec/measurement.md 6 (throughput of a window), 11 (percentiles).
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from loadtest.dispersion import Dispersion, dispersion
from loadtest.quantiles import certified, interval
from loadtest.rows import Row
from loadtest.run_spec import Phase
from loadtest.wilson import wilson
from telemetry.outcome import Flag, Outcome
from telemetry.percentile import P50, P90, P95, P99, Standing, nearest_rank, percentile
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
_TOKENS: dict[str, Callable[[RequestRecord], int | None]] = {
    "tokens_in": lambda record: record.tokens_in,
    "tokens_out": lambda record: record.tokens_out,
}
_KNOWN = METRICS | _TOKENS


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One percentile.

    Attributes:
        name: Of the metric.
        p: Percent.
        n: Answers that have it, and failures.
        standing: Whether it is known, fails, or has too few.
        value_s: Seconds; None unless known.
        inf: Whether it is infinite: it fails.
        lo: Lower end of its 95 % interval, seconds; None if n is too small to have one, or it is a failure.
        hi: Upper end; None likewise.
        certified: Seconds that it is not above, with 99 % confidence; None below the floor, or if that is a failure.
        population: Whose: all, failures being infinite.
    """

    name: str
    p: float
    n: int
    standing: Standing
    value_s: float | None
    inf: bool = False
    lo: float | None = None
    hi: float | None = None
    certified: float | None = None
    population: str = "all"


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
        rows: Every row of a run, in the order of the plan.
        window_ns: Beginning and end of the measured part, nanoseconds after the start of the plan.
    """
    sums = _Sums(window_ns)
    for row in rows:
        sums.add(row)
    return sums.digest()


class _Sums:
    """What is kept of the rows while they pass: of a request, 8 bytes for each figure."""

    def __init__(self, window_ns: tuple[int, int]) -> None:
        self._from_s, self._until_s = (edge_ns / 1e9 for edge_ns in window_ns)
        self._last: Row | None = None  # of the arrival of the window that passes just now
        self._sent_us = array("q")
        self._attempts = self._reused = self._all = self._aborted = 0
        self._outcomes: Counter[str] = Counter()
        self._known = {name: array("q") for name in _KNOWN}  # of good answers
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
        if self._last is not None and self._last.j != row.j:
            self._end(self._last.record)
        self._last = row

    def digest(self) -> Digest:
        if self._last is not None:
            self._end(self._last.record)
            self._last = None
        offered, good = self._outcomes.total(), self._outcomes[Outcome.OK]
        low, high = wilson(good, offered) if offered else (None, None)
        span_s = self._until_s - self._from_s
        return Digest(
            offered=offered,
            good=good,
            good_low=low,
            good_high=high,
            planned_aborts=self._aborted,
            attempts=self._attempts,
            outcomes=dict(self._outcomes.most_common()),
            figures=tuple(_figures(self._known, offered - good)),
            rate_per_s=offered / span_s if span_s > 0 else None,
            tokens_out_per_s=self._tokens / span_s if self._has_tokens and span_s > 0 else None,
            tokens_in=_median(self._known["tokens_in"]),
            tokens_out=_median(self._known["tokens_out"]),
            sent=dispersion(array("q", sorted(us * 1000 for us in self._sent_us))),
            reused_ratio=self._reused / self._all if self._all else None,
        )

    def _end(self, record: RequestRecord) -> None:
        """Take the last attempt of an arrival."""
        if record.flags & Flag.ABORTED_BY_PLAN:
            self._aborted += 1
            return
        self._outcomes[record.outcome.value] += 1
        if record.outcome is Outcome.OK:
            for name, of in _KNOWN.items():
                if (value := of(record)) is not None:
                    self._known[name].append(value)

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


def _figures(known: Mapping[str, Sequence[int]], failures: int) -> Iterable[Figure]:
    for name in METRICS:
        ordered = sorted(known[name])
        for p_ppm in PERCENTILES:
            found = percentile(ordered, p_ppm, failures=failures)
            ends = interval(ordered, p_ppm, failures=failures)
            yield Figure(
                name=name,
                p=p_ppm / _PPM_PER_PERCENT,
                n=found.n,
                standing=found.standing,
                value_s=_seconds(found.value),
                inf=found.standing is Standing.FAILS,
                lo=_seconds(ends.low),
                hi=_seconds(ends.high),
                certified=_seconds(certified(ordered, p_ppm, failures=failures)),
            )


def _seconds(us: float | None) -> float | None:
    return None if us is None else us / _US


def _median(values: Sequence[int]) -> int | None:
    return nearest_rank(sorted(values), P50)
