"""Knows how plans, traces and laws become requests for a simulated fleet; refuses to know who serves them.

Requests come in parts, ascending within a part and from part to part, so that two weeks of them never lie in memory at
once. A law of lengths is drawn from 4,096 of its quantiles: the largest value that it gives is the one which 1 in 8,192
exceeds.

Source: spec/scaling.md 7 (traces; "20 clients lack one window: interpolate, never 0"); spec/loadtest.md 10.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise

from loadtest import servegen
from loadtest.fleet.requests import Request, Wish
from loadtest.gaps import gaps
from loadtest.lengths import length_of
from loadtest.plan import Arrival, Plan
from loadtest.plan_spec import Length, Process, Separate
from loadtest.prompts import BLOCK_TOKENS
from loadtest.random_streams import stream
from loadtest.trace_formats import TraceRow

PART = 4096
"""Requests of a part."""
_QUANTILES = 4096
_NS = 1_000_000_000

Draw = Callable[[int], list[tuple[int, int]]]
"""Gives the lengths of so many requests, in and out."""


def lengths(laws: Separate, seed: int) -> Draw:
    """Return what draws lengths of prompt and answer."""
    tokens_in, tokens_out = _table(laws.tokens_in), _table(laws.tokens_out)
    uniform = stream(seed, "fleet/lengths")

    def draw(n: int) -> list[tuple[int, int]]:
        return [(tokens_in[int(uniform() * _QUANTILES)], tokens_out[int(uniform() * _QUANTILES)]) for _ in range(n)]

    return draw


def renewal(
    rate: float, duration_s: float, draw: Draw, seed: int, law: tuple[Process, float | None] = (Process.POISSON, None)
) -> Iterator[list[Request]]:
    """Return arrivals at a steady rate.

    Args:
        rate: Arrivals a second, above 0.
        duration_s: For how long.
        draw: Their lengths.
        seed: Of the gaps.
        law: Of the gaps, and its shape.
    """
    drawn, t_s = gaps(*law, stream(seed, "fleet/arrivals")), 0.0
    while t_s < duration_s:
        times = list[float]()
        for gap in islice(drawn, PART):
            t_s += gap / rate
            if t_s >= duration_s:
                break
            times.append(t_s)
        yield _requests(times, draw)


def of_clients(
    windows: Mapping[str, Sequence[servegen.Window]],
    draw: Draw,
    seed: int,
    *,
    scale: float,
    span_s: tuple[float, float],
) -> Iterator[list[Request]]:
    """Return the arrivals of ServeGen's clients, a part for each window of the trace.

    Args:
        windows: Of each client; one that is missing gets the mean of its neighbours.
        draw: Lengths of the requests.
        seed: Of all chance; each client has a stream of its own.
        scale: What all rates are multiplied by; the laws of the gaps stay.
        span_s: Start, and end, which is excluded, of the trace's clock; the start is the simulation's zero.
    """
    since_s, until_s = span_s
    clients = [
        _Client(servegen.times_s(_scaled(spans, scale), stream(seed, f"fleet/arrivals/{client}"), span_s), until_s)
        for client, spans in windows.items()
    ]
    end_s = since_s
    while end_s < until_s:
        end_s = min(end_s + servegen.WINDOW_S, until_s)
        times = sorted([t_s - since_s for client in clients for t_s in client.before(end_s)])
        yield _requests(times, draw)


def of_rows(rows: Iterable[TraceRow], draw: Draw) -> Iterator[list[Request]]:
    """Return the requests of a trace; lengths that it does not say are drawn."""
    left = iter(rows)
    while part := list(islice(left, PART)):
        yield [_of_row(row, *drawn) for row, drawn in zip(part, draw(len(part)), strict=True)]


def of_plan(plan: Plan) -> Iterator[list[Request]]:
    """Return the first turns of a plan, which a load test would send at the same times."""
    left, beginnings = plan.mine(0, 1), dict[tuple[str, int], int]()
    while part := list(islice(left, PART)):
        yield [_of_arrival(one, beginnings) for one in part]


class _Client:
    """Arrivals of one client, read as far as somebody asks."""

    def __init__(self, times_s: Iterator[float], never_s: float) -> None:
        self._times_s, self._never_s = times_s, never_s
        self._next_s = next(times_s, never_s)

    def before(self, end_s: float) -> list[float]:
        """Return those before an instant that were not returned yet."""
        t_s, found, times_s, never_s = self._next_s, list[float](), self._times_s, self._never_s
        while t_s < end_s:
            found.append(t_s)
            t_s = next(times_s, never_s)
        self._next_s = t_s
        return found


def _scaled(spans: Sequence[servegen.Window], scale: float) -> list[servegen.Window]:
    """Return a client's windows at another rate, with those that are missing."""
    whole = list(spans[:1])
    for before, after in pairwise(spans):
        lacking = round((after.start_s - before.start_s) / servegen.WINDOW_S) - 1
        for at in range(1, lacking + 1):
            rate = before.rate + (after.rate - before.rate) * at / (lacking + 1)
            whole.append(replace(before, start_s=before.start_s + at * servegen.WINDOW_S, rate=rate))
        whole.append(after)
    return [replace(one, rate=one.rate * scale) for one in whole]


def _table(law: Length) -> list[int]:
    tokens = length_of(law)
    return [max(1, tokens((at + 0.5) / _QUANTILES)) for at in range(_QUANTILES)]


def _requests(times_s: Sequence[float], draw: Draw) -> list[Request]:
    return [(t_s, n_in, n_out, None) for t_s, (n_in, n_out) in zip(times_s, draw(len(times_s)), strict=True)]


def _of_row(row: TraceRow, drawn_in: int, drawn_out: int) -> Request:
    patience_s = None if row.left_after_us is None else row.left_after_us / 1e6
    wish = None
    if row.blocks or patience_s is not None:
        wish = Wish(prefix=row.blocks, prefix_tokens=BLOCK_TOKENS if row.blocks else 0, patience_s=patience_s)
    return row.t_ns / _NS, row.len_in or drawn_in, row.len_out or drawn_out, wish


def _of_arrival(one: Arrival, beginnings: dict[tuple[str, int], int]) -> Request:
    prefix, tokens = (one.blocks, BLOCK_TOKENS) if one.blocks else ((), 0)
    if not prefix and one.prefix_id is not None:
        # Each class has beginnings of its own, with ids from 0.
        known = beginnings.setdefault((one.workload_class, one.prefix_id), len(beginnings))
        prefix, tokens = (known,), one.prefix_len
    wish = Wish(prefix=prefix, prefix_tokens=tokens, patience_s=one.patience_s)
    return one.t_sched_ns / _NS, one.len_in, one.abort_after_tokens or one.len_out, wish if wish != Wish() else None
