"""Knows how many requests met the objective, and how long they took; refuses to know who served them.

A request is good if it ended well with TTFT and TPOT within the limits; an answer of one token has no TPOT. It is bad
if it did not, or was lost or turned away, or its client left after more than the limit for TTFT; a client that left
before says nothing, and neither does a request that no replica can hold.

Source: spec/scaling.md 7 (scores); `loadtest.attainment`, the same of measured requests.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from loadtest.fleet.requests import End, Ended, Request
from loadtest.scaling_profile import Limits
from telemetry.histogram import build, merge

MINUTE_S = 60
FRESH_MAX = 20_000
"""Times that are kept as they are before they are counted; a request may add one more set to them."""
_US = 1e6


class Duration(StrEnum):
    """What is kept of each request that ended well."""

    TTFT = "ttft"
    TPOT = "tpot"
    E2E = "e2e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What has ended in a while, well.

    Attributes:
        ttft_s: Ascending.
        tpot_s: Ascending, of answers of two tokens and more.
        tokens_out: Sum.
        n: Requests.
    """

    ttft_s: Sequence[float]
    tpot_s: Sequence[float]
    tokens_out: int
    n: int


class Tally:
    """Counts of all that ended; times are in histograms."""

    def __init__(self, limits: Limits) -> None:
        """Start from nothing."""
        self.ends: Counter[End] = Counter()
        self.good: Counter[int] = Counter()
        """By minute of arrival."""
        self.bad: Counter[int] = Counter()
        """The same."""
        self.good_total = self.bad_total = 0
        self.tokens_good = 0
        """Tokens of the answers of good requests."""
        self.wait_max_s = 0.0
        """Longest time to a first token."""
        self._ttft_s = inf if limits.ttft_s is None else limits.ttft_s
        self._tpot_s = inf if limits.tpot_s is None else limits.tpot_s
        self._kept: dict[Duration, dict[int, int]] = {kind: {} for kind in Duration}
        self._fresh: dict[Duration, list[float]] = {kind: [] for kind in Duration}

    def add(self, ended: Sequence[Ended]) -> Times:
        """Count what ended, and return the times of what ended well."""
        ok, ttft_max_s, tpot_max_s = End.OK, self._ttft_s, self._tpot_s
        ttft, tpot, e2e, good, bad = list[float](), list[float](), list[float](), list[int](), list[int]()
        tokens_out = 0
        for request, first_s, end_s, how in ended:
            if how is not ok or first_s is None:
                self._add_ill(request, end_s, how)
                continue
            at_s, _, tokens, _ = request
            tokens_out += tokens
            wait_s, token_s = first_s - at_s, 0.0
            if tokens > 1:
                token_s = (end_s - first_s) / (tokens - 1)
                tpot.append(token_s)
            ttft.append(wait_s)
            e2e.append(end_s - at_s)
            if wait_s <= ttft_max_s and token_s <= tpot_max_s:
                good.append(int(at_s) // MINUTE_S)
                self.tokens_good += tokens
            else:
                bad.append(int(at_s) // MINUTE_S)
        self._judge(good, bad)
        ttft.sort()
        tpot.sort()
        self.wait_max_s = max(self.wait_max_s, ttft[-1] if ttft else 0.0)
        for kind, times_s in ((Duration.TTFT, ttft), (Duration.TPOT, tpot), (Duration.E2E, e2e)):
            self._keep(kind, times_s)
        return Times(ttft_s=ttft, tpot_s=tpot, tokens_out=tokens_out, n=len(ttft))

    def histogram(self, kind: Duration) -> Mapping[int, int]:
        """Return the times of what ended well, as `telemetry.histogram` keeps them."""
        self._fold(kind)
        return self._kept[kind]

    def _judge(self, good: Sequence[int], bad: Sequence[int]) -> None:
        """Count what ended well, by minute of arrival."""
        self.ends[End.OK] += len(good) + len(bad)
        self.good_total += len(good)
        self.bad_total += len(bad)
        self.good.update(good)
        self.bad.update(bad)

    def _add_ill(self, request: Request, end_s: float, how: End) -> None:
        self.ends[how] += 1
        left_early = how is End.ABANDONED and end_s - request[0] <= self._ttft_s
        if how is not End.TOO_LONG and not left_early:
            self.bad_total += 1
            self.bad[int(request[0]) // MINUTE_S] += 1

    def _keep(self, kind: Duration, times_s: Sequence[float]) -> None:
        self._fresh[kind] += times_s
        if len(self._fresh[kind]) > FRESH_MAX:
            self._fold(kind)

    def _fold(self, kind: Duration) -> None:
        fresh = self._fresh[kind]
        self._kept[kind] = merge(self._kept[kind], build([int(s * _US) for s in fresh]))
        fresh.clear()
