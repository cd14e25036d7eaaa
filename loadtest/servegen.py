"""Knows how ServeGen's clients arrive: each a renewal process of its own, superposed; refuses to know files.

A client has, for each 600 s, a rate and the law of its gaps. What is left of a gap at the end of a window goes on at
the next window's rate. Lengths are not in these files; the plan's classes draw them.

Columns: [client,] start_s, rate_rps, cv, pattern, shape, scale; no header. The client is missing in the published
chunk files, which hold one client each.

Source: spec/loadtest.md 10; alibaba/ServeGen, data/language (Apache-2.0).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from loadtest.errors import TraceError
from loadtest.gaps import gaps
from loadtest.plan_spec import Process
from loadtest.random_streams import Uniform, stream
from loadtest.trace_formats import ROWS_MAX, Trace, TraceRow, cells

WINDOW_S = 600
"""Length of a window."""

_NS = 1_000_000_000
_COLUMNS = 7
_SHAPE_LEAST = 0.006  # below it the mean of Weibull gaps is beyond a float
_LAWS = {"Gamma": Process.GAMMA, "Weibull": Process.WEIBULL, "": Process.POISSON}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One client in one window.

    Attributes:
        start_s: On the trace's clock.
        rate: Arrivals a second.
        process: Law of its gaps.
        shape: Of that law; None without one.
    """

    start_s: float
    rate: float
    process: Process
    shape: float | None


def clients(lines: Iterable[str]) -> dict[str, list[Window]]:
    """Read the windows of each client, in the file's order.

    Raises:
        TraceError: A line is not what the format says, or there is none.
    """
    found: dict[str, list[Window]] = {}
    for at, row in cells(lines):
        if len(row) not in {_COLUMNS - 1, _COLUMNS}:
            raise TraceError(f"found {len(row)} cells, allowed {_COLUMNS - 1} or {_COLUMNS}", at)
        client = row[0] if len(row) == _COLUMNS else ""
        found.setdefault(client, []).append(_window(row[1 - _COLUMNS :], at))
    if not found:
        raise TraceError("found no window, allowed: one or more")
    return found


def arrived(windows: dict[str, list[Window]], seed: int, since_s: float, until_s: float) -> Trace:
    """Return the arrivals of all clients in [since, until) of the trace's clock.

    Args:
        windows: Of each client.
        seed: Of the plan; each client has a stream of its own.
        since_s: Start; times stay those of the trace's clock.
        until_s: End.

    Raises:
        TraceError: There are more than `ROWS_MAX`, or none.
    """
    some = (
        t_s
        for client, spans in windows.items()
        for t_s in _client(_cut(spans, since_s, until_s), stream(seed, f"arrivals/{client}"))
    )
    times = list(islice(some, ROWS_MAX + 1))
    if not 0 < len(times) <= ROWS_MAX:
        raise TraceError(f"found {len(times)} arrivals from {since_s} to {until_s} s, allowed 1 to {ROWS_MAX}")
    return Trace(rows=tuple(TraceRow(t_ns=round(t_s * _NS), len_in=None, len_out=None) for t_s in sorted(times)))


def _cut(spans: list[Window], since_s: float, until_s: float) -> Iterator[tuple[float, float, Window]]:
    for span in spans:
        start_s, end_s = max(span.start_s, since_s), min(span.start_s + WINDOW_S, until_s)
        if start_s < end_s:
            yield start_s, end_s, span


def _client(spans: Iterable[tuple[float, float, Window]], uniform: Uniform) -> Iterator[float]:
    left: float | None = None  # what is left of the gap, in mean gaps
    for start_s, end_s, span in spans:
        if not span.rate:
            continue
        drawn, t_s = gaps(span.process, span.shape, uniform), start_s
        while True:
            left = next(drawn) if left is None else left
            if t_s + left / span.rate >= end_s:
                break
            t_s += left / span.rate
            left = None
            yield t_s
        left -= (end_s - t_s) * span.rate


def _window(row: list[str], at: int) -> Window:
    start, rate, _, pattern, shape, _ = row
    try:
        start_s, rate_rps, shaped = float(start), float(rate), float(shape or 0)
    except ValueError as error:
        raise TraceError(
            f"found {','.join(row)[:80]!r}, allowed: start_s, rate, cv, pattern, shape, scale", at
        ) from error
    finite = all(math.isfinite(value) and value >= 0 for value in (start_s, rate_rps, shaped))
    if pattern not in _LAWS or not finite or (pattern and shaped < _SHAPE_LEAST):
        raise TraceError(f"found {','.join(row)[:80]!r}, allowed: Gamma or Weibull with a shape, numbers from 0", at)
    return Window(start_s=start_s, rate=rate_rps, process=_LAWS[pattern], shape=shaped if pattern else None)
