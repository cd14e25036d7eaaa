"""Knows how a trace becomes the arrivals of a plan; refuses to know formats and files.

    start      rows before `start_s` are left out, and the rest begins at 0
    step       where less than half of the stamps differ, rows are spread at random over the shortest step between two
               stamps: a clock of 3 s would be taken for bursts
    scale      above 1 shifted copies are laid over the trace, each by up to 60 s and with block ids of its own; the
               last copy, if it is no whole one, and a trace below 1, keep each row, or conversation, by a coin
    compress   time is divided by it
    unknown    lengths that a trace does not say are drawn by the plan's class

Source: spec/loadtest.md 10.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from loadtest.errors import TraceError
from loadtest.plan import Columns, Ragged
from loadtest.plan_spec import ARRIVALS_MAX, PLAN_S_MAX, PlanSpec, TraceSpec
from loadtest.random_streams import Stream, Uniform, stream
from loadtest.trace_formats import Trace, TraceRow
from loadtest.workload import Wishes, nonces, without_idle

JITTER_S_MAX = 60.0
"""Most that a copy is shifted by."""

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a trace became.

    Attributes:
        columns: The arrivals.
        dropped: Rows that were left out, by reason: `no tokens`, `too long`.
    """

    columns: Columns
    dropped: dict[str, int]


def replayed(spec: PlanSpec, trace: Trace) -> Replay:
    """Return the arrivals of a plan that replays a trace.

    Args:
        spec: With a trace.
        trace: Read from the file that the spec means.

    Raises:
        TraceError: Nothing is left to replay, or more than `ARRIVALS_MAX` arrivals.
    """
    if spec.trace is None:
        raise TraceError("found no trace in the plan, allowed: one")
    short, dropped = _short(trace, spec.trace.tokens_max)
    placed = sorted(_scaled(spec.trace, _spread(short, spec.seed), spec.seed), key=lambda one: one[0])
    end_ns = round(spec.duration_s * _NS) if spec.duration_s else None
    kept = list(islice((one for one in placed if end_ns is None or one[0] < end_ns), spec.count))
    if not 0 < len(kept) <= ARRIVALS_MAX or kept[-1][0] > PLAN_S_MAX * _NS:
        raise TraceError(f"found {len(kept)} arrivals, allowed 1 to {ARRIVALS_MAX} in at most {PLAN_S_MAX} s")
    return Replay(columns=_columns(spec, kept), dropped=dropped)


_Placed = tuple[int, TraceRow, int]  # when, what, of which copy


def _short(trace: Trace, tokens_max: int | None) -> tuple[list[TraceRow], dict[str, int]]:
    kept = [row for row in trace.rows if tokens_max is None or (row.len_in or 0) + (row.len_out or 0) <= tokens_max]
    too_long = len(trace.rows) - len(kept)
    return kept, trace.dropped | ({"too long": too_long} if too_long else {})


def _spread(rows: Sequence[TraceRow], seed: int) -> list[tuple[int, TraceRow]]:
    """Return the rows with their times, spread within the steps of a coarse clock."""
    stamps = sorted({row.t_ns for row in rows})
    step_ns = min((b - a for a, b in pairwise(stamps)), default=0)
    if 2 * len(stamps) >= len(rows):
        return [(row.t_ns, row) for row in rows]
    uniform = stream(seed, Stream.ARRIVALS)
    return [(row.t_ns + int(uniform() * step_ns), row) for row in rows]


def _scaled(spec: TraceSpec, rows: Sequence[tuple[int, TraceRow]], seed: int) -> Iterator[_Placed]:
    start_ns, whole = round(spec.start_s * _NS), int(spec.scale)
    for copy in range(whole + (spec.scale > whole)):
        uniform = stream(seed, f"arrivals/copy/{copy}")
        shift_ns = int(uniform() * JITTER_S_MAX * _NS) if copy else 0
        coin = _Coin(uniform, 1.0 if copy < whole else spec.scale - whole)
        for t_ns, row in rows:
            if t_ns >= start_ns and coin.keeps(row):
                yield round((t_ns - start_ns + shift_ns) / spec.compress), row, copy


class _Coin:
    """Keeps a share of the rows, whole conversations where they are known."""

    def __init__(self, uniform: Uniform, ratio: float) -> None:
        self._uniform, self._ratio = uniform, ratio
        self._known: dict[int, bool] = {}

    def keeps(self, row: TraceRow) -> bool:
        """Return whether a row is kept."""
        if self._ratio >= 1:
            return True
        if row.conversation is None:
            return self._uniform() < self._ratio
        if row.conversation not in self._known:
            self._known[row.conversation] = self._uniform() < self._ratio
        return self._known[row.conversation]


def _columns(spec: PlanSpec, placed: Sequence[_Placed]) -> Columns:
    n, copies = len(placed), 1 + max(copy for _, _, copy in placed)
    made = Columns(
        t_sched_ns=array("q", (t_ns for t_ns, _, _ in placed)),
        nonce=nonces(spec.seed, n),
        blocks=Ragged(starts=array("Q", [0]), values=array("Q")),
    )
    known = {one.name: at for at, one in enumerate(spec.classes)}
    drawn = Wishes(spec)
    for _, row, copy in placed:
        wish = drawn.draw(known.get(row.workload_class or ""))
        made.class_at.append(wish.class_at)
        made.len_in.append(row.len_in or wish.len_in)
        made.len_out.append(row.len_out or wish.len_out)
        made.prefix_id.append(0 if row.blocks else wish.prefix_id)
        made.patience_us.append(wish.patience_us if row.left_after_us is None else row.left_after_us + 1)
        made.abort_after.append(wish.abort_after)
        made.blocks.values.extend(block * copies + copy for block in row.blocks)
        made.blocks.starts.append(len(made.blocks.values))
    return without_idle(made)
