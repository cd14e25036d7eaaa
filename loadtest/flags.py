"""Knows what is said beside the figures of a run, from its rows; refuses to void it.

    cold               the warm-up did not end even: below 60 s or 50 answers, or its last two blocks of 15 s differ
    drift              the halves of the measured part differ, by more than the noise of arrivals
    overload           requests piled up: latency depends on how long the run was
    length_not_held    the answers are more than 10 % longer or shorter than they were asked to be

The length of a warm-up is chosen before the run; whether it was long enough is judged behind it.

Source: spec/loadtest.md 6 (warm-up, stationarity), 8 (length held); `loadtest.steadiness`.
"""

from array import array
from collections.abc import Iterable, Iterator

import msgspec

from loadtest.dispersion import dispersion_index
from loadtest.rows import Row
from loadtest.steadiness import (
    BLOCK_S,
    WARM_UP_ANSWERS,
    WARM_UP_S,
    Pace,
    WarmUp,
    is_drift,
    is_overload,
    median_error,
    sum_error,
    warm_up,
)
from loadtest.sweep import Measured, in_flight
from telemetry.outcome import Outcome
from telemetry.percentile import P50, nearest_rank

LENGTH_RATIO = 0.10
"""How far tokens of answers may be from those asked for, all together."""
CELL_NS, CELLS_LEAST = 5_000_000_000, 20
"""Length of a cell in which arrivals are counted, and how many cells tell that arrivals are evener than Poisson's."""
_US, _LEAST_S = 1e6, 1e-6


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """What is said beside the figures.

    Attributes:
        name: Which.
        found: In words.
        allowed: In words.
    """

    name: str
    found: str
    allowed: str


def flags(rows: Iterable[Row], window_ns: tuple[int, int]) -> list[Flag]:
    """Return what is said of a run; nothing if it has no answer.

    Args:
        rows: Every row of it, in any order; they are looked at twice.
        window_ns: Beginning and end of the measured part, nanoseconds after the start of the plan.
    """
    good = Answers(rows)
    if not good.at_us:
        return []
    first_s, until_s = (edge_ns / 1e9 for edge_ns in window_ns)
    index = index_of(good)
    found = [
        _cold(good, first_s, index),
        _drift(good, first_s, until_s, index),
        _overload(Measured(rows=rows, window_ns=window_ns)),
        _length(good),
    ]
    return [one for one in found if one is not None]


class Answers:
    """Good answers in columns: some 50 bytes for each, and 4 for each second of it.

    Attributes:
        at_us: Planned arrival, microseconds after the start.
        ttft_us: Time to first token; -1 is none.
        ended_us: End, after the start.
        tokens: Output tokens as told; -1 is untold.
        len_out: Tokens asked for.
        by_s: Output tokens by second from the first token on, end to end.
        until: Where the seconds of each end.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        """Take the good ones of these rows."""
        self.at_us, self.ttft_us, self.ended_us = array("q"), array("q"), array("q")
        self.tokens, self.len_out = array("q"), array("q")
        self.by_s, self.until = array("I"), array("Q")
        for row in rows:
            if row.record.outcome is Outcome.OK:
                self.take(row)

    def came(self, first_s: float, until_s: float) -> Iterator[int]:
        """Return the tokens of each answer that came within a span, of those that have some there."""
        since = 0
        for at_us, ttft_us, until in zip(self.at_us, self.ttft_us, self.until, strict=True):
            begun_s = (at_us + max(ttft_us, 0)) / _US
            if begun_s < until_s and begun_s + (until - since) > first_s:
                at = range(since, until)
                tokens = sum(self.by_s[k] for k in at if first_s <= begun_s + (k - since) < until_s)
                if tokens:
                    yield tokens
            since = until

    def take(self, row: Row) -> None:
        """Take a good answer."""
        record = row.record
        self.at_us.append(row.t_sched_us)
        self.ttft_us.append(-1 if record.ttft_us is None else record.ttft_us)
        self.ended_us.append(row.t_sched_us + record.elapsed_us)
        self.tokens.append(-1 if record.tokens_out is None else record.tokens_out)
        self.len_out.append(row.len_out)
        self.by_s.extend(record.tok_by_s)
        self.until.append(len(self.by_s))


def pace(good: Answers, first_s: float, until_s: float, index: float) -> Pace:
    """Return the median TTFT of answers that were planned in a span, and the tokens that came within it, a second.

    Args:
        good: Answers.
        first_s: Beginning, seconds after the start.
        until_s: End, excluded.
        index: Index of dispersion of the arrivals.
    """
    both = zip(good.at_us, good.ttft_us, strict=True)
    ordered_us = sorted(ttft_us for at_us, ttft_us in both if first_s <= at_us / _US < until_s and ttft_us >= 0)
    ttft_us, span_s = nearest_rank(ordered_us, P50), max(until_s - first_s, _LEAST_S)
    came = array("q", good.came(first_s, until_s))
    return Pace(
        ttft_p50_s=None if ttft_us is None else ttft_us / _US,
        tokens_per_s=sum(came) / span_s,
        ttft_error_s=median_error(ordered_us) / _US,
        tokens_error_per_s=sum_error(came, index) / span_s,
    )


def index_of(good: Answers) -> float:
    """Return the index of dispersion of the arrivals; of few cells none below that of Poisson's."""
    last_ns = max(good.at_us) * 1000
    index = dispersion_index(array("q", (at_us * 1000 for at_us in good.at_us)), last_ns, CELL_NS)
    if index is None or last_ns < CELLS_LEAST * CELL_NS:
        return max(1.0, index or 0.0)
    return index


def _cold(good: Answers, first_s: float, index: float) -> Flag | None:
    answers = sum(ended_us / _US < first_s for ended_us in good.ended_us)
    blocks = [pace(good, first_s - back * BLOCK_S, first_s - (back - 1) * BLOCK_S, index) for back in (2, 1)]
    if warm_up(first_s, answers, blocks if first_s >= 2 * BLOCK_S else []) is WarmUp.WARM:
        return None
    return Flag(
        name="cold",
        found=f"{first_s:.0f} s and {answers} answers before the measured part",
        allowed=f"{WARM_UP_S:.0f} s, {WARM_UP_ANSWERS} answers, and two even blocks of {BLOCK_S:.0f} s",
    )


def _drift(good: Answers, first_s: float, until_s: float, index: float) -> Flag | None:
    middle_s = (first_s + until_s) / 2
    one, other = (pace(good, *span, index) for span in ((first_s, middle_s), (middle_s, until_s)))
    if not is_drift(one, other):
        return None
    return Flag(name="drift", found=f"{_words(one)}, then {_words(other)}", allowed="halves within 5 % and 10 %")


def _overload(run: Measured) -> Flag | None:
    flight = in_flight(run)
    if not is_overload(flight):
        return None
    return Flag(name="overload", found=f"from {flight[0]:.0f} to {flight[-1]:.0f} in flight", allowed="no growth")


def _length(good: Answers) -> Flag | None:
    asked = sum(n for n, tokens in zip(good.len_out, good.tokens, strict=True) if tokens >= 0)
    got = sum(tokens for tokens in good.tokens if tokens >= 0)
    if not asked or abs(got / asked - 1) <= LENGTH_RATIO:
        return None
    return Flag(name="length_not_held", found=f"{got} tokens of {asked} asked for", allowed=f"{LENGTH_RATIO:.0%} apart")


def _words(one: Pace) -> str:
    ttft = "no answer" if one.ttft_p50_s is None else f"TTFT p50 {1000 * one.ttft_p50_s:.0f} ms"
    return f"{one.tokens_per_s:.0f} tokens/s, {ttft}"
