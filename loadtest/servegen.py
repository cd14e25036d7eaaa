"""Knows how ServeGen's clients arrive: each a renewal process of its own, superposed; refuses to know files.

A client has, for each 600 s, a rate and the law of its gaps. What is left of a gap at the end of a window goes on at
the next window's rate. Columns: [client,] start_s, rate_rps, cv, pattern, shape, scale; no header. The client is
missing in the published chunk files, which hold one client each.

Its lengths lie beside it, for each 21,600 s, as JSON: {"<start_s>": {"input_tokens": "{12: 0.5, 13: 0.5}",
"output_tokens": ".."}}. The inner dicts are Python's, as text, and may be empty. Where there are none, or no such file,
the plan's classes draw the lengths.

Source: spec/loadtest.md 10; alibaba/ServeGen, data/language (Apache-2.0).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from loadtest.errors import TraceError
from loadtest.gaps import gaps
from loadtest.lengths import length_of
from loadtest.plan_spec import TOKENS_MAX, Histogram, Process
from loadtest.random_streams import Uniform, stream
from loadtest.trace_formats import ROWS_MAX, Trace, TraceRow, cells

WINDOW_S = 600
"""Length of a window."""

_NS = 1_000_000_000
_COLUMNS = 7
_SHAPE_LEAST = 0.006  # below it the mean of Weibull gaps is beyond a float
_UNKNOWN: tuple[float, None, None] = (0.0, None, None)
_LAWS = {"Gamma": Process.GAMMA, "Weibull": Process.WEIBULL, "": Process.POISSON}


_Draw = Callable[[float], int] | None
Lengths = Sequence[tuple[float, _Draw, _Draw]]
"""Of one client: start of a window, and the laws of tokens in and out, or None; ascending."""


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


def lengths(data: bytes) -> Lengths:
    """Read the laws of a client's lengths.

    Args:
        data: A dataset file.

    Raises:
        TraceError: It is not what the format says.
    """
    try:
        windows = msgspec.json.decode(data, type=dict[str, dict[str, object]])
        ordered = sorted((float(start), laws) for start, laws in windows.items())
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise TraceError(f"found no windows of lengths: {error}") from error
    return [(start_s, _law(laws.get("input_tokens")), _law(laws.get("output_tokens"))) for start_s, laws in ordered]


def arrived(
    windows: Mapping[str, Sequence[Window]],
    seed: int,
    span_s: tuple[float, float],
    laws: Mapping[str, Lengths] | None = None,
) -> Trace:
    """Return the arrivals of all clients within a span of the trace's clock, on that clock.

    Args:
        windows: Of each client.
        seed: Of the plan; each client has streams of its own.
        span_s: Start, and end, which is excluded.
        laws: Of the lengths of each client, if there are any.

    Raises:
        TraceError: There are more than `ROWS_MAX`, or none.
    """
    some = (
        row
        for client, spans in windows.items()
        for row in _measured(
            times_s(spans, stream(seed, f"arrivals/{client}"), span_s),
            (laws or {}).get(client, []),
            stream(seed, f"lengths/{client}"),
        )
    )
    rows = list(islice(some, ROWS_MAX + 1))
    if not 0 < len(rows) <= ROWS_MAX:
        raise TraceError(f"found {len(rows)} arrivals from {span_s[0]} to {span_s[1]} s, allowed 1 to {ROWS_MAX}")
    return Trace(rows=tuple(sorted(rows, key=lambda row: row.t_ns)))


def times_s(spans: Sequence[Window], uniform: Uniform, span_s: tuple[float, float]) -> Iterator[float]:
    """Return when one client arrives within a span of the trace's clock, ascending.

    Args:
        spans: Its windows.
        uniform: What its gaps are drawn from.
        span_s: Start, and end, which is excluded.
    """
    return _client(_cut(spans, *span_s), uniform)


def _cut(spans: Sequence[Window], since_s: float, until_s: float) -> Iterator[tuple[float, float, Window]]:
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


def _measured(times: Iterable[float], laws: Lengths, uniform: Uniform) -> Iterator[TraceRow]:
    """Give each arrival lengths of the window that it lies in."""
    at = 0
    for t_s in times:
        while at + 1 < len(laws) and laws[at + 1][0] <= t_s:
            at += 1
        _, tokens_in, tokens_out = laws[at] if laws and laws[at][0] <= t_s else _UNKNOWN
        u, v = uniform(), uniform()
        yield TraceRow(
            t_ns=round(t_s * _NS),
            len_in=tokens_in(u) if tokens_in else None,
            len_out=tokens_out(v) if tokens_out else None,
        )


def _law(text: object) -> Callable[[float], int] | None:
    """Read `{12: 0.5, 13: 0.5}`; None without a weight above 0."""
    if text is None:
        return None
    if not isinstance(text, str) or not (text.startswith("{") and text.endswith("}")):
        raise TraceError(f"found {str(text)[:60]!r}, allowed: a Python dict as text")
    try:
        pairs = [part.partition(":") for part in text[1:-1].split(",") if part.strip()]
        weights = {int(tokens): float(weight) for tokens, _, weight in pairs}
    except ValueError as error:
        raise TraceError(f"found {text[:60]!r}, allowed: tokens and weights") from error
    law = {tokens: weight for tokens, weight in weights.items() if tokens and weight}
    if not all(0 < tokens <= TOKENS_MAX and 0 < weight < math.inf for tokens, weight in law.items()):
        raise TraceError(f"found {text[:60]!r}, allowed: up to {TOKENS_MAX} tokens, weights from 0")
    return length_of(Histogram(tokens=tuple(law), weights=tuple(law.values()))) if law else None


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
